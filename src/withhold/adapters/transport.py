"""httpx's transport for stores: HTTP/1.1, GET and HEAD, connections kept and never trusted blindly.

A request that says `Connection: close` has a new connection, which nobody had before or will have
after it. A deadline is counted from the request's beginning, so that a wait leaves less to the next
step; that of `read` is for the whole head, then for each piece. No exception holds anything of a
request or an answer.
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Final, TypeAlias

import httpx

from withhold.adapters.connection import Connection, Stale
from withhold.adapters.framing import Head
from withhold.adapters.pool import Origin, Pool

_FOREVER_S: Final = 86_400.0
_PORTS: Final = {b"http": 80, b"https": 443}
# RFC 9112 §3 and §5, as strict as with answers: one line more would be another request.
_TARGET: Final = re.compile(rb"/[\x21-\x7e]*")
_FIELD: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [\t\x20-\x7e\x80-\xff]*")
_METHODS: Final = {"GET": b"GET ", "HEAD": b"HEAD "}
_UNSENT: Final = "the request is none that a store is sent"
_FRAMED: Final = (b"content-length", b"transfer-encoding")

Fields: TypeAlias = list[tuple[bytes, bytes]]


class Body(httpx.AsyncByteStream):
    """An answer's body; closing it gives the connection back."""

    def __init__(
        self, pool: Pool, origin: Origin | None, connection: Connection, read_s: float
    ) -> None:
        """`origin`: None: the connection is not to be kept; `read_s`: for each piece."""
        self._pool = pool
        self._origin = origin
        self._connection: Connection | None = connection
        self._read_s = read_s

    async def read(self) -> bytes:
        """Give what there is, at least a byte; empty at the end. Raises: httpx.TransportError."""
        if self._connection is None:
            raise httpx.StreamClosed
        return await self._connection.read(self._read_s)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self.read():
            yield piece

    async def aclose(self) -> None:
        """End the exchange."""
        self.release()

    def release(self) -> None:
        """End the exchange; nothing is waited for."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.give_back(self._origin, connection)
            self._pool.leave()


class StoreTransport(httpx.AsyncBaseTransport):
    """Exchanges over kept connections. Use it in one event loop."""

    def __init__(self, max_connections: int, context: ssl.SSLContext | None = None) -> None:
        """`context`: for `https`; None verifies as httpx does."""
        self._pool = Pool(max_connections, context)
        # The fields of the last request and what was made of them: a store gets the same each time.
        self._fields: Fields | None = None
        self._encoded = (b"", False)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pool.aclose()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, without a body, and give the answer at its head.

        `request.extensions`: `timeout`, and `target` for another than the URL's.
        Raises: httpx.TransportError.
        """
        now = asyncio.get_running_loop().time()
        timeouts: Mapping[str, float | None] = request.extensions.get("timeout", {})
        read_s = timeouts.get("read") or _FOREVER_S
        origin = _origin_of(request.url)
        asked, is_alone = self._encode(request)
        pool = self._pool
        if not pool.is_entered():
            await pool.enter(now + (timeouts.get("pool") or _FOREVER_S))
        connection: Connection | None = None
        try:
            head: Head | None = None
            is_head = request.method == "HEAD"
            if not is_alone and (connection := pool.take(origin)) is not None:
                try:
                    head = await connection.ask(asked, is_head=is_head, by=now + read_s)
                except Stale:
                    # Closed without a byte of an answer, as servers close idle connections: GET and
                    # HEAD may be sent again (RFC 9110 §9.2.2, RFC 9112 §9.3.1), once.
                    connection.abort()
            if connection is None or head is None:
                by = now + (timeouts.get("connect") or _FOREVER_S)
                connection = await pool.open(origin, by)
                head = await connection.ask(asked, is_head=is_head, by=now + read_s)
        except BaseException:
            if connection is not None:
                connection.abort()
            pool.leave()
            raise
        return httpx.Response(
            head.status,
            headers=head.headers,
            stream=Body(pool, None if is_alone else origin, connection, read_s),
            extensions={"http_version": head.version},
        )

    def _encode(self, request: httpx.Request) -> tuple[bytes, bool]:
        """Give a request's bytes, and whether it has a connection of its own.

        Made anew for each request, the fields cost 3 us. Raises: httpx.LocalProtocolError.
        """
        target: bytes = request.extensions.get("target") or request.url.raw_path
        method = _METHODS.get(request.method)
        if method is None or _TARGET.fullmatch(target) is None:
            raise httpx.LocalProtocolError(_UNSENT)
        raw = request.headers.raw
        if raw != self._fields:
            self._encoded = _encode(raw)
            self._fields = raw
        rest, is_alone = self._encoded
        return method + target + rest, is_alone


def _origin_of(url: httpx.URL) -> Origin:
    """Give where a URL leads. Raises: httpx.UnsupportedProtocol."""
    scheme = url.raw_scheme
    usual = _PORTS.get(scheme)
    if usual is None:
        message = "a store is asked over `http` or `https`"
        raise httpx.UnsupportedProtocol(message)
    return Origin(scheme == b"https", url.raw_host.decode("ascii"), url.port or usual)


def _encode(raw: Fields) -> tuple[bytes, bool]:
    """Give a request's bytes from its version on, and whether it has a connection of its own.

    Raises: httpx.LocalProtocolError.
    """
    lines = [b"%b: %b" % field for field in raw]
    names = {name.lower() for name, _ in raw}
    is_one = b"host" in names and names.isdisjoint(_FRAMED) and all(map(_FIELD.fullmatch, lines))
    if not is_one:
        raise httpx.LocalProtocolError(_UNSENT)
    is_alone = any(
        name.lower() == b"connection" and b"close" in value.lower() for name, value in raw
    )
    return b"\r\n".join([b" HTTP/1.1", *lines, b"", b""]), is_alone
