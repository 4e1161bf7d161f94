"""Listeners: sockets bound before anything is served, and the HTTP server on each.

uvicorn with h11. Its access log is off, since a path names a person; no header of a proxy before
us is believed; what h11 refuses is answered as a problem like all else. Connections are bounded in
number and in the time that a request may take to come: nobody who only connects keeps a revocation
from being heard, for want of a descriptor.
"""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Iterator
from typing import Final

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from withhold.deployment.model import Limits, Listen
from withhold.errors import WithholdError
from withhold.proxy.problem import PROBLEMS

BACKLOG: Final = 1_024
KEEP_ALIVE_S: Final = 30
REQUEST_S: Final = 10.0  # from a connection, or a request's first byte, to its last

_FRAMINGS: Final = frozenset({b"content-length", b"transfer-encoding"})


class CannotListen(WithholdError):
    """The address is taken, or not this machine's."""


class ServerEnded(WithholdError):
    """A server ended and nobody had told it to."""


class Protocol(H11Protocol):
    """HTTP/1.1 whose own refusals are problems too, and that waits for no request for ever."""

    max_connections = 512
    _until: asyncio.TimerHandle | None = None  # while a request is yet to come whole

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or refuse one too many without a word."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            transport.abort()
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of a connection."""
        super().connection_lost(exc)
        self._unwatch()

    def data_received(self, data: bytes) -> None:
        """Take what was sent, and see whether it is a whole request."""
        super().data_received(data)
        if self.conn.their_state in {h11.IDLE, h11.SEND_BODY}:
            self._watch()
        else:
            self._unwatch()

    def handle_events(self) -> None:
        """Handle what has come; who frames a request twice is not heard again."""
        super().handle_events()
        # RFC 9112 §6.1: another reader before us may have seen its end elsewhere.
        if {name for name, _ in self.headers or ()} >= _FRAMINGS:
            self.cycle.keep_alive = False

    def _watch(self) -> None:
        if self._until is None:
            self._until = self.loop.call_later(REQUEST_S, self.transport.close)

    def _unwatch(self) -> None:
        if self._until is not None:
            self._until.cancel()
            self._until = None

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's text is not ours
        """Refuse what h11 could not take, and close. Called while its exception is handled."""
        fault = sys.exception()
        large = isinstance(fault, h11.RemoteProtocolError) and fault.error_status_hint == 431  # noqa: PLR2004 - RFC 6585 §5
        problem = PROBLEMS["headers-too-large" if large else "bad-request"]
        body = problem.encode()
        headers = [
            ("content-type", "application/problem+json"),
            ("content-length", str(len(body))),
            ("cache-control", "no-store"),
            ("connection", "close"),
        ]
        for event in (
            h11.Response(status_code=problem.status, headers=headers),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


class Shared(socket.socket):
    """A listening socket that several processes accept from, made of a descriptor.

    asyncio accepts as many connections at a time as its `backlog`: one process would take them all.
    So it is told 1, which must not become the length of the kernel's queue.
    """

    def listen(self, backlog: int = 0, /) -> None:
        """Leave the queue as `bind` made it."""


class Server(uvicorn.Server):
    """A server that leaves signals to whoever runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none: two servers share one process, and one of them would win."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start. Raises: ServerEnded, where uvicorn would end the process."""
        with contextlib.suppress(SystemExit):
            return await super().startup(sockets)
        message = "a plane could not start"
        raise ServerEnded(message)


def bind(listen: Listen) -> socket.socket:
    """Bind and listen. Raises: CannotListen."""
    try:
        return socket.create_server(
            (listen.host, listen.port),
            family=socket.AF_INET6 if ":" in listen.host else socket.AF_INET,
            backlog=BACKLOG,
        )
    except OSError as error:
        message = (
            f"can't listen on `{listen.host}` port {listen.port}: "
            f"{(error.strerror or 'unknown').lower()}"
        )
    raise CannotListen(message, "another Withhold may be running; see `listen` in the file")


def address_of(bound: socket.socket) -> str:
    """Write the address as a URL has it."""
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def server(app: ASGIApp, limits: Limits, drain_s: float, *, shared: bool = False) -> Server:
    """Make a server of `app`; requests under way get `drain_s` seconds to end when it stops.

    `shared`: it serves a `Shared` socket.
    """

    class Bounded(Protocol):
        # As many again may be idle between two requests.
        max_connections = 2 * limits.max_concurrency

    return Server(
        uvicorn.Config(
            app,
            http=Bounded,
            loop="asyncio",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            backlog=1 if shared else BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=round(drain_s),
            h11_max_incomplete_event_size=limits.max_header_bytes,
        )
    )
