"""Requests that two readers could take differently, or that are none: each is refused, or safe.

What h11 refused is refused still, save where a reason says why it need not be. After a refusal
nothing more is heard: whatever was smuggled behind it is not answered.
"""

import asyncio
import json
import queue
import threading
from collections.abc import Callable, Iterator

import pytest
import uvloop
from starlette.types import Message, Receive, Scope, Send

from tests.proxy.served import Served, served
from withhold.deployment.model import Limits

LIMITS = Limits(max_header_bytes=4_096)
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
ONE = b"GET / HTTP/1.1\r\nHost: x\r\n"
BODY = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = BODY + b"Transfer-Encoding: chunked\r\n\r\n"

REFUSED = {
    # RFC 9112 §2.2: bare CR and LF, white space before the first field
    "bare-lf": b"GET / HTTP/1.1\nHost: x\n\n",
    "bare-lf-in-head": b"GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n",
    "bare-lf-at-end": b"GET / HTTP/1.1\r\nHost: x\r\n\n",
    "bare-cr": ONE + b"A: b\rc\r\n\r\n",
    "space-before-first-field": b"GET / HTTP/1.1\r\n A: b\r\nHost: x\r\n\r\n",
    # RFC 9112 §2.3: versions
    "http-0.9": b"GET /\r\n\r\n",
    "http-0.9-named": b"GET / HTTP/0.9\r\nHost: x\r\n\r\n",
    "http-1.2": b"GET / HTTP/1.2\r\nHost: x\r\n\r\n",
    "http-2.0": b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
    "http-lower": b"GET / http/1.1\r\nHost: x\r\n\r\n",
    # RFC 9113 §3.4
    "http-2-preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    # RFC 9112 §3: the request line
    "method-lower": b"get / HTTP/1.1\r\nHost: x\r\n\r\n",
    "method-no-token": b"G@T / HTTP/1.1\r\nHost: x\r\n\r\n",
    "method-unknown": b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n",
    "space-before": b" GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "space-after": b"GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
    # RFC 9112 §3.2: the target
    "target-nul": b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n",
    "target-tab": b"GET /\t HTTP/1.1\r\nHost: x\r\n\r\n",
    "target-high": b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    "target-del": b"GET /\x7f HTTP/1.1\r\nHost: x\r\n\r\n",
    "target-absolute": b"GET http://x/a HTTP/1.1\r\nHost: x\r\n\r\n",
    "target-authority": b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "target-asterisk": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "target-no-slash": b"GET a HTTP/1.1\r\nHost: x\r\n\r\n",
    # RFC 9112 §3.2: the host
    "host-missing": b"GET / HTTP/1.1\r\n\r\n",
    "host-twice": ONE + b"Host: x\r\n\r\n",
    "host-twice-in-1.0": b"GET / HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n",
    "host-list": b"GET / HTTP/1.1\r\nHost: x, y\r\n\r\n",
    "host-with-user": b"GET / HTTP/1.1\r\nHost: a@x\r\n\r\n",
    # RFC 9112 §5
    "space-before-colon": ONE + b"A : b\r\n\r\n",
    "space-in-name": ONE + b"A b: c\r\n\r\n",
    "no-name": ONE + b": b\r\n\r\n",
    "no-colon": ONE + b"A\r\n\r\n",
    "name-high": ONE + b"A\xff: b\r\n\r\n",
    "value-nul": ONE + b"A: b\0c\r\n\r\n",
    "value-control": ONE + b"A: b\x01c\r\n\r\n",
    "obs-fold": ONE + b"A: b\r\n c\r\n\r\n",
    # RFC 9112 §6.1 and §6.3: framing
    "length-and-chunked": BODY
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked-and-length": BODY
    + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "length-twice": BODY + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "lengths-differ": BODY + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "length-list": BODY + b"Content-Length: 3, 3\r\n\r\nabc",
    "length-plus": BODY + b"Content-Length: +3\r\n\r\nabc",
    "length-minus": BODY + b"Content-Length: -3\r\n\r\nabc",
    "length-hex": BODY + b"Content-Length: 0x3\r\n\r\nabc",
    "length-underscore": BODY + b"Content-Length: 0_3\r\n\r\nabc",
    "length-empty": BODY + b"Content-Length: \r\n\r\nabc",
    "length-huge": BODY + b"Content-Length: 99999999999999999999999\r\n\r\nabc",
    "coding-gzip": BODY + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "coding-not-last": BODY + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "coding-identity": BODY + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "coding-unknown": BODY + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "coding-control": BODY + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "coding-empty": BODY + b"Transfer-Encoding: \r\n\r\n0\r\n\r\n",
    "coding-twice": BODY + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "coding-in-1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "upgrade-chunked": BODY
    + b"Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    # RFC 9112 §7.1: chunks; the app waits for the body when they come
    "chunk-hex-prefix": CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
    "chunk-minus": CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n",
    "chunk-huge": CHUNKED + b"fffffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "chunk-without-end": CHUNKED + b"3\r\nabcX0\r\n\r\n",
    "chunk-bare-lf": CHUNKED + b"3\nabc\r\n0\r\n\r\n",
    "chunk-extension-lf": CHUNKED + b"3;a\nb\r\nabc\r\n0\r\n\r\n",
    "trailer-length": CHUNKED + b"3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n",
    "trailers-endless": CHUNKED + b"0\r\nA: " + b"a" * 5_000,
    "chunks-tiny": CHUNKED + b"1;aaaaaaaa\r\na\r\n" * 1_000,
}

