"""Accepting: connections of a socket that several processes accept from.

libuv takes all that are waiting, and one process would have them all: of 64 connections made at
once, two processes had 61 and 3. So one is taken at a time, and who has more open than ever rests,
so that the others get their turn. A client that connects for each request is never rested for.
"""

import asyncio
import errno
import socket
from collections.abc import Callable, Sized
from typing import Final

REST_S: Final = 0.001
STARVED_S: Final = 1.0  # without a descriptor left, accepting is tried again after so long

_STARVED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Acceptor:
    """Accepts from one socket until it is closed; has what uvicorn needs of a server."""

    def __init__(
        self, sock: socket.socket, protocol: Callable[[], asyncio.Protocol], connections: Sized
    ) -> None:
        """`sock`: listening. `protocol`: makes one. `connections`: those that are open."""
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._protocol = protocol
        self._connections = connections
        self._most = 0  # connections that were open at a time, of late
        self._pending: set[asyncio.Task[object]] = set()
        self._rest: asyncio.TimerHandle | None = None
        sock.settimeout(0)
        self._listen()

    def close(self) -> None:
        """Accept no more. Whoever owns the socket closes it."""
        self._loop.remove_reader(self._sock)
        if self._rest is not None:
            self._rest.cancel()

    async def wait_closed(self) -> None:
        """Wait until what was accepted is connected."""
        if self._pending:
            await asyncio.wait(self._pending)

    def _listen(self) -> None:
        self._rest = None
        self._loop.add_reader(self._sock, self._accept)

    def _rest_for(self, seconds: float) -> None:
        self._loop.remove_reader(self._sock)
        self._rest = self._loop.call_later(seconds, self._listen)

    def _accept(self) -> None:
        try:
            accepted, _ = self._sock.accept()
        except OSError as error:
            # Else another process was faster, or the client has gone already.
            if error.errno in _STARVED:
                self._rest_for(STARVED_S)
            return
        accepted.settimeout(0)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self._loop.create_task(self._connect(accepted))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)
        count = len(self._connections) + len(self._pending)
        if count > self._most:
            self._most = count
            self._rest_for(REST_S)
        else:
            self._most -= 1

    async def _connect(self, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, accepted)
        except OSError:
            accepted.close()  # the client has gone already
