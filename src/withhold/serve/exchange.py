"""Exchanges: one request and the response to it, as ASGI has them, on a connection's wire.

The head of an answer whose length is known leaves with its first bytes, in one write; a stream's
leaves at once. A response that its app does not end is never made to look whole: its connection is
closed instead.
"""

import asyncio
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Scope

from withhold.proxy.problem import PROBLEMS

HIGH_WATER_BYTES: Final = 64 * 2**10  # of a request's body that nobody has read yet
GOODBYE_S: Final = 0.2  # for what is left to be sent of an answer that is broken off

_log: Final = logging.getLogger(__name__)

_STATUS_LINES: Final = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}
_CONTROLS: Final = bytes(sorted({*range(0x20), 0x7F} - {0x09}))
_CLOSE: Final = b"connection: close\r\n"
_CHUNKED: Final = b"transfer-encoding: chunked\r\n"
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


def refusal(code: str) -> bytes:
    """Give a whole response, a problem after which the connection is closed."""
    problem = PROBLEMS[code]
    body = problem.encode()
    head = (
        "content-type: application/problem+json\r\n"
        f"content-length: {len(body)}\r\n"
        "cache-control: no-store\r\n"
        "connection: close\r\n\r\n"
    )
    return _STATUS_LINES[problem.status] + head.encode() + body


class Wire:
    """A connection's transport, and whether it takes more."""

    def __init__(self, transport: asyncio.Transport) -> None:
        """`transport`: connected."""
        self.transport = transport
        self._reading = True
        self._room: asyncio.Event | None = None  # None: there is room

    @property
    def is_full(self) -> bool:
        """Whether more is waiting to be sent than may."""
        return self._room is not None

    def fill(self) -> None:
        """Let writers wait."""
        self._room = self._room or asyncio.Event()

    def free(self) -> None:
        """Let writers write."""
        if self._room is not None:
            self._room.set()
            self._room = None

    async def drain(self) -> None:
        """Wait until there is room."""
        while self._room is not None:
            await self._room.wait()

    def read(self, *, on: bool) -> None:
        """Read on, or let what a client sends wait in the kernel."""
        if on is not self._reading:
            self._reading = on
            (self.transport.resume_reading if on else self.transport.pause_reading)()


