import asyncio
import dataclasses
import time

import pytest

from tests.durable import (
    DIGEST,
    SUBPOENA,
    SYNAPSE,
    W1,
    Durable,
    change,
    on_database,
    registered,
    whole,
)
from withhold.adapters.database import Database
from withhold.errors import Denied
from withhold.names import Digest, InstrumentName, State, StoreName, WarrantId
from withhold.ports import Freeze, Registered

ACTIVE = frozenset({State.ACTIVE})


async def denied(awaitable: object) -> str:
    with pytest.raises(Denied) as caught:
        await awaitable  # type: ignore[misc]
    return caught.value.reason


async def test_what_was_registered_is_found(durable: Durable) -> None:
    assert await durable.registry.find(W1) is None
    document = bytes(range(256))
    warrant = Registered(W1, document, DIGEST, State.PENDING)
    await durable.registry.register(warrant, change())
    assert await durable.registry.find(W1) == warrant
    assert await durable.registry.find(WarrantId("w-1")) is None


async def test_an_id_is_never_used_again(durable: Durable) -> None:
    await durable.registry.register(registered(document=b"first"), change())
    assert (
        await denied(durable.registry.register(registered(document=b"second"), change()))
        == "id-in-use"
    )
    await durable.registry.move(W1, ACTIVE, State.CLOSED, change())
    assert await denied(durable.registry.register(registered(), change())) == "id-in-use"
    found = await durable.registry.find(W1)
    assert found is not None
    assert found.document == b"first"


async def test_of_many_that_register_one_id_one_does(durable: Durable) -> None:
    results = await asyncio.gather(
        *(durable.registry.register(registered(document=bytes([i])), change()) for i in range(20)),
        return_exceptions=True,
    )
    assert results.count(None) == 1
    assert [str(r.reason) for r in results if isinstance(r, Denied)] == ["id-in-use"] * 19


async def test_all_are_listed_newest_first(durable: Durable) -> None:
    assert list(await durable.registry.list()) == []
    for name in ("W-2", "W-1", "W-3"):
        await durable.registry.register(registered(name), change())
    await durable.registry.move(W1, ACTIVE, State.REVOKED, change())
    assert [w.id for w in await durable.registry.list()] == ["W-3", "W-1", "W-2"]


async def test_a_warrant_is_amended_while_it_is_what_was_read(durable: Durable) -> None:
    old = registered(state=State.PENDING, document=b"one signature")
    new = registered(state=State.ACTIVE, document=b"two signatures")
    await durable.registry.register(old, change())
    await durable.registry.amend(old, new, change())
    assert await durable.registry.find(W1) == new
    assert await denied(durable.registry.amend(old, new, change())) == "changed-meanwhile"
    await durable.registry.move(W1, ACTIVE, State.REVOKED, change())
    assert await denied(durable.registry.amend(new, new, change())) == "changed-meanwhile"
    found = await durable.registry.find(W1)
    assert found == dataclasses.replace(new, state=State.REVOKED)


async def test_an_amendment_keeps_id_and_payload(durable: Durable) -> None:
    old = registered(state=State.PENDING)
    await durable.registry.register(old, change())
    for other in (
        dataclasses.replace(old, digest=Digest("sha-256=:BBBB:")),
        dataclasses.replace(old, id=WarrantId("W-2")),
    ):
        assert await denied(durable.registry.amend(old, other, change())) == "changed-meanwhile"
    absent = registered("W-9")
    assert await denied(durable.registry.amend(absent, absent, change())) == "changed-meanwhile"
    assert list(await durable.registry.list()) == [old]


async def test_a_state_moves_only_from_those_allowed(durable: Durable) -> None:
    assert (
        await denied(durable.registry.move(W1, ACTIVE, State.REVOKED, change()))
        == "warrant-unknown"
    )
    await durable.registry.register(registered(state=State.PENDING), change())
    assert (
        await denied(durable.registry.move(W1, ACTIVE, State.SUSPENDED, change())) == "wrong-state"
    )
    await durable.registry.move(W1, frozenset({State.PENDING}), State.ACTIVE, change())
    await durable.registry.move(W1, ACTIVE, State.SUSPENDED, change())
    found = await durable.registry.find(W1)
    assert found is not None
    assert found.state is State.SUSPENDED
    assert (
        await denied(durable.registry.move(W1, frozenset(), State.ACTIVE, change()))
        == "wrong-state"
    )


async def test_of_two_moves_from_one_state_one_happens(durable: Durable) -> None:
    await durable.registry.register(registered(), change())
    results = await asyncio.gather(
        durable.registry.move(W1, ACTIVE, State.SUSPENDED, change()),
        durable.registry.move(W1, ACTIVE, State.REVOKED, change()),
        return_exceptions=True,
    )
    assert sorted(type(r).__name__ for r in results) == ["Denied", "NoneType"]


