"""One connection: what it answers, in which order, and what it does not wait for."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
from starlette.types import Receive, Scope, Send

from tests.proxy.served import Conversation, Served, served, talking
from withhold.deployment.model import Limits
from withhold.serve import protocol

ONE = b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n"
LENGTH = (b"Content-Length", b"5")
MUCH_BYTES = 2**24  # more than the kernel takes of what nobody reads


@dataclass
class App:
    """Answers as its path says, and holds back what `held` is not set for."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    held: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for step in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{step}.complete"})
            return
        name = scope["path"].removeprefix("/")
        self.asked.append(name)
        self.begun.set()
        await getattr(self, name.partition("-")[0])(receive, send)

    async def hello(self, _receive: Receive, send: Send) -> None:
        await start(send, LENGTH, (b"connection", b"keep-alive"), (b"transfer-encoding", b"x"))
        await body(send, b"hello")

    async def hold(self, receive: Receive, send: Send) -> None:
        await self.held.wait()
        await self.hello(receive, send)

    async def read(self, receive: Receive, send: Send) -> None:
        message = await receive()
        while message["more_body"]:
            message = await receive()
        await self.hello(receive, send)

    async def watch(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.gone.set()
        await self.hello(receive, send)  # to nobody

    async def stream(self, _receive: Receive, send: Send) -> None:
        await start(send)
        self.begun.set()
        await self.held.wait()
        await body(send, b"hel", more=True)
        await body(send, b"", more=True)
        await body(send, b"lo")

    async def cut(self, _receive: Receive, send: Send) -> None:
        await start(send)
        await body(send, b"hel", more=True)
        raise ValueError("canary-7f3a")

    async def fail(self, _receive: Receive, _send: Send) -> None:
        raise ValueError("canary-7f3a")

    async def silent(self, _receive: Receive, _send: Send) -> None:
        """Answer nothing."""

    async def started(self, _receive: Receive, send: Send) -> None:
        await start(send, LENGTH)

    async def short(self, _receive: Receive, send: Send) -> None:
        await start(send, LENGTH)
        await body(send, b"hell")

    async def long(self, _receive: Receive, send: Send) -> None:
        await start(send, LENGTH)
        await body(send, b"hello!")

    async def split(self, _receive: Receive, send: Send) -> None:
        await start(send, (b"a", b"b\r\nset-cookie: c"), LENGTH)

    async def twice(self, receive: Receive, send: Send) -> None:
        await self.hello(receive, send)
        await start(send, LENGTH)

    async def unchanged(self, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 304, "headers": []})
        await body(send, b"no body")

    async def flood(self, _receive: Receive, send: Send) -> None:
        await start(send)
        for _ in range(400):
            await body(send, bytes(64 * 2**10), more=True)
        await body(send, b"")

    async def much(self, _receive: Receive, send: Send) -> None:
        await start(send, (b"Content-Length", b"%d" % MUCH_BYTES))
        await body(send, bytes(MUCH_BYTES))

    async def torn(self, _receive: Receive, send: Send) -> None:
        await start(send)
        await body(send, bytes(MUCH_BYTES), more=True)
        raise ValueError("canary-7f3a")


