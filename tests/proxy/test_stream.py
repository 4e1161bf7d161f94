"""Streams, over real sockets: framed, held to the warrant, and broken so that everybody sees it."""

import asyncio
import contextlib
import gzip
import json
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import StreamingResponse

from tests.proxy.hostile import Says, chunked, drips, hostile, http, stalls
from tests.proxy.plane import ACCOUNT, ALICE, IN_PERIOD, WARRANT, Plane, change, kinds, plane
from tests.proxy.served import Served, request, served, talking
from withhold.adapters.store_http import HttpStore
from withhold.deployment.model import Limits
from withhold.digest import digest_of
from withhold.ledger.entry import Entry, EntryType
from withhold.ledger.receipt import ReceiptId, commit_body, handle_of
from withhold.minimize.minimizer import Minimized, Minimizer
from withhold.minimize.tally import Tally
from withhold.names import State, WarrantId
from withhold.proxy.deliver import PIECE_BYTES
from withhold.proxy.stream import SLICE_BYTES, THREAD_BYTES, Batch, _next, minimize

EVENTS = "/stores/shop/v1/events"
NDJSON = ("Content-Type: application/x-ndjson", "Transfer-Encoding: chunked")
LIMITS = Limits(store_timeout_s=5.0)


def event(n: int, who: str = ALICE, at: int = IN_PERIOD) -> bytes:
    """A line of the store."""
    return json.dumps({"who": who, "at": at, "n": n, "body": "canary"}).encode() + b"\n"


PAST = event(3, at=IN_PERIOD - 10**8)


def line(n: int) -> dict[str, Any]:
    """What leaves of it."""
    return {"who": ALICE, "at": IN_PERIOD, "n": n}


def lines_of(body: bytes) -> list[Any]:
    assert body == b"" or body.endswith(b"\n")
    assert b"canary" not in body
    return [json.loads(each) for each in body.splitlines()]


@asynccontextmanager
async def streaming(
    folder: Path, *store: bytes | Says, limits: Limits = LIMITS
) -> AsyncIterator[tuple[Plane, Served]]:
    """A plane before a store that speaks bytes, behind a real server, that polls by itself."""
    async with hostile(*store) as other:
        http_store = HttpStore(other.base_url, {}, limits)
        async with (
            plane(folder, store=http_store, limits=limits) as it,
            served(it.app, limits) as where,
        ):
            yield it, where


async def ask(where: Served, path: str = EVENTS, *lines: str) -> tuple[int, bytes, bool]:
    """Ask, and give status, body and whether a stream came to its end."""
    async with talking(where, request(path, *lines)) as client:
        status, headers = await client.head()
        if "content-length" in headers:
            return status, await client.reader.readexactly(int(headers["content-length"])), True
        body, is_whole = await client.rest()
        return status, body, is_whole


OPENED = (EntryType.OPENING, "disclosed")
WHOLE = [OPENED, (EntryType.CLOSING, "complete")]
BROKEN = [OPENED, (EntryType.CLOSING, "incomplete")]


async def test_streams_the_lines_that_are_covered(tmp_path: Path) -> None:
    body = b"".join([event(1), b"\n", event(2, "@eve:example.test"), b" \t\r\n", PAST, event(4)])
    said = http(chunked(body.replace(b"}\n", b"}\r\n")), *NDJSON, length=None)
    async with streaming(tmp_path, said) as (it, where):
        async with talking(where, request(EVENTS)) as client:
            status, headers = await client.head()
            got, is_whole = await client.rest()
        headers.pop("date")
        assert status == 200
        assert headers == {
            "content-type": "application/x-ndjson",
            "withhold-receipt": "R-00000000000000000000000001",
            "withhold-allowlist": (await it.entries())[0].public["allowlist"],
            "cache-control": "no-store",
            "transfer-encoding": "chunked",
        }
        assert lines_of(got) == [line(1), line(4)]
        assert is_whole
        assert await kinds(it) == WHOLE
        opening, closing = await it.entries()
        receipt = ReceiptId(headers["withhold-receipt"])
        assert opening.receipt == closing.receipt == handle_of(receipt)
        assert (opening.public["size_bytes"], opening.public["body"]) == (0, None)
        assert (opening.public["disclosed"], opening.sealed["records_seen"]) == ({}, 0)
        assert opening.sealed["store_status"] == 200
        assert closing.public == {
            "outcome": "complete",
            "disclosed": {"$.at": 2, "$.n": 2, "$.who": 2},
            "tokenized": {},
            "generalized": {},
            "records_disclosed": 2,
            "size_bytes": len(got),
            "body": commit_body(receipt, digest_of(got)),
        }
        withheld = {"not-a-target": {"$": 1}, "out-of-period": {"$": 1}}
        assert closing.sealed == {"records_seen": 4, "withheld": withheld}