async def test_changes_tell_what_came_after_a_number(durable: Durable) -> None:
    nothing = await durable.registry.changes(0)
    assert (nothing.sequence, nothing.states, nothing.freezes) == (0, (), frozenset())
    await durable.registry.register(registered(state=State.PENDING), change())
    await durable.registry.register(registered("W-2"), change())
    first = await durable.registry.changes(0)
    assert dict(first.states) == {"W-1": State.PENDING, "W-2": State.ACTIVE}
    assert (await durable.registry.changes(first.sequence)).states == ()
    await durable.registry.move(W1, frozenset({State.PENDING}), State.ACTIVE, change())
    await durable.registry.move(W1, ACTIVE, State.REVOKED, change())
    later = await durable.registry.changes(first.sequence)
    assert list(later.states) == [("W-1", State.REVOKED)]
    assert later.sequence > first.sequence
    everything = await durable.registry.changes(0)
    assert dict(everything.states) == {"W-1": State.REVOKED, "W-2": State.ACTIVE}


async def test_an_amendment_is_a_change_also_in_the_same_state(durable: Durable) -> None:
    old = registered(state=State.PENDING)
    await durable.registry.register(old, change())
    seen = (await durable.registry.changes(0)).sequence
    await durable.registry.amend(old, dataclasses.replace(old, document=b"more"), change())
    assert list((await durable.registry.changes(seen)).states) == [("W-1", State.PENDING)]


async def test_what_was_denied_is_no_change(durable: Durable) -> None:
    await durable.registry.register(registered(), change())
    seen = await durable.registry.changes(0)
    await denied(durable.registry.register(registered(), change()))
    await denied(durable.registry.move(W1, frozenset(), State.CLOSED, change()))
    after = await durable.registry.changes(0)
    assert (after.sequence, after.states) == (seen.sequence, seen.states)


async def test_a_number_beyond_all_asks_for_the_clock_alone(durable: Durable) -> None:
    await durable.registry.register(registered(), change())
    found = await durable.registry.changes(2**62)
    assert (found.sequence, found.states) == (2**62, ())
    assert abs(found.now.second - time.time()) < 60


async def test_the_same_from_a_thread(durable: Durable) -> None:
    await durable.registry.register(registered(), change())
    found = await asyncio.to_thread(durable.registry.changes_now, 0)
    assert found.states == (await durable.registry.changes(0)).states


async def test_freezes_are_in_force_until_exactly_they_are_lifted(durable: Durable) -> None:
    everything = Freeze()
    store = Freeze(store=SYNAPSE)
    both = Freeze(store=SYNAPSE, instrument=SUBPOENA)
    instrument = Freeze(instrument=InstrumentName(SYNAPSE))  # the same word, elsewhere
    for freeze in (everything, store, both, instrument, store):
        await durable.registry.freeze(freeze, change())
    assert (await durable.registry.changes(0)).freezes == {everything, store, both, instrument}
    await durable.registry.thaw(store, change())
    await durable.registry.thaw(Freeze(store=StoreName("other")), change())
    assert (await durable.registry.changes(2**62)).freezes == {everything, both, instrument}
    await durable.registry.thaw(everything, change())
    assert (await durable.registry.changes(0)).freezes == {both, instrument}


async def test_what_is_frozen_already_takes_nothing(durable: Durable) -> None:
    for _ in range(3):
        await durable.registry.freeze(Freeze(), change("W-freeze"))
    await durable.registry.freeze(Freeze(SYNAPSE), change("W-store"))
    await durable.registry.thaw(Freeze(), change("W-thaw"))
    await durable.registry.freeze(Freeze(), change("W-again"))
    await durable.ledger.settle()
    said = [one["warrant"] for one in await whole(durable.ledger)]
    assert said == ["W-freeze", "W-store", "W-thaw", "W-again"]


async def test_nodes_that_freeze_the_same_at_once_all_do(database_url: str) -> None:
    databases = [Database(database_url, busy_timeout_s=30.0) for _ in range(3)]
    try:
        nodes = [on_database(each) for each in databases]
        for _ in range(20):
            await asyncio.gather(*(node.registry.freeze(Freeze(), change()) for node in nodes))
            assert (await nodes[0].registry.changes(0)).freezes == {Freeze()}
            await asyncio.gather(*(node.registry.thaw(Freeze(), change()) for node in nodes))
            assert (await nodes[0].registry.changes(0)).freezes == frozenset()
        await nodes[0].ledger.settle()
        # Each thaw, and of each round's freezes one at least: what came later found it frozen.
        assert 20 * 4 <= len(await whole(nodes[0].ledger)) <= 20 * 6
    finally:
        for each in databases:
            each.close()


async def test_each_change_owes_the_entry_that_came_with_it(durable: Durable) -> None:
    new = registered(document=b"new")
    await durable.registry.register(registered(), change("W-register"))
    await durable.registry.amend(registered(), new, change("W-amend"))
    await durable.registry.move(W1, ACTIVE, State.SUSPENDED, change("W-move"))
    await durable.registry.freeze(Freeze(), change("W-freeze"))
    await durable.registry.thaw(Freeze(), change("W-thaw"))
    await durable.ledger.settle()
    said = [one["warrant"] for one in await whole(durable.ledger)]
    assert said == ["W-register", "W-amend", "W-move", "W-freeze", "W-thaw"]


def test_a_registered_warrants_repr_holds_no_document() -> None:
    assert "alice" not in repr(registered(document=b"alice"))
