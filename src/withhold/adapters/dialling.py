"""Making a connection: of a host's addresses the one that answers first, and TLS on it."""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from typing import Final

import httpx

from withhold.adapters.connection import Connection

_HEAD_START_S: Final = 0.25  # RFC 8305 §5
_GOODBYE_S: Final = 1.0
_Found = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]


async def dial(host: str, port: int, context: ssl.SSLContext | None, by: float) -> Connection:
    """Connect, until `by` on the loop's clock. `context`: None is no TLS.

    Raises: httpx.ConnectError (because of what went wrong), httpx.ConnectTimeout.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout_at(by):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            plain = await _first(loop, found)
            try:
                _, connection = await loop.create_connection(
                    lambda: Connection(loop, is_tls=context is not None),
                    sock=plain,
                    ssl=context,
                    server_hostname=host if context else None,
                    ssl_shutdown_timeout=_GOODBYE_S if context else None,
                )
            except BaseException:
                plain.close()
                raise
    except TimeoutError:
        message = "the store could not be reached in time"
        raise httpx.ConnectTimeout(message) from None
    except OSError as error:  # ssl.SSLError is one
        message = "the store could not be reached"
        raise httpx.ConnectError(message) from error
    return connection


async def _first(loop: asyncio.AbstractEventLoop, found: Sequence[_Found]) -> socket.socket:
    """Give a socket of the address that answers first; each is ahead of the next a little.

    Source: RFC 8305 §5. Raises: OSError, a refusal if any address refused.
    """
    tasks: list[asyncio.Task[socket.socket]] = []
    faults: list[OSError] = []
    waiting: set[asyncio.Task[socket.socket]] = set()
    left = list(found)
    try:
        while left or waiting:
            if left:
                task = loop.create_task(_connect(loop, left.pop(0)))
                tasks.append(task)
                waiting.add(task)
            pause_s = _HEAD_START_S if left else None
            done, waiting = await asyncio.wait(
                waiting, timeout=pause_s, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                fault = task.exception()
                if fault is None:
                    return tasks.pop(tasks.index(task)).result()
                if not isinstance(fault, OSError):
                    raise fault
                faults.append(fault)
    finally:
        for task in tasks:
            task.add_done_callback(_close)
            task.cancel()
    refusals = [each for each in faults if isinstance(each, ConnectionRefusedError)]
    raise (refusals or faults)[0]


async def _connect(loop: asyncio.AbstractEventLoop, found: _Found) -> socket.socket:
    family, kind, protocol, _, address = found
    plain = socket.socket(family, kind, protocol)
    try:
        plain.setblocking(False)  # noqa: FBT003
        await loop.sock_connect(plain, address)
    except BaseException:
        plain.close()
        raise
    return plain


def _close(task: asyncio.Task[socket.socket]) -> None:
    """Close what came too late."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()