async def test_the_last_line_needs_no_end(tmp_path: Path) -> None:
    said = http(event(1) + event(2).rstrip(), NDJSON[0])
    async with streaming(tmp_path, said) as (_, where):
        assert lines_of((await ask(where))[1]) == [line(1), line(2)]


@pytest.mark.parametrize("size", [1, 2, 7, 64, 100_000])
async def test_however_the_store_cuts_it_the_answer_is_the_same(tmp_path: Path, size: int) -> None:
    body = "".join(f'{{"who":"{ALICE}","at":{IN_PERIOD},"n":{n},"é€":"😀"}}\r\n' for n in range(9))
    data = body.encode()

    async def say(_request: Request) -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(data), size):
                yield data[start : start + size]

        return StreamingResponse(pieces(), media_type="application/x-ndjson")

    async with plane(tmp_path, say) as it:
        response = await it.get(EVENTS)
        assert lines_of(response.content) == [line(n) for n in range(9)]
        body = commit_body(
            ReceiptId(response.headers["withhold-receipt"]), digest_of(response.content)
        )
        assert (await it.entries())[-1].public["body"] == body


async def test_the_opening_is_durable_before_the_first_byte(tmp_path: Path) -> None:
    goes_on: asyncio.Queue[None] = asyncio.Queue()
    head = http(b"", *NDJSON, length=None)
    pieces = [head, chunked(event(1), end=b""), chunked(event(2))]
    async with streaming(tmp_path, drips(pieces, goes_on)) as (it, where):
        held = it.database.held["append"] = asyncio.Event()
        async with talking(where, request(EVENTS)) as client:
            goes_on.put_nowait(None)
            goes_on.put_nowait(None)
            began = asyncio.ensure_future(client.head())
            done, _ = await asyncio.wait({began}, timeout=0.3)
            assert not done
            held.set()
            assert (await began)[0] == 200
            assert lines_of(await client.chunk() or b"") == [line(1)]
            assert await kinds(it) == [OPENED]
            goes_on.put_nowait(None)
            body, is_whole = await client.rest()
            assert (lines_of(body), is_whole) == ([line(2)], True)
        assert await kinds(it) == WHOLE


LATE = {
    "a line that is no JSON": (LIMITS, chunked(b"canary\n")),
    "a line that is cut off": (LIMITS, chunked(b'{"who":')),
    "a line without end": (Limits(max_line_bytes=1_000), chunked(b"[" * 2_000, b"]" * 2_000)),
    "chunks that are cut off": (LIMITS, chunked(event(2), end=b"")),
    "a chunk that is none": (LIMITS, b"canary\r\n"),
}


@pytest.mark.parametrize(("limits", "late"), LATE.values(), ids=LATE)
async def test_what_fails_midway_is_seen_to_be_broken(
    tmp_path: Path, limits: Limits, late: bytes
) -> None:
    goes_on: asyncio.Queue[None] = asyncio.Queue()
    begin = http(chunked(event(1), end=b""), *NDJSON, length=None)
    async with streaming(tmp_path, drips([begin, late], goes_on), limits=limits) as (it, where):
        async with talking(where, request(EVENTS)) as client:
            goes_on.put_nowait(None)
            assert (await client.head())[0] == 200
            assert lines_of(await client.chunk() or b"") == [line(1)]
            goes_on.put_nowait(None)
            body, is_whole = await client.rest()
            assert not is_whole
            assert lines_of(body) in ([], [line(2)])
        assert await kinds(it) == BROKEN
        closing = (await it.entries())[1].public
        assert closing["records_disclosed"] == 1 + len(lines_of(body))
        assert closing["size_bytes"] > len(body)


async def test_a_line_about_somebody_else_breaks_the_stream(tmp_path: Path) -> None:
    goes_on: asyncio.Queue[None] = asyncio.Queue()
    first, other = (json.dumps({**ACCOUNT, "id": who}).encode() for who in (ALICE, "@eve-canary"))
    begin = http(chunked(first + b"\n", end=b""), *NDJSON, length=None)
    async with streaming(tmp_path, drips([begin, chunked(other)], goes_on)) as (it, where):
        async with talking(where, request(f"/stores/shop/v1/accounts/{ALICE}")) as client:
            goes_on.put_nowait(None)
            await client.head()
            assert [each["id"] for each in lines_of(await client.chunk() or b"")] == [ALICE]
            goes_on.put_nowait(None)
            assert await client.rest() == (b"", False)
        assert await kinds(it) == BROKEN


