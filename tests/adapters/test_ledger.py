"""What is appended, when, in which order, and how it is found. See `test_settling` for the rest."""

import asyncio
from collections.abc import Awaitable
from itertools import combinations

import pytest
from sqlalchemy import Connection

from tests.durable import (
    SUBPOENA,
    SYNAPSE,
    W1,
    Durable,
    about,
    change,
    closing,
    condition,
    handle,
    on_database,
    receipt,
    registered,
    run,
    whole,
)
from tests.ledger.logs import log_of
from withhold.adapters.database import Database
from withhold.adapters.ledger import MAX_READ
from withhold.adapters.log import MAX_OWED, owe
from withhold.errors import Denied, LedgerUnavailable
from withhold.kinds.instant import Instant
from withhold.ledger.entry import Entry, EntryType, leaf_of, open_sealed, write_entry
from withhold.ledger.tree import EMPTY_ROOT, hash_leaf, verify_consistency, verify_inclusion
from withhold.names import Digest, InstrumentName, State, StoreName, WarrantId
from withhold.ports import Freeze

PAST = (Instant(0), Instant(1_000_000_000))
FUTURE = (Instant(2**33), Instant(2**34))
ACTIVE = frozenset({State.ACTIVE})
UNWRITABLE = Entry(EntryType.REFUSALS, "2026-11-24T00:00:00Z", {"count": 2**60})


async def denied(awaitable: Awaitable[int]) -> str:
    with pytest.raises(Denied) as caught:
        await awaitable
    return caught.value.reason


async def told(durable: Durable, *names: str) -> list[str]:
    return about(await whole(durable.ledger), *names)


class TestOrder:
    async def test_an_empty_log_is_whole(self, durable: Durable) -> None:
        assert await whole(durable.ledger) == []
        assert (await durable.ledger.frontier()).root == EMPTY_ROOT

    async def test_an_entry_is_kept_as_it_was_written_and_in_order(self, durable: Durable) -> None:
        made = [receipt() for _ in range(5)]
        assert [await durable.ledger.append(each) for each in made] == [0, 1, 2, 3, 4]
        found = await durable.ledger.read(0, 100, sealed=True)
        for i, each in enumerate(found):
            assert each.salt is not None
            written = write_entry(made[i], each.salt)
            assert (each.index, each.leaf) == (i, written.leaf)
            assert (each.public, each.sealed) == (written.public, written.sealed)
        assert len({each.salt for each in found}) == 5
        await whole(durable.ledger)

    async def test_what_waits_together_is_in_the_order_of_asking(self, durable: Durable) -> None:
        made = [receipt(f"R-{i}") for i in range(300)]
        indices = await asyncio.gather(*(durable.ledger.append(each) for each in made))
        assert indices == list(range(300))
        said = await whole(durable.ledger)
        assert [one["receipt"] for one in said] == [each.receipt for each in made]

    async def test_several_nodes_make_one_log(self, database_url: str) -> None:
        databases = [Database(database_url, busy_timeout_s=30.0) for _ in range(3)]
        try:
            nodes = [on_database(each) for each in databases]
            await nodes[0].registry.register(registered(), change())
            indices = await asyncio.gather(
                *(nodes[i % 3].ledger.append(receipt(f"R-{i}"), condition()) for i in range(300)),
                *(node.registry.freeze(Freeze(StoreName("mail")), change()) for node in nodes),
            )
            said = await whole(nodes[1].ledger)
            await nodes[2].ledger.settle()
            settled = await whole(nodes[0].ledger)
        finally:
            for each in databases:
                each.close()
        assert settled[: len(said)] == said
        # The registration, and one freeze: who freezes what is frozen enters nothing.
        assert sorted(one["type"] for one in settled) == ["release"] * 300 + ["warrant"] * 2
        for i, index in enumerate(indices[:300]):
            assert said[index or 0]["receipt"] == handle(f"R-{i}")

    async def test_a_log_goes_on_where_another_process_left_it(self, database_url: str) -> None:
        for begun in range(0, 900, 300):  # over the edge of a subtree
            database = Database(database_url)
            ledger = on_database(database).ledger
            made = [ledger.append(receipt()) for _ in range(300)]
            assert await asyncio.gather(*made) == list(range(begun, begun + 300))
            assert len(await whole(ledger)) == begun + 300
            database.close()


