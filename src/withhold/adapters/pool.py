"""Connections to stores that are kept for the next exchange: few, for a short time, never shared.

The one that was used last is used first, so that those above the need grow old and are closed.
"""

import asyncio
import ssl
from collections import deque
from typing import Final, NamedTuple

import httpx

from withhold.adapters.connection import Connection
from withhold.adapters.dialling import dial

# Below what servers wait themselves (5 s: Node, Apache, uvicorn; 75 s: nginx), so that it is mostly
# ours to close. Where a server waits less (gunicorn: 2 s), its end is seen before reuse.
IDLE_S: Final = 4.0
# From then on a connection is not used again: addresses and certificates are looked at anew.
AGE_S: Final = 60.0
_GOODBYE_S: Final = 1.0


class Origin(NamedTuple):
    """Where a connection leads."""

    is_tls: bool
    host: str
    port: int


class Pool:
    """At most so many connections, idle ones included; of one event loop."""

    def __init__(self, max_connections: int, context: ssl.SSLContext | None) -> None:
        """`context`: None has one made where it is needed first."""
        self._max = max_connections
        self._context = context
        self._loop: asyncio.AbstractEventLoop | None = None
        self._under_way = 0  # exchanges
        self._queue: deque[asyncio.Future[None]] = deque()
        self._idle: dict[Origin, list[Connection]] = {}
        self._open: set[Connection] = set()
        self._is_closed = False

    def is_entered(self) -> bool:
        """Take one's turn if nobody is in the way of it. Raises: RuntimeError in another loop."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None:
                message = "a pool of connections belongs to the event loop that first used it"
                raise RuntimeError(message)
            self._loop = loop
        if self._under_way >= self._max:
            return False
        self._under_way += 1
        return True

    async def enter(self, by: float) -> None:
        """Wait for one's turn, until `by`. Raises: httpx.PoolTimeout."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            async with asyncio.timeout_at(by):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.leave()  # it was given while the wait ended
            elif turn in self._queue:  # else who left has just passed it over
                self._queue.remove(turn)
            if isinstance(error, TimeoutError):
                message = "all connections to the store are taken"
                raise httpx.PoolTimeout(message) from None
            raise

    def leave(self) -> None:
        """Give one's turn to who waits longest."""
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._under_way -= 1

    def take(self, origin: Origin) -> Connection | None:
        """Give the connection that was used last, if one is open; it looks at its socket itself."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.is_open:
                return connection
            connection.abort()
        return None

    async def open(self, origin: Origin, by: float) -> Connection:
        """Make a connection. Raises: httpx.ConnectError, httpx.ConnectTimeout."""
        if self._is_closed:
            message = "the connections to the store are closed"
            raise httpx.ConnectError(message)
        self._make_room()
        if origin.is_tls and self._context is None:
            self._context = make_context()
        context = self._context if origin.is_tls else None
        connection = await dial(origin.host, origin.port, context, by)
        self._open.add(connection)
        connection.lost.add_done_callback(lambda _: self._forget(origin, connection))
        return connection

    def give_back(self, origin: Origin | None, connection: Connection) -> None:
        """Keep a connection whose exchange is over, or end it. `origin`: None: do not keep it."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if not connection.finish():
            connection.abort()
        elif origin is None or self._is_closed or now > connection.began + AGE_S:
            connection.close()
        else:
            connection.expect(now + IDLE_S)
            self._idle.setdefault(origin, []).append(connection)

    async def aclose(self) -> None:
        """Close every connection, and wait until they are; exchanges under way end with a fault."""
        self._is_closed = True
        idle = [connection for each in self._idle.values() for connection in each]
        self._idle.clear()
        for connection in idle:
            connection.close()
        ending = list(self._open)
        for connection in ending:
            if connection not in idle:
                connection.abort()
        if ending:
            await asyncio.wait([connection.lost for connection in ending], timeout=_GOODBYE_S)
        for connection in list(self._open):
            connection.abort()

    def _make_room(self) -> None:
        """Close the oldest idle connection where one more would be too many."""
        if len(self._open) >= self._max:
            for idle in self._idle.values():
                if idle:
                    idle.pop(0).abort()
                    return

    def _forget(self, origin: Origin, connection: Connection) -> None:
        self._open.discard(connection)
        idle = self._idle.get(origin, [])
        if connection in idle:
            idle.remove(connection)


def make_context() -> ssl.SSLContext:
    """Make httpx's own: its certificates, verified, names too. Nothing is read from outside."""
    context = httpx.create_ssl_context(trust_env=False)
    # Python takes `SSLKEYLOGFILE` by itself.
    context.keylog_filename = None  # type: ignore[assignment]  # it may be None
    context.set_alpn_protocols(["http/1.1"])
    return context
