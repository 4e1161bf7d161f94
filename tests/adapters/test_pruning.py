"""Pruning, on SQLite and PostgreSQL: what goes, what is held, what the log says."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, update

from tests.durable import Durable, change, closing, handle, opened, receipt
from tests.warrants import approved
from withhold.adapters import pruning
from withhold.adapters.database import Database
from withhold.adapters.pruning import MAX_PRUNED, PRUNED, Batch, Pruning, What
from withhold.adapters.schema import changes, entries, read_clock
from withhold.errors import BadRequest, DatabaseUnavailable, KeyUnavailable
from withhold.kinds.instant import Instant, parse_rfc3339
from withhold.ledger.entry import Entry, EntryType, read_public
from withhold.ledger.tree import hash_leaf, verify_inclusion
from withhold.names import CallerName, State, WarrantId
from withhold.ports import Registered
from withhold.warrant.signed import parse_signed

OLD = "2020-01-01T00:00:00Z"
NEW = "2026-01-01T00:00:00.5Z"
OPERATOR = CallerName("operator")
LONG_AGO = {"from": "2019-01-01T00:00:00Z", "until": "2020-01-01T00:00:00Z"}
STILL = {"from": "2019-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z"}
CANARY = "canary-of-the-sealed-part"


def at(text: str) -> Instant:
    found = parse_rfc3339(text)
    assert found is not None
    return found


BEFORE = at("2021-01-01T00:00:00Z")


@dataclass
class Kept:
    """A database with things to prune."""

    durable: Durable
    database: Database
    pruning: Pruning

    async def warrant(
        self, name: str, state: State, valid: dict[str, str] | None = None, ended: str = OLD
    ) -> None:
        """Register a warrant in a state, which it has been in since `ended`."""
        document = approved(id=name, valid=valid or STILL)
        digest = parse_signed(document).warrant.digest
        new = Registered(WarrantId(name), document, digest, state)
        await self.durable.registry.register(new, change(name))
        old = update(changes).where(changes.c.warrant == name).values(at=ended)
        await self.database.write(lambda it: it.execute(old).rowcount)

    async def entry(self, when: str, warrant: str | None = None) -> int:
        kind = EntryType.FREEZE if warrant is None else EntryType.WARRANT
        named = None if warrant is None else WarrantId(warrant)
        entry = Entry(kind, when, {"event": "frozen"}, {"by": CANARY}, warrant=named)
        return await self.durable.ledger.append(entry)

    async def all(self, what: What, **how: Any) -> int:  # noqa: ANN401 - the options
        """Prune all, batch by batch; gives how many."""
        count, since = 0, 0
        while True:
            batch = await self.pruning.prune(what, BEFORE, since, OPERATOR, **how)
            count += batch.count
            if batch.next is None:
                return count
            assert batch.next > since
            since = batch.next

    async def sealed(self) -> dict[int, bool]:
        """Tell of each entry whether it has its sealed part."""
        rows = await self.durable.ledger.read(0, 1_000, sealed=True)
        assert all((each.sealed is None) == (each.salt is None) for each in rows)
        return {each.index: each.sealed is not None for each in rows}

    async def entered(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Give what the log says of prunings."""
        await self.durable.ledger.settle()
        found = []
        for each in await self.durable.ledger.read(0, 10_000, sealed=True):
            public = {} if each.public is None else read_public(each.public)
            if public.get("type") == "prune":
                assert each.sealed is not None
                found.append((public, json.loads(each.sealed)))
        return found


@pytest.fixture(params=["sqlite", "postgresql"])
async def kept(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kept]:
    kind: str = request.param
    url: str = request.getfixturevalue("postgresql_url") if kind == "postgresql" else ""
    async with opened(kind, tmp_path, url) as durable:
        assert isinstance(durable.database, Database)
        yield Kept(durable, durable.database, Pruning(durable.database, 90))


# --- Sealed parts ---


