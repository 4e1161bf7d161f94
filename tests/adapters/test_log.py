"""The log's rows: its subtrees and its edge, and whether it is a continuation of what was seen."""

import hashlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from tests.durable import change, handle, on_database, receipt, run, whole
from tests.ledger.logs import Log, log_of
from withhold.adapters.database import Database
from withhold.adapters.ledger import SqlLedger
from withhold.adapters.log import (
    check_edge,
    check_growth,
    decode_owed,
    encode_owed,
    extend,
    hash_at,
    read_frontier,
    read_hashes,
    read_leaves,
)
from withhold.adapters.schema import subtrees
from withhold.errors import LedgerUnavailable
from withhold.ledger.entry import Entry, EntryType, Written
from withhold.ledger.tree import (
    Frontier,
    consistency_proof,
    frontier_at,
    inclusion_proof,
    root_at,
    verify_consistency,
    verify_inclusion,
)
from withhold.names import WarrantId

FULL = 256  # leaves of a subtree whose root is kept


def numbered(begin: int, end: int) -> list[Written]:
    """Make entries whose leaves tell them apart, cheaply."""
    entry = Entry(EntryType.KEY, "2026-11-24T00:00:00Z")
    leaves = (hashlib.sha256(b"%d" % i).digest() for i in range(begin, end))
    return [Written(entry, b"{}", b"{}", bytes(32), leaf) for leaf in leaves]


def log_to(size: int) -> Log:
    """Make the same log in memory."""
    return log_of([each.leaf for each in numbered(0, size)])


async def grow(database: Database, size: int, step: int = 2**20) -> None:
    """Extend the database's log to `size`, by `step` entries at once."""

    def work(connection: Connection) -> bool:
        before = read_frontier(connection, lock=True)
        end = min(before.size + step, size)
        after = extend(connection, before, numbered(before.size, end), "node")
        assert after.size == end
        return end == size

    while not await database.write(work):
        pass


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    found = Database(database_url, busy_timeout_s=30.0)
    yield found
    found.close()


async def seen_by(database: Database) -> Frontier:
    return await database.read(read_frontier)


