"""What a failed append, a late closing or a silent node leaves, and what becomes of it."""

import asyncio
import json
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from tests.durable import (
    W1,
    about,
    change,
    closing,
    condition,
    endings,
    handle,
    on_database,
    receipt,
    registered,
    run,
    whole,
)
from withhold.adapters import settling
from withhold.adapters.database import Database
from withhold.adapters.ledger import SqlLedger
from withhold.adapters.registry import SqlRegistry
from withhold.adapters.schema import nodes
from withhold.adapters.settling import DEAD_S, GRACE_S, Open, minute_of
from withhold.errors import LedgerUnavailable
from withhold.kinds.instant import Instant
from withhold.ledger.entry import EntryType
from withhold.ledger.receipt import Ending
from withhold.names import CallerName

OLDER = "UPDATE nodes SET seen = seen - :seconds WHERE node = :node"


@dataclass
class House:
    """Some nodes on one database."""

    url: str
    databases: list[Database]

    def node(self, timeout_s: float = 30.0, busy_timeout_s: float = 30.0) -> SqlLedger:
        """Open the database once more."""
        self.databases.append(Database(self.url, busy_timeout_s=busy_timeout_s))
        return SqlLedger(self.databases[-1], timeout_s=timeout_s)

    async def silence(self, node: SqlLedger, seconds: int = DEAD_S + 1) -> None:
        """Let it be some seconds longer since a node has said a word."""
        await run(self.databases[0], OLDER, seconds=seconds, node=node.node)

    async def nodes(self) -> set[str]:
        """Give those that are known."""
        rows = select(nodes.c.node)
        found = await self.databases[0].read(lambda it: it.execute(rows).scalars().all())
        return set(found)


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[House]:
    found = House(database_url, [])
    yield found
    for each in found.databases:
        each.close()


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Hold what every append needs, as another node's transaction would."""
    with ExitStack() as stack:
        if url.startswith("sqlite"):
            raw = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
            stack.callback(raw.close)
            raw.execute("BEGIN IMMEDIATE")
            stack.callback(raw.execute, "ROLLBACK")
        else:
            held = stack.enter_context(psycopg.connect(url))
            held.execute("SELECT * FROM withhold.log FOR UPDATE")
        yield


def lose_answers(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what was committed be told to have failed."""
    transact = database._transact

    def lost(jobs: list[Any]) -> list[Any]:
        transact(jobs)
        raise OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))

    monkeypatch.setattr(database, "_transact", lost)


def fail(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing be committed."""

    def failed(_: list[Any]) -> list[Any]:
        raise OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))

    monkeypatch.setattr(database, "_transact", failed)


Fails = Callable[[Database, pytest.MonkeyPatch], None]