async def test_a_bomb_breaks_the_stream(tmp_path: Path) -> None:
    bomb = gzip.compress(event(1) + b"\n" * 10_000_000)
    said = http(chunked(bomb), *NDJSON, "Content-Encoding: gzip", length=None)
    async with streaming(tmp_path, said) as (it, where):
        status, body, is_whole = await ask(where)
        assert (status, lines_of(body), is_whole) == (200, [line(1)], False)
        assert await kinds(it) == BROKEN


async def test_a_store_that_falls_silent_breaks_the_stream(tmp_path: Path) -> None:
    until = asyncio.Event()
    begin = http(chunked(event(1), end=b""), *NDJSON, length=None)
    limits = Limits(store_timeout_s=0.2)
    async with streaming(tmp_path, stalls(begin, until), limits=limits) as (it, where):
        try:
            status, body, is_whole = await ask(where)
        finally:
            until.set()
        assert (status, lines_of(body), is_whole) == (200, [line(1)], False)
        assert await kinds(it) == BROKEN


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (http(b"canary\n", NDJSON[0]), "store-malformed"),
        (http(event(1), NDJSON[0], "Content-Encoding: gzip"), "store-malformed"),
        (http(event(1), NDJSON[0], length=None), "store-failed"),
        (http(chunked(end=b"canary"), *NDJSON, length=None), "store-failed"),
    ],
)
async def test_what_fails_at_once_is_a_clear_error(tmp_path: Path, said: bytes, code: str) -> None:
    async with streaming(tmp_path, said) as (it, where):
        status, body, _ = await ask(where)
        assert (status, json.loads(body)["code"]) == (502, code)
        assert await kinds(it) == [(EntryType.FAILURE, code)]


async def test_an_empty_stream_is_one_too(tmp_path: Path) -> None:
    async with streaming(tmp_path, http(chunked(), *NDJSON, length=None)) as (it, where):
        assert await ask(where) == (200, b"", True)
        assert await kinds(it) == WHOLE


async def test_a_stream_needs_a_client_that_can_see_it_break(tmp_path: Path) -> None:
    async with streaming(tmp_path, http(event(1), NDJSON[0])) as (it, where):
        async with talking(where, request(EVENTS, version="1.0")) as client:
            status, _ = await client.head()
        assert status == 400
        assert await it.entries() == []


# --- Revoking, freezing, losing sight ------------------------------------------------------------


async def revoke(it: Plane, _folder: Path) -> None:
    await it.registry.move(WarrantId(WARRANT), frozenset(State), State.REVOKED, change())


async def freeze(_it: Plane, folder: Path) -> None:
    (folder / "freezes" / "everything").touch()


async def lose_the_database(it: Plane, _folder: Path) -> None:
    it.database.fails_before.add("changes")


@asynccontextmanager
async def polling(it: Plane) -> AsyncIterator[None]:
    """Let the standing poll by itself, by the real clock."""
    it.standing._clock_ns = time.monotonic_ns
    await asyncio.to_thread(it.standing.start)
    try:
        yield
    finally:
        await asyncio.to_thread(it.standing.close)


@pytest.mark.parametrize("speaks", [revoke, freeze, lose_the_database])
async def test_no_stream_outlives_its_warrant_by_a_second(tmp_path: Path, speaks: Any) -> None:  # noqa: ANN401
    until = asyncio.Event()
    begin = http(chunked(event(1), end=b""), *NDJSON, length=None)
    loop = asyncio.get_running_loop()
    async with streaming(tmp_path, stalls(begin, until)) as (it, where), polling(it):
        async with talking(where, request(EVENTS)) as client:
            await client.head()
            assert await client.chunk()
            began_s = loop.time()
            await speaks(it, tmp_path)
            assert await client.rest() == (b"", False)
            assert loop.time() - began_s < 1.0
        until.set()
        assert await kinds(it) == BROKEN


async def test_nor_by_a_client_that_does_not_read(tmp_path: Path) -> None:
    """Its connection's buffers are full: the stream waits for the client, and lets go of it."""
    full, done = asyncio.Event(), asyncio.Event()
    piece = chunked(b"".join(event(n) for n in range(1_000)), end=b"")

    async def floods(writer: asyncio.StreamWriter) -> None:
        writer.write(http(b"", *NDJSON, length=None))
        with contextlib.suppress(TimeoutError):
            while True:
                writer.write(piece)
                await asyncio.wait_for(writer.drain(), 0.3)  # for so long nobody took anything
        full.set()
        await done.wait()

    async with streaming(tmp_path, floods) as (it, where), polling(it):
        async with talking(where, request(EVENTS)) as client:
            await client.head()
            await full.wait()
            closed = asyncio.Event()
            _tell_of_closing(it, closed)
            await revoke(it, tmp_path)
            await asyncio.wait_for(closed.wait(), 1.0)
            assert await kinds(it) == BROKEN
        done.set()


