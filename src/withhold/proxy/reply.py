"""Replies: the ASGI messages of a whole answer, a problem or a stream.

INVARIANT: a stream that is not ended has no last chunk, so the client sees that it is broken
(RFC 9112 §7.1); whoever raises after `begin` leaves it so.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from starlette.types import Receive, Send

from withhold.errors import BadRequest
from withhold.proxy.problem import Problem
from withhold.proxy.watch import ClientGone

Headers = Sequence[tuple[str, str]]

NO_STORE: Final = ("Cache-Control", "no-store")


@lru_cache(maxsize=64)  # all names are ours
def _encode_name(name: str) -> bytes:
    return name.lower().encode()


class Reply:
    """One response, begun at most once."""

    def __init__(self, receive: Receive, send: Send) -> None:
        """Both as ASGI has them."""
        self._receive = receive
        self._send = send
        self.begun = False

    async def read(self, most_bytes: int) -> bytes:
        """Read the request's body. Raises: BadRequest, where it is larger; ClientGone."""
        body = bytearray()
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone("the client has gone")
            body += message.get("body", b"")
            if len(body) > most_bytes:
                raise BadRequest(f"the body is larger than {most_bytes} bytes")
            if not message.get("more_body", False):
                return bytes(body)

    def is_gone(self) -> bool:
        """Tell whether the client has gone already. Waits for nothing.

        A server takes what is sent to nobody without a word, so it is asked before.
        """
        while True:
            step = self._receive().__await__()
            try:
                next(step)
            except StopIteration as told:
                if told.value["type"] == "http.disconnect":
                    return True
            else:
                step.close()
                return False

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send an answer that is all there."""
        await self._start(status, [*headers, ("Content-Length", str(len(body)))])
        await self._send({"type": "http.response.body", "body": body})

    async def problem(self, problem: Problem) -> None:
        """Send a problem."""
        headers = [("Content-Type", "application/problem+json"), *problem.headers]
        await self.whole(problem.status, headers, problem.encode())

    async def begin(self, headers: Headers) -> None:
        """Begin a stream."""
        await self._start(200, headers)

    async def more(self, body: bytes) -> None:
        """Send a part of a stream."""
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def taken(self) -> None:
        """Return once there is room for the end, which then waits for nobody."""
        await self.more(b"")

    async def end(self) -> None:
        """End a stream: all of it was sent."""
        await self._send({"type": "http.response.body", "body": b""})

    async def gone(self) -> None:
        """Return once the client has gone."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _start(self, status: int, headers: Headers) -> None:
        self.begun = True
        encoded = [(_encode_name(n), v.encode("latin-1")) for n, v in (*headers, NO_STORE)]
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})
