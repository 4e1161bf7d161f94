"""The supervisor: several data-plane processes on one socket, one for the control plane.

It binds the sockets, starts the workers and starts anew any that dies; it serves nothing itself.
A worker whose supervisor is gone ends: it holds the reading end of a pipe that nobody else closes.
"""

import asyncio
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import Any, Final

from prometheus_client.multiprocess import mark_process_dead

from withhold.wiring import Plane

FIRST_DELAY_S: Final = 0.1  # before a worker that died is started anew; doubled each time
LAST_DELAY_S: Final = 5.0
STEADY_S: Final = 10.0  # a worker that lived so long had a good start
KILL_AFTER_S: Final = 5.0  # beyond the time that a worker may take to drain

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class Crew:
    """What every worker is told."""

    file: Path
    sockets: Mapping[Plane, socket]
    drain_s: float
    lifeline: int  # the pipe's reading end
    metrics: str  # prometheus_client sums the counters of all processes in this folder


def supervise(file: Path, sockets: Mapping[Plane, socket], workers: int, drain_s: float) -> None:
    """Run until SIGTERM or SIGINT, then drain. `workers`: data-plane processes."""
    with tempfile.TemporaryDirectory(prefix="withhold-metrics-") as folder:
        reading, writing = os.pipe()
        try:
            crew = Crew(file, sockets, drain_s, reading, folder)
            asyncio.run(_supervise(crew, workers))
        finally:
            os.close(reading)
            os.close(writing)


async def _supervise(crew: Crew, workers: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with asyncio.TaskGroup() as group:
        group.create_task(_keep(crew, Plane.CONTROL, stop))
        for _ in range(workers):
            group.create_task(_keep(crew, Plane.DATA, stop))
        await stop.wait()
        # Nobody accepts from here on: who calls now is refused at once, and tries another node.
        for bound in crew.sockets.values():
            bound.close()


async def _keep(crew: Crew, plane: Plane, stop: asyncio.Event) -> None:
    """Keep one worker running until `stop`."""
    loop = asyncio.get_running_loop()
    delay_s = FIRST_DELAY_S
    while not stop.is_set():
        began_s = loop.time()
        process = await _start(crew, plane)
        ended = asyncio.ensure_future(process.wait())
        await _first_of(ended, stop, None)
        if stop.is_set():
            await _end(process, ended, crew.drain_s)
            return
        _log.error("worker-ended", extra={"plane": plane, "code": process.returncode})
        # Its requests under way are no more.
        mark_process_dead(process.pid, crew.metrics)  # type: ignore[no-untyped-call]  # untyped
        if loop.time() - began_s > STEADY_S:
            delay_s = FIRST_DELAY_S
        await _first_of(None, stop, delay_s)
        delay_s = min(delay_s * 2, LAST_DELAY_S)


async def _start(crew: Crew, plane: Plane) -> asyncio.subprocess.Process:
    descriptor = crew.sockets[plane].fileno()
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "withhold.serve.worker", str(crew.file), plane),
        *(str(descriptor), str(crew.lifeline), str(crew.drain_s)),
        stdin=asyncio.subprocess.DEVNULL,
        pass_fds=(descriptor, crew.lifeline),
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": crew.metrics},
    )


async def _end(
    process: asyncio.subprocess.Process, ended: asyncio.Future[int], drain_s: float
) -> None:
    if process.returncode is None:
        process.terminate()
    done, _ = await asyncio.wait({ended}, timeout=drain_s + KILL_AFTER_S)
    if not done:
        _log.error("worker-killed", extra={"code": "not drained in time"})
        process.kill()
        await ended


async def _first_of(
    ended: asyncio.Future[int] | None, stop: asyncio.Event, timeout_s: float | None
) -> None:
    """Wait for the worker's end, for `stop` or for the time to pass, whichever is first."""
    stopping = asyncio.ensure_future(stop.wait())
    waiting: set[asyncio.Future[Any]] = {stopping} if ended is None else {stopping, ended}
    try:
        await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
