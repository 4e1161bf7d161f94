import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest

from withhold.bench.load import BROKEN, closed, paced

HOST = "127.0.0.1"
REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
BUSY = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
INTERIM = b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK

# Given the connection and the request's number (from 0, of all connections), it answers.
Answer = Callable[[asyncio.Transport, int], None]


class Service(asyncio.Protocol):
    def __init__(self, answer: Answer, asked: list[int]) -> None:
        self._answer, self._asked, self._data = answer, asked, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        while REQUEST in self._data:
            self._data = self._data[len(REQUEST) :]
            self._asked.append(1)
            self._answer(self._transport, len(self._asked) - 1)


@asynccontextmanager
async def service(answer: Answer) -> AsyncIterator[tuple[int, list[int]]]:
    asked: list[int] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Service(answer, asked), HOST, 0)
    try:
        yield server.sockets[0].getsockname()[1], asked
    finally:
        server.close()


def always(reply: bytes) -> Answer:
    return lambda transport, _: transport.write(reply)


@pytest.mark.parametrize("reply", [OK, CHUNKED, CLOSING, INTERIM], ids=str)
async def test_every_answer_of_200_counts(reply: bytes) -> None:
    async with service(always(reply)) as (port, asked):
        load = await closed(HOST, port, REQUEST, connections=3, seconds=0.1)
    assert load.count == len(asked) > 3
    assert (load.errors, load.by_status) == (0, ())
    assert load.requests_per_s == pytest.approx(load.count / load.seconds)
    assert 0 < load.p50_ms <= load.p99_ms


async def test_another_status_is_an_error_by_its_number() -> None:
    def answer(transport: asyncio.Transport, number: int) -> None:
        transport.write(OK if number % 2 else BUSY)

    async with service(answer) as (port, asked):
        load = await closed(HOST, port, REQUEST, connections=1, seconds=0.1)
    assert load.errors == (len(asked) + 1) // 2
    assert load.count == len(asked) // 2
    assert load.by_status == ((429, load.errors),)


@pytest.mark.parametrize("piece", [b"", OK[:20], b"no HTTP\r\n\r\n"], ids=["none", "part", "other"])
async def test_a_connection_that_breaks_is_an_error_and_opened_anew(piece: bytes) -> None:
    def answer(transport: asyncio.Transport, number: int) -> None:
        transport.write(OK if number != 1 else piece)
        if number == 1 and piece != b"no HTTP\r\n\r\n":
            transport.close()

    async with service(answer) as (port, asked):
        load = await closed(HOST, port, REQUEST, connections=1, seconds=0.1)
    assert load.by_status == ((BROKEN, 1),)
    assert load.count == len(asked) - 1 > 1


async def test_the_rate_is_kept() -> None:
    async with service(always(OK)) as (port, asked):
        load = await paced(HOST, port, REQUEST, rate_per_s=200, connections=4, seconds=0.5)
    assert load.count == len(asked) == 100
    assert load.errors == 0


async def test_a_request_that_waits_for_a_connection_is_late_from_when_it_was_due() -> None:
    """One stall of 0.2 s at the beginning, of requests that are due every 10 ms."""

    def answer(transport: asyncio.Transport, number: int) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(0.0 if number else 0.2, transport.write, OK)

    async with service(answer) as (port, _):
        load = await paced(HOST, port, REQUEST, rate_per_s=100, connections=1, seconds=0.4)
    assert load.count == 40
    assert load.p99_ms >= 198  # the first
    assert load.p50_ms >= 1  # the twenty behind it waited between 190 and 0 ms, too


async def test_what_could_not_be_sent_in_time_is_an_error_and_late() -> None:
    def answer(transport: asyncio.Transport, _: int) -> None:
        asyncio.get_running_loop().call_later(0.05, transport.write, OK)

    async with service(answer) as (port, asked):
        load = await paced(HOST, port, REQUEST, rate_per_s=1000, connections=1, seconds=0.3)
    assert load.count == len(asked) <= 7
    assert load.errors == 300 - load.count
    assert load.by_status == ((BROKEN, load.errors),)
    assert load.p99_ms == pytest.approx(297, abs=60)
    assert load.p50_ms == pytest.approx(150, abs=40)


async def test_a_service_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("withhold.bench.load.DRAIN_S", 0.05)
    async with service(lambda _transport, _number: None) as (port, asked):
        load = await closed(HOST, port, REQUEST, connections=2, seconds=0.1)
    assert len(asked) == 2
    assert (load.count, load.by_status) == (0, ((BROKEN, 2),))
    assert load.p50_ms >= 149


@pytest.mark.parametrize("rate_per_s", [None, 50.0])
async def test_a_service_that_goes_away_is_counted_and_not_raised(rate_per_s: float | None) -> None:
    loop = asyncio.get_running_loop()

    def answer(transport: asyncio.Transport, number: int) -> None:
        transport.write(OK)
        if number == 1:
            server.close()
            transport.close()

    asked: list[int] = []
    server = await loop.create_server(lambda: Service(answer, asked), HOST, 0)
    port = server.sockets[0].getsockname()[1]
    if rate_per_s is None:
        load = await closed(HOST, port, REQUEST, connections=1, seconds=0.3)
    else:
        load = await paced(HOST, port, REQUEST, rate_per_s=rate_per_s, connections=1, seconds=0.3)
        assert load.count + load.errors == 15
    assert load.count == 2
    assert load.by_status == ((BROKEN, load.errors),)


async def test_nothing_that_listens_is_an_error_at_once() -> None:
    async with service(always(OK)) as (port, _):
        pass
    with pytest.raises(OSError, match="onnect"):
        await closed(HOST, port, REQUEST, connections=1, seconds=60)
