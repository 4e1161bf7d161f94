"""A data plane behind the real HTTP server, and a client that speaks bytes to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp

from tests.proxy.plane import TOKEN, WARRANT
from withhold.deployment.model import Limits, Listen
from withhold.serve.listener import Server, bind, server

Address = tuple[str, int]


@dataclass(frozen=True)
class Served:
    """Where it listens, and the server itself."""

    host: str
    port: int
    server: Server


@asynccontextmanager
async def served(app: ASGIApp, limits: Limits | None = None) -> AsyncIterator[Served]:
    """Serve an app on a free port. What connects before it is up waits in the backlog."""
    sock = bind(Listen("127.0.0.1", 0))
    host, port = sock.getsockname()
    http = server(app, limits or Limits(), 1.0)
    task = asyncio.ensure_future(http.serve(sockets=[sock]))
    try:
        yield Served(host, port, http)
    finally:
        http.should_exit = True
        await task
        sock.close()


@dataclass
class Conversation:
    """One connection to a server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def head(self) -> tuple[int, dict[str, str]]:
        """Read the head of the response: its status and headers."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")[:-2]
        headers = [line.split(": ", 1) for line in lines]
        return int(status.split(" ")[1]), {name.lower(): value for name, value in headers}

    async def chunk(self) -> bytes | None:
        """Read one chunk of a chunked body: empty is the last one, None is a broken stream."""
        try:
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            return (await self.reader.readexactly(size + 2))[:-2]
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def rest(self) -> tuple[bytes, bool]:
        """Read the rest of a chunked body, and tell whether it came to its end."""
        body = b""
        while chunk := await self.chunk():
            body += chunk
        return body, chunk is not None


@asynccontextmanager
async def talking(to: Served, sent: bytes) -> AsyncIterator[Conversation]:
    """Connect and send."""
    reader, writer = await asyncio.open_connection(to.host, to.port, limit=2**22)
    try:
        writer.write(sent)
        await writer.drain()
        yield Conversation(reader, writer)
    finally:
        writer.close()


def request(path: str, *lines: str, version: str = "1.1") -> bytes:
    """A request by the disclosure service under the warrant."""
    head = [
        f"GET {path} HTTP/{version}",
        "Host: withhold.test",
        f"Authorization: Bearer {TOKEN}",
        f"Withhold-Warrant: {WARRANT}",
        *lines,
    ]
    return "\r\n".join([*head, "", ""]).encode()
