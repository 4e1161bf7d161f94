import asyncio

import pytest

from tests.durable import whole
from withhold.adapters import refusals
from withhold.adapters.memory import MemoryDatabase, MemoryLedger
from withhold.adapters.refusals import Refusals
from withhold.kinds.instant import Instant
from withhold.names import CallerName

A, B = CallerName("a"), CallerName("b")
FIRST, NEXT = "2027-01-15T08:00Z", "2027-01-15T08:01Z"


class Node:
    """A node whose clock is set, on a twin of the database."""

    def __init__(self) -> None:
        self.now = Instant(1_800_000_000)
        self.database = MemoryDatabase(clock=lambda: self.now)
        self.ledger = MemoryLedger(self.database)
        self.refusals = Refusals(self.ledger, lambda: self.now)

    def pass_s(self, count: int) -> None:
        self.now = Instant(self.now.second + count)


@pytest.fixture
def node() -> Node:
    return Node()


async def test_they_are_counted_by_caller_code_and_minute(node: Node) -> None:
    for caller, code in ((A, "frozen"), (A, "frozen"), (B, "frozen"), (A, "not-a-target")):
        node.refusals.note(caller, code)
    await node.refusals.flush()
    node.pass_s(60)
    node.refusals.note(A, "frozen")
    await node.refusals.flush()
    assert node.database.refusals == {
        (A, "frozen", FIRST): 2,
        (B, "frozen", FIRST): 1,
        (A, "not-a-target", FIRST): 1,
        (A, "frozen", NEXT): 1,
    }
    await node.ledger.settle()
    assert len(await whole(node.ledger)) == 3  # the last minute is not over


async def test_what_was_written_is_not_written_again(node: Node) -> None:
    node.refusals.note(A, "frozen")
    await node.refusals.flush()
    node.database.fails_before.add("count_refusals")
    await node.refusals.flush()  # nothing to write, so nothing fails
    assert node.database.refusals == {(A, "frozen", FIRST): 1}


async def test_what_cannot_be_written_is_tried_again(node: Node) -> None:
    node.database.fails_before.add("count_refusals")
    for _ in range(3):
        node.refusals.note(A, "frozen")
        await node.refusals.flush()
    assert not node.database.refusals
    node.database.fails_before.clear()
    await node.refusals.flush()
    await node.refusals.flush()
    assert node.database.refusals == {(A, "frozen", FIRST): 3}


async def test_what_is_refused_while_it_is_written_is_written_next(node: Node) -> None:
    node.refusals.note(A, "frozen")
    node.database.held["count_refusals"] = asyncio.Event()
    flush = asyncio.ensure_future(node.refusals.flush())
    await asyncio.sleep(0)
    node.refusals.note(A, "frozen")
    node.database.held["count_refusals"].set()
    await flush
    assert node.database.refusals == {(A, "frozen", FIRST): 1}
    await node.refusals.flush()
    assert node.database.refusals == {(A, "frozen", FIRST): 2}


async def test_no_caller_can_fill_the_memory(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "MAX_KINDS", 2)
    for code in ("one", "two", "three", "one"):
        node.refusals.note(A, code)
    await node.refusals.flush()
    assert node.database.refusals == {(A, "one", FIRST): 2, (A, "two", FIRST): 1}
