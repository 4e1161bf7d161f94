"""A store over HTTP/1.1: `ports.Store` on an httpx transport.

The transport is used without httpx's client: no cookie is kept, no redirect followed, nothing read
from the environment. The store gets the proxy's own credentials and a fixed set of headers.
What a store sends after the end of an answer must not be read as the answer to the next call, which
is about somebody else (RFC 9112 §6.3): `connection` sees to that, and a call that is `alone` has a
connection of its own besides, since what is sent late enough looks like an answer.
INVARIANT: no exception of httpx or httptools leaves this module, nor is one attached to what does:
others' texts hold URLs, which name the subject, and headers, which hold credentials.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Final, TypeVar

import httpx

from withhold.adapters.encodings import ACCEPT_ENCODING, Decoder
from withhold.adapters.transport import Body, StoreTransport
from withhold.deployment.model import Limits
from withhold.errors import KeyUnavailable, StoreError, StoreFailed, StoreTimeout, StoreTooLarge

_OK: Final = 200
_NDJSON: Final = frozenset(
    {
        b"application/x-ndjson",
        b"application/ndjson",
        b"application/jsonl",
        b"application/x-jsonlines",
    }
)
_IDENTITY: Final = frozenset({b"", b"identity"})
_TOO_LARGE: Final = "the store's answer is larger than the limit"
_Result = TypeVar("_Result")


class HttpStore:
    """One store, its connections and its credentials."""

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        limits: Limits,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`headers`: the store's credentials, already read; `transport`: None makes one.

        Raises: KeyUnavailable for a credential that no header can hold.
        """
        for name, value in headers.items():
            if not (value.isascii() and value.isprintable()):
                raise KeyUnavailable(f"the header `{name}` for a store holds what no header can")
        _quieten()
        self._limits = limits
        base = httpx.URL(base_url).copy_with(query=None, fragment=None)
        self._base = base
        self._text = str(base).removesuffix("/")
        self._prefix = base.raw_path.removesuffix(b"/")
        self._headers = httpx.Headers(
            {
                "Host": base.netloc.decode("ascii"),
                "Accept": "application/json, application/x-ndjson",
                "Accept-Encoding": ACCEPT_ENCODING,
                "User-Agent": "withhold",
                **headers,
            }
        )
        self._headers_alone = httpx.Headers([*self._headers.raw, (b"Connection", b"close")])
        self._transport = transport or StoreTransport(limits.store_connections)
        # It keeps to its timeouts by itself, and takes a target without a URL made of it (8 us).
        self._is_own = isinstance(self._transport, StoreTransport)
        self._timeouts = httpx.Timeout(limits.store_timeout_s).as_dict()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()

    def get(self, target: str, *, alone: bool = False) -> "_Call":
        """Call the store. Raises: StoreFailed, StoreTimeout, StoreTooLarge. See `ports.Store`."""
        return _Call(self, target, alone=alone)

    async def send(self, target: str, *, alone: bool) -> httpx.Response:
        """Ask, and give what the transport answers. Raises: StoreFailed, StoreTimeout."""
        headers = self._headers_alone if alone else self._headers
        if not self._is_own:
            return await _within(self._limits.store_timeout_s, self._send_by_url(target, headers))
        extensions = {"timeout": self._timeouts, "target": self._prefix + target.encode()}
        request = httpx.Request(
            "GET", self._base, headers=headers, extensions=extensions, stream=_NOTHING
        )
        return await _told(self._transport.handle_async_request(request))

    async def _send_by_url(self, target: str, headers: httpx.Headers) -> httpx.Response:
        url = httpx.URL(self._text + target)
        extensions = {"timeout": self._timeouts}
        request = httpx.Request("GET", url, headers=headers, extensions=extensions)
        return await self._transport.handle_async_request(request)


class _Call:
    """One call, as a context; `contextlib`'s own, around a generator, costs three times as much."""

    __slots__ = ("_alone", "_answer", "_store", "_target")

    def __init__(self, store: HttpStore, target: str, *, alone: bool) -> None:
        self._store = store
        self._target = target
        self._alone = alone

    async def __aenter__(self) -> "HttpAnswer":
        response = await self._store.send(self._target, alone=self._alone)
        self._answer = HttpAnswer(response, self._store._limits)  # noqa: SLF001
        try:
            self._answer.check_head()
        except StoreError:
            await self._answer.aclose()
            raise
        return self._answer

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._answer.aclose()


