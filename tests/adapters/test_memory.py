import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.durable import (
    W1,
    about,
    change,
    closing,
    condition,
    endings,
    handle,
    in_memory,
    receipt,
    registered,
    whole,
)
from withhold.adapters.memory import MemoryDatabase
from withhold.errors import DatabaseUnavailable, Denied, LedgerUnavailable, OwnError
from withhold.kinds.instant import Instant
from withhold.names import CallerName, State, StoreName
from withhold.ports import Freeze

Step = Callable[[MemoryDatabase], Awaitable[object]]
Done = Callable[[MemoryDatabase], bool]

ACTIVE = frozenset({State.ACTIVE})
REFUSED = (CallerName("a"), "not-a-target", "2026-11-24T14:05Z")
OLD, NEW = Freeze(store=StoreName("mail")), Freeze(store=StoreName("calls"))

# Each step that changes something, and what shows that it was done.
STEPS: dict[str, tuple[Step, Done]] = {
    "register": (
        lambda d: in_memory(d).registry.register(registered("W-2"), change()),
        lambda d: len(d.warrants) == 2,
    ),
    "amend": (
        lambda d: in_memory(d).registry.amend(registered(), registered(document=b"new"), change()),
        lambda d: d.warrants[W1].document == b"new",
    ),
    "move": (
        lambda d: in_memory(d).registry.move(W1, ACTIVE, State.REVOKED, change()),
        lambda d: d.warrants[W1].state is State.REVOKED,
    ),
    "freeze": (lambda d: in_memory(d).registry.freeze(NEW, change()), lambda d: NEW in d.freezes),
    "thaw": (lambda d: in_memory(d).registry.thaw(OLD, change()), lambda d: OLD not in d.freezes),
    "append": (
        lambda d: in_memory(d).ledger.append(receipt(), condition()),
        lambda d: len(d.receipts) == 1,
    ),
    "keep_checkpoint": (
        lambda d: in_memory(d).ledger.keep_checkpoint(1, b"note"),
        lambda d: d.checkpoint == (1, b"note"),
    ),
    "count_refusals": (
        lambda d: in_memory(d).ledger.count_refusals({REFUSED: 2}),
        lambda d: d.refusals == {REFUSED: 2},
    ),
    "settle": (
        lambda d: in_memory(d).ledger.settle(),
        lambda d: len(d.log) == 2,  # what the preparations owe
    ),
    "token_key": (
        lambda d: in_memory(d).token_keys.token_key(W1),
        lambda d: d.token_keys.get(W1) is not None,
    ),
    "destroy": (
        lambda d: in_memory(d).token_keys.destroy(W1),
        lambda d: W1 in d.token_keys and d.token_keys[W1] is None,
    ),
}
LOOKS: dict[str, Step] = {
    "find": lambda d: in_memory(d).registry.find(W1),
    "list": lambda d: in_memory(d).registry.list(),
    "changes": lambda d: in_memory(d).registry.changes(0),
    "read": lambda d: in_memory(d).ledger.read(0, 1),
    "find_receipt": lambda d: in_memory(d).ledger.find(handle("R-a")),
    "find_warrant": lambda d: in_memory(d).ledger.find_warrant(W1, 0, 1),
    "frontier": lambda d: in_memory(d).ledger.frontier(),
    "leaves": lambda d: in_memory(d).ledger.leaves(0, 1),
    "hashes": lambda d: in_memory(d).ledger.hashes(0, 0, 1),
    "prove": lambda d: in_memory(d).ledger.prove(0, 1),
    "prove_growth": lambda d: in_memory(d).ledger.prove_growth(0, 1),
    "witnessed": lambda d: in_memory(d).ledger.witnessed(),
    "find_by_key_id": lambda d: in_memory(d).token_keys.find_by_key_id("abcdefgh"),
}
OF_THE_LEDGER = {
    *("append", "keep_checkpoint", "count_refusals", "settle", "read", "find_receipt"),
    *("find_warrant", "frontier", "leaves", "hashes", "prove", "prove_growth", "witnessed"),
}


async def prepared() -> MemoryDatabase:
    """A twin with an active warrant and a freeze of another store."""
    database = MemoryDatabase()
    await in_memory(database).registry.register(registered(), change())
    await in_memory(database).registry.freeze(OLD, change())
    return database


def error_of(operation: str) -> type[OwnError]:
    return LedgerUnavailable if operation in OF_THE_LEDGER else DatabaseUnavailable


@pytest.mark.parametrize("operation", STEPS)
async def test_a_step_fails_undone_or_done_as_it_is_told(operation: str) -> None:
    step, done = STEPS[operation]
    database = await prepared()
    assert not done(database)

    database.fails_before.add(operation)
    with pytest.raises(error_of(operation)):
        await step(database)
    assert not done(database)
    database.fails_before.clear()

    database.fails_after.add(operation)
    with pytest.raises(error_of(operation)):
        await step(database)
    assert done(database)