async def test_old_sealed_parts_go_and_the_log_verifies_as_before(kept: Kept) -> None:
    indices = [await kept.entry(OLD if i < 5 else NEW) for i in range(8)]
    before = await kept.durable.ledger.frontier()
    proofs = [await kept.durable.ledger.prove(i, before.size) for i in indices]
    assert await kept.all(What.SEALED) == 5
    sealed = await kept.sealed()
    assert [sealed[index] for index in indices] == [False] * 5 + [True] * 3
    for index, proof in zip(indices, proofs, strict=True):
        [found] = await kept.durable.ledger.read(index, 1)
        assert found.public is not None
        assert await kept.durable.ledger.prove(index, before.size) == proof
        verify_inclusion(hash_leaf(found.leaf), index, before.size, proof, before.root)
    after = await kept.durable.ledger.frontier()
    assert (after.size, after.root) == (before.size, before.root)
    [(public, opened_part)] = await kept.entered()
    assert (public["what"], public["count"]) == ("sealed", 5)
    assert public["before"] == "2021-01-01T00:00:00Z"
    assert opened_part == {"by": "operator"}
    grown = await kept.durable.ledger.frontier()
    assert await kept.durable.ledger.prove_growth(before.size, grown.size)


async def test_a_boundary_is_not_before_itself(kept: Kept) -> None:
    for when in ("2020-12-31T23:59:59.999Z", "2021-01-01T00:00:00Z", "2021-01-01T00:00:00.1Z"):
        await kept.entry(when)
    assert await kept.all(What.SEALED) == 1
    assert list((await kept.sealed()).values())[:3] == [False, True, True]


@pytest.mark.parametrize(
    ("state", "valid", "goes"),
    [
        (State.PENDING, STILL, False),
        (State.ACTIVE, STILL, False),
        (State.SUSPENDED, STILL, False),
        (State.SUSPENDED, LONG_AGO, False),  # no state that is final, so somebody must say it
        (State.ACTIVE, LONG_AGO, True),
        (State.REVOKED, STILL, True),
        (State.CLOSED, STILL, True),
        (State.EXPIRED, STILL, True),
    ],
    ids=range(8),
)
async def test_a_warrant_that_is_not_over_is_a_hold(
    kept: Kept, state: State, valid: dict[str, str], goes: bool
) -> None:
    await kept.warrant("W-1", state, valid)
    index = await kept.entry(OLD, "W-1")
    other = await kept.entry(OLD)
    for what in What:
        await kept.all(what)
    sealed = await kept.sealed()
    assert sealed[index] is not goes
    assert sealed[other] is False
    found = await kept.durable.registry.find(WarrantId("W-1"))
    assert found is not None
    assert (found.document == PRUNED) is goes


async def test_what_is_about_an_unknown_warrant_is_held(kept: Kept) -> None:
    index = await kept.entry(OLD, "W-NEVER")
    assert await kept.all(What.SEALED) == 0
    assert (await kept.sealed())[index]


async def test_many_are_pruned_batch_by_batch_each_with_its_entry(kept: Kept) -> None:
    for _ in range(MAX_PRUNED + 3):
        await kept.entry(OLD)
    assert await kept.all(What.SEALED, dry_run=True) == MAX_PRUNED + 3
    assert await kept.entered() == []
    assert await kept.all(What.SEALED) == MAX_PRUNED + 3
    assert [public["count"] for public, _ in await kept.entered()] == [MAX_PRUNED, 3]
    assert await kept.all(What.SEALED) == 0
    assert len(await kept.entered()) == 2


async def test_it_ends_where_entries_are_young(kept: Kept) -> None:
    for i in range(2 * MAX_PRUNED + 1):  # the last of which nobody looks at
        await kept.entry(OLD if i == 0 else NEW)
    first = await kept.pruning.prune(What.SEALED, BEFORE, 0, OPERATOR)
    assert first == Batch(1, MAX_PRUNED)
    assert await kept.pruning.prune(What.SEALED, BEFORE, MAX_PRUNED, OPERATOR) == Batch(0, None)


async def test_what_broke_off_is_taken_up_again(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2 * MAX_PRUNED):
        await kept.entry(OLD)
    first = await kept.pruning.prune(What.SEALED, BEFORE, 0, OPERATOR)
    with monkeypatch.context() as broken:
        broken.setattr(pruning, "owe", _break)  # after the parts are emptied
        with pytest.raises(DatabaseUnavailable):
            await kept.pruning.prune(What.SEALED, BEFORE, first.next or 0, OPERATOR)
    sealed = await kept.sealed()
    assert sum(not there for there in sealed.values()) == MAX_PRUNED  # the second was undone
    assert await kept.all(What.SEALED) == MAX_PRUNED
    assert [public["count"] for public, _ in await kept.entered()] == [MAX_PRUNED, MAX_PRUNED]


