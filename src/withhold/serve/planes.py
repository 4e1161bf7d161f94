"""Planes: one or both of them on one event loop, until told to stop."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from socket import socket
from typing import Any, Final

from starlette.types import ASGIApp

from withhold.deployment.model import Limits
from withhold.serve.listener import Server, ServerEnded, server
from withhold.wiring import Plane

LAST_WORDS_S: Final = 5.0  # for a request that was cancelled; an append takes no longer


async def serve_planes(
    apps: Mapping[Plane, ASGIApp],
    sockets: Mapping[Plane, socket],
    limits: Limits,
    stop: asyncio.Event,
    *,
    drain_s: float,
    shared: bool = False,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve each plane on its socket until `stop`, then let requests under way end.

    `ready` is called once every plane answers. Raises: ServerEnded.
    """
    servers = {plane: server(app, limits, drain_s, shared=shared) for plane, app in apps.items()}
    tasks = [
        asyncio.ensure_future(each.serve(sockets=[sockets[plane]]))
        for plane, each in servers.items()
    ]
    stopping = asyncio.ensure_future(stop.wait())
    watched: set[asyncio.Future[Any]] = {stopping, *tasks}
    try:
        ended = await _until_started(servers.values(), watched)
        if not ended:
            ready()
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        for each in servers.values():
            each.should_exit = True
        await asyncio.gather(*tasks)
        await _last_words(servers.values())
    if not stop.is_set():
        message = "a plane stopped serving"
        raise ServerEnded(message)


async def _last_words(servers: Collection[Server]) -> None:
    """Wait for requests that were cancelled: each still says in the ledger what became of it."""
    # uvicorn cancels what has not ended in time, and does not wait for it.
    under_way = {task for each in servers for task in each.server_state.tasks}
    if under_way:
        await asyncio.wait(under_way, timeout=LAST_WORDS_S)


async def _until_started(servers: Collection[Server], watched: set[asyncio.Future[Any]]) -> bool:
    """Wait until all have started; tell whether something that is watched ended before."""
    while not all(each.started for each in servers):
        # uvicorn has no event for it, and looks at its own state ten times a second.
        done, _ = await asyncio.wait(watched, timeout=0.01, return_when=asyncio.FIRST_COMPLETED)
        if done:
            return True
    return False
