"""A store over HTTP/1.1: `ports.Store` on an httpx transport.

The transport is used without httpx's client: no cookie is kept, no redirect followed, nothing read
from the environment. The store gets the proxy's own credentials and a fixed set of headers.
Each call has a connection of its own: what a store sends after the end of an answer would be read
as the answer to the next call, which is about somebody else (RFC 9112 §6.3).
INVARIANT: no exception of httpx or h11 leaves this module, nor is one attached to what does: their
texts hold URLs, which name the subject, and headers, which hold credentials.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeVar

import httpx

from withhold.adapters.encodings import ACCEPT_ENCODING, Decoder
from withhold.deployment.model import Limits
from withhold.errors import KeyUnavailable, StoreError, StoreFailed, StoreTimeout, StoreTooLarge

_OK: Final = 200
_NDJSON: Final = frozenset(
    {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"}
)
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
        self._base = str(base).removesuffix("/")
        self._headers = httpx.Headers(
            {
                "Accept": "application/json, application/x-ndjson",
                "Accept-Encoding": ACCEPT_ENCODING,
                "Connection": "close",  # RFC 9112 §9.6
                "User-Agent": "withhold",
                **headers,
            }
        )
        self._transport = transport or httpx.AsyncHTTPTransport(
            trust_env=False,
            limits=httpx.Limits(
                max_connections=limits.store_connections, max_keepalive_connections=0
            ),
        )
        timeout = httpx.Timeout(limits.store_timeout_s)
        self._extensions = {"timeout": timeout.as_dict()}

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()

    @asynccontextmanager
    async def get(self, target: str) -> AsyncIterator["HttpAnswer"]:
        """Call the store. Raises: StoreFailed, StoreTimeout, StoreTooLarge. See `ports.Store`."""
        response = await _within(self._limits.store_timeout_s, self._send(target))
        try:
            yield HttpAnswer(response, self._limits)
        finally:
            # A body that was not read to its end closes the connection with it; what was read of
            # it stands, however the connection ends.
            with suppress(StoreError):
                await _within(self._limits.store_timeout_s, response.aclose())

    async def _send(self, target: str) -> httpx.Response:
        url = httpx.URL(self._base + target)
        request = httpx.Request("GET", url, headers=self._headers, extensions=self._extensions)
        return await self._transport.handle_async_request(request)


class HttpAnswer:
    """An answer whose head is read and makes sense."""

    def __init__(self, response: httpx.Response, limits: Limits) -> None:
        """Read the head. Raises: StoreFailed, StoreTooLarge."""
        self._response = response
        self._limits = limits
        self.status = response.status_code
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        self.ndjson = media_type in _NDJSON
        if self.status == _OK:
            self._check_framing(response)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the decoded body in pieces. Raises: StoreError. See `ports.Answer`."""
        decoder = Decoder(
            self._response.headers.get("Content-Encoding", ""),
            max_bytes=None if self.ndjson else self._limits.max_answer_bytes,
            max_expansion=self._limits.max_expansion,
        )
        received = aiter(self._response.stream)  # type: ignore[arg-type]  # async in an async transport
        while chunk := await _within(self._limits.store_timeout_s, _next(received)):
            for piece in decoder.feed(chunk):
                yield piece
                # One chunk may hold two hundred times its size: others shall have their turn.
                await asyncio.sleep(0)
        decoder.finish()

    def _check_framing(self, response: httpx.Response) -> None:
        """Refuse a head that two readers could frame differently. Source: RFC 9112 §6.3."""
        lengths = response.headers.get_list("Content-Length")
        chunked = "Transfer-Encoding" in response.headers
        if len(lengths) > 1 or (lengths and chunked):
            raise StoreFailed("the store's answer says more than once how long it is")
        if lengths and not (lengths[0].isascii() and lengths[0].isdigit()):
            raise StoreFailed("the store's answer does not say how long it is in digits")
        if not self.ndjson:
            if lengths and int(lengths[0][:20]) > self._limits.max_answer_bytes:
                raise StoreTooLarge("the store's answer is larger than the limit")
        elif not (lengths or chunked) and "http_version" in response.extensions:
            # RFC 9112 §8: it ends where the connection does, so one that is cut off after a line
            # would look whole. (A transport in the process has neither, and no connection.)
            raise StoreFailed("the store's stream does not say where it ends")


async def _next(received: AsyncIterator[bytes]) -> bytes | None:
    """Give the next bytes that are any; None at the end."""
    async for chunk in received:
        if chunk:
            return chunk
    return None


async def _within(timeout_s: float, call: Awaitable[_Result]) -> _Result:
    """Wait for a step of the exchange. Raises: StoreFailed, StoreTimeout, with nothing attached."""
    fault: StoreError
    try:
        async with asyncio.timeout(timeout_s):
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
    """Keep httpcore from logging: at DEBUG it would write the store's headers."""
    for name in ("connection", "http11", "http2", "proxy", "socks"):
        logging.getLogger(f"httpcore.{name}").disabled = True