class TestLater:
    """What nobody waits for."""

    async def test_it_is_entered_and_its_end_is_told(self, durable: Durable) -> None:
        await durable.ledger.append(receipt("R-a"))
        done = asyncio.Event()
        durable.ledger.append_later(closing("R-a"), done.set)
        assert not done.is_set()
        await done.wait()
        assert await told(durable, "R-a") == ["release R-a", "closing R-a"]

    async def test_a_second_one_is_forgotten(self, durable: Durable) -> None:
        await durable.ledger.append(receipt("R-a"))
        ends = [asyncio.Event() for _ in range(2)]
        for end in ends:
            durable.ledger.append_later(closing("R-a"), end.set)
        for end in ends:
            await end.wait()
        await durable.ledger.settle()
        assert await told(durable, "R-a") == ["release R-a", "closing R-a"]

    async def test_what_cannot_be_begun_is_tried_again(self, database_url: str) -> None:
        database = Database(database_url, max_waiting=0)
        try:
            node = on_database(database)
            ended: list[str] = []
            node.ledger.append_later(closing("R-a"), lambda: ended.append("R-a"))
            assert ended == ["R-a"]
            with pytest.raises(LedgerUnavailable, match="too much waits"):
                await node.ledger.append(receipt("R-b"))
            view = node.ledger._open.view(0)
            assert [each.receipt for each in view.late] == [handle("R-a")]
        finally:
            database.close()