async def start(send: Send, *headers: tuple[bytes, bytes]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def body(send: Send, content: bytes, *, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": content, "more_body": more})


@asynccontextmanager
async def asking(
    sent: bytes, limits: Limits | None = None
) -> AsyncIterator[tuple[App, Served, Conversation]]:
    """Serve, connect and send."""
    app = App()
    async with served(app, limits) as front, talking(front, sent) as conversation:
        yield app, front, conversation


async def text(conversation: Conversation, size: int = 5) -> bytes:
    return await conversation.reader.readexactly(size)


async def rest(conversation: Conversation) -> bytes:
    async with asyncio.timeout(20):
        return await conversation.reader.read()


async def test_what_is_sent_ahead_is_answered_in_order_one_at_a_time() -> None:
    ahead = ONE % b"hold" + ONE % b"hello-1" + ONE % b"hello-2"
    async with asking(ahead) as (app, _, conversation):
        await app.begun.wait()
        conversation.writer.write(ONE % b"hello-3" + ONE % b"hello-4")
        await asyncio.sleep(0)
        assert app.asked == ["hold"]
        app.held.set()
        for _ in range(5):
            assert (await conversation.head())[0] == 200
            assert await text(conversation) == b"hello"
        assert app.asked == ["hold", "hello-1", "hello-2", "hello-3", "hello-4"]


async def test_what_is_sent_ahead_without_end_waits_in_the_kernel() -> None:
    async with asking(ONE % b"hold") as (app, front, conversation):
        await app.begun.wait()
        (connection,) = front.server.server_state.connections
        assert isinstance(connection, protocol.Protocol)
        flood = asyncio.ensure_future(_send(conversation, bytes(2**26)))
        await until(lambda: not connection._wire.transport.is_reading())
        assert len(connection._ahead) <= 2**19
        flood.cancel()
        await asyncio.wait({flood})


async def _send(conversation: Conversation, sent: bytes) -> None:
    conversation.writer.write(sent)
    await conversation.writer.drain()


async def test_nothing_is_asked_while_an_answer_is_still_to_be_taken() -> None:
    app = App()
    async with served(app) as front:
        reader, writer = await asyncio.open_connection(front.host, front.port, limit=1)
        writer.write(ONE % b"much" + ONE % b"hello-1")
        await app.begun.wait()
        await until(lambda: front.server.server_state.total_requests == 1)
        writer.write(ONE % b"hello-2")
        for _ in range(9):
            await asyncio.sleep(0)
        assert app.asked == ["much"]
        found = b""
        while found.count(b"hello") < 2:
            found = found[-400:] + await reader.read(2**16)
        assert app.asked == ["much", "hello-1", "hello-2"]
        writer.close()


async def test_a_long_body_is_trailed_by_no_more_than_a_short_one() -> None:
    head = b"POST /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with asking(head) as (_, front, conversation):
        await conversation.head()
        sent = b"200000\r\n" + bytes(2**21) + b"\r\n0\r\nA: " + b"a" * 2**20
        with suppress(ConnectionError):
            await _send(conversation, sent)
        async with asyncio.timeout(5):
            await until(lambda: not front.server.server_state.connections)


async def test_a_refusal_does_not_overtake_an_answer() -> None:
    async with asking(ONE % b"stream" + b"nonsense") as (app, _, conversation):
        assert (await conversation.head())[0] == 200
        app.held.set()
        assert await conversation.rest() == (b"hello", True)
        assert (await conversation.head())[0] == 400


async def test_the_head_of_a_stream_leaves_at_once() -> None:
    async with asking(ONE % b"stream") as (app, _, conversation):
        status, headers = await conversation.head()
        assert (status, headers["transfer-encoding"]) == (200, "chunked")
        app.held.set()
        assert await conversation.rest() == (b"hello", True)


async def test_http_1_0_is_sent_no_chunks() -> None:
    async with asking(b"GET /stream HTTP/1.0\r\n\r\n") as (app, _, conversation):
        app.held.set()
        _, headers = await conversation.head()
        assert "transfer-encoding" not in headers
        assert headers["connection"] == "close"
        assert await rest(conversation) == b"hello"


async def test_what_is_cut_off_does_not_look_whole(caplog: pytest.LogCaptureFixture) -> None:
    async with asking(ONE % b"cut") as (_, _, conversation):
        assert (await conversation.head())[0] == 200
        assert await conversation.rest() == (b"hel", False)
    assert "answer-failed" in caplog.messages


async def test_what_is_cut_off_waits_for_no_reader() -> None:
    async with served(App()) as front:
        reader, writer = await asyncio.open_connection(front.host, front.port, limit=1)
        writer.write(ONE % b"torn")
        await until(lambda: bool(front.server.server_state.connections))
        async with asyncio.timeout(5):
            await until(lambda: not front.server.server_state.connections)
        writer.close()
        assert reader is not None


@pytest.mark.parametrize("name", [b"fail", b"silent", b"split"])
async def test_a_fault_before_an_answer_is_a_problem(name: bytes) -> None:
    async with asking(ONE % name) as (_, _, conversation):
        status, headers = await conversation.head()
        assert (status, headers["connection"]) == (500, "close")
        assert "set-cookie" not in headers
        content = await rest(conversation)
        assert json.loads(content)["code"] == "internal-error"
        assert b"canary" not in content


@pytest.mark.parametrize("name", [b"started", b"short", b"long"])
async def test_an_answer_that_is_not_as_long_as_it_says_is_cut_off(name: bytes) -> None:
    async with asking(ONE % name) as (_, _, conversation):
        assert b"hell" not in await rest(conversation)


async def test_a_second_answer_is_not_sent() -> None:
    async with asking(ONE % b"twice" + ONE % b"hello") as (_, _, conversation):
        for _ in range(2):
            assert (await conversation.head())[0] == 200
            assert await text(conversation) == b"hello"


@pytest.mark.parametrize(
    "request_", [b"HEAD /hello HTTP/1.1", b"GET /unchanged HTTP/1.1"], ids=["head", "304"]
)
async def test_some_answers_have_no_body(request_: bytes) -> None:
    async with asking(request_ + b"\r\nHost: x\r\n\r\n" + ONE % b"hello") as (_, _, conversation):
        _, headers = await conversation.head()
        assert "transfer-encoding" not in headers
        assert (await conversation.head())[0] == 200
        assert await text(conversation) == b"hello"


async def test_who_waits_for_it_is_told_to_continue() -> None:
    head = b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n"
    async with asking(head) as (_, _, conversation):
        assert await conversation.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        conversation.writer.write(b"abc")
        assert (await conversation.head())[0] == 200


@pytest.mark.parametrize(
    "head",
    [
        b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n",
        b"GET /read HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n",
        b"POST /read HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
    ],
    ids=["answered", "without-body", "http-1.0"],
)
async def test_who_need_not_continue_is_not_told_to(head: bytes) -> None:
    async with asking(head) as (_, _, conversation):
        assert (await conversation.head())[0] == 200


async def test_what_follows_an_early_answer_is_passed_over() -> None:
    head = b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n"
    async with asking(head) as (_, _, conversation):
        assert (await conversation.head())[0] == 200
        assert await text(conversation) == b"hello"
        conversation.writer.write(b"a" * 200_000 + ONE % b"hello")
        assert (await conversation.head())[0] == 200


async def test_a_chunked_body_is_followed_by_another_request() -> None:
    head = b"POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with asking(head + b"1\r\na\r\n0\r\n\r\n") as (_, _, conversation):
        for _ in range(2):
            assert (await conversation.head())[0] == 200
            assert await text(conversation) == b"hello"
            conversation.writer.write(ONE % b"hello")


async def test_a_large_body_is_read_to_its_end() -> None:
    head = b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n"
    async with asking(head + b"a" * 3_000_000) as (_, _, conversation):
        assert (await conversation.head())[0] == 200


async def test_an_app_hears_that_its_client_is_gone() -> None:
    async with asking(ONE % b"watch") as (app, _, conversation):
        await app.begun.wait()
        conversation.writer.close()
        await app.gone.wait()


async def test_a_chunk_that_is_none_midway_ends_the_answer_too() -> None:
    head = b"POST /stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with asking(head) as (app, _, conversation):
        await conversation.head()
        conversation.writer.write(b"nonsense\r\n")
        assert await rest(conversation) == b""
        app.held.set()


@pytest.mark.parametrize(
    ("sent", "every"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\n", b"a:\r\n"),
        (b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n", b"a"),
        (ONE % b"hello" + b"GET / HTTP/1.1\r\n", b"a:\r\n"),
        (b"", b"\r\n"),
    ],
    ids=["nothing", "head", "body", "second-head", "empty-lines"],
)
async def test_who_dribbles_is_not_waited_for(
    sent: bytes, every: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "REQUEST_S", 0.2)
    async with asking(sent) as (_, _, conversation):
        reading = asyncio.ensure_future(rest(conversation))
        while not reading.done():
            conversation.writer.write(every)
            await asyncio.wait({reading}, timeout=0.01)
        if not reading.exception():
            assert reading.result().count(b"HTTP/1.1 ") == sent.count(b"hello")


async def test_between_requests_there_is_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "REQUEST_S", 0.05)
    monkeypatch.setattr(protocol, "KEEP_ALIVE_S", 0.4)
    async with asking(ONE % b"hello") as (_, _, conversation):
        began_s = asyncio.get_running_loop().time()
        assert (await rest(conversation)).endswith(b"hello")
        assert asyncio.get_running_loop().time() - began_s > 0.3


async def test_who_does_not_take_its_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "KEEP_ALIVE_S", 0.1)
    app = App()
    async with served(app) as front:
        reader, writer = await asyncio.open_connection(front.host, front.port, limit=1)
        writer.write(b"GET /flood HTTP/1.0\r\n\r\n")
        await app.begun.wait()
        (connection,) = front.server.server_state.connections
        assert isinstance(connection, protocol.Protocol)
        connection._allow(0.1)
        await until(lambda: not front.server.server_state.connections)
        writer.close()
        assert reader is not None


@pytest.mark.parametrize("sent", [b"", b"GET / HT", ONE % b"hello"], ids=["new", "begun", "idle"])
async def test_at_the_end_who_is_not_being_answered_is_let_go(sent: bytes) -> None:
    async with asking(sent) as (_, front, conversation):
        if sent.endswith(b"\n\r\n"):
            await conversation.reader.readuntil(b"hello")
        await until(lambda: bool(front.server.server_state.connections))
        front.server.should_exit = True
        assert b"hello" not in await rest(conversation)


async def test_at_the_end_who_is_being_answered_is_answered() -> None:
    async with asking(ONE % b"hold") as (app, front, conversation):
        await app.begun.wait()
        (connection,) = front.server.server_state.connections
        connection.shutdown()
        app.held.set()
        status, headers = await conversation.head()
        assert (status, headers["connection"]) == (200, "close")
        assert await rest(conversation) == b"hello"


async def until(what: Callable[[], bool]) -> None:
    while not what():  # noqa: ASYNC110 - what the server does to itself has no event
        await asyncio.sleep(0)