def _break(_connection: Connection, _entry: Entry) -> None:
    message = "broken off"
    raise OSError(message)


async def test_nothing_that_is_still_to_come_can_be_pruned(kept: Kept) -> None:
    now = await kept.database.read(read_clock)
    for dry_run in (True, False):
        with pytest.raises(BadRequest, match="still to come"):
            await kept.pruning.prune(
                What.SEALED, Instant(now.second + 60), 0, OPERATOR, dry_run=dry_run
            )


@pytest.mark.parametrize("what", What)
async def test_nothing_that_is_too_young_can_be_pruned(kept: Kept, what: What) -> None:
    latest = (await kept.database.read(read_clock)).second - 90 * 86_400
    for dry_run in (True, False):
        with pytest.raises(BadRequest, match="younger than 90 days") as caught:
            await kept.pruning.prune(what, Instant(latest + 60), 0, OPERATOR, dry_run=dry_run)
        assert "`[retention] least_days`" in caught.value.hint
        await kept.pruning.prune(what, Instant(latest), 0, OPERATOR, dry_run=dry_run)
    assert await kept.entered() == []


async def test_without_a_least_age_all_that_is_past_can_be_pruned(kept: Kept) -> None:
    now = await kept.database.read(read_clock)
    index = await kept.entry(NEW)
    await Pruning(kept.database, 0).prune(What.SEALED, now, 0, OPERATOR)
    assert not (await kept.sealed())[index]


@pytest.mark.parametrize("kind", [EntryType.PRUNE, EntryType.READING, EntryType.REVEAL])
async def test_who_looked_and_who_pruned_stays(kept: Kept, kind: EntryType) -> None:
    index = await kept.durable.ledger.append(Entry(kind, OLD, {"event": "x"}, {"by": CANARY}))
    other = await kept.entry(OLD)
    assert await kept.all(What.SEALED) == 1
    assert await kept.all(What.PUBLIC) == 0
    sealed = await kept.sealed()
    assert (sealed[index], sealed[other]) == (True, False)


async def test_what_is_pruned_is_in_no_file(tmp_path: Path) -> None:
    async with opened("sqlite", tmp_path) as durable:
        assert isinstance(durable.database, Database)
        it = Kept(durable, durable.database, Pruning(durable.database, 90))
        await it.warrant("W-1", State.REVOKED)
        for _ in range(40):
            await it.entry(OLD, "W-1")
        found = await durable.registry.find(WarrantId("W-1"))
        assert found is not None
        held = [json.loads(found.document)["payload"].encode()[:64], CANARY.encode()]
        assert all(_holds(tmp_path, each) for each in held)
        await durable.ledger.settle()
        await it.all(What.SEALED)
        await it.all(What.WARRANTS)
        assert [_holds(tmp_path, each) for each in held] == [False, False]


def _holds(folder: Path, secret: bytes) -> bool:
    return any(secret in file.read_bytes() for file in folder.iterdir() if file.is_file())


# --- Public parts ---


async def test_public_parts_of_disclosures_go_only_when_they_are_named(kept: Kept) -> None:
    await kept.warrant("W-1", State.CLOSED)
    await kept.durable.ledger.settle()
    old = (await kept.durable.ledger.frontier()).size
    with_time = [receipt("R-1"), closing("R-1"), change()]
    for each in with_time:
        again = Entry(each.type, OLD, each.public, each.sealed, each.receipt, WarrantId("W-1"))
        await kept.durable.ledger.append(again)
    root = (await kept.durable.ledger.frontier()).root
    assert await kept.all(What.SEALED) == 3
    assert await kept.all(What.PUBLIC) == 2
    found = await kept.durable.ledger.read(old, 3, sealed=True)
    assert [each.public is None for each in found] == [True, True, False]
    assert all(each.sealed is None for each in found)
    assert len(await kept.durable.ledger.find(handle("R-1"))) == 2
    assert (await kept.durable.ledger.frontier()).root == root
    assert await kept.all(What.PUBLIC) == 0


# --- Warrants and keys ---


