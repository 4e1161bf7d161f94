"""httpx on our transport: connections are kept, and none is trusted for having been good before."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.adapters.stores import Behaves, KeepingStore, Peer, answers, certified, keeping
from tests.proxy.hostile import chunked, http
from withhold.adapters import pool
from withhold.adapters.connection import PIECE_BYTES
from withhold.adapters.transport import StoreTransport

ANSWER = http(b"{}")


@asynccontextmanager
async def asked(
    behaves: Behaves, *, most: int = 4, timeout_s: float = 5.0
) -> AsyncIterator[tuple[httpx.AsyncClient, KeepingStore]]:
    """A client of httpx on the transport, and the store it asks."""
    async with (
        keeping(behaves) as store,
        httpx.AsyncClient(
            transport=StoreTransport(most),
            base_url=f"http://127.0.0.1:{store.port}",
            timeout=timeout_s,
            trust_env=False,
        ) as client,
    ):
        yield client, store


async def test_httpx_asks_over_it() -> None:
    async with asked(answers(http(b'{"a":1}', "X-A: b"))) as (client, store):
        response = await client.get("/a?b=c", headers={"X-Mine": "1"})
        assert (response.status_code, response.json()) == (200, {"a": 1})
        assert response.headers["x-a"] == "b"
        assert response.http_version == "HTTP/1.1"
        head = store.peers[0].heard[0]
    assert head.startswith(b"GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nX-Mine: 1\r\n" in head


async def test_the_target_may_be_another_than_the_urls() -> None:
    async with asked(answers(ANSWER)) as (client, store):
        await client.get("/a", extensions={"target": b"/%2e%7e?%41"})
        assert store.peers[0].heard[0].startswith(b"GET /%2e%7e?%41 HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "said",
    [
        ANSWER,
        http(b""),
        http(chunked(b"{", b"}"), "Transfer-Encoding: chunked", length=None),
        http(b"{}", status="404 Not Found"),
        b"HTTP/1.1 103 x\r\n\r\n" + ANSWER,
    ],
    ids=["a length", "no body", "chunks", "404", "interim"],
)
async def test_a_connection_is_kept(said: bytes) -> None:
    async with asked(answers(said)) as (client, store):
        for _ in range(3):
            await client.get("/")
        assert store.heard == [3]


async def test_the_last_used_is_used_first() -> None:
    async with asked(answers(ANSWER)) as (client, store):
        await asyncio.gather(*(client.get("/") for _ in range(3)))
        assert len(store.peers) == 3
        for _ in range(5):
            await client.get("/")
        assert sorted(store.heard) == [1, 1, 6]


async def test_head_has_no_body_and_keeps_the_connection() -> None:
    async def behave(peer: Peer) -> None:
        while True:
            said = http(b"{}")
            await peer.say(said[:-2] if (await peer.hear()).startswith(b"HEAD") else said)

    async with asked(behave) as (client, store):
        assert (await client.head("/")).content == b""
        assert (await client.get("/")).content == b"{}"
        assert store.heard == [2]


@pytest.mark.parametrize(
    "said",
    [
        http(b"{}", "Connection: close"),
        http(b"{}").replace(b"1.1", b"1.0", 1),
        http(b"", status="204 x"),
        http(chunked(b"{}", end=b"0\r\nA: b\r\n\r\n"), "Transfer-Encoding: chunked", length=None),
        ANSWER + b"\r\n",
        ANSWER + ANSWER,
    ],
    ids=["close", "HTTP/1.0", "204 with a length", "trailers", "a line end", "two answers"],
)
async def test_a_connection_is_not_kept(said: bytes) -> None:
    async with asked(answers(said)) as (client, store):
        for _ in range(3):
            await client.get("/")
        assert store.heard == [1, 1, 1]


async def test_what_comes_after_an_answer_ends_the_connection() -> None:
    go_on = asyncio.Event()

    async def behave(peer: Peer) -> None:
        await peer.hear()
        await peer.say(http(b'{"of":"alice"}'))
        await go_on.wait()
        await peer.say(http(b'{"of":"nobody who was asked for"}'))
        await peer.reader.read()

    async with asked(behave) as (client, store):
        for number in range(3):
            assert (await client.get("/")).content == b'{"of":"alice"}'
            go_on.set()
            await store.peers[number].ended.wait()
        assert store.heard == [1, 1, 1]


async def test_what_the_event_loop_has_not_read_yet_is_seen() -> None:
    """The second answer is in the kernel when the second request is made, and was not delivered."""
    peers: list[Peer] = []

    async def behave(peer: Peer) -> None:
        peers.append(peer)
        await answers(ANSWER)(peer)

    async with asked(behave) as (client, store):
        await client.get("/")
        plain: socket.socket = peers[0].writer.get_extra_info("socket")
        with socket.socket(fileno=socket.dup(plain.fileno())) as same:
            same.send(http(b'{"of":"nobody who was asked for"}'))
            response = await client.get("/")  # up to its request nothing gives the loop a turn
        assert response.content == b"{}"
        assert store.heard == [1, 1]


async def test_a_connection_that_was_closed_while_idle_is_not_used() -> None:
    async def behave(peer: Peer) -> None:
        await peer.hear()
        await peer.say(ANSWER)

    async with asked(behave) as (client, store):
        for number in range(3):
            assert (await client.get("/")).content == b"{}"
            await store.peers[number].ended.wait()
        assert store.heard == [1, 1, 1]


@pytest.mark.parametrize("is_reset", [False, True], ids=["closed", "reset"])
async def test_a_connection_that_closes_instead_of_answering_is_asked_again_once(
    is_reset: bool,
) -> None:
    async def behave(peer: Peer) -> None:
        await peer.hear()
        await peer.say(ANSWER)
        await peer.hear()
        if is_reset:
            peer.writer.transport.abort()

    async with asked(behave) as (client, store):
        assert [(await client.get("/")).content for _ in range(3)] == [b"{}"] * 3
        assert store.heard == [2, 2, 1]


@pytest.mark.parametrize("said", [b"H", b"HTTP/1.1 103 x\r\n\r\n"], ids=["a byte", "interim"])
async def test_nothing_is_asked_again_after_a_byte_of_an_answer(said: bytes) -> None:
    async def behave(peer: Peer) -> None:
        await peer.hear()
        await peer.say(ANSWER)
        await peer.hear()
        await peer.say(said)

    async with asked(behave) as (client, store):
        await client.get("/")
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/")
        assert store.heard == [2]


async def test_nor_where_the_connection_breaks_then() -> None:
    async def behave(peer: Peer) -> None:
        await peer.hear()
        await peer.say(ANSWER)
        await peer.hear()
        await peer.say(b"HTTP/1.1 200 OK\r\n")
        for _ in range(100):  # for the client to read it: a reset would take it along
            await asyncio.sleep(0)
        plain: socket.socket = peer.writer.get_extra_info("socket")
        linger = struct.pack("ii", 1, 0)  # RFC 9293 §3.5.2: a close becomes a reset
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    async with asked(behave) as (client, store):
        await client.get("/")
        with pytest.raises(httpx.ReadError):
            await client.get("/")
        assert store.heard == [2]


async def test_a_new_connection_is_not_asked_again() -> None:
    async def behave(peer: Peer) -> None:
        await peer.hear()

    async with asked(behave, most=1) as (client, store):
        for _ in range(2):  # nor is its place lost
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get("/")
        assert store.heard == [1, 1]


async def test_a_store_that_is_silent_is_not_asked_again() -> None:
    async def behave(peer: Peer) -> None:
        await peer.hear()
        await peer.say(ANSWER)
        await peer.reader.read()

    async with asked(behave, timeout_s=0.2) as (client, store):
        await client.get("/")
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/")
        assert len(store.peers) == 1


async def test_a_store_that_speaks_first_is_not_asked() -> None:
    async def behave(peer: Peer) -> None:
        await peer.say(http(b'{"of":"nobody who was asked for"}'))
        await peer.reader.read()

    transport = StoreTransport(1)
    async with keeping(behave) as store:
        connection = await transport._pool.open(pool.Origin(False, "127.0.0.1", store.port), 1e9)
        await connection.lost
        with pytest.raises(httpx.RemoteProtocolError):
            await connection.ask(b"GET / HTTP/1.1\r\n\r\n", is_head=False, by=1e9)
        assert store.heard == [0]


async def test_a_request_that_says_close_is_alone() -> None:
    async with asked(answers(ANSWER)) as (client, store):
        await client.get("/")
        await client.get("/", headers={"Connection": "close"})
        await store.peers[1].ended.wait()  # the store itself would have kept it
        await client.get("/")
        assert store.heard == [2, 1]
        assert b"\r\nConnection: close\r\n" in store.peers[1].heard[0]


async def test_an_answer_that_is_not_read_to_its_end_ends_the_connection() -> None:
    async def behave(peer: Peer) -> None:
        await peer.hear()
        await peer.say(http(b"{", length=2))
        await peer.reader.read()

    async with asked(behave) as (client, store):
        for number in range(2):
            async with client.stream("GET", "/"):
                pass
            await store.peers[number].ended.wait()
        assert store.heard == [1, 1]


async def test_a_call_that_is_given_up_ends_the_connection() -> None:
    async def behave(peer: Peer) -> None:
        await peer.hear()
        heard.set()
        await peer.reader.read()

    heard = asyncio.Event()
    async with asked(behave, most=1) as (client, store):
        call = asyncio.create_task(client.get("/"))
        await heard.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await store.peers[0].ended.wait()


async def test_connections_are_no_more_than_the_limit() -> None:
    async with asked(answers(ANSWER), most=2) as (client, store):
        await asyncio.gather(*(client.get("/") for _ in range(20)))
        assert len(store.peers) == 2
        assert sum(store.heard) == 20


async def test_who_waits_longest_is_next() -> None:
    async with asked(answers(ANSWER), most=1) as (client, store):
        await asyncio.gather(*(client.get(f"/{number}") for number in range(9)))
        heard = [head.split()[1] for head in store.peers[0].heard]
        assert heard == [b"/%d" % number for number in range(9)]


async def test_a_turn_that_nobody_wants_any_more_is_passed_on() -> None:
    async with asked(answers(ANSWER), most=1) as (client, store):
        async with client.stream("GET", "/"):
            waits = asyncio.create_task(client.get("/"))
            for _ in range(10):
                await asyncio.sleep(0)
        waits.cancel()  # it was given its turn, and has not had it yet
        with pytest.raises(asyncio.CancelledError):
            await waits
        assert (await client.get("/", timeout=1)).content == b"{}"
        assert store.heard == [2]


async def test_who_has_just_given_up_is_passed_over() -> None:
    async with asked(answers(ANSWER), most=1) as (client, store):
        async with client.stream("GET", "/"):
            waits = asyncio.create_task(client.get("/"))
            for _ in range(10):
                await asyncio.sleep(0)
            waits.cancel()  # and does not know it yet, when the turn would be its own
        with pytest.raises(asyncio.CancelledError):
            await waits
        assert (await client.get("/", timeout=1)).content == b"{}"
        assert store.heard == [2]


async def test_a_wait_for_a_connection_ends_and_leaves_no_trace() -> None:
    go_on = asyncio.Event()

    async def behave(peer: Peer) -> None:
        while True:
            await peer.hear()
            await peer.say(http(b"{", length=2))
            await go_on.wait()
            await peer.say(b"}")

    async with asked(behave, most=1) as (client, store):
        async with client.stream("GET", "/") as first:
            short = httpx.Timeout(5, pool=0.05)
            with pytest.raises(httpx.PoolTimeout):
                await client.get("/", timeout=short)
            waits = asyncio.create_task(client.get("/"))
            await asyncio.sleep(0)
            waits.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waits
            go_on.set()
            assert await first.aread() == b"{}"
        assert (await client.get("/")).content == b"{}"
        assert store.heard == [2]


async def test_another_store_gets_the_place_of_an_idle_connection() -> None:
    async with (
        asked(answers(ANSWER), most=1) as (client, store),
        keeping(answers(http(b"[]"))) as other,
    ):
        await client.get("/")
        assert (await client.get(f"http://127.0.0.1:{other.port}/")).content == b"[]"
        assert (await client.get("/")).content == b"{}"
        assert (store.heard, other.heard) == ([1, 1], [1])


@pytest.mark.parametrize("name", ["IDLE_S", "AGE_S"])
async def test_a_connection_is_not_kept_for_long(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, name, -1.0)
    async with asked(answers(ANSWER)) as (client, store):
        for number in range(2):
            await client.get("/")
            await store.peers[number].ended.wait()
        assert store.heard == [1, 1]


async def test_a_reader_that_is_behind_stops_the_store_and_loses_nothing() -> None:
    size = 64 * 2**20
    sent = 0

    async def behave(peer: Peer) -> None:
        nonlocal sent
        await peer.hear()
        await peer.say(http(b"", length=size))
        piece = bytes(2**20)
        for _ in range(size // len(piece)):
            await peer.say(piece)
            sent += len(piece)
        await peer.reader.read()

    async with asked(behave) as (client, store):
        async with client.stream("GET", "/") as response:
            pieces = response.aiter_raw()
            read = len(await anext(pieces))
            before = -1
            while sent != before:  # until the store can send no more
                before = sent
                for _ in range(1_000):
                    await asyncio.sleep(0)
            assert sent < size // 2
            async for piece in pieces:
                assert len(piece) <= PIECE_BYTES
                read += len(piece)
            assert read == size
        async with client.stream("GET", "/"):
            assert store.heard == [1, 1]  # not used again


async def test_a_piece_that_does_not_come_is_a_timeout() -> None:
    async def behave(peer: Peer) -> None:
        await peer.hear()
        await peer.say(http(b"{", length=2))
        await peer.reader.read()

    async with asked(behave, timeout_s=0.1) as (client, _), client.stream("GET", "/") as response:
        pieces = response.aiter_raw()
        assert await anext(pieces) == b"{"
        with pytest.raises(httpx.ReadTimeout):
            await anext(pieces)


@pytest.mark.parametrize(
    "request_",
    [
        httpx.Request("POST", "http://store.test/", content=b"{}"),
        httpx.Request("GET", "http://store.test/", content=b"{}"),
        httpx.Request("GET", "http://store.test/", headers=[("A", "b\r\nC: d")]),
        httpx.Request("GET", "http://store.test/", headers=[("A b", "c")]),
        httpx.Request("GET", "http://store.test/", extensions={"target": b"/ HTTP/1.1\r\nA: b"}),
        httpx.Request("GET", "http://store.test/", extensions={"target": b"*"}),
        httpx.Request("GET", "http://store.test/", stream=httpx.ByteStream(b"")),
    ],
    ids=["POST", "a body", "a line", "a name", "a target", "no path", "no host"],
)
async def test_a_request_that_could_be_read_as_two_is_not_sent(request_: httpx.Request) -> None:
    transport = StoreTransport(1)
    with pytest.raises(httpx.LocalProtocolError):
        await transport.handle_async_request(request_)


async def test_no_other_scheme() -> None:
    async with httpx.AsyncClient(transport=StoreTransport(1)) as client:
        with pytest.raises(httpx.UnsupportedProtocol):
            await client.get("ftp://store.test/")


async def test_a_body_is_read_once() -> None:
    async with asked(answers(ANSWER)) as (client, _):
        async with client.stream("GET", "/") as response:
            await response.aread()
        with pytest.raises(httpx.StreamClosed):
            await anext(aiter(response.stream))  # type: ignore[arg-type]  # it is async


async def test_closing_ends_what_is_under_way_and_idle() -> None:
    async def behave(peer: Peer) -> None:
        await peer.hear()
        await peer.say(http(b"{", length=2))
        await peer.reader.read()

    async with asked(behave) as (client, store):
        async with client.stream("GET", "/") as response:
            await client._transport.aclose()
            await store.peers[0].ended.wait()
            with pytest.raises(httpx.ReadError):
                await response.aread()
        with pytest.raises(httpx.ConnectError):
            await client.get("/")


def test_a_pool_is_of_one_event_loop() -> None:
    transport = StoreTransport(1)

    async def enter() -> None:
        transport._pool.is_entered()

    asyncio.run(enter())
    with pytest.raises(RuntimeError):
        asyncio.run(enter())


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return certified(tmp_path_factory.mktemp("tls"), "localhost", "127.0.0.1")


async def test_asks_over_tls_and_keeps_the_connection(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    server, trusting = contexts
    named: list[str | None] = []
    server.sni_callback = lambda _, name, __: named.append(name)
    server.set_alpn_protocols(["h2", "http/1.1"])
    trusting.set_alpn_protocols(["http/1.1"])
    large = http(b"a" * 5_000_000)
    async with (
        keeping(answers(large), tls=server, host="localhost") as store,
        httpx.AsyncClient(transport=StoreTransport(2, trusting)) as client,
    ):
        for _ in range(3):
            assert len((await client.get(f"https://localhost:{store.port}/")).content) == 5_000_000
    assert named == ["localhost"] * len(store.peers)


async def test_small_answers_over_tls_keep_the_connection(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    server, trusting = contexts
    async with (
        keeping(answers(ANSWER), tls=server) as store,
        httpx.AsyncClient(transport=StoreTransport(2, trusting)) as client,
    ):
        for _ in range(3):
            assert (await client.get(f"https://127.0.0.1:{store.port}/")).content == b"{}"
        assert store.heard == [3]


async def test_a_certificate_that_nobody_vouches_for_is_refused(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    async with (
        keeping(answers(ANSWER), tls=contexts[0]) as store,
        httpx.AsyncClient(transport=StoreTransport(2)) as client,
    ):
        with pytest.raises(httpx.ConnectError) as raised:
            await client.get(f"https://127.0.0.1:{store.port}/")
        assert isinstance(raised.value.__cause__, ssl.SSLCertVerificationError)
        assert store.heard == []
    assert pool.make_context().keylog_filename is None


async def test_another_name_than_the_certificates_is_refused(tmp_path: Path) -> None:
    server, trusting = certified(tmp_path, "other.test")
    async with (
        keeping(answers(ANSWER), tls=server) as store,
        httpx.AsyncClient(transport=StoreTransport(2, trusting)) as client,
    ):
        with pytest.raises(httpx.ConnectError):
            await client.get(f"https://localhost:{store.port}/")
        assert store.heard == []


async def test_a_store_that_shakes_no_hand_is_a_timeout(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    async def behave(peer: Peer) -> None:
        await peer.reader.read()

    async with (
        keeping(behave) as store,
        httpx.AsyncClient(transport=StoreTransport(2, contexts[1]), timeout=0.1) as client,
    ):
        with pytest.raises(httpx.ConnectTimeout):
            await client.get(f"https://127.0.0.1:{store.port}/")
