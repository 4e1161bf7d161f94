import asyncio
import gzip
import logging
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.adapters.stores import answers, keeping
from tests.proxy.hostile import HostileStore, Says, chunked, hostile, http, stalls
from withhold.adapters.store_http import HttpStore
from withhold.deployment.model import Limits
from withhold.errors import (
    KeyUnavailable,
    Malformed,
    StoreError,
    StoreFailed,
    StoreTimeout,
    StoreTooLarge,
)

LIMITS = Limits(store_timeout_s=5.0, max_answer_bytes=100_000)
SECRET = "Bearer credential-canary"
TARGET = "/v1/users/%40alice-canary%3Aexample.test?dir=f"


@asynccontextmanager
async def stored(
    *says: bytes | Says, prefix: str = "", limits: Limits = LIMITS
) -> AsyncIterator[tuple[HttpStore, HostileStore]]:
    async with hostile(*says) as other:
        store = HttpStore(other.base_url + prefix, {"Authorization": SECRET}, limits)
        try:
            yield store, other
        finally:
            await store.aclose()


async def fetch(store: HttpStore) -> tuple[int, bool, bytes]:
    async with store.get(TARGET) as answer:
        return answer.status, answer.ndjson, b"".join([piece async for piece in answer.chunks()])


async def refused(store: HttpStore) -> StoreError:
    """The error that a call ends in: nothing of store, caller or credentials is in or on it."""
    with pytest.raises(StoreError) as raised:
        await fetch(store)
    error = raised.value
    assert error.__context__ is None
    assert error.__cause__ is None
    assert "canary" not in repr(error) + error.message + error.hint
    return error


async def test_asks_with_its_own_headers_and_nothing_else() -> None:
    async with stored(http(b"{}")) as (store, other):
        assert await fetch(store) == (200, False, b"{}")
    lines = other.heard[0].decode().split("\r\n")
    assert lines[0] == f"GET {TARGET} HTTP/1.1"
    assert sorted(lines[1:-2]) == [
        "Accept-Encoding: gzip, deflate, br, zstd",
        "Accept: application/json, application/x-ndjson",
        f"Authorization: {SECRET}",
        f"Host: {other.base_url.removeprefix('http://')}",
        "User-Agent: withhold",
    ]


@pytest.mark.parametrize("prefix", ["/base", "/base/", "/base/?x=1"])
async def test_puts_the_target_behind_the_base_path(prefix: str) -> None:
    async with stored(http(b"{}"), prefix=prefix) as (store, other):
        await fetch(store)
    assert other.heard[0].startswith(b"GET /base" + TARGET.encode() + b" HTTP/1.1\r\n")


async def test_keeps_no_cookie_and_follows_nothing() -> None:
    moved = http(b"", "Set-Cookie: a=b", "Location: /elsewhere", status="302 Found")
    async with stored(moved) as (store, other):
        assert (await fetch(store))[0] == 302
        assert (await fetch(store))[0] == 302
    assert len(other.heard) == 2
    assert not any(b"cookie" in head.lower() for head in other.heard)


async def test_what_follows_an_answer_is_nobody_elses() -> None:
    done = asyncio.Event()
    both = stalls(http(b'{"of":"alice"}') + http(b'{"of":"nobody who was asked for"}'), done)
    async with stored(both, http(b'{"of":"bob"}')) as (store, _):
        assert (await fetch(store))[2] == b'{"of":"alice"}'
        assert (await fetch(store))[2] == b'{"of":"bob"}'
        done.set()


async def test_keeps_a_connection_but_for_calls_that_are_alone() -> None:
    async with keeping(answers(http(b"{}"))) as other:
        store = HttpStore(f"http://127.0.0.1:{other.port}", {}, LIMITS)
        for alone in (False, False, True, True, False):
            async with store.get(TARGET, alone=alone) as answer:
                assert await answer.whole(10) == b"{}"
        await store.aclose()
        assert other.heard == [3, 1, 1]
        assert not any(b"Connection:" in head for head in other.peers[0].heard)
        assert all(b"\r\nConnection: close\r\n" in peer.heard[0] for peer in other.peers[1:])


@pytest.mark.parametrize("coding", ["", "gzip"])
@pytest.mark.parametrize("media_type", ["application/json", "application/x-ndjson"])
async def test_gives_the_whole_within_a_bound(coding: str, media_type: str) -> None:
    body = gzip.compress(b"0123456789") if coding else b"0123456789"
    fields = [f"Content-Type: {media_type}", *([f"Content-Encoding: {coding}"] if coding else [])]
    said = http(chunked(body[:5], body[5:]), CHUNKED, *fields, length=None)
    async with stored(said) as (store, _):
        for most in (10, 11, 2**40):
            async with store.get(TARGET) as answer:
                assert await answer.whole(most) == b"0123456789"
        for most in (0, 9):
            with pytest.raises(StoreTooLarge):
                async with store.get(TARGET) as answer:
                    await answer.whole(most)