class HttpAnswer:
    """An answer whose head is read."""

    def __init__(self, response: httpx.Response, limits: Limits) -> None:
        """`response`: as a transport gave it."""
        self._response = response
        self._limits = limits
        self.status = response.status_code
        self._lengths: list[bytes] = []
        self._is_chunked = False
        media_type = coding = b""
        for name, value in response.headers.raw:
            lower = name.lower()
            if lower == b"content-type":
                media_type = media_type or value
            elif lower == b"content-length":
                self._lengths.append(value)
            elif lower == b"transfer-encoding":
                self._is_chunked = True
            elif lower == b"content-encoding":
                coding = coding + b"," + value if coding else value
        self.ndjson = media_type.partition(b";")[0].strip().lower() in _NDJSON
        self._coding = coding.strip().lower()
        stream = response.stream
        self._read: Callable[[], Awaitable[bytes]]
        self._read = stream.read if isinstance(stream, Body) else self._read_others
        self._received: AsyncIterator[bytes] | None = None

    async def whole(self, max_bytes: int) -> bytes:
        """Give the decoded body, all of it. Raises: StoreError, StoreTooLarge above `max_bytes`."""
        if self._coding in _IDENTITY and not self.ndjson:
            max_bytes = min(max_bytes, self._limits.max_answer_bytes)
            read = self._read_all(max_bytes)
            return await _told(read)
        body = bytearray()
        async for piece in self.chunks():
            if len(body) + len(piece) > max_bytes:
                raise StoreTooLarge(_TOO_LARGE)
            body += piece
        return bytes(body)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the decoded body in pieces. Raises: StoreError. See `ports.Answer`."""
        decoder = Decoder(
            self._coding.decode("latin-1"),
            max_bytes=None if self.ndjson else self._limits.max_answer_bytes,
            max_expansion=self._limits.max_expansion,
        )
        while chunk := await _told(self._read()):
            for piece in decoder.feed(chunk):
                yield piece
                if piece is not chunk:
                    # One chunk may hold two hundred times its size: others shall have their turn.
                    await asyncio.sleep(0)
        decoder.finish()

    def check_head(self) -> None:
        """Refuse a head that two readers could frame differently. Source: RFC 9112 §6.3.

        Raises: StoreFailed, StoreTooLarge.
        """
        lengths = self._lengths
        if self.status != _OK:
            return
        if len(lengths) > 1 or (lengths and self._is_chunked):
            raise StoreFailed("the store's answer says more than once how long it is")
        if lengths and not lengths[0].isdigit():
            raise StoreFailed("the store's answer does not say how long it is in digits")
        if not self.ndjson:
            if lengths and int(lengths[0][:20]) > self._limits.max_answer_bytes:
                raise StoreTooLarge(_TOO_LARGE)
        elif not (lengths or self._is_chunked) and "http_version" in self._response.extensions:
            # RFC 9112 §8: it ends where the connection does, so one that is cut off after a line
            # would look whole. (A transport in the process has neither, and no connection.)
            raise StoreFailed("the store's stream does not say where it ends")

    async def aclose(self) -> None:
        """Be done with it.

        A body that was not read to its end closes the connection with it; what was read of it
        stands, however the connection ends.
        """
        if isinstance(self._response.stream, Body):
            self._response.stream.release()
            return
        with suppress(StoreError):
            await _within(self._limits.store_timeout_s, self._response.aclose())

    async def _read_all(self, max_bytes: int) -> bytes:
        body = await self._read()
        if not body:
            return body
        pieces, size = [body], len(body)
        while size <= max_bytes and (piece := await self._read()):
            pieces.append(piece)
            size += len(piece)
        if size > max_bytes:
            raise StoreTooLarge(_TOO_LARGE)
        return b"".join(pieces)

    async def _read_others(self) -> bytes:
        """Read from any transport's stream."""
        if self._received is None:
            self._received = aiter(self._response.stream)  # type: ignore[arg-type]  # async here
        return await _within(self._limits.store_timeout_s, _next(self._received))


# The body of a GET. (Of none at all httpx makes the same, in 5 us more.)
_NOTHING: Final = httpx.ByteStream(b"")


async def _next(received: AsyncIterator[bytes]) -> bytes:
    """Give the next bytes that are any; none at the end."""
    async for chunk in received:
        if chunk:
            return chunk
    return b""


async def _within(timeout_s: float, call: Awaitable[_Result]) -> _Result:
    """Wait for a step of the exchange. Raises: StoreFailed, StoreTimeout, with nothing attached."""

    async def in_time() -> _Result:
        async with asyncio.timeout(timeout_s):
            return await call

    return await _told(in_time())


async def _told(call: Awaitable[_Result]) -> _Result:
    """Wait for what keeps time itself. Raises: StoreFailed, StoreTimeout, with nothing attached."""
    fault: StoreError
    try:
        return await call
    except (TimeoutError, httpx.TimeoutException):
        fault = StoreTimeout("the store did not answer in time")
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError) as error:
        fault = StoreFailed("the exchange with the store failed", cause=_cause_of(error))
    raise fault


def _cause_of(error: BaseException) -> str:
    """Name in one fixed word how an exchange failed; of the error only types are looked at."""
    if isinstance(error, httpx.ConnectError):
        kinds = tuple(_behind(error))
        if any(issubclass(kind, ssl.SSLError) for kind in kinds):
            return "tls"
        is_refusal = any(issubclass(kind, ConnectionRefusedError) for kind in kinds)
        return "refused" if is_refusal else "unreachable"
    return "interrupted" if isinstance(error, httpx.NetworkError | OSError) else "protocol"


def _behind(error: BaseException) -> Iterator[type[BaseException]]:
    """Give the types of an error and of all that led to it."""
    yield type(error)
    led = [error.__cause__ or error.__context__]
    led += error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    for each in led:
        if each is not None:
            yield from _behind(each)


def _quieten() -> None:
    """Keep httpcore, where a transport stands on it, from writing the store's headers at DEBUG."""
    for name in ("connection", "http11", "http2", "proxy", "socks"):
        logging.getLogger(f"httpcore.{name}").disabled = True
