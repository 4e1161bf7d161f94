"""A store for the benchmarks: it gives one answer to whatever it is asked, as fast as it can."""

import asyncio
from asyncio import BaseTransport, Transport
from typing import Final, cast

END: Final = b"\r\n\r\n"


def http(body: bytes) -> bytes:
    """Give an answer of HTTP/1.1 with this JSON; the connection ends with it."""
    head = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close"
    return b"HTTP/1.1 200 OK\r\n" + head.encode() + END + body


class Answering(asyncio.Protocol):
    """Answers once, when the head of a request has come."""

    def __init__(self, answer: bytes) -> None:
        """`answer`: head and body."""
        self._answer = answer
        self._asked = b""

    def connection_made(self, transport: BaseTransport) -> None:
        """Remember the connection."""
        self._transport = cast("Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer at the end of the head."""
        self._asked += data
        if END in self._asked:
            self._transport.write(self._answer)
            self._transport.close()


async def start(body: bytes) -> tuple[asyncio.Server, int]:
    """Serve on a free port, and give it."""
    answer = http(body)
    server = await asyncio.get_running_loop().create_server(
        lambda: Answering(answer), "127.0.0.1", 0
    )
    return server, server.sockets[0].getsockname()[1]
