import logging
import threading
from pathlib import Path

import pytest

from tests.durable import SUBPOENA, SYNAPSE, W1, change, opened, registered
from withhold.adapters.freezes import add_freeze, list_freezes, remove_freeze
from withhold.adapters.memory import MemoryDatabase, MemoryRegistry
from withhold.adapters.standing import Standing
from withhold.errors import DatabaseUnavailable
from withhold.kinds.instant import Instant
from withhold.names import State, StoreName, WarrantId
from withhold.ports import Changes, Freeze

MILLI = 1_000_000
ACTIVE = frozenset({State.ACTIVE})
MAIL = StoreName("mail")


class Clock:
    """A monotonic clock that goes when it is told to."""

    def __init__(self) -> None:
        self.ns = 10**15

    def __call__(self) -> int:
        return self.ns

    def pass_ms(self, count: int) -> None:
        self.ns += count * MILLI


class Node:
    """A node's standing on a twin of the database, whose clock is the node's."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.database = MemoryDatabase(clock=lambda: Instant(1_800_000_000, "75"))
        self.registry = MemoryRegistry(self.database)
        self.folder = folder
        self.standing = Standing(self.registry.changes_now, folder, self.clock)

    def disk_fails(self) -> None:
        self.folder.rename(self.folder.with_name("gone"))

    def disk_heals(self) -> None:
        self.folder.with_name("gone").rename(self.folder)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    folder = tmp_path / "freezes"
    folder.mkdir()
    return Node(folder)


def unknown(node: Node) -> bool:
    """Whether all three say that they do not know."""
    for ask in (
        lambda: node.standing.state_of(W1),
        lambda: node.standing.frozen(SYNAPSE, SUBPOENA),
        node.standing.now,
    ):
        with pytest.raises(DatabaseUnavailable):
            ask()
    return True


def test_before_the_first_look_nothing_is_known(node: Node) -> None:
    assert unknown(node)


async def test_a_look_knows_every_state(node: Node) -> None:
    await node.registry.register(registered(), change())
    await node.registry.register(registered("W-2", State.PENDING), change())
    node.standing.poll()
    assert node.standing.state_of(W1) is State.ACTIVE
    assert node.standing.state_of(WarrantId("W-2")) is State.PENDING
    assert node.standing.state_of(WarrantId("W-3")) is None
    await node.registry.move(WarrantId(W1), ACTIVE, State.REVOKED, change())
    assert node.standing.state_of(W1) is State.ACTIVE
    node.standing.poll()
    assert node.standing.state_of(W1) is State.REVOKED
    assert node.standing.state_of(WarrantId("W-2")) is State.PENDING


async def test_what_is_known_is_known_for_half_a_second(node: Node) -> None:
    await node.registry.register(registered(), change())
    node.standing.poll()
    node.clock.pass_ms(500)
    assert node.standing.state_of(W1) is State.ACTIVE
    assert node.standing.frozen(SYNAPSE, SUBPOENA) is False
    node.clock.ns += 1
    assert unknown(node)
    node.standing.poll()
    assert node.standing.state_of(W1) is State.ACTIVE


async def test_age_counts_from_before_the_look(node: Node) -> None:
    await node.registry.register(registered(), change())

    def slow(since: int) -> Changes:
        found = node.registry.changes_now(since)
        node.clock.pass_ms(501)  # the answer was under way that long
        return found

    node.standing = Standing(slow, node.folder, node.clock)
    node.standing.poll()
    assert unknown(node)


async def test_a_database_that_does_not_answer_makes_all_unknown(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    await node.registry.register(registered(), change())
    node.standing.poll()
    node.database.fails_before.add("changes")
    for _ in range(3):
        node.clock.pass_ms(200)
        node.standing.poll()
    assert unknown(node)
    assert len(caplog.records) == 1  # of a row of failures, the first
    node.database.fails_before.clear()
    await node.registry.move(W1, ACTIVE, State.SUSPENDED, change())
    node.standing.poll()
    assert node.standing.state_of(W1) is State.SUSPENDED
    node.database.fails_before.add("changes")
    node.standing.poll()
    assert len(caplog.records) == 2


async def test_freezes_of_the_database_hold_what_they_name(node: Node) -> None:
    await node.registry.freeze(Freeze(store=SYNAPSE), change())
    node.standing.poll()
    assert node.standing.frozen(SYNAPSE, SUBPOENA) is True
    assert node.standing.frozen(MAIL, SUBPOENA) is False
    await node.registry.thaw(Freeze(store=SYNAPSE), change())
    node.standing.poll()
    assert node.standing.frozen(SYNAPSE, SUBPOENA) is False


def test_freezes_by_file_hold_what_they_name(node: Node) -> None:
    add_freeze(node.folder, Freeze(instrument=SUBPOENA))
    node.standing.poll()
    assert node.standing.frozen(MAIL, SUBPOENA) is True
    remove_freeze(node.folder, Freeze(instrument=SUBPOENA))
    node.standing.poll()
    assert node.standing.frozen(MAIL, SUBPOENA) is False


def test_a_freeze_by_file_is_seen_and_holds_with_the_database_gone(node: Node) -> None:
    node.database.fails_before.add("changes")
    add_freeze(node.folder, Freeze(store=SYNAPSE))
    node.standing.poll()
    assert node.standing.frozen(SYNAPSE, SUBPOENA) is True
    with pytest.raises(DatabaseUnavailable):
        node.standing.frozen(MAIL, SUBPOENA)
    node.clock.pass_ms(10_000)
    assert node.standing.frozen(SYNAPSE, SUBPOENA) is True


def test_a_freeze_of_this_process_holds_whatever_else_is_known(tmp_path: Path) -> None:
    here = frozenset[Freeze]()
    registry = MemoryRegistry(MemoryDatabase())
    standing = Standing(registry.changes_now, tmp_path / "none", frozen=lambda: here)
    with pytest.raises(DatabaseUnavailable):
        standing.frozen(SYNAPSE, SUBPOENA)
    here = frozenset({Freeze(store=SYNAPSE)})
    assert standing.frozen(SYNAPSE, SUBPOENA)
    with pytest.raises(DatabaseUnavailable):
        standing.frozen(MAIL, SUBPOENA)


def test_a_folder_that_cannot_be_read_is_no_thaw(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    add_freeze(node.folder, Freeze(store=SYNAPSE))
    node.standing.poll()
    node.disk_fails()
    for _ in range(3):
        node.clock.pass_ms(200)
        node.standing.poll()
    assert node.standing.frozen(SYNAPSE, SUBPOENA) is True
    with pytest.raises(DatabaseUnavailable, match="the freeze files could not be read of late"):
        node.standing.frozen(MAIL, SUBPOENA)
    assert node.standing.state_of(W1) is None  # the database is known all the same
    assert len(caplog.records) == 1
    node.disk_heals()
    node.standing.poll()
    assert node.standing.frozen(MAIL, SUBPOENA) is False


def test_the_databases_clock_is_carried_on(node: Node) -> None:
    node.standing.poll()
    assert node.standing.now() == Instant(1_800_000_000, "75")
    node.clock.pass_ms(250)
    assert node.standing.now() == Instant(1_800_000_001)
    node.clock.ns += 250_000_001
    with pytest.raises(DatabaseUnavailable):
        node.standing.now()


async def test_the_thread_looks_by_itself_and_outlives_a_fault_of_ours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    looked = threading.Semaphore(0)
    faults = [False, True]

    async with opened("sqlite", tmp_path) as durable:
        await durable.registry.register(registered(), change())

        def changes(since: int) -> Changes:
            looked.release()
            if faults and faults.pop(0):
                raise ZeroDivisionError
            return durable.registry.changes_now(since)

        folder = tmp_path / "freezes"
        folder.mkdir()
        standing = Standing(changes, folder, clock_ns=lambda: 0)  # nothing grows old here
        standing.start()
        try:
            assert standing.state_of(W1) is State.ACTIVE  # known once it has started
            await durable.registry.move(WarrantId(W1), ACTIVE, State.REVOKED, change())
            for _ in range(4):  # the one of the start, the fault, one after it, one more
                assert looked.acquire(timeout=30)
            assert standing.state_of(W1) is State.REVOKED
        finally:
            standing.close()
    assert [r.message for r in caplog.records] == [
        "a poll failed by a fault of ours: ZeroDivisionError"
    ]
    assert list_freezes(folder) == frozenset()


# --- What others make of it ----------------------------------------------------------------------


async def test_says_of_which_warrants_it_has_heard_since_when(node: Node) -> None:
    other = WarrantId("W-2")
    assert node.standing.sequence() == 0
    assert node.standing.has_changed(WarrantId(W1), 0)  # for all it knows
    await node.registry.register(registered(), change())
    node.standing.poll()
    since = node.standing.sequence()
    assert since > 0
    assert node.standing.has_changed(WarrantId(W1), 0)
    assert not node.standing.has_changed(WarrantId(W1), since)
    assert not node.standing.has_changed(other, 0)
    await node.registry.register(registered(other), change())
    node.standing.poll()
    assert not node.standing.has_changed(WarrantId(W1), since)
    assert node.standing.has_changed(other, since)
    await node.registry.move(WarrantId(W1), ACTIVE, State.REVOKED, change())
    assert not node.standing.has_changed(WarrantId(W1), since)  # not before it hears of it
    node.standing.poll()
    assert node.standing.has_changed(WarrantId(W1), since)


async def test_tells_whoever_listens_after_every_look(node: Node) -> None:
    heard: list[State | None] = []
    node.standing.listen(lambda: heard.append(node.standing.state_of(WarrantId(W1))))
    node.standing.poll()
    await node.registry.register(registered(), change())
    node.standing.poll()
    assert heard == [None, State.ACTIVE]
