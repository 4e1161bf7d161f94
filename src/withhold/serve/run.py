"""Running: from a deployment file to both planes being served, or to a refusal that says why."""

import asyncio
import logging
import signal
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from socket import socket
from typing import Final

from withhold import config, wiring
from withhold.deployment.model import Deployment
from withhold.serve import loop
from withhold.serve.listener import address_of, bind
from withhold.serve.planes import serve_planes
from withhold.serve.supervisor import supervise
from withhold.wiring import Plane

DRAIN_S: Final = 10.0  # for requests under way, once told to stop

_log: Final = logging.getLogger(__name__)


def serve(file: Path, workers: int) -> None:
    """Serve both planes until SIGTERM or SIGINT. Raises: WithholdError, before it serves."""
    deployment = config.load_deployment(file)
    # What is wrong is found here, once, and not in each worker over and over.
    asyncio.run(wiring.check(deployment))
    with (
        closing(bind(deployment.data_plane)) as data,
        closing(bind(deployment.control_plane)) as control,
    ):
        sockets = {Plane.DATA: data, Plane.CONTROL: control}
        for plane, bound in sockets.items():
            _log.info("listening", extra={"plane": plane, "address": address_of(bound)})
        if workers > 1:
            supervise(deployment.file, sockets, workers, DRAIN_S)
        else:
            loop.run(serve_here(deployment, sockets))
    _log.info("stopped")


async def serve_here(
    deployment: Deployment,
    sockets: Mapping[Plane, socket],
    *,
    shared: bool = False,
    lifeline: int | None = None,
    drain_s: float = DRAIN_S,
) -> None:
    """Serve the planes that have a socket in this process.

    `lifeline`: a pipe of the supervisor's, readable once it has ended.
    """
    stop = asyncio.Event()
    running = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        running.add_signal_handler(number, stop.set)
    if lifeline is not None:
        running.add_reader(lifeline, stop.set)
    async with wiring.node(deployment, sockets.keys()) as node:
        apps = node.apps
        await serve_planes(
            apps,
            sockets,
            deployment.limits,
            stop,
            drain_s=drain_s,
            shared=shared,
            ready=lambda: _log.info("ready", extra={"planes": " ".join(apps)}),
        )
