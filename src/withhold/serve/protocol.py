"""The protocol: HTTP/1.1 on one connection, parsed by llhttp, with a bound on everything.

uvicorn's `Server` runs it, as it would one of its own: connections, tasks and draining are there.
A request is parsed when the one before it is answered, so a refusal never overtakes an answer, and
what a client sends ahead waits as bytes, then in the kernel. Bounded are the connections, the bytes
of a head and of a chunked body's framing, and the time that a request may take to come. Its own
refusals are problems like all else, and tell nothing of what was sent.
"""

import asyncio
import logging
from typing import Any, Final
from urllib.parse import unquote

import httptools
import uvicorn
from starlette.types import Scope
from uvicorn.server import ServerState

from withhold.serve.exchange import Exchange, Wire, refusal
from withhold.serve.head import framing_of, without_white

KEEP_ALIVE_S: Final = 30.0  # between two requests
REQUEST_S: Final = 10.0  # from a connection, or a request's first byte, to its last

_END: Final = b"\r\n\r\n"  # of a head
_log: Final = logging.getLogger(__name__)


class _Refused(Exception):
    """What was sent is no request that is answered."""


class Protocol(asyncio.Protocol):
    """One connection."""

    max_connections = 512
    max_head_bytes = 16 * 2**10

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """As uvicorn calls it."""
        self._app = config.loaded_app
        self._state = server_state
        self._app_state = app_state
        self._loop = _loop or asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)

        # The request that is being parsed.
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._tail = b""  # what was parsed of its head last: its end may come in two parts
        self._framing_bytes = 0  # what was parsed of it and is not its body, less as much as that
        self._left: int | None = 0  # bytes of its body; None: chunked
        self._upgrades = False  # llhttp takes what follows for another protocol, and we don't

        self._exchange: Exchange | None = None  # until it is both complete and ended
        self._fresh = False  # it is not yet run
        self._ahead = b""  # what came after it
        self._deaf = False  # nothing more is heard

        # A timer is set anew only where it would ring too late: most requests set none.
        self._awaiting = True  # a request that has not come whole
        self._until_s: float | None = None
        self._rings_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    # --- what asyncio and uvicorn call ---

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or refuse one too many without a word."""
        self._wire = Wire(transport)
        self._server = _address(transport, "sockname")
        self._client = _address(transport, "peername")
        connections: set[Any] = self._state.connections
        connections.add(self)
        if len(connections) > self.max_connections:
            self._deaf = True
            transport.abort()
        else:
            self._allow(REQUEST_S)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why does not matter
        """Let go of a connection."""
        connections: set[Any] = self._state.connections
        connections.discard(self)
        self._deaf = True
        self._wire.free()
        if self._exchange is not None:
            self._exchange.lose()
            self._exchange = None
        if self._timer is not None:
            self._timer.cancel()
        del self._parser  # it knows us, and we it

    def pause_writing(self) -> None:
        """Let writers wait: the client reads more slowly than they write."""
        self._wire.fill()

    def resume_writing(self) -> None:
        """Let writers write, and take what came ahead, if that had to wait for it."""
        self._wire.free()
        if self._exchange is None and not (self._deaf or self._wire.transport.is_closing()):
            self._go_on()

    def shutdown(self) -> None:
        """End the connection as soon as nobody is being answered on it."""
        if self._exchange is None or self._exchange.ended:
            self._wire.transport.close()
        else:
            self._exchange.keep_alive = False

    def data_received(self, data: bytes) -> None:
        """Take what was sent."""
        self._take(self._ahead + data if self._ahead else data)

    # --- what comes, cut into requests ---

    def _take(self, data: bytes) -> None:
        self._ahead = b""
        while data and not self._deaf:
            exchange = self._exchange
            if exchange is None and not self._wire.is_full:
                data = self._take_head(data)
            elif exchange is not None and not exchange.complete:
                data = self._take_body(exchange, data)
            elif exchange is not None and not exchange.keep_alive:
                return  # it is the last one
            else:
                # INVARIANT: nothing is asked while answers before it are still to be taken. What is
                # released then would leave when the client likes, whatever was revoked meanwhile.
                self._ahead = data
                self._wire.read(on=False)
                return
        if self._awaiting and self._until_s is None and not self._deaf:
            self._allow(REQUEST_S)

    def _take_head(self, data: bytes) -> bytes:
        """Parse a head, as far as it is there, and have it answered; give what follows it."""
        if not self._awaiting:
            self._awaiting = True
            self._until_s = None
        tail = self._tail
        at = (tail + data).find(_END) if tail else data.find(_END)
        piece = data if at < 0 else data[: at + len(_END) - len(tail)]
        self._framing_bytes += len(piece)
        if self._framing_bytes > self.max_head_bytes:
            return self._refuse("headers-too-large")
        self._tail = (tail + piece)[1 - len(_END) :] if at < 0 else b""
        self._parse(piece)
        if self._fresh and not self._deaf:
            self._fresh = False
            self._run()
        return data[len(piece) :]

    def _take_body(self, exchange: Exchange, data: bytes) -> bytes:
        """Take a part of a body, as far as it is there; give what follows it."""
        piece = data if self._left is None else data[: self._left]
        if self._left is not None:
            self._left -= len(piece)
        if self._upgrades:
            exchange.feed(piece)
            if not self._left:
                self._complete(exchange)
        else:
            self._framing_bytes += len(piece)
            self._parse(piece)
            if self._framing_bytes > self.max_head_bytes:
                return self._refuse("bad-request")
        if exchange.complete and exchange.ended and not self._deaf:
            self._next()
        return data[len(piece) :]

    def _parse(self, piece: bytes) -> None:
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            pass  # RFC 9110 §7.8: a server may ignore it
        except httptools.HttpParserError:
            exchange = self._exchange
            if exchange is not None and exchange.complete:
                # What came with a chunked body's end, which nobody but llhttp can see: the request
                # itself is whole, and the last one.
                self._deaf = True
                exchange.keep_alive = False
                if exchange.ended:
                    self._wire.transport.close()
            else:
                self._refuse("bad-request")

    def _run(self) -> None:
        exchange = self._exchange
        if exchange is not None:
            task = self._loop.create_task(exchange.run(self._app))
            self._state.tasks.add(task)
            task.add_done_callback(self._state.tasks.discard)

    def _complete(self, exchange: Exchange) -> None:
        """Note that a request has come whole."""
        self._awaiting = False
        self._until_s = None
        exchange.finish()

    def _ended(self) -> None:
        """Note that a response is whole."""
        self._state.total_requests += 1
        if self._exchange is None or self._exchange.complete:
            self._next()

    def _next(self) -> None:
        """Go on to the next request. One that came ahead is taken now."""
        self._exchange = None
        self._framing_bytes = 0
        self._allow(KEEP_ALIVE_S)
        if self._wire.transport.is_closing():
            self._deaf = True
            return
        self._go_on()

    def _go_on(self) -> None:
        self._wire.read(on=True)
        if self._ahead:
            self._take(self._ahead)

    def _refuse(self, code: str) -> bytes:
        """Refuse what is being sent, and hear no more. Gives what is left to be taken: nothing."""
        _log.warning("request-refused", extra={"code": code})
        self._deaf = True
        exchange = self._exchange
        if exchange is not None:
            exchange.lose()
        transport = self._wire.transport
        if not transport.is_closing():
            if exchange is None or not exchange.spoke:
                transport.write(refusal(code))
            transport.close()
        self._allow(KEEP_ALIVE_S)
        return b""

    # --- time ---

    def _allow(self, seconds: float) -> None:
        """Give the client so long from now: to send a request, to begin one, to take an answer."""
        self._until_s = self._loop.time() + seconds
        if self._timer is None:
            self._set(self._until_s)
        elif self._until_s < self._rings_s:
            self._timer.cancel()
            self._set(self._until_s)

    def _set(self, at_s: float) -> None:
        self._rings_s = at_s
        self._timer = self._loop.call_at(at_s, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._until_s is None:
            return
        if self._until_s > self._loop.time():
            self._set(self._until_s)
        elif self._wire.transport.get_write_buffer_size():
            self._wire.transport.abort()  # it has not even taken its answer
        else:
            self._wire.transport.close()

    # --- what llhttp calls ---

    def on_message_begin(self) -> None:
        """Begin a request."""
        if self._exchange is not None:
            raise _Refused
        self._target = b""
        self._headers = []

    def on_url(self, url: bytes) -> None:
        """Take a part of its target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of its head; what trails a body is none (RFC 9110 §6.5.1)."""
        if self._exchange is None:
            self._headers.append((name.lower(), without_white(value)))

    def on_headers_complete(self) -> None:
        """Make the exchange of a head, or refuse it."""
        parser = self._parser
        version = parser.get_http_version()
        framing = framing_of(self._target, version, self._headers)
        self._upgrades = parser.should_upgrade()
        if framing is None or (self._upgrades and framing.length is None):
            raise _Refused
        self._left = framing.length
        keep_alive = version == "1.1" and not self._upgrades and parser.should_keep_alive()
        date = b"".join(b"%b: %b\r\n" % line for line in self._state.default_headers)
        scope = self._scope(parser.get_method().decode(), version)
        self._exchange = Exchange(scope, self._wire, date, self._ended, keep_alive=keep_alive)
        if framing.expects_continue:
            self._exchange.expect()
        self._fresh = True

    def on_body(self, body: bytes) -> None:
        """Take a part of its body."""
        # No body is so long that what trails it may be endless.
        self._framing_bytes = max(0, self._framing_bytes - 2 * len(body))
        if self._exchange is not None:
            self._exchange.feed(body)

    def on_message_complete(self) -> None:
        """Note that it has come whole."""
        if self._exchange is not None and not (self._upgrades and self._left):
            self._complete(self._exchange)

    def _scope(self, method: str, version: str) -> Scope:
        raw_path, _, query = self._target.partition(b"?")
        path = raw_path.decode("ascii")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": version,
            "server": self._server,
            "client": self._client,
            "scheme": "http",
            "method": method,
            "root_path": "",
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": self._headers,
            "state": self._app_state.copy(),
        }


def _address(transport: asyncio.Transport, name: str) -> tuple[str, int] | None:
    found = transport.get_extra_info(name)
    return (str(found[0]), int(found[1])) if found else None
