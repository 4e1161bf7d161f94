import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from withhold.deployment.model import Limits, Listen
from withhold.serve import protocol
from withhold.serve.listener import CannotListen, ServerEnded, address_of, bind
from withhold.serve.planes import serve_planes
from withhold.wiring import Plane


async def hello(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


APP = Starlette(routes=[Route("/", hello)])
LIMITS = Limits(max_header_bytes=4_096)


async def exchange(bound: socket.socket, request: bytes) -> tuple[int, dict[str, str], bytes]:
    reader, writer = await asyncio.open_connection(*bound.getsockname()[:2])
    writer.write(request)
    await writer.drain()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(first.split()[1]), headers, body


@asynccontextmanager
async def serving_on(
    *, shared: bool = False, limits: Limits = LIMITS
) -> AsyncIterator[socket.socket]:
    """Serve while the context lasts."""
    bound = bind(Listen("127.0.0.1", 0))
    stop, ready = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(
        serve_planes(
            {Plane.DATA: APP},
            {Plane.DATA: bound},
            limits,
            stop,
            drain_s=1,
            shared=shared,
            ready=ready.set,
        )
    )
    await ready.wait()
    try:
        yield bound
    finally:
        stop.set()
        await serving


async def served(request: bytes, *, shared: bool = False) -> tuple[int, dict[str, str], bytes]:
    """Serve, ask once when ready, and stop."""
    async with serving_on(shared=shared) as bound:
        return await exchange(bound, request)


@pytest.mark.parametrize("shared", [False, True])
async def test_serves(shared: bool) -> None:
    status, headers, body = await served(
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", shared=shared
    )
    assert (status, body) == (200, b"hello")
    assert "server" not in headers
    assert "date" in headers


async def test_what_is_no_http_is_a_problem() -> None:
    status, headers, body = await served(b"GET /\x00 HTTP/1.1\r\n\r\n")
    assert status == 400
    assert headers["content-type"] == "application/problem+json"
    assert headers["cache-control"] == "no-store"
    assert json.loads(body)["code"] == "bad-request"


async def test_headers_larger_than_the_limit_are_431() -> None:
    large = b"X: " + b"a" * 5_000
    status, _, body = await served(b"GET / HTTP/1.1\r\nHost: x\r\n" + large)
    assert status == 431
    assert json.loads(body)["code"] == "headers-too-large"


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET / HT",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HT",
    ],
)
async def test_a_request_that_does_not_come_is_not_waited_for(
    begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "REQUEST_S", 0.05)
    monkeypatch.setattr(protocol, "KEEP_ALIVE_S", 1)
    async with serving_on() as bound:
        reader, writer = await asyncio.open_connection(*bound.getsockname()[:2])
        writer.write(begun)
        async with asyncio.timeout(5):
            await reader.read()
        writer.close()
        await writer.wait_closed()


async def test_a_connection_that_is_used_stays() -> None:
    async with serving_on() as bound:
        reader, writer = await asyncio.open_connection(*bound.getsockname()[:2])
        for _ in range(3):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\nhello")
            assert head.startswith(b"HTTP/1.1 200 ")
        writer.close()
        await writer.wait_closed()


async def test_connections_are_bounded() -> None:
    ask = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    async with serving_on(limits=Limits(max_concurrency=1)) as bound:
        where = bound.getsockname()[:2]
        both = [await asyncio.open_connection(*where) for _ in range(2)]
        for reader, writer in both:
            writer.write(ask)
            await reader.readuntil(b"hello")
        reader, writer = await asyncio.open_connection(*where)
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(5):
                assert await reader.read() == b""
        writer.close()
        for reader, writer in both:
            writer.write(ask)
            await reader.readuntil(b"hello")
            writer.close()


async def test_a_server_that_ends_by_itself_is_a_fault() -> None:
    bound = bind(Listen("127.0.0.1", 0))
    stop = asyncio.Event()

    async def broken(_scope: object, _receive: object, _send: object) -> None:
        raise asyncio.CancelledError

    with pytest.raises(ServerEnded):
        await serve_planes({Plane.DATA: broken}, {Plane.DATA: bound}, LIMITS, stop, drain_s=1)
    bound.close()


def test_an_address_that_is_taken_is_said_so() -> None:
    with bind(Listen("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert address_of(taken) == f"127.0.0.1:{port}"
        with pytest.raises(CannotListen, match=f"port {port}"):
            bind(Listen("127.0.0.1", port))


def test_a_v6_address_is_written_in_brackets() -> None:
    with bind(Listen("::1", 0)) as bound:
        assert address_of(bound).startswith("[::1]:")
