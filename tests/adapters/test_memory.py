import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.durable import W1, condition, in_memory, receipt, registered
from withhold.adapters.memory import MemoryDatabase
from withhold.errors import DatabaseUnavailable, Denied, LedgerUnavailable, OwnError
from withhold.kinds.instant import Instant
from withhold.names import State, StoreName
from withhold.ports import Freeze

Step = Callable[[MemoryDatabase], Awaitable[object]]
Done = Callable[[MemoryDatabase], bool]

ACTIVE = frozenset({State.ACTIVE})
OLD, NEW = Freeze(store=StoreName("mail")), Freeze(store=StoreName("calls"))

# Each step that changes something, and what shows that it was done.
STEPS: dict[str, tuple[Step, Done]] = {
    "register": (
        lambda d: in_memory(d).registry.register(registered("W-2")),
        lambda d: len(d.warrants) == 2,
    ),
    "amend": (
        lambda d: in_memory(d).registry.amend(registered(), registered(document=b"new")),
        lambda d: d.warrants[W1].document == b"new",
    ),
    "move": (
        lambda d: in_memory(d).registry.move(W1, ACTIVE, State.REVOKED),
        lambda d: d.warrants[W1].state is State.REVOKED,
    ),
    "freeze": (lambda d: in_memory(d).registry.freeze(NEW), lambda d: NEW in d.freezes),
    "thaw": (lambda d: in_memory(d).registry.thaw(OLD), lambda d: OLD not in d.freezes),
    "append": (
        lambda d: in_memory(d).ledger.append(receipt(), condition()),
        lambda d: len(d.receipts) == 1,
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
    "receipts": lambda d: in_memory(d).ledger.receipts(0, 1),
}


async def prepared() -> MemoryDatabase:
    """A twin with an active warrant and a freeze of another store."""
    database = MemoryDatabase()
    await in_memory(database).registry.register(registered())
    await in_memory(database).registry.freeze(OLD)
    return database


def error_of(operation: str) -> type[OwnError]:
    return LedgerUnavailable if operation in {"append", "receipts"} else DatabaseUnavailable


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
    await durable.registry.move(W1, ACTIVE, State.REVOKED)
    database.held["append"].set()
    with pytest.raises(Denied) as caught:
        await append
    assert caught.value.reason == "warrant-not-active"


async def test_the_twins_clock_is_the_one_it_was_given() -> None:
    now = [Instant(99)]
    database = MemoryDatabase(clock=lambda: now[0])
    durable = in_memory(database)
    await durable.registry.register(registered())
    valid = condition(valid=(Instant(100), Instant(200)))
    for instant, appended in [(99, 0), (100, 1), (199, 2), (200, 2)]:
        now[0] = Instant(instant)
        try:
            await durable.ledger.append(receipt(), valid)
        except Denied:
            assert instant in {99, 200}
        assert len(database.receipts) == appended
    assert (await durable.registry.changes(0)).now == Instant(200)