ANSWERED = {
    "plain": (ONE + b"\r\n", "", True),
    "head-in-lower": (b"GET / HTTP/1.1\r\nhOST: x\r\n\r\n", "", True),
    # RFC 9112 §2.2: at least one empty line before a request is ignored
    "empty-lines": (b"\r\n\r\n\r\n" + ONE + b"\r\n", "", True),
    # RFC 9112 §3 lets a reader part the line by white space; h11 did not
    "two-spaces": (b"GET  /  HTTP/1.1\r\nHost: x\r\n\r\n", "", True),
    # llhttp takes RTSP/1.0 for HTTP/1.0: it is answered as that, and closed; h11 did not
    "rtsp": (b"GET / RTSP/1.0\r\n\r\n", "", False),
    "http-1.0": (b"GET / HTTP/1.0\r\n\r\n", "", False),
    "http-1.0-alive": (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "", False),
    "close": (ONE + b"Connection: keep-alive, close\r\n\r\n", "", False),
    "host-v6": (b"GET / HTTP/1.1\r\nHost: [::1]:8470\r\n\r\n", "", True),
    "host-empty": (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", "", True),
    "value-high": (ONE + b"A: b\xffc\r\n\r\n", "", True),
    "length": (BODY + b"Content-Length: 3 \r\n\r\nabc", "abc", True),
    "get-with-body": (ONE + b"Content-Length: 3\r\n\r\nabc", "abc", True),
    # RFC 9112 §7.1.1 and §7.1.2: an extension is ignored, a trailer is no header.
    # What comes with a chunked body's end is not heard.
    "chunked": (
        CHUNKED + b"3;a=b\r\nabc\r\n2\r\nde\r\n0;x\r\nAuthorization: b\r\n\r\n",
        "abcde",
        False,
    ),
    # RFC 9110 §7.8: an upgrade may be ignored; its body is a body, and the request the last one
    "upgrade": (ONE + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", "", False),
    "upgrade-with-body": (
        BODY + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc",
        "abc",
        False,
    ),
    "upgrade-websocket": (
        ONE + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
        "",
        False,
    ),
    "upgrade-unconnected": (ONE + b"Upgrade: h2c\r\n\r\n", "", True),
    "path-not-utf-8": (b"GET /%ff%00 HTTP/1.1\r\nHost: x\r\n\r\n", "", True),
}


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the path, the body and the names of headers, once the body is there."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = b""
    message: Message = {"more_body": True}
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    told = {
        "path": scope["raw_path"].decode(),
        "body": body.decode(),
        "headers": [name.decode() for name, _ in scope["headers"]],
    }
    content = json.dumps(told).encode()
    length = (b"content-length", str(len(content)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": content})


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def front(request: pytest.FixtureRequest) -> Iterator[Served]:
    """The server on an event loop and in a thread of its own."""
    loops = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    started: queue.SimpleQueue[tuple[Served, Callable[[], object]]] = queue.SimpleQueue()

    async def serve() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        async with served(echo, LIMITS) as found:
            started.put((found, lambda: loop.call_soon_threadsafe(stop.set)))
            await stop.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=loops[request.param]) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    found, stop = started.get(timeout=20)
    yield found
    stop()
    thread.join()


async def say(to: Served, *parts: bytes) -> bytes:
    """Send, say that there is no more to wait for, and give all that is answered."""
    reader, writer = await asyncio.open_connection(to.host, to.port)
    for part in parts:
        writer.write(part)
        await writer.drain()
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize("name", REFUSED)
async def test_is_refused_and_nothing_behind_it_is_heard(name: str, front: Served) -> None:
    answer = await say(front, REFUSED[name] + SMUGGLED)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\ncontent-type: application/problem+json\r\n" in head
    assert b"\r\ncache-control: no-store\r\n" in head
    assert head.endswith(b"\r\nconnection: close")
    assert json.loads(body)["code"] == "bad-request"


@pytest.mark.parametrize("name", ANSWERED)
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "dribbled"])
async def test_is_answered_as_what_it_is(name: str, whole: bool, front: Served) -> None:
    request, body, lives = ANSWERED[name]
    goodbye = b"GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    if name == "chunked" and not whole:
        request, lives = request.replace(b"\r\n\r\n3;", b"\r\nConnection: close\r\n\r\n3;"), False
    single = [request[at : at + 1] for at in range(len(request))]
    parts = [request + goodbye] if whole else [*single, goodbye] if lives else single
    answer = await say(front, *parts)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    told = [
        json.loads(each.partition(b"\r\n\r\n")[2]) for each in answer.split(b"HTTP/1.1 200 OK")[1:]
    ]
    assert told[0]["body"] == body
    assert told[0]["path"] in {"/", "/%ff%00"}
    assert "authorization" not in told[0]["headers"]
    assert [each["path"] for each in told[1:]] == (["/next"] if lives else [])


@pytest.mark.parametrize(
    "begun",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 5_000,
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 5_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a:\r\n" * 2_000,
        b"GET /" + b"a" * 5_000 + b" HTTP/1.1\r\n",
        b"\r\n" * 3_000,
    ],
    ids=["value", "value-whole", "fields", "target", "empty-lines"],
)
async def test_a_head_that_is_too_large_is_431(begun: bytes, front: Served) -> None:
    answer = await say(front, begun)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "headers-too-large"


async def test_a_refusal_says_nothing_of_what_was_sent(
    front: Served, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await say(front, ONE + b"Authorization: canary-7f3a\r\nA: \0\r\n\r\n")
    assert b"canary" not in answer
    assert "canary" not in caplog.text
    assert [
        record.getMessage() for record in caplog.records if record.name.startswith("withhold")
    ] == ["request-refused"]