async def test_the_whole_of_nothing_is_nothing() -> None:
    async with stored(http(b"")) as (store, _), store.get(TARGET) as answer:
        assert await answer.whole(10) == b""


async def test_the_whole_is_within_the_limit_too() -> None:
    said = http(chunked(*[b"a" * 1_001] * 100), CHUNKED, length=None)
    async with stored(said) as (store, _), store.get(TARGET) as answer:
        with pytest.raises(StoreTooLarge):
            await answer.whole(2**40)


async def test_reads_nothing_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with stored(http(b"{}")) as (store, _):
        assert (await fetch(store))[0] == 200


@pytest.mark.parametrize(
    ("content_type", "ndjson"),
    [
        ("application/json", False),
        ("application/x-ndjson", True),
        ("Application/NDJSON; charset=utf-8", True),
        ("application/jsonl", True),
        ("text/plain", False),
    ],
)
async def test_tells_lines_by_their_media_type(content_type: str, ndjson: bool) -> None:
    async with stored(http(b"{}\n", f"Content-Type: {content_type}")) as (store, _):
        assert (await fetch(store))[1] is ndjson


async def test_undoes_the_coding() -> None:
    said = http(gzip.compress(b'{"a":1}'), "Content-Encoding: gzip")
    async with stored(said) as (store, _):
        assert await fetch(store) == (200, False, b'{"a":1}')


async def test_passes_over_interim_responses() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </canary>\r\n\r\n"
    async with stored(early * 3 + http(b"{}")) as (store, _):
        assert await fetch(store) == (200, False, b"{}")


async def test_interim_responses_without_end_are_refused() -> None:
    async def forever(writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100)
            await writer.drain()

    async with stored(forever) as (store, _):
        assert (await refused(store)).cause == "protocol"


CUT = http(b'{"canary":', length=100)
NDJSON = "Content-Type: application/x-ndjson"
CHUNKED = "Transfer-Encoding: chunked"
FAULTS: dict[str, tuple[bytes, type[StoreError]]] = {
    "nothing": (b"", StoreFailed),
    "no HTTP": (b"canary\r\n\r\n", StoreFailed),
    "HTTP/0.9": (b"<html>canary</html>", StoreFailed),
    "a head that is cut off": (b"HTTP/1.1 200 OK\r\nX-Canary: 1\r\n", StoreFailed),
    "a header line that is none": (http(b"{}", "canary"), StoreFailed),
    "a header with a control character": (http(b"{}", "X-A: \x00canary"), StoreFailed),
    "a head without end": (http(b"{}", "X-Canary: " + "a" * 200_000), StoreFailed),
    "a body that is cut off": (CUT, StoreFailed),
    "two lengths": (http(b"{}", "Content-Length: 3"), StoreFailed),
    "a length twice": (http(b"{}", "Content-Length: 2"), StoreFailed),
    "a length that is none": (http(b"{}", length="canary"), StoreFailed),
    "a negative length": (http(b"{}", length=-1), StoreFailed),
    "a length and chunks": (http(chunked(b"{}"), CHUNKED, length=2), StoreFailed),
    "a length that is too large": (http(b"{}", length=100_001), StoreTooLarge),
    "a length beyond all": (http(b"{}", length="9" * 5_000), StoreFailed),
    "chunks that are cut off": (http(chunked(b"{}", end=b""), CHUNKED, length=None), StoreFailed),
    "a chunk that is cut off": (http(b"5\r\n{}", CHUNKED, length=None), StoreFailed),
    "a chunk that has no size": (http(b"canary\r\n", CHUNKED, length=None), StoreFailed),
    "another transfer coding": (
        http(b"{}", "Transfer-Encoding: gzip, chunked", length=None),
        StoreFailed,
    ),
    "lines that end with the connection": (http(b"{}\n", NDJSON, length=None), StoreFailed),
    "a coding that was not offered": (http(b"{}", "Content-Encoding: compress"), StoreFailed),
    "two codings": (http(b"{}", "Content-Encoding: gzip, gzip"), StoreFailed),
    "two codings on two lines": (
        http(b"{}", "Content-Encoding: gzip", "Content-Encoding: br"),
        StoreFailed,
    ),
    "another coding than it says": (http(b"{}", "Content-Encoding: gzip"), Malformed),
    "too much": (http(chunked(b"a" * 60_000, b"a" * 60_000), CHUNKED, length=None), StoreTooLarge),
    "a bomb": (http(gzip.compress(bytes(10**7)), "Content-Encoding: gzip"), StoreTooLarge),
}


