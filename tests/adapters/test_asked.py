from collections.abc import AsyncIterator
from functools import partial

import pytest

from tests.durable import DIGEST, Durable, change, closing, handle, on_database, receipt, registered
from withhold.adapters.asked import ask
from withhold.adapters.database import Database
from withhold.ledger.tree import Frontier
from withhold.names import State, StoreName
from withhold.ports import Freeze


@pytest.fixture
async def durable(database_url: str) -> AsyncIterator[Durable]:
    database = Database(database_url, busy_timeout_s=30.0)
    yield on_database(database)
    database.close()


def writer(durable: Durable) -> Database:
    assert isinstance(durable.database, Database)
    return durable.database


async def test_an_empty_database_says_so(durable: Durable) -> None:
    found = await writer(durable).write(lambda it: ask(it, [], []))
    assert Frontier.decode(found.edge) == Frontier()
    assert found.now.second > 1_700_000_000
    assert (found.states, found.freezes, found.owes, found.there) == ({}, frozenset(), False, set())


async def test_all_that_an_append_must_know_is_one_answer(durable: Durable) -> None:
    for name, state in (("W-1", State.ACTIVE), ("W-2", State.REVOKED), ("W-3", State.ACTIVE)):
        await durable.registry.register(registered(name, state), change(name))
    for freeze in (Freeze(), Freeze(StoreName("mail"))):
        await durable.registry.freeze(freeze, change())
    found = await writer(durable).write(lambda it: ask(it, {"W-1", "W-2", "W-x"}, []))
    assert found.states == {"W-1": (DIGEST, "active"), "W-2": (DIGEST, "revoked")}
    assert found.freezes == {Freeze(), Freeze(StoreName("mail"))}
    assert found.owes
    await durable.ledger.settle()
    found = await writer(durable).write(lambda it: ask(it, [], []))
    assert not found.owes
    assert Frontier.decode(found.edge) == await durable.ledger.frontier()


async def test_of_a_receipt_each_type_is_there_by_itself(durable: Durable) -> None:
    for name in ("R-a", "R-b"):
        await durable.ledger.append(receipt(name))
    await durable.ledger.append(closing("R-a"))
    wanted = [
        (handle(name), kind) for name in ("R-a", "R-b", "R-c") for kind in ("release", "closing")
    ]
    found = await writer(durable).write(lambda it: ask(it, [], wanted))
    a, b = handle("R-a"), handle("R-b")
    assert found.there == {(a, "release"), (a, "closing"), (b, "release")}
    for wanted in ([(a, "release")], [(a, "closing")]):
        found = await writer(durable).write(partial(ask, named=[], keys=wanted))
        assert found.there == set(wanted)