async def test_who_goes_when_the_answer_is_already_there_has_sent_nothing(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(database_url)
    try:
        ledger = on_database(database).ledger
        answer = asyncio.get_running_loop().create_future()
        monkeypatch.setattr(database, "write_together", lambda *_, **__: answer)
        waits = asyncio.ensure_future(ledger.append(receipt("R-a")))
        await asyncio.sleep(0)
        answer.set_result(0)
        waits.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waits
        assert [each.receipt for each in ledger._open.view(0).doubts] == [handle("R-a")]
    finally:
        database.close()


class TestConditions:
    async def test_without_one_an_entry_is_kept_whatever_the_state(self, durable: Durable) -> None:
        await durable.ledger.append(receipt("R-a", warrant="W-unknown"))
        assert await told(durable, "R-a") == ["release R-a"]

    @pytest.mark.parametrize("state", [state for state in State if state is not State.ACTIVE])
    async def test_only_an_active_warrant_discloses(self, durable: Durable, state: State) -> None:
        await durable.registry.register(registered(state=state), change())
        assert await denied(durable.ledger.append(receipt(), condition())) == "warrant-not-active"
        assert await told(durable) == ["warrant"]

    async def test_a_warrant_that_nobody_registered_discloses_nothing(
        self, durable: Durable
    ) -> None:
        assert await denied(durable.ledger.append(receipt(), condition())) == "warrant-not-active"
        assert await told(durable) == []

    async def test_another_payload_under_the_same_id_discloses_nothing(
        self, durable: Durable
    ) -> None:
        await durable.registry.register(registered(), change())
        other = condition(digest=Digest("sha-256=:BBBB:"))
        assert await denied(durable.ledger.append(receipt(), other)) == "warrant-not-active"

    @pytest.mark.parametrize("valid", [PAST, FUTURE])
    async def test_a_warrant_discloses_while_it_is_valid_by_the_databases_clock(
        self, durable: Durable, valid: tuple[Instant, Instant]
    ) -> None:
        await durable.registry.register(registered(), change())
        denial = await denied(durable.ledger.append(receipt(), condition(valid=valid)))
        assert denial == "warrant-not-active"
        assert await told(durable) == ["warrant"]

    @pytest.mark.parametrize(
        ("freeze", "holds"),
        [
            (Freeze(), True),
            (Freeze(store=SYNAPSE), True),
            (Freeze(instrument=SUBPOENA), True),
            (Freeze(store=SYNAPSE, instrument=SUBPOENA), True),
            (Freeze(store=StoreName("mail")), False),
            (Freeze(store=SYNAPSE, instrument=InstrumentName("eu-epoc-subscriber")), False),
            (Freeze(store=StoreName("mail"), instrument=SUBPOENA), False),
        ],
    )
    async def test_a_freeze_holds_what_it_names(
        self, durable: Durable, freeze: Freeze, holds: bool
    ) -> None:
        await durable.registry.register(registered(), change())
        await durable.registry.freeze(freeze, change())
        if holds:
            assert await denied(durable.ledger.append(receipt(), condition())) == "frozen"
            await durable.registry.thaw(freeze, change())
        await durable.ledger.append(receipt("R-a"), condition())
        assert await told(durable, "R-a") == ["warrant"] * (3 if holds else 2) + ["release R-a"]

    async def test_one_that_fails_fails_nobody_else(self, durable: Durable) -> None:
        await durable.registry.register(registered(), change())
        await durable.registry.register(registered("W-2", State.SUSPENDED), change())
        conditions = [condition(("W-1", "W-2", "W-3")[i % 3]) for i in range(60)]
        results = await asyncio.gather(
            *(durable.ledger.append(receipt(f"R-{i}"), c) for i, c in enumerate(conditions)),
            return_exceptions=True,
        )
        assert results[0::3] == list(range(2, 22))  # behind the two changes
        assert all(isinstance(r, Denied) for r in results[1::3] + results[2::3])
        kept = [f"R-{i}" for i in range(0, 60, 3)]
        assert await told(durable, *kept) == ["warrant"] * 2 + [f"release {name}" for name in kept]


async def test_after_a_revocation_nothing_is_appended(durable: Durable) -> None:
    await durable.registry.register(registered(), change())
    appends = [durable.ledger.append(receipt(f"R-{i}"), condition()) for i in range(50)]
    revoke = durable.registry.move(W1, ACTIVE, State.REVOKED, change())
    late = [durable.ledger.append(receipt(f"R-late-{i}"), condition()) for i in range(50)]
    results = await asyncio.gather(*appends, revoke, *late, return_exceptions=True)
    assert results[50] is None
    assert all(isinstance(r, Denied) for r in results[51:])
    kept = [f"R-{i}" for i, r in enumerate(results[:50]) if isinstance(r, int)]
    said = await told(durable, *kept)
    assert [each for each in said if each != "warrant"] == [f"release {name}" for name in kept]
    assert await denied(durable.ledger.append(receipt(), condition())) == "warrant-not-active"


class TestTwice:
    """Of each type there is one entry for a receipt; another fails alone."""

    async def test_a_receipts_id_is_its_own(self, durable: Durable) -> None:
        await durable.ledger.append(receipt("R-a"))
        with pytest.raises(LedgerUnavailable, match="a receipt has such an entry already"):
            await durable.ledger.append(receipt("R-a"))
        await durable.ledger.append(receipt("R-b"))
        assert await told(durable, "R-a", "R-b") == ["release R-a", "release R-b"]

    async def test_of_those_that_are_written_together_the_first_is_kept(
        self, durable: Durable
    ) -> None:
        await durable.ledger.append(receipt("R-a"))
        made = [receipt("R-b"), receipt("R-a"), receipt("R-b"), closing("R-b"), closing("R-b")]
        results = await asyncio.gather(
            *(durable.ledger.append(each) for each in [*made, receipt("R-c")]),
            return_exceptions=True,
        )
        assert [result for result in results if isinstance(result, int)] == [1, 2, 3]
        assert all(isinstance(results[i], LedgerUnavailable) for i in (1, 2, 4))
        names = ("R-a", "R-b", "R-c")
        kept = ["release R-a", "release R-b", "closing R-b", "release R-c"]
        assert await told(durable, *names) == kept

    async def test_what_was_denied_uses_nothing_up(self, durable: Durable) -> None:
        results = await asyncio.gather(
            durable.ledger.append(receipt("R-a"), condition()),
            durable.ledger.append(receipt("R-a")),
            return_exceptions=True,
        )
        assert isinstance(results[0], Denied)
        assert results[1] == 0

    async def test_a_stream_has_two_entries_under_one_id(self, durable: Durable) -> None:
        await durable.ledger.append(receipt("R-a", kind=EntryType.OPENING))
        await durable.ledger.append(closing("R-a"))
        for again in (closing("R-a"), receipt("R-a", kind=EntryType.OPENING)):
            with pytest.raises(LedgerUnavailable):
                await durable.ledger.append(again)
        assert await told(durable, "R-a") == ["opening R-a", "closing R-a"]

    async def test_no_second_entry_is_taken_for_one_that_failed(self, durable: Durable) -> None:
        await durable.ledger.append(receipt("R-a"))
        with pytest.raises(LedgerUnavailable):
            await durable.ledger.append(receipt("R-a"))
        await durable.ledger.settle()
        assert await told(durable, "R-a") == ["release R-a"]

    async def test_two_nodes_that_close_one_receipt_close_it_once(self, database_url: str) -> None:
        databases = [Database(database_url, busy_timeout_s=30.0) for _ in range(2)]
        try:
            first, second = (on_database(each).ledger for each in databases)
            names = [f"R-{i}" for i in range(100)]
            await asyncio.gather(*(first.append(receipt(name)) for name in names))
            results = await asyncio.gather(
                *(ledger.append(closing(name)) for name in names for ledger in (first, second)),
                return_exceptions=True,
            )
            said = await whole(first)
        finally:
            for each in databases:
                each.close()
        assert len([each for each in results if isinstance(each, int)]) == 100
        refused = [each for each in results if isinstance(each, BaseException)]
        assert {str(each) for each in refused} == {"a receipt has such an entry already"}
        assert len(said) == 200


async def test_an_entry_that_cannot_be_written_down_fails_alone(durable: Durable) -> None:
    results = await asyncio.gather(
        durable.ledger.append(receipt("R-a")),
        durable.ledger.append(UNWRITABLE),
        durable.ledger.append(receipt("R-b")),
        return_exceptions=True,
    )
    assert (results[0], results[2]) == (0, 1)
    assert isinstance(results[1], ValueError)
    assert await told(durable, "R-a", "R-b") == ["release R-a", "release R-b"]


class TestOwed:
    """What a change owes is entered before anything that is appended, and once."""

    async def test_it_comes_first_and_in_order(self, durable: Durable) -> None:
        for name in ("W-1", "W-2", "W-3"):
            await durable.registry.register(registered(name), change(name))
        await durable.registry.freeze(Freeze(StoreName("mail")), change("W-4"))
        await durable.registry.move(W1, ACTIVE, State.REVOKED, change("W-5"))
        assert await whole(durable.ledger) == []
        assert await durable.ledger.append(receipt()) == 5
        assert await durable.ledger.append(receipt()) == 6
        said = await whole(durable.ledger)
        assert [one["warrant"] for one in said[:5]] == [f"W-{i}" for i in range(1, 6)]
        assert about(said[5:]) == ["release"] * 2

    async def test_it_is_entered_also_where_the_appends_own_condition_fails(
        self, durable: Durable
    ) -> None:
        await durable.registry.register(registered(state=State.PENDING), change())
        for _ in range(2):
            await denied(durable.ledger.append(receipt(), condition()))
            assert await told(durable) == ["warrant"]

    async def test_it_is_entered_also_where_a_receipt_was_there(self, durable: Durable) -> None:
        await durable.ledger.append(receipt("R-a"))
        await durable.registry.register(registered(), change())
        with pytest.raises(LedgerUnavailable):
            await durable.ledger.append(receipt("R-a"))
        assert await told(durable, "R-a") == ["release R-a", "warrant"]

    async def test_settling_enters_it_without_any_append(self, durable: Durable) -> None:
        await durable.registry.register(registered(), change())
        for _ in range(2):
            await durable.ledger.settle()
            assert await told(durable) == ["warrant"]

    async def test_what_was_denied_owes_nothing(self, durable: Durable) -> None:
        await durable.registry.register(registered(), change())
        for attempt in (
            durable.registry.register(registered(), change("W-9")),
            durable.registry.move(W1, frozenset(), State.CLOSED, change("W-9")),
            durable.registry.amend(registered("W-8"), registered("W-8"), change("W-9")),
        ):
            with pytest.raises(Denied):
                await attempt
        await durable.ledger.settle()
        assert [one["warrant"] for one in await whole(durable.ledger)] == ["W-1"]

    async def test_the_process_may_end_between(self, database_url: str) -> None:
        database = Database(database_url)
        await on_database(database).registry.register(registered(), change())
        database.close()
        for said in (["warrant", "release"], ["warrant", "release", "release"]):
            database = Database(database_url)
            durable = on_database(database)
            await durable.ledger.append(receipt())
            assert await told(durable) == said
            database.close()

    async def test_more_than_one_transaction_takes_is_entered_in_several(
        self, database_url: str
    ) -> None:
        database = Database(database_url)
        durable = on_database(database)

        def owe_many(connection: Connection) -> None:
            for i in range(MAX_OWED + 50):
                owe(connection, change(f"W-{i}"))

        await database.write(owe_many)
        await durable.ledger.append(receipt())
        await durable.ledger.settle()
        said = await whole(durable.ledger)
        database.close()
        owed = [one["warrant"] for one in said if one["type"] == "warrant"]
        assert owed == [f"W-{i}" for i in range(MAX_OWED + 50)]


class TestReading:
    async def test_a_page_is_what_was_asked_for(self, durable: Durable) -> None:
        for _ in range(7):
            await durable.ledger.append(receipt())
        assert [each.index for each in await durable.ledger.read(2, 3)] == [2, 3, 4]
        assert [each.index for each in await durable.ledger.read(5, 100)] == [5, 6]
        assert list(await durable.ledger.read(7, 100)) == []
        assert list(await durable.ledger.read(10**9, 100)) == []
        assert list(await durable.ledger.read(0, 0)) == []

    async def test_leaves_and_nodes_are_those_of_the_tree(self, durable: Durable) -> None:
        made = [change() for _ in range(2 * 256 + 5)]
        await asyncio.gather(*(durable.ledger.append(each) for each in made))
        leaves = [each.leaf for each in await durable.ledger.read(0, len(made))]
        expected = log_of(leaves)
        assert list(await durable.ledger.leaves(0, 10**3)) == leaves
        assert list(await durable.ledger.leaves(510, 4)) == leaves[510:514]
        assert list(await durable.ledger.hashes(0, 510, 10**3)) == [
            expected.hash_at(0, i) for i in range(510, 517)
        ]
        assert list(await durable.ledger.hashes(8, 1, 9)) == [expected.hash_at(8, 1)]
        assert list(await durable.ledger.hashes(16, 0, 9)) == []

    async def test_sealed_parts_are_given_to_who_asks_for_them(self, durable: Durable) -> None:
        await durable.ledger.append(receipt("R-a"))
        for found in (await durable.ledger.read(0, 9), await durable.ledger.find(handle("R-a"))):
            assert [(each.salt, each.sealed) for each in found] == [(None, None)]
            assert found[0].public is not None
            assert found[0].leaf == leaf_of(found[0].public)
        for found in (
            await durable.ledger.read(0, 9, sealed=True),
            await durable.ledger.find(handle("R-a"), sealed=True),
        ):
            (each,) = found
            assert each.public is not None
            assert each.sealed is not None
            assert each.salt is not None
            opened = open_sealed(each.public, each.sealed, each.salt)
            assert opened["caller"] == "disclosure-service"
            assert "disclosure-service" not in repr(each)

    async def test_one_disclosure_is_found_by_its_handle(self, durable: Durable) -> None:
        for name in ("R-a", "R-b"):
            await durable.ledger.append(receipt(name, kind=EntryType.OPENING))
        await durable.registry.register(registered(), change())
        for name in ("R-b", "R-a"):
            await durable.ledger.append(closing(name))
        assert [each.index for each in await durable.ledger.find(handle("R-a"))] == [0, 4]
        assert [each.index for each in await durable.ledger.find(handle("R-b"))] == [1, 3]
        assert list(await durable.ledger.find(handle("R-c"))) == []

    async def test_what_is_about_a_warrant_is_found_by_its_id(self, durable: Durable) -> None:
        await durable.registry.register(registered(), change())
        for i in range(6):
            await durable.ledger.append(receipt(warrant=f"W-{1 + i % 2}"))

        async def find(warrant: str, since: int, limit: int) -> list[int]:
            found = await durable.ledger.find_warrant(WarrantId(warrant), since, limit)
            assert [(each.salt, each.sealed) for each in found] == [(None, None)] * len(found)
            return [each.index for each in found]

        assert await find("W-1", 0, 100) == [0, 1, 3, 5]
        assert await find("W-1", 1, 2) == [1, 3]
        assert await find("W-2", 3, 100) == [4, 6]
        assert await find("W-3", 0, 100) == []

    async def test_no_reading_is_longer_than_the_bound(self, durable: Durable) -> None:
        made = [change() for _ in range(MAX_READ + 10)]
        await asyncio.gather(*(durable.ledger.append(each) for each in made))
        assert len(await durable.ledger.read(0, 10**6)) == MAX_READ
        assert len(await durable.ledger.read(20, 10**6)) == MAX_READ - 10
        assert len(await durable.ledger.find_warrant(W1, 0, 10**6)) == MAX_READ
        assert len(await durable.ledger.leaves(0, 10**6)) == MAX_READ
        assert len(await durable.ledger.hashes(0, 5, 10**6)) == MAX_READ
        assert len(await durable.ledger.hashes(8, 0, 10**6)) == (MAX_READ + 10) // 256

    async def test_what_was_pruned_keeps_its_leaf_and_its_proof(self, database_url: str) -> None:
        database = Database(database_url)
        ledger = on_database(database).ledger
        for name in ("R-a", "R-b"):
            await ledger.append(receipt(name))
        await run(
            database,
            "UPDATE entries SET public = NULL, salt = NULL, sealed = NULL WHERE leaf_index = 0",
        )
        (first,) = await ledger.read(0, 1, sealed=True)
        assert (first.public, first.salt, first.sealed) == (None, None, None)
        root = (await ledger.frontier()).root
        proof = await ledger.prove(0, 2)
        verify_inclusion(hash_leaf(first.leaf), 0, 2, proof, root)
        await ledger.append(receipt("R-c"))
        database.close()


async def test_every_entry_is_proved_at_every_size(durable: Durable) -> None:
    await durable.registry.register(registered(), change())
    roots = {}
    for size in range(1, 11):
        await durable.ledger.append(receipt())
        roots[size + 1] = (await durable.ledger.frontier()).root
    leaves = [hash_leaf(each.leaf) for each in await durable.ledger.read(0, 100)]
    for size, root in roots.items():
        for index in range(size):
            proof = await durable.ledger.prove(index, size)
            verify_inclusion(leaves[index], index, size, proof, root)
    for (old, old_root), (new, new_root) in combinations(roots.items(), 2):
        grown = await durable.ledger.prove_growth(old, new)
        verify_consistency(old, old_root, new, new_root, grown)


async def test_what_is_not_in_the_log_is_not_proved(durable: Durable) -> None:
    for _ in range(5):
        await durable.ledger.append(receipt())
    with pytest.raises(ValueError, match="not in the tree"):
        await durable.ledger.prove(5, 5)
    with pytest.raises(ValueError, match="does not shrink"):
        await durable.ledger.prove_growth(3, 2)
    with pytest.raises(LedgerUnavailable, match="gaps: entries are missing"):
        await durable.ledger.prove(0, 8)
    with pytest.raises(LedgerUnavailable, match="gaps: entries are missing"):
        await durable.ledger.prove_growth(2, 8)


async def test_a_database_that_is_closed_has_no_ledger(database_url: str) -> None:
    database = Database(database_url)
    ledger = on_database(database).ledger
    database.close()
    for attempt in (
        ledger.append(receipt()),
        ledger.read(0, 1),
        ledger.find(handle("R-a")),
        ledger.find_warrant(W1, 0, 1),
        ledger.frontier(),
        ledger.prove(0, 1),
        ledger.prove_growth(0, 1),
        ledger.settle(),
        ledger.count_refusals({}),
    ):
        with pytest.raises(LedgerUnavailable, match="the database is closed"):
            await attempt