async def test_nor_does_a_large_answer(tmp_path: Path) -> None:
    """Nobody reads it, and buffers hold no more than a part of it."""
    size = 40_000_000
    limits = Limits(store_timeout_s=5.0, max_answer_bytes=2**26)
    said = http(json.dumps({"id": ALICE, "name": "n" * size}).encode())
    path = f"/stores/shop/v1/accounts/{ALICE}"
    async with (
        streaming(tmp_path, said, limits=limits) as (it, where),
        polling(it),
        talking(where, request(path)) as client,
    ):
        await client.head()
        closed = asyncio.Event()
        _tell_of_closing(it, closed)
        await revoke(it, tmp_path)
        await asyncio.wait_for(closed.wait(), 1.0)
        release, closing = await it.entries()
        assert (release.type, release.public["outcome"]) == (EntryType.RELEASE, "disclosed")
        assert (closing.type, closing.public["outcome"]) == (EntryType.CLOSING, "incomplete")
        read = 0
        with contextlib.suppress(ConnectionError):
            while piece := await client.reader.read(2**20):
                read += len(piece)
        # What was handed over may not have arrived; one piece more may be under way.
        assert 0 < read <= closing.public["size_bytes"] + PIECE_BYTES
        assert closing.public["size_bytes"] < release.public["size_bytes"]
        assert closing.public["size_bytes"] % PIECE_BYTES == 0


async def test_a_large_answer_is_whole(tmp_path: Path) -> None:
    said = http(json.dumps({"id": ALICE, "name": "n" * 1_000_000}).encode())
    async with streaming(tmp_path, said) as (it, where), polling(it):
        status, body, _ = await ask(where, f"/stores/shop/v1/accounts/{ALICE}")
        assert (status, len(json.loads(body)["name"])) == (200, 1_000_000)
        release, closing = await it.closed()
        assert release.type is EntryType.RELEASE
        assert closing.public == {"outcome": "complete", "size_bytes": len(body)}


def _tell_of_closing(it: Plane, closed: asyncio.Event) -> None:
    append = it.parts.ledger.append

    async def tells(entry: Entry, *rest: Any, **named: Any) -> int:  # noqa: ANN401 - passed on
        index = await append(entry, *rest, **named)
        if entry.type is EntryType.CLOSING:
            closed.set()
        return index

    vars(it.parts.ledger)["append"] = tells


async def test_a_client_that_goes_leaves_an_incomplete_stream(tmp_path: Path) -> None:
    until = asyncio.Event()
    begin = http(chunked(event(1), end=b""), *NDJSON, length=None)
    async with streaming(tmp_path, stalls(begin, until)) as (it, where):
        closed = asyncio.Event()
        _tell_of_closing(it, closed)
        async with talking(where, request(EVENTS)) as client:
            await client.head()
            assert await client.chunk()
        await asyncio.wait_for(closed.wait(), 1.0)
        until.set()
        assert await kinds(it) == BROKEN


async def test_a_server_that_stops_closes_what_it_opened(tmp_path: Path) -> None:
    until = asyncio.Event()
    begin = http(chunked(event(1), end=b""), *NDJSON, length=None)
    async with streaming(tmp_path, stalls(begin, until)) as (it, where):
        async with talking(where, request(EVENTS)) as client:
            await client.head()
            assert await client.chunk()
            where.server.should_exit = True
            assert await client.rest() == (b"", False)
        until.set()
    assert await kinds(it) == BROKEN


@pytest.mark.parametrize("fails", ["fails_before", "fails_after"])
async def test_without_an_opening_nothing_is_sent(tmp_path: Path, fails: str) -> None:
    async with streaming(tmp_path, http(event(1), NDJSON[0])) as (it, where):
        getattr(it.database, fails).add("append")
        status, body, _ = await ask(where)
        assert (status, json.loads(body)["code"]) == (503, "ledger-unavailable")


