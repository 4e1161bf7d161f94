"""A store that speaks bytes: whatever a test has it say, on a real socket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Says = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class HostileStore:
    """What it heard, and where it is."""

    base_url: str
    heard: list[bytes] = field(default_factory=list)  # request heads, as received
    ended: list[asyncio.Event] = field(default_factory=list)  # set once a connection is done with


@asynccontextmanager
async def hostile(*says: bytes | Says) -> AsyncIterator[HostileStore]:
    """Serve each connection: read a request's head, say the next thing, close. The last repeats."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended = asyncio.Event()
        store.ended.append(ended)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                store.heard.append(await reader.readuntil(b"\r\n\r\n"))
                say = says[min(len(store.heard), len(says)) - 1]
                if isinstance(say, bytes):
                    writer.write(say)
                    await writer.drain()
                else:
                    await say(writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    store = HostileStore(f"http://127.0.0.1:{port}")
    async with server:
        try:
            yield store
        finally:
            server.close()


def http(
    body: bytes,
    *headers: str,
    status: str = "200 OK",
    length: int | str | None = "",
) -> bytes:
    """A response whose head says the body's `length`: the true one unless told otherwise."""
    lines = [f"HTTP/1.1 {status}", *headers]
    if length is not None:
        lines.append(f"Content-Length: {len(body) if length == '' else length}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """A body in chunks."""
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + end


def stalls(said: bytes, until: asyncio.Event) -> Says:
    """Say something, then nothing until told to."""

    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()
        await until.wait()

    return say


def drips(pieces: Sequence[bytes], goes_on: asyncio.Queue[None]) -> Says:
    """Say one piece each time the queue has something."""

    async def say(writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            await goes_on.get()
            writer.write(piece)
            await writer.drain()

    return say