class TestTree:
    async def test_roots_of_full_subtrees_are_kept(self, database: Database) -> None:
        await grow(database, 3 * FULL - 1, 100)
        expected = log_to(3 * FULL - 1)
        rows = await database.read(lambda it: it.execute(select(subtrees)).all())
        kept = {(row.level, row.subtree): bytes(row.root) for row in rows}
        assert kept == {(8, i): expected.hash_at(8, i) for i in range(2)}

    @pytest.mark.parametrize("step", [1, FULL, FULL + 1])
    async def test_however_it_grew_it_is_the_same_log(self, database: Database, step: int) -> None:
        size = 2 * FULL + 3 if step > 1 else 20
        await grow(database, size, step)
        expected = log_to(size)
        assert await seen_by(database) == expected.frontier
        found = await database.read(lambda it: frontier_at(size, hash_at(it)))
        assert found == expected.frontier

    async def test_nothing_to_append_changes_nothing(self, database: Database) -> None:
        await grow(database, 3)
        before = await seen_by(database)
        assert await database.write(lambda it: extend(it, before, [], "node")) == before
        assert await seen_by(database) == before

    async def test_proofs_hold_around_the_edges_of_subtrees(self, database: Database) -> None:
        sizes = [1, 2, FULL - 1, FULL, FULL + 1, 2 * FULL, 2 * FULL + 1, 2 * FULL + 9]
        await grow(database, sizes[-1])
        expected = log_to(sizes[-1])

        def prove(connection: Connection) -> None:
            ours = hash_at(connection)
            for size in sizes:
                root = root_at(size, expected.hash_at)
                assert root_at(size, ours) == root
                for index in {0, size // 2, *(each - 1 for each in sizes if each <= size)}:
                    proof = inclusion_proof(index, size, ours)
                    assert proof == inclusion_proof(index, size, expected.hash_at)
                    verify_inclusion(expected.hash_at(0, index), index, size, proof, root)
                for old in (each for each in sizes if each <= size):
                    grown = consistency_proof(old, size, ours)
                    verify_consistency(old, root_at(old, expected.hash_at), size, root, grown)

        await database.read(prove)

    async def test_a_log_of_more_than_65536_entries_is_proved(self, tmp_path: Path) -> None:
        database = Database(f"sqlite:///{tmp_path / 'withhold.db'}")
        full = FULL * FULL
        await grow(database, full + FULL + 5)
        expected = log_to(full + FULL + 5)
        assert await seen_by(database) == expected.frontier

        def prove(connection: Connection) -> None:
            ours = hash_at(connection)
            for level, index in ((16, 0), (15, 1), (9, 100), (8, 255), (8, 256), (7, 3), (0, full)):
                assert ours(level, index) == expected.hash_at(level, index)
            for size in (full - 1, full, full + 1, full + FULL, full + FULL + 5):
                root = root_at(size, expected.hash_at)
                for index in (0, 255, 256, 40_000, full - 1, full, size - 1):
                    if index < size:
                        proof = inclusion_proof(index, size, ours)
                        verify_inclusion(expected.hash_at(0, index), index, size, proof, root)
                grown = consistency_proof(full - 1, size, ours)
                old_root = root_at(full - 1, expected.hash_at)
                verify_consistency(full - 1, old_root, size, root, grown)

        await database.read(prove)
        await SqlLedger(database, seen=root_frontier(expected, full)).check()
        database.close()

    async def test_what_is_kept_is_read_in_order_and_no_more(self, database: Database) -> None:
        await grow(database, 2 * FULL + 3)
        expected = log_to(2 * FULL + 3)

        def read(connection: Connection) -> None:
            leaves = expected.entries
            assert read_leaves(connection, 0, 10**6) == leaves
            assert read_leaves(connection, 5, 2) == leaves[5:7]
            assert read_leaves(connection, 2 * FULL + 3, 9) == []
            assert read_hashes(connection, 0, 1, 2) == [expected.hash_at(0, i) for i in (1, 2)]
            assert read_hashes(connection, 8, 0, 9) == [expected.hash_at(8, i) for i in (0, 1)]
            assert read_hashes(connection, 16, 0, 9) == []
            with pytest.raises(ValueError, match="not kept"):
                read_hashes(connection, 7, 0, 1)

        await database.read(read)

    @pytest.mark.parametrize("table", ["entries", "subtrees"])
    async def test_a_log_with_gaps_proves_nothing(self, database: Database, table: str) -> None:
        await grow(database, FULL + 4)
        column = "leaf_index" if table == "entries" else "subtree"
        await database.write(lambda it: it.exec_driver_sql(gap(table, column)).rowcount)
        ledger = SqlLedger(database)
        with pytest.raises(LedgerUnavailable, match="has gaps: entries are missing"):
            await ledger.prove(FULL + 3, FULL + 4)


def gap(table: str, column: str) -> str:
    return f"DELETE FROM {table} WHERE {column} IN (0, {FULL + 1})"  # noqa: S608 - ours


def copied(file: Path) -> Callable[[], None]:
    """Copy a database that is closed; gives what puts the copy back."""
    copy = file.read_bytes()

    def restore() -> None:
        file.write_bytes(copy)
        for left in file.parent.glob(f"{file.name}-[ws]*"):
            left.unlink()

    return restore


def root_frontier(expected: Log, size: int) -> Frontier:
    return frontier_at(size, expected.hash_at)


class TestGrowth:
    """A database that was set back, or written to, is found out."""

    async def test_a_log_that_went_on_is_a_continuation(self, database: Database) -> None:
        expected = log_to(2 * FULL + 9)
        await grow(database, 2 * FULL + 9)
        for size in (0, 1, FULL, FULL + 7, 2 * FULL + 9):
            seen = root_frontier(expected, size)
            await SqlLedger(database, seen=seen).check()

            def check(connection: Connection, seen: Frontier = seen) -> None:
                check_growth(connection, seen, read_frontier(connection))
                check_edge(connection, read_frontier(connection))

            await database.read(check)

    async def test_a_copy_that_was_restored_is_found_by_all(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path / 'withhold.db'}"
        database = Database(url)
        ledger = on_database(database).ledger
        assert isinstance(ledger, SqlLedger)
        await ledger.append(receipt("R-a"))
        await ledger.settle()
        database.close()
        restore = copied(tmp_path / "withhold.db")
        database = Database(url)
        ledger = SqlLedger(database, seen=ledger.seen)
        for name in ("R-b", "R-c"):
            await ledger.append(receipt(name))
        await ledger.settle()
        database.close()
        restore()
        database = Database(url)
        ledger = SqlLedger(database, seen=ledger.seen)
        for _ in range(2):
            for attempt in (
                ledger.check(),
                ledger.settle(),
                ledger.append(receipt()),
                ledger.append(change()),
                ledger.frontier(),
            ):
                with pytest.raises(LedgerUnavailable, match="database was set back"):
                    await attempt
        unaware = SqlLedger(database)
        assert len(await whole(unaware)) == 1  # nothing was added to it
        database.close()

    async def test_another_log_of_the_same_size_is_found_by_all(self, database: Database) -> None:
        await grow(database, 5)
        other = Frontier().append([bytes(32)] * 5)
        ledger = SqlLedger(database, seen=other)
        for attempt in (ledger.check(), ledger.settle(), ledger.append(receipt())):
            with pytest.raises(LedgerUnavailable, match=r"first 5 entries .* not what they were"):
                await attempt

    async def test_another_log_that_is_longer_is_found(self, database: Database) -> None:
        await grow(database, FULL + 5)
        ledger = SqlLedger(database, seen=Frontier().append([bytes(32)] * 5))
        await ledger.append(receipt())  # what others appended is not looked at for each
        for attempt in (ledger.check(), ledger.settle()):
            with pytest.raises(LedgerUnavailable, match=r"first 5 entries .* not what they were"):
                await attempt

    async def test_what_others_made_longer_is_not_taken_for_what_was_seen(
        self, database: Database
    ) -> None:
        await grow(database, FULL + 5)  # as others did, after the database was set back
        ledger = SqlLedger(database, seen=Frontier().append([bytes(32)] * 5))
        for _ in range(3):
            await ledger.append(receipt())  # before anybody has looked
        for attempt in (ledger.check(), ledger.settle(), ledger.append(receipt()), ledger.leave()):
            with pytest.raises(LedgerUnavailable, match=r"first 5 entries .* not what they were"):
                await attempt
        assert ledger.seen.size == 5
        assert (await seen_by(database)).size == FULL + 8

    async def test_who_found_another_log_appends_once_it_is_the_same_again(
        self, database: Database
    ) -> None:
        await grow(database, 6)
        ledger = SqlLedger(database, seen=root_frontier(log_to(6), 5))
        swap = "UPDATE entries SET leaf = :leaf WHERE leaf_index = 2"
        await run(database, swap, leaf=bytes(32))
        for attempt in (ledger.settle(), ledger.append(receipt())):
            with pytest.raises(LedgerUnavailable, match=r"first 5 entries .* not what they were"):
                await attempt
        await run(database, swap, leaf=numbered(2, 3)[0].leaf)
        await ledger.settle()
        assert await ledger.append(receipt()) == 6

    @pytest.mark.parametrize(
        "statement",
        [
            "DELETE FROM entries WHERE leaf_index = 257",
            "DELETE FROM subtrees",
            "UPDATE entries SET leaf = salt WHERE leaf_index = 257",
            "UPDATE subtrees SET root = (SELECT leaf FROM entries WHERE leaf_index = 0)",
            "UPDATE entries SET leaf_index = 1000 WHERE leaf_index = 258",
        ],
    )
    async def test_a_row_that_was_changed_is_found_by_check(
        self, database: Database, statement: str
    ) -> None:
        await grow(database, FULL + 5)
        ledger = SqlLedger(database, seen=root_frontier(log_to(FULL + 5), FULL + 5))
        await ledger.check()
        await run(database, statement)
        with pytest.raises(LedgerUnavailable, match=r"not what they were|entries are missing"):
            await ledger.check()

    @pytest.mark.parametrize("cut", [0, 7, 39])
    async def test_an_edge_that_is_damaged_is_none(self, database: Database, cut: int) -> None:
        await grow(database, 1)
        edge = (await seen_by(database)).encode()[:cut]
        await run(database, "UPDATE log SET frontier = :edge", edge=edge)
        ledger = SqlLedger(database)
        for attempt in (ledger.append(receipt()), ledger.check(), ledger.frontier()):
            with pytest.raises(LedgerUnavailable, match="right edge in the database is damaged"):
                await attempt


ENTRIES = [
    receipt("R-a"),
    change(),
    Entry(EntryType.KEY, "2026-11-24T00:00:00Z", {"kind": "ledger", "version": 1}, {"by": "ä€"}),
    Entry(EntryType.SIGNER, "", {"x": [None, True, 2**53 - 1, {"y": ""}]}, {}, handle("R-b")),
    Entry(EntryType.FREEZE, "2026-11-24T00:00:00Z", warrant=WarrantId("W-ä")),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: str(entry.type))
def test_what_is_owed_is_kept_as_it_was(entry: Entry) -> None:
    assert decode_owed(encode_owed(entry)) == entry
    assert json.loads(encode_owed(entry))["type"] == entry.type.value


def test_what_is_owed_holds_no_number_that_json_lacks() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        encode_owed(Entry(EntryType.KEY, "", {"x": float("nan")}))
