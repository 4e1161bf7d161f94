"""A caller who notices the very first byte, and keeps what it saw until the connection broke.

On bare sockets: a stream of asyncio's forgets what it had read when the other end is reset.
"""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_PIECE = 2**16


@dataclass(frozen=True)
class Heard:
    """What was received of one response, of which at least one byte was."""

    status: int | None  # None: its head broke off
    headers: dict[str, str]
    body: bytes = field(repr=False)
    is_whole: bool

    @property
    def receipt(self) -> str | None:
        """The id of its receipt."""
        return self.headers.get("withhold-receipt")

    @property
    def code(self) -> str:
        """The code of a problem; empty for anything else."""
        found = self.json() if "problem" in self.headers.get("content-type", "") else {}
        return str(found.get("code", ""))

    def json(self) -> dict[str, Any]:
        """Read the body."""
        found: dict[str, Any] = json.loads(self.body)
        return found


class Connection:
    """A connection that is kept, and made anew when it broke."""

    def __init__(self, port: int, token: str) -> None:
        self._address = ("127.0.0.1", port)
        self._token = token
        self._socket: socket.socket | None = None
        self._read = bytearray()

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Heard | None:
        """Ask; None if not one byte came. `_` in a header's name is `-`."""
        lines = [
            f"{method} {path} HTTP/1.1",
            "Host: withhold.test",
            f"Authorization: Bearer {self._token}",
            *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
        ]
        if method != "GET":
            lines.append(f"Content-Length: {len(body)}")
        heard = await self._exchange("\r\n".join([*lines, "", ""]).encode() + body)
        if heard is None or not heard.is_whole or heard.headers.get("connection") == "close":
            self.close()
        return heard

    async def get(self, path: str, warrant: str) -> Heard | None:
        """Ask for a disclosure."""
        return await self.ask("GET", path, Withhold_Warrant=warrant)

    def close(self) -> None:
        """Close it, until the next question."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._read.clear()

    async def _exchange(self, sent: bytes) -> Heard | None:
        loop = asyncio.get_running_loop()
        try:
            if self._socket is None:
                self._socket = socket.socket()
                self._socket.setblocking(False)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await loop.sock_connect(self._socket, self._address)
            await loop.sock_sendall(self._socket, sent)
        except OSError:
            return None
        head = await self._until(b"\r\n\r\n")
        if head is None:
            return Heard(None, {}, bytes(self._read), is_whole=False) if self._read else None
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (x.split(": ", 1) for x in lines)}
        body, is_whole = await self._body(headers)
        return Heard(int(first.split(" ")[1]), headers, body, is_whole)

    async def _body(self, headers: dict[str, str]) -> tuple[bytes, bool]:
        if "content-length" in headers:
            size = int(headers["content-length"])
            body = await self._exactly(size)
            return (bytes(self._read), False) if body is None else (body, True)
        body = b""
        while True:
            line = await self._until(b"\r\n")
            chunk = None if line is None else await self._exactly(int(line, 16) + 2)
            if chunk is None:
                return body, False
            if len(chunk) == 2:
                return body, True
            body += chunk[:-2]

    async def _until(self, mark: bytes) -> bytes | None:
        while (at := self._read.find(mark)) < 0:
            if not await self._more():
                return None
        found = bytes(self._read[:at])
        del self._read[: at + len(mark)]
        return found

    async def _exactly(self, count: int) -> bytes | None:
        while len(self._read) < count:
            if not await self._more():
                return None
        found = bytes(self._read[:count])
        del self._read[:count]
        return found

    async def _more(self) -> bool:
        assert self._socket is not None
        try:
            data = await asyncio.get_running_loop().sock_recv(self._socket, _PIECE)
        except OSError:
            return False
        self._read += data
        return bool(data)


@contextmanager
def connected(port: int, token: str) -> Iterator[Connection]:
    """Give a connection that is closed in the end."""
    connection = Connection(port, token)
    try:
        yield connection
    finally:
        connection.close()