class TestDoubts:
    async def test_what_failed_but_persisted_was_not_sent(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        node = house.node()
        with monkeypatch.context() as patch:
            lose_answers(house.databases[0], patch)
            for made in (receipt("R-a"), receipt("R-b", kind=EntryType.OPENING)):
                with pytest.raises(LedgerUnavailable, match=r"not durable: .* disk I/O error"):
                    await node.append(made)
        assert about(await whole(node), "R-a", "R-b") == ["release R-a", "opening R-b"]
        for _ in range(2):
            await node.settle()
            said = await whole(node)
            assert endings(said) == {handle("R-a"): "not-sent", handle("R-b"): "not-sent"}
            assert [one["size_bytes"] for one in said if one["type"] == "closing"] == [0, 0]

    async def test_what_failed_and_did_not_persist_leaves_nothing(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        node = house.node()
        with monkeypatch.context() as patch:
            fail(house.databases[0], patch)
            for made in (receipt("R-a"), closing("R-b"), change(), receipt(kind=EntryType.FAILURE)):
                with pytest.raises(LedgerUnavailable, match=r"not durable: .* disk I/O error"):
                    await node.append(made)
        await node.settle()
        assert await whole(node) == []
        assert await node.append(receipt("R-a")) == 0

    async def test_a_failure_of_a_store_that_persisted_is_owed_no_closing(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        node = house.node()
        with monkeypatch.context() as patch:
            lose_answers(house.databases[0], patch)
            with pytest.raises(LedgerUnavailable):
                await node.append(receipt("R-a", kind=EntryType.FAILURE))
        await node.settle()
        assert about(await whole(node), "R-a") == ["failure R-a"]

    async def test_a_disk_that_takes_too_long_is_no_ledger(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        node = house.node(timeout_s=0.15)
        with locked(house.url):
            begun = await begin(node.append(receipt("R-begun")), house.databases[0], monkeypatch)
            results = await asyncio.gather(
                begun, node.append(receipt("R-waits")), return_exceptions=True
            )
        for result in results:
            assert isinstance(result, LedgerUnavailable)
            assert str(result) == "the entry is not durable: the disk takes too long"
        for _ in range(2):
            await node.settle()  # after the one that has begun, which no longer waits
            said = await whole(node)
            assert about(said, "R-begun", "R-waits") == ["release R-begun", "closing R-begun"]
            assert endings(said) == {handle("R-begun"): "not-sent"}

    async def test_a_writer_that_gives_up_waiting_leaves_nothing(self, house: House) -> None:
        node = house.node(busy_timeout_s=0.1)
        with locked(house.url), pytest.raises(LedgerUnavailable, match="the entry is not durable"):
            await node.append(receipt("R-a"))
        await node.settle()
        assert await whole(node) == []

    async def test_who_no_longer_waits_was_sent_nothing(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        node = house.node()
        with locked(house.url):
            begun = await begin(node.append(receipt("R-begun")), house.databases[0], monkeypatch)
            waits = asyncio.ensure_future(node.append(receipt("R-waits")))
            await asyncio.sleep(0)
            for each in (begun, waits):
                each.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await each
        await node.settle()
        said = await whole(node)
        assert about(said, "R-begun", "R-waits") == ["release R-begun", "closing R-begun"]
        assert endings(said) == {handle("R-begun"): "not-sent"}

    async def test_what_was_sent_after_all_is_not_said_to_be_not_sent(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        node = house.node()
        with monkeypatch.context() as patch:
            lose_answers(house.databases[0], patch)
            with pytest.raises(LedgerUnavailable):
                await node.append(receipt("R-a"))
        with monkeypatch.context() as patch:
            fail(house.databases[0], patch)
            with pytest.raises(LedgerUnavailable):
                await node.append(closing("R-a"))
        await node.settle()
        assert endings(await whole(node)) == {handle("R-a"): "complete"}


class TestLate:
    @pytest.mark.parametrize("how", [lose_answers, fail])
    async def test_a_closing_that_failed_is_there_once_it_is_settled(
        self, house: House, monkeypatch: pytest.MonkeyPatch, how: Fails
    ) -> None:
        node = house.node()
        await node.append(receipt("R-a"))
        with monkeypatch.context() as patch:
            how(house.databases[0], patch)
            with pytest.raises(LedgerUnavailable):
                await node.append(closing("R-a", Ending.INCOMPLETE))
        for _ in range(2):
            await node.settle()
            said = await whole(node)
            assert about(said, "R-a") == ["release R-a", "closing R-a"]
            assert endings(said) == {handle("R-a"): "incomplete"}

    async def test_settling_that_fails_is_done_again(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        node = house.node()
        await node.append(receipt("R-a"))
        for how in (fail, fail, lose_answers):
            with monkeypatch.context() as patch:
                how(house.databases[0], patch)
                with pytest.raises(LedgerUnavailable):
                    await node.append(closing("R-a"))
                with pytest.raises(LedgerUnavailable):
                    await node.settle()
        await node.settle()
        assert endings(await whole(node)) == {handle("R-a"): "complete"}

    async def test_all_that_a_node_remembers_is_settled_at_once(self, house: House) -> None:
        node = house.node()
        await node.append(receipt("R-7"))
        for i in range(settling.MAX_KEPT + 10):
            node._open.doubt(closing(f"R-{i}"))
            node._open.doubt(receipt(f"R-not-{i}"))
        await node.settle()
        assert endings(await whole(node)) == {handle("R-7"): "complete"}
        assert not node._open.view(0).waits
        assert 2 * settling.MAX_KEPT < 32_766  # which SQLite takes, unless built to take more


class TestOrphans:
    async def test_what_a_silent_node_left_is_closed_by_another(self, house: House) -> None:
        gone, other = house.node(), house.node()
        await gone.append(receipt("R-a"))
        await gone.append(receipt("R-b"))
        await gone.append(receipt("R-c", kind=EntryType.OPENING))
        await gone.append(receipt("R-d", kind=EntryType.FAILURE))
        await gone.append(closing("R-b"))
        await gone.settle()
        await house.silence(gone)
        for _ in range(2):
            await other.settle()
            assert endings(await whole(other)) == {
                handle("R-a"): "unknown",
                handle("R-b"): "complete",
                handle("R-c"): "unknown",
            }
            assert await house.nodes() == {other.node}
        said = await whole(other)
        unknown = [one for one in said if one.get("outcome") == "unknown"]
        assert [(one["size_bytes"], one["warrant"]) for one in unknown] == [(None, W1)] * 2

    async def test_the_living_close_their_own(self, house: House) -> None:
        living, other = house.node(), house.node()
        await living.append(receipt("R-a"))
        await living.settle()
        await house.silence(living, DEAD_S - 10)
        await other.settle()
        assert endings(await whole(other)) == {}
        await living.append(closing("R-a"))
        assert endings(await whole(other)) == {handle("R-a"): "complete"}

    async def test_one_that_was_only_silent_closes_nothing_twice(self, house: House) -> None:
        slow, other = house.node(), house.node()
        await slow.append(receipt("R-a"))
        await slow.settle()
        await house.silence(slow)
        await other.settle()
        with pytest.raises(LedgerUnavailable, match="has such an entry already"):
            await slow.append(closing("R-a"))
        await slow.append(receipt("R-b"))
        await slow.settle()
        await slow.append(closing("R-b"))
        said = await whole(other)
        assert endings(said) == {handle("R-a"): "unknown", handle("R-b"): "complete"}
        assert await house.nodes() == {slow.node, other.node}

    async def test_one_that_was_stopped_speaks_before_it_releases(self, house: House) -> None:
        stopped, other = house.node(), house.node()
        await SqlRegistry(house.databases[0]).register(registered(), change())
        await stopped.settle()
        await house.silence(stopped)
        await other.settle()
        assert await house.nodes() == {other.node}
        assert stopped._said is not None
        stopped._said -= DEAD_S + 1  # what it remembers is as old as what others forgot
        await stopped.append(receipt("R-a"), condition())
        assert await house.nodes() == {stopped.node, other.node}
        await stopped.append(receipt("R-b"), condition())
        # It ends here, before it has settled.
        await house.silence(stopped)
        await other.settle()
        found = endings(await whole(other))
        assert found == {handle("R-a"): "unknown", handle("R-b"): "unknown"}
        assert await house.nodes() == {other.node}

    async def test_one_that_spoke_of_late_does_not_again(self, house: House) -> None:
        node, other = house.node(), house.node()
        await SqlRegistry(house.databases[0]).register(registered(), change())
        await node.append(receipt("R-a"), condition())  # the first word
        assert await house.nodes() == {node.node}
        await node.settle()
        await house.silence(node)
        await node.append(receipt("R-b"), condition())
        await other.settle()
        assert await house.nodes() == {other.node}

    async def test_who_speaks_for_itself_is_not_closed_by_itself(self, house: House) -> None:
        node = house.node()
        await node.append(receipt("R-a"))
        await node.settle()
        await house.silence(node)
        await node.settle()
        assert endings(await whole(node)) == {}

    async def test_several_who_find_it_close_it_once(self, house: House) -> None:
        gone, *others = (house.node() for _ in range(4))
        await asyncio.gather(*(gone.append(receipt(f"R-{i}")) for i in range(20)))
        await gone.settle()
        await house.silence(gone)
        closes = [gone.append(closing(f"R-{i}")) for i in range(20)]
        results = await asyncio.gather(
            *(other.settle() for other in others), *closes, return_exceptions=True
        )
        assert results[:3] == [None] * 3
        assert len(endings(await whole(gone))) == 20

    async def test_one_that_left_much_is_closed_in_several_rounds(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(settling, "MAX_AT_ONCE", 3)
        gone, other = house.node(), house.node()
        await asyncio.gather(*(gone.append(receipt()) for _ in range(7)))
        await gone.settle()
        await house.silence(gone)
        for closed, known in ((3, 2), (6, 2), (7, 1), (7, 1)):
            await other.settle()
            assert len(endings(await whole(other))) == closed
            assert len(await house.nodes()) == known

    async def test_a_node_says_since_when_it_may_owe_an_ending(self, house: House) -> None:
        node = house.node()

        async def settled() -> int:
            await run(house.databases[0], "UPDATE nodes SET seen = 0")
            await node.settle()
            row = select(nodes.c.settled)
            return await house.databases[0].read(lambda it: it.execute(row).scalar_one())

        for name in ("R-a", "R-b", "R-c"):
            await node.append(receipt(name))
        assert await settled() == 0
        await node.append(closing("R-b"))
        assert await settled() == 0
        await node.append(closing("R-a"))
        assert await settled() == 2
        await node.append(closing("R-c"))
        assert await settled() == 5  # none is open: so far it has seen the log


class TestLeaving:
    async def test_nobody_waits_for_a_node_that_left(self, house: House) -> None:
        node = house.node()
        await node.append(receipt("R-a"))
        await node.append(closing("R-a"))
        await node.settle()
        assert await house.nodes() == {node.node}
        await node.leave()
        assert await house.nodes() == set()
        assert endings(await whole(node)) == {handle("R-a"): "complete"}

    async def test_what_it_forgot_it_closes_as_others_would(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        node, other = house.node(), house.node()
        for name in ("R-forgotten", "R-late"):
            await node.append(receipt(name))
        await other.append(receipt("R-others"))
        with monkeypatch.context() as patch:
            lose_answers(house.databases[0], patch)
            with pytest.raises(LedgerUnavailable):
                await node.append(receipt("R-doubt"))
        with monkeypatch.context() as patch:
            fail(house.databases[0], patch)
            with pytest.raises(LedgerUnavailable):
                await node.append(closing("R-late"))
        await node.leave()
        assert await house.nodes() == set()
        assert endings(await whole(node)) == {
            handle("R-forgotten"): "unknown",
            handle("R-late"): "complete",
            handle("R-doubt"): "not-sent",
        }

    async def test_what_is_too_much_is_left_to_others(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(settling, "MAX_AT_ONCE", 3)
        node, other = house.node(), house.node()
        await asyncio.gather(*(node.append(receipt()) for _ in range(5)))
        await node.leave()
        assert await house.nodes() == {node.node}
        await house.silence(node)
        await other.settle()
        assert len(endings(await whole(other))) == 5
        assert await house.nodes() == {other.node}


REFUSED = (CallerName("a"), "not-a-target", "2026-11-24T14:05Z")
ENDS = Instant(1_795_529_160)  # 2026-11-24T14:06:00Z, when that minute has ended


class TestRefusals:
    async def test_those_of_one_minute_are_one_entry_for_each_caller_and_code(
        self, house: House
    ) -> None:
        first, second = house.node(), house.node()
        caller, code, minute = REFUSED
        others = {
            (CallerName("b"), code, minute): 1,
            (caller, "frozen", minute): 2,
            (caller, code, "2026-11-24T14:04Z"): 4,
        }
        await asyncio.gather(
            *(node.count_refusals({REFUSED: i}) for node in (first, second) for i in range(1, 9)),
            second.count_refusals(others),
        )
        await first.count_refusals({})
        for _ in range(2):
            await asyncio.gather(first.settle(), second.settle())
            said = await whole(first)
            found = {
                (opened["caller"], one["code"], one["minute"]): one["count"]
                for one, opened in zip(said, await sealed_parts(first), strict=True)
            }
            assert found == {**others, REFUSED: 2 * sum(range(1, 9))}
            assert len(said) == len(found)
            assert all(one["type"] == "refusals" and "caller" not in one for one in said)

    @pytest.mark.parametrize(
        ("after_s", "is_over"), [(-60, False), (GRACE_S - 1, False), (15, True)]
    )
    async def test_a_minute_is_entered_once_it_is_over(
        self, house: House, monkeypatch: pytest.MonkeyPatch, after_s: int, is_over: bool
    ) -> None:
        node = house.node()
        monkeypatch.setattr(settling, "read_clock", lambda _: Instant(ENDS.second + after_s))
        await node.count_refusals({REFUSED: 3})
        for _ in range(2):
            await node.settle()
            said = await whole(node)
            assert [one["count"] for one in said] == ([3] if is_over else [])

    async def test_a_database_that_fails_counts_nothing(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        node = house.node()
        with monkeypatch.context() as patch:
            fail(house.databases[0], patch)
            with pytest.raises(LedgerUnavailable):
                await node.count_refusals({REFUSED: 1})
        await node.count_refusals({REFUSED: 1})
        await node.settle()
        assert [one["count"] for one in await whole(node)] == [1]

    async def test_what_is_counted_while_its_minute_is_entered_is_not_lost(
        self, postgresql_url: str
    ) -> None:
        database = Database(postgresql_url)
        node = SqlLedger(database)
        await node.count_refusals({REFUSED: 3})
        with psycopg.connect(postgresql_url) as late:
            late.execute("UPDATE withhold.refusals SET times = times + 4")
            settles = asyncio.ensure_future(node.settle())
            await asyncio.to_thread(wait_for_a_waiter, late)
            late.commit()
            await settles
        await node.settle()
        assert sum(one["count"] for one in await whole(node)) == 7
        database.close()


async def test_what_is_not_due_is_not_written(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = house.node()
    now = [Instant(1_800_000_000)]
    monkeypatch.setattr(settling, "read_clock", lambda _: now[0])
    rows = select(nodes.c.seen)
    for after_s, seen_s in ((0, 0), (9, 0), (10, 10), (19, 10), (20, 20)):
        now[0] = Instant(1_800_000_000 + after_s)
        await node.settle()
        seen = await house.databases[0].read(lambda it: it.execute(rows).scalar_one())
        assert seen == 1_800_000_000 + seen_s
    now[0] = Instant(1_800_000_021)
    await on_database(house.databases[0]).registry.register(registered(), change())
    await node.settle()
    assert about(await whole(node)) == ["warrant"]


def test_a_node_that_forgets_remembers_since_when(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "MAX_KEPT", 2)
    it = Open()
    for index, name in ((5, "R-a"), (6, "R-b"), (8, "R-c"), (7, "R-d")):
        it.expect(receipt(name), index)
        it.doubt(receipt(name))
    assert it.view(100).settled == 5
    assert len(it.view(100).doubts) == 2
    it.settle(it.view(100))
    assert it.view(100).settled == 7  # one that nobody will close, but as unknown
    assert not it.view(100).waits
    assert not it._since
    it.doubt(receipt("R-e"))  # of which nothing was expected
    assert len(it.view(100).doubts) == 1


def test_what_is_about_no_receipt_is_nobodys_to_close() -> None:
    it = Open()
    it.expect(change(), 3)
    it.note(change(), 3)
    it.forget(change())
    it.doubt(change())
    assert it.view(9) == settling.View(9, (), ())


def test_minutes_have_names() -> None:
    assert minute_of(Instant(ENDS.second - 1, "999")) == "2026-11-24T14:05Z"
    assert minute_of(ENDS) == "2026-11-24T14:06Z"


async def begin(
    append: Coroutine[Any, Any, int], database: Database, monkeypatch: pytest.MonkeyPatch
) -> asyncio.Task[int]:
    """Ask, and wait until the writer has begun with it."""
    begun = threading.Event()
    transact = database._transact

    def noted(jobs: list[Any]) -> list[Any]:
        begun.set()
        return transact(jobs)

    monkeypatch.setattr(database, "_transact", noted)
    task = asyncio.ensure_future(append)
    await asyncio.to_thread(begun.wait)
    return task


async def sealed_parts(node: SqlLedger) -> list[dict[str, Any]]:
    return [json.loads(each.sealed or b"") for each in await node.read(0, 100, sealed=True)]


def wait_for_a_waiter(connection: psycopg.Connection[Any]) -> None:
    """Wait until another session waits for a lock."""
    waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    while connection.execute(waits).fetchone() is None:
        connection.execute("SELECT pg_stat_clear_snapshot()")
