import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.proxy.resources import resource
from withhold.errors import StoreFailed, StoreTooLarge
from withhold.ports import Answer
from withhold.proxy.ask import Heard, Timed, read_lines


@dataclass
class Pieces:
    """An answer, in these pieces."""

    pieces: Iterable[bytes]
    status: int = 200
    ndjson: bool = True
    was_alone: bool = False
    ended: int = 0

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece

    async def whole(self, _max_bytes: int) -> bytes:
        return b"".join(self.pieces)

    @asynccontextmanager
    async def get(self, _target: str, *, alone: bool = False) -> AsyncIterator[Answer]:
        """It is the store, too."""
        self.was_alone = alone
        try:
            yield self
        finally:
            self.ended += 1


async def lines_in(*pieces: bytes, most: int = 100) -> list[bytes]:
    batches = [batch async for batch in read_lines(Pieces(pieces), most)]
    assert all(batch.strip(b" \t\r\n") for batch in batches)
    assert all(batch.endswith(b"\n") for batch in batches[:-1])
    return [line for batch in batches for line in batch.split(b"\n") if line.strip(b" \t\r")]


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (b"", []),
        (b"\n \n\t\r\n", []),
        (b"1\n2\n", [b"1", b"2"]),
        (b"1\r\n\r\n2", [b"1\r", b"2"]),
        (b"\n1", [b"1"]),
        (b"  1  \n", [b"  1  "]),
        (b"1\n\x0c\n", [b"1", b"\x0c"]),  # no white space of JSON: for the minimizer to refuse
        (b"1\r2\n", [b"1\r2"]),
        (b"1\n ", [b"1"]),
    ],
)
async def test_tells_lines(body: bytes, lines: list[bytes]) -> None:
    assert await lines_in(body) == lines
    assert await lines_in(*(bytes([byte]) for byte in body)) == lines


@given(
    lines=st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")), max_size=8),
    cuts=st.lists(st.integers(0, 200), max_size=8),
)
async def test_however_it_is_cut_the_lines_are_the_same(
    lines: list[bytes], cuts: list[int]
) -> None:
    body = b"\n".join(lines)
    edges = sorted({0, len(body), *(min(cut, len(body)) for cut in cuts)})
    pieces = [body[a:b] for a, b in itertools.pairwise(edges)]
    assert await lines_in(*pieces) == [line for line in lines if line.strip(b" \t\r")]


@pytest.mark.parametrize(
    "pieces", [[b"a" * 101], [b"a" * 60, b"a" * 41], [b"1\n" + b"a" * 101 + b"\n2"]]
)
async def test_a_line_is_bounded(pieces: list[bytes]) -> None:
    with pytest.raises(StoreTooLarge) as raised:
        await lines_in(*pieces)
    assert raised.value.cause == "line-too-long"
    assert await lines_in(b"a" * 100 + b"\n", b"b" * 50, b"b" * 50) == [b"a" * 100, b"b" * 100]


async def test_a_long_line_in_many_pieces_takes_time_in_their_number() -> None:
    async def seconds(count: int) -> float:
        began = time.perf_counter()
        await lines_in(*([b"a"] * count), most=count)
        return time.perf_counter() - began

    # Sixteen times as many: were it their square, it would be 256 times the time.
    few = min([await seconds(4_000) for _ in range(5)])
    assert min([await seconds(64_000) for _ in range(5)]) < 80 * few


SHAPE = resource(("x",), "$.id")


def heard(store: Pieces, observe: Callable[[float], None] = lambda _: None) -> Heard:
    return Heard(Timed(store, observe), SHAPE, alone=False)


async def test_an_absent_status_is_no_answer_and_any_other_a_fault() -> None:
    async with heard(Pieces([], status=200)).ask("/x") as answer:
        assert answer is not None
    async with heard(Pieces([], status=404)).ask("/x") as answer:
        assert answer is None
    for status in (201, 204, 206, 301, 304, 400, 401, 500, 101):
        store = Pieces([], status=status)
        it = heard(store)
        with pytest.raises(StoreFailed):
            async with it.ask("/x"):
                pass
        assert it.status == status
        assert store.ended == 1


async def test_times_a_store_to_the_head_of_its_answer() -> None:
    seconds: list[float] = []
    async with heard(Pieces([]), seconds.append).ask("/x") as answer:
        assert answer is not None
        assert len(seconds) == 1
    assert 0 <= seconds[0] < 1


async def test_says_whether_a_connection_must_be_its_own() -> None:
    store = Pieces([])
    for alone in (True, False):
        async with Heard(Timed(store, print), SHAPE, alone=alone).ask("/x"):
            assert store.was_alone == alone
    assert store.ended == 2