async def test_without_a_closing_the_stream_is_broken(tmp_path: Path) -> None:
    goes_on: asyncio.Queue[None] = asyncio.Queue()
    pieces = [http(chunked(event(1), end=b""), *NDJSON, length=None), chunked()]
    async with (
        streaming(tmp_path, drips(pieces, goes_on)) as (it, where),
        talking(where, request(EVENTS)) as client,
    ):
        goes_on.put_nowait(None)
        await client.head()
        assert await client.chunk()
        it.database.fails_before.add("append")
        goes_on.put_nowait(None)
        assert await client.rest() == (b"", False)


async def test_a_document_that_takes_for_ever_keeps_no_thread_from_others() -> None:
    done = threading.Event()

    class Slow(Minimizer):
        def __init__(self) -> None:
            pass

        def run(self, body: bytes) -> Minimized:
            done.wait()
            return Minimized(body, Tally())

    large = bytes(THREAD_BYTES + 1)
    slow = [asyncio.ensure_future(minimize(Slow(), large)) for _ in range(64)]
    try:
        async with asyncio.timeout(5):
            for _ in range(2):  # the first lets those before it begin
                await asyncio.to_thread(bool)
    finally:
        done.set()
    assert [each.body for each in await asyncio.gather(*slow)] == [large] * 64


# --- Batches ------------------------------------------------------------------------------------


async def batches(*given: Batch) -> AsyncIterator[Batch]:
    for batch in given:
        yield batch


class Noting(Minimizer):
    """Lets everything out, and notes what it was given and in which thread."""

    def __init__(self) -> None:
        self.given: list[bytes] = []
        self.threads: list[str] = []

    def run(self, body: bytes) -> Minimized:
        self.given.append(body)
        self.threads.append(threading.current_thread().name)
        return Minimized(body, Tally(1))

    def run_lines(self, chunk: bytes) -> Minimized:
        return self.run(chunk)


@given(st.lists(st.integers(0, 3 * SLICE_BYTES), max_size=6), st.booleans())
async def test_slices_are_whole_lines(lengths: list[int], is_ended: bool) -> None:
    lines = [b"%d" % (i % 10) * length for i, length in enumerate(lengths)]
    text = b"\n".join(lines) + b"\n" * is_ended
    noting = Noting()
    part = await _next(batches(text), noting)
    assert part is not None
    assert part.lines == b"".join(noting.given) == text
    assert part.tally.records_seen == len(noting.given)
    assert all(each.endswith(b"\n") for each in noting.given[:-1])
    for each in noting.given:
        assert len(each) <= SLICE_BYTES or b"\n" not in each[:-1]


async def test_a_slice_is_as_large_as_may_be() -> None:
    noting = Noting()
    line = b"x" * 999 + b"\n"
    fit = SLICE_BYTES // len(line)
    await _next(batches(line * (2 * fit + 1)), noting)
    assert noting.given == [line * fit, line * fit, line]


async def test_only_a_line_that_is_large_by_itself_has_a_thread() -> None:
    noting = Noting()
    small, large = b"x" * 999 + b"\n", b"y" * THREAD_BYTES + b"\n"
    await _next(batches(small * 300 + large + small), noting)
    own = threading.current_thread().name
    for each, thread in zip(noting.given, noting.threads, strict=True):
        assert (thread != own) == (each == large)


async def test_others_have_their_turn_between_slices() -> None:
    noting = Noting()
    loop = asyncio.get_running_loop()
    loop.call_soon(noting.given.append, b"another's turn")
    await _next(batches(b"x\n" * SLICE_BYTES), noting)
    assert noting.given[1] == b"another's turn"


async def test_documents_become_lines() -> None:
    noting = Noting()
    part = await _next(batches([b"[1,\n2]", b"", b"3"]), noting)
    assert part is not None
    assert part.lines == b"[1,\n2]\n3\n"  # as they leave the minimizer, which prints none within
    assert await _next(batches(), noting) is None


async def test_memory_stays_flat(tmp_path: Path) -> None:
    piece = chunked(b"".join(event(n) for n in range(500)), end=b"")
    count = 400

    async def much(writer: asyncio.StreamWriter) -> None:
        writer.write(http(b"", *NDJSON, length=None))
        for _ in range(count):
            writer.write(piece)
            await writer.drain()
        writer.write(chunked())

    async with streaming(tmp_path, much) as (it, where):
        async with talking(where, request(EVENTS)) as client:
            await client.head()
            assert await client.chunk()
            tracemalloc.start()
            try:
                size = 0
                while chunk := await client.chunk():
                    size += len(chunk)
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert chunk == b""
        assert size > 10_000_000
        assert peak < 4_000_000
        assert (await it.entries())[-1].public["records_disclosed"] == count * 500