@pytest.mark.parametrize(("said", "error"), FAULTS.values(), ids=FAULTS)
async def test_a_strange_answer_is_a_clear_error(said: bytes, error: type[StoreError]) -> None:
    async with stored(said) as (store, _):
        assert type(await refused(store)) is error


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("no HTTP", "protocol"),
        ("a body that is cut off", "protocol"),
        ("two lengths", "protocol"),
        ("lines that end with the connection", "protocol"),
        ("two codings", "encoding"),
        ("another coding than it says", "encoding"),
        ("too much", "too-large"),
        ("a bomb", "too-large"),
    ],
)
async def test_a_strange_answer_has_a_cause(fault: str, cause: str) -> None:
    async with stored(FAULTS[fault][0]) as (store, _):
        assert (await refused(store)).cause == cause


async def test_a_connection_that_breaks_has_a_cause() -> None:
    async def resets(writer: asyncio.StreamWriter) -> None:
        linger = struct.pack("ii", 1, 0)  # RFC 9293 §3.5.2: a close becomes a reset
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    async with stored(resets) as (store, _):
        assert (await refused(store)).cause == "interrupted"


@pytest.mark.parametrize(
    "said",
    [b"", b"HTTP/1.1 200 OK\r\n", http(b'{"a', length=9), http(b"5\r\n{", CHUNKED, length=None)],
    ids=["silent", "in the head", "in the body", "in a chunk"],
)
async def test_a_store_that_stalls_runs_out_of_time(said: bytes) -> None:
    until = asyncio.Event()
    try:
        async with stored(stalls(said, until), limits=Limits(store_timeout_s=0.2)) as (store, _):
            error = await refused(store)
            assert (type(error), error.cause) == (StoreTimeout, "timeout")
            until.set()
    finally:
        until.set()


async def test_a_store_that_is_away_is_a_clear_error() -> None:
    async with stored(http(b"{}")) as (_, other):
        pass
    store = HttpStore(other.base_url, {}, LIMITS)
    error = await refused(store)
    assert (type(error), error.cause) == (StoreFailed, "refused")
    await store.aclose()


async def test_a_store_without_a_name_has_a_cause() -> None:
    store = HttpStore("http://store.invalid", {}, LIMITS)  # RFC 6761 §6.4: there is none
    assert (await refused(store)).cause == "unreachable"
    await store.aclose()


async def test_a_store_that_speaks_no_tls_has_a_cause() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(http(b"canary"))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        store = HttpStore(f"https://127.0.0.1:{port}", {}, LIMITS)
        assert (await refused(store)).cause == "tls"
        await store.aclose()


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "caf\u00e9", "a\x00", "\u20ac", "a\n"])
def test_a_credential_that_is_no_header_is_refused_unseen(value: str) -> None:
    with pytest.raises(KeyUnavailable, match="`Authorization`") as raised:
        HttpStore("http://store.test", {"Authorization": f"canary{value}"}, LIMITS)
    assert "canary" not in str(raised.value)
    assert raised.value.__context__ is None


async def test_nothing_of_an_exchange_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with stored(http(b'{"canary":1}', "X-Canary: canary", "Set-Cookie: canary")) as (
        store,
        _,
    ):
        await fetch(store)
    assert "canary" not in caplog.text
    assert "canary" not in repr(store) + str(vars(logging.root))


async def test_takes_any_transport_of_httpx() -> None:
    async def endpoint(request: Request) -> Response:
        return Response(request.url.path.encode(), media_type="application/x-ndjson")

    app = Starlette(routes=[Route("/{rest:path}", endpoint)])
    store = HttpStore("http://store.test", {}, LIMITS, httpx.ASGITransport(app))
    assert await fetch(store) == (200, True, b"/v1/users/@alice-canary:example.test")


@pytest.mark.parametrize("length", ["", "+2", "0x2", "\u00b2"])
async def test_holds_every_transport_to_digits(length: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        del scope, receive
        headers = [(b"content-length", length.encode("latin-1"))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    store = HttpStore("http://store.test", {}, LIMITS, httpx.ASGITransport(app))
    assert type(await refused(store)) is StoreFailed