async def test_documents_of_warrants_go_and_what_tells_of_them_stays(kept: Kept) -> None:
    await kept.warrant("W-OLD", State.REVOKED)
    await kept.warrant("W-NEW", State.REVOKED, ended="2024-01-01T00:00:00Z")
    await kept.warrant("W-LIVE", State.ACTIVE)
    old = await kept.durable.registry.find(WarrantId("W-OLD"))
    assert old is not None
    assert await kept.all(What.WARRANTS, dry_run=True) == 1
    assert await kept.all(What.WARRANTS) == 1
    found = {each.id: each for each in await kept.durable.registry.list()}
    assert list(found) == ["W-LIVE", "W-NEW", "W-OLD"]
    assert found[old.id] == Registered(old.id, PRUNED, old.digest, State.REVOKED)
    assert found[WarrantId("W-NEW")].document != PRUNED
    assert await kept.all(What.WARRANTS) == 0
    with pytest.raises(Exception, match="registered before"):
        await kept.durable.registry.register(old, change("W-OLD"))


async def test_one_that_expired_says_so_from_then_on(kept: Kept) -> None:
    await kept.warrant("W-1", State.ACTIVE, LONG_AGO)
    sequence = (await kept.durable.registry.changes(0)).sequence
    assert await kept.all(What.WARRANTS) == 1
    found = await kept.durable.registry.find(WarrantId("W-1"))
    assert found is not None
    assert found.state is State.EXPIRED
    told = await kept.durable.registry.changes(sequence)
    assert told.states == ((WarrantId("W-1"), State.EXPIRED),)


async def test_one_that_was_revoked_this_moment_waits_for_the_next_time(kept: Kept) -> None:
    await kept.warrant("W-1", State.ACTIVE, LONG_AGO)
    found = await kept.database.read(lambda it: pruning._find_warrants(it, BEFORE, 0))
    allowed = frozenset({State.ACTIVE})
    await kept.durable.registry.move(WarrantId("W-1"), allowed, State.REVOKED, change("W-1"))
    await kept.database.write(lambda it: pruning._empty_warrants(it, found.rows))
    now = await kept.durable.registry.find(WarrantId("W-1"))
    assert now is not None
    assert now.state is State.REVOKED


async def test_a_document_that_nobody_can_read_is_held(kept: Kept) -> None:
    new = Registered(WarrantId("W-1"), b"{}", parse_signed(approved()).warrant.digest, State.ACTIVE)
    await kept.durable.registry.register(new, change())
    index = await kept.entry(OLD, "W-1")
    assert await kept.all(What.WARRANTS) == 0
    await kept.all(What.SEALED)
    assert (await kept.sealed())[index]


async def test_keys_of_warrants_that_are_over_are_destroyed(kept: Kept) -> None:
    keys = kept.durable.token_keys
    for name, state in (("W-1", State.REVOKED), ("W-2", State.ACTIVE), ("W-3", State.REVOKED)):
        await kept.warrant(name, state)
    for name in ("W-1", "W-2"):
        await keys.token_key(WarrantId(name))
    assert await kept.all(What.KEYS) == 1
    with pytest.raises(KeyUnavailable, match="was destroyed"):
        await keys.token_key(WarrantId("W-1"))
    await keys.token_key(WarrantId("W-2"))
    assert await kept.all(What.KEYS) == 0
    [(public, _)] = await kept.entered()
    assert (public["what"], public["count"]) == ("keys", 1)
    said = [read_public(each.public or b"") for each in await kept.durable.ledger.read(0, 100)]
    events = [e["event"] for e in said if e["type"] == "key" and e.get("warrant") == "W-1"]
    assert events == ["made", "destroyed"]


async def test_warrants_are_looked_at_batch_by_batch(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "MAX_PRUNED", 2)
    for i in range(5):
        await kept.warrant(f"W-{i}", State.CLOSED if i != 2 else State.ACTIVE)
        await kept.durable.token_keys.token_key(WarrantId(f"W-{i}"))
    assert await kept.all(What.KEYS) == 4
    assert await kept.all(What.WARRANTS) == 4
    counts = [(public["what"], public["count"]) for public, _ in await kept.entered()]
    assert counts == [("keys", c) for c in (2, 1, 1)] + [("warrants", c) for c in (2, 1, 1)]


async def test_an_empty_database_has_nothing_to_prune(kept: Kept) -> None:
    for what in What:
        assert await kept.all(what) == 0
    count = select(func.count()).select_from(entries)
    assert await kept.database.read(lambda it: it.execute(count).scalar_one()) == 0