class Exchange:
    """A request whose head has come, and its response. `ended` is called when that is whole."""

    __slots__ = (
        "_awaited",
        "_body",
        "_chunked",
        "_date",
        "_ended",
        "_head",
        "_left",
        "_news",
        "_silent",
        "_told",
        "_wire",
        "complete",
        "ended",
        "gone",
        "keep_alive",
        "scope",
        "spoke",
        "started",
    )

    def __init__(
        self, scope: Scope, wire: Wire, date: bytes, ended: Callable[[], None], *, keep_alive: bool
    ) -> None:
        """`date`: the line of the response's head, or nothing."""
        self.scope = scope
        self.keep_alive = keep_alive
        self.complete = False  # the request has come whole
        self.started = False  # its app has begun to answer
        self.spoke = False  # and something of that was written
        self.ended = False  # all was
        self.gone = False  # nobody is there any more
        self._wire = wire
        self._date = date
        self._ended = ended
        self._body = bytearray()  # of the request: what has come and nobody has read
        self._told = False  # that the request is complete
        self._news: asyncio.Event | None = None  # made by whoever waits
        self._awaited = False  # by the client: to be told to continue
        self._head = b""  # of the response, until it leaves
        self._left = 0  # bytes that its length promises
        self._chunked = False
        self._silent = False  # it has no body, whatever its app sends

    def expect(self) -> None:
        """Note that the client waits to be told to send the body (RFC 9110 §10.1.1)."""
        self._awaited = True

    def feed(self, body: bytes) -> None:
        """Take a part of the request's body; once it is answered, nobody wants it."""
        self._awaited = False
        if not self.ended:
            self._body += body
            if len(self._body) > HIGH_WATER_BYTES:
                self._wire.read(on=False)
            self._tell()

    def finish(self) -> None:
        """Note that the request has come whole."""
        self.complete = True
        self._awaited = False
        self._wire.read(on=True)  # for that is how it is heard that the client has gone
        self._tell()

    def lose(self) -> None:
        """Note that the client is gone: from here on nothing is sent."""
        self.gone = True
        self._tell()

    async def run(self, app: ASGIApp) -> None:
        """Have the request answered. What was not answered whole closes its connection."""
        try:
            await app(self.scope, self.receive, self.send)
        except BaseException as error:  # noqa: BLE001 - no app's fault may end the server, nor a cancelled one stay unanswered
            _log.error("answer-failed", exc_info=error)
        if not self.ended and not self.gone:
            if not self.started:
                self.spoke = True
                self._write(refusal("internal-error"))
            self._wire.transport.close()
            # INVARIANT: what waits for a client that does not read leaves soon or never. An answer
            # is broken off when its warrant is revoked, too.
            asyncio.get_running_loop().call_later(GOODBYE_S, self._wire.transport.abort)

    async def receive(self) -> Message:
        """Give the next part of the request, or that there is nobody any more, as ASGI has it."""
        if self._awaited and not self.started:
            self._write(_CONTINUE)
            self._awaited = False
        while not (self.gone or self.ended):
            if self._body or (self.complete and not self._told):
                body = bytes(self._body)
                self._body.clear()
                self._told = self.complete
                return {"type": "http.request", "body": body, "more_body": not self.complete}
            if not self.complete:
                self._wire.read(on=True)
            self._news = self._news or asyncio.Event()
            self._news.clear()
            await self._news.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take the next part of the response, as ASGI has it. Waits while the wire is full."""
        if self._wire.is_full and not self.gone:
            await self._wire.drain()
        if self.gone or self._wire.transport.is_closing():
            return
        kind = message["type"]
        if kind == "http.response.body" and self.started and not self.ended:
            self._send_body(message.get("body", b""), more=message.get("more_body", False))
        elif kind == "http.response.start" and not self.started:
            self._start(message["status"], message.get("headers", ()))
        else:
            text = f"`{kind}` is out of turn"
            raise RuntimeError(text)

    def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        lines = [_STATUS_LINES[status], self._date]
        has_length = False
        for name, value in headers:
            lower = name.lower()
            if lower == b"content-length":
                has_length = True
                self._left = int(value)
            elif lower == b"transfer-encoding":
                continue  # framing is the server's
            elif lower == b"connection":
                self.keep_alive = self.keep_alive and b"close" not in value.lower()
                continue
            lines.append(b"%b: %b\r\n" % (lower, value))
        self._silent = self.scope["method"] == "HEAD" or status in _BODILESS
        if not has_length and not self._silent:
            if self.scope["http_version"] == "1.0":
                self._left = -1  # its end is the connection's (RFC 9112 §6.3)
                self.keep_alive = False
            else:
                self._chunked = True
                lines.append(_CHUNKED)
        if not self.keep_alive:
            lines.append(_CLOSE)
        head = b"".join(lines)
        # No field is two lines: all that may be deleted is each line's own end.
        ends = 2 * (len(lines) - (not self._date))
        if len(head.translate(None, _CONTROLS)) != len(head) - ends:
            text = "a field of the response holds a control character"
            raise RuntimeError(text)
        self.started = True
        self._head = head + b"\r\n"
        if self._chunked:
            self._flush(b"")

    def _send_body(self, body: bytes, *, more: bool) -> None:
        if self._silent:
            body, self._left = b"", 0
        elif self._chunked:
            body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            if not more:
                body += b"0\r\n\r\n"
        elif self._left >= 0:
            self._left -= len(body)
            if self._left < 0 or (self._left and not more):
                text = "the response is not as long as it says"
                raise RuntimeError(text)
        self._flush(body)
        if not more:
            self.ended = True
            self._tell()
            if not self.keep_alive:
                self._wire.transport.close()
            self._ended()

    def _flush(self, body: bytes) -> None:
        self.spoke = True
        if self._head:
            body, self._head = self._head + body, b""
        if body:
            self._write(body)

    def _write(self, data: bytes) -> None:
        if not self._wire.transport.is_closing():
            self._wire.transport.write(data)

    def _tell(self) -> None:
        if self._news is not None:
            self._news.set()
