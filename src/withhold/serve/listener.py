"""Listeners: sockets bound before anything is served, and the HTTP server on each.

uvicorn's server with a protocol of our own (`protocol`). There is no access log, since a path names
a person, and no header of a proxy before us is believed. Connections are bounded in number: nobody
who only connects keeps a revocation from being heard, for want of a descriptor.
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Final, cast

import uvicorn
from starlette.types import ASGIApp

from withhold.deployment.model import Limits, Listen
from withhold.errors import WithholdError
from withhold.serve.accept import Acceptor
from withhold.serve.protocol import Protocol

BACKLOG: Final = 1_024


class CannotListen(WithholdError):
    """The address is taken, or not this machine's."""


class ServerEnded(WithholdError):
    """A server ended and nobody had told it to."""


class Server(uvicorn.Server):
    """A server that leaves signals to whoever runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none: two servers share one process, and one of them would win."""
        yield

    def __init__(self, config: uvicorn.Config, *, shared: bool) -> None:
        """`shared`: other processes accept from its sockets too."""
        super().__init__(config)
        self._shared = shared

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start. Raises: ServerEnded, where uvicorn would end the process."""
        try:
            await super().startup([] if self._shared else sockets)
        except SystemExit:
            started = False
        else:
            started = True
        if not started:
            message = "a plane could not start"
            raise ServerEnded(message)
        if self._shared:
            accepting = [
                Acceptor(each, self._protocol, self.server_state.connections)
                for each in sockets or []
            ]
            self.servers = cast("list[asyncio.Server]", accepting)

    def _protocol(self) -> Protocol:
        make = cast("type[Protocol]", self.config.http_protocol_class)
        return make(self.config, self.server_state, self.lifespan.state)


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

    `shared`: other processes accept from its socket too.
    """

    class Bounded(Protocol):
        # As many again may be idle between two requests.
        max_connections = 2 * limits.max_concurrency
        max_head_bytes = limits.max_header_bytes

    return Server(
        uvicorn.Config(
            app,
            http=Bounded,
            loop="none",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=round(drain_s),
        ),
        shared=shared,
    )