@pytest.mark.parametrize("operation", STEPS)
async def test_a_step_that_is_told_nothing_is_done(operation: str) -> None:
    step, done = STEPS[operation]
    database = await prepared()
    await step(database)
    assert done(database)


@pytest.mark.parametrize("operation", LOOKS)
async def test_a_look_fails_as_it_is_told(operation: str) -> None:
    database = await prepared()
    await in_memory(database).ledger.append(receipt())
    await LOOKS[operation](database)
    database.fails_before.add(operation)
    with pytest.raises(error_of(operation)):
        await LOOKS[operation](database)


async def test_a_step_that_is_held_sees_what_happened_meanwhile() -> None:
    database = await prepared()
    durable = in_memory(database)
    database.held["append"] = asyncio.Event()
    append = asyncio.ensure_future(durable.ledger.append(receipt(), condition()))
    await asyncio.sleep(0)
    await durable.registry.move(W1, ACTIVE, State.REVOKED, change())
    database.held["append"].set()
    with pytest.raises(Denied) as caught:
        await append
    assert caught.value.reason == "warrant-not-active"


async def test_the_twins_clock_is_the_one_it_was_given() -> None:
    now = [Instant(99)]
    database = MemoryDatabase(clock=lambda: now[0])
    durable = in_memory(database)
    await durable.registry.register(registered(), change())
    valid = condition(valid=(Instant(100), Instant(200)))
    for instant, appended in [(99, 0), (100, 1), (199, 2), (200, 2)]:
        now[0] = Instant(instant)
        try:
            await durable.ledger.append(receipt(), valid)
        except Denied:
            assert instant in {99, 200}
        assert len(database.receipts) == appended
    assert (await durable.registry.changes(0)).now == Instant(200)


async def test_an_append_that_failed_but_persisted_is_recognised() -> None:
    database = await prepared()
    ledger = in_memory(database).ledger
    database.fails_after.add("append")
    with pytest.raises(LedgerUnavailable, match="the entry is not durable: the database did"):
        await ledger.append(receipt("R-a"), condition())
    database.fails_after.clear()
    for _ in range(2):
        await ledger.settle()
        said = await whole(ledger)
        assert about(said[2:], "R-a") == ["release R-a", "closing R-a"]
        assert endings(said) == {handle("R-a"): "not-sent"}


async def test_an_append_that_failed_and_did_not_persist_leaves_nothing() -> None:
    database = await prepared()
    ledger = in_memory(database).ledger
    database.fails_before.add("append")
    for made in (receipt("R-a"), closing("R-b")):
        with pytest.raises(LedgerUnavailable):
            await ledger.append(made, None)
    database.fails_before.clear()
    for _ in range(2):
        await ledger.settle()
        assert about(await whole(ledger)) == ["warrant"] * 2


@pytest.mark.parametrize("fails", ["fails_before", "fails_after"])
async def test_a_closing_that_failed_is_there_once_it_is_settled(fails: str) -> None:
    database = await prepared()
    ledger = in_memory(database).ledger
    await ledger.append(receipt("R-a"), condition())
    failing: set[str] = getattr(database, fails)
    failing.add("append")
    with pytest.raises(LedgerUnavailable):
        await ledger.append(closing("R-a"))
    failing.clear()
    for _ in range(2):
        await ledger.settle()
        assert endings(await whole(ledger)) == {handle("R-a"): "complete"}


async def test_a_closing_that_nobody_waits_for_any_more_is_settled() -> None:
    database = await prepared()
    ledger = in_memory(database).ledger
    await ledger.append(receipt("R-a"), condition())
    database.held["append"] = asyncio.Event()
    append = asyncio.ensure_future(ledger.append(closing("R-a")))
    await asyncio.sleep(0)
    append.cancel()
    with pytest.raises(asyncio.CancelledError):
        await append
    await ledger.settle()
    assert endings(await whole(ledger)) == {handle("R-a"): "complete"}


async def test_refusals_are_entered_once_their_minute_is_over() -> None:
    now = [Instant(1_800_000_000)]  # 2027-01-15T08:00:00Z
    database = MemoryDatabase(clock=lambda: now[0])
    ledger = in_memory(database).ledger
    refused = (CallerName("a"), "not-a-target", "2027-01-15T08:00Z")
    for count in (2, 3):
        await ledger.count_refusals({refused: count})
    await ledger.settle()
    assert await whole(ledger) == []
    now[0] = Instant(1_800_000_060)
    for _ in range(2):
        await ledger.settle()
        (said,) = await whole(ledger)
        assert (said["type"], said["code"], said["count"]) == ("refusals", "not-a-target", 5)
        assert (said["minute"], said["at"]) == ("2027-01-15T08:00Z", "2027-01-15T08:01:00Z")
