import asyncio
from dataclasses import replace

import pytest

from tests.durable import Durable, change, condition, receipt, registered
from withhold.errors import Denied
from withhold.names import Digest, State, WarrantId

ONCE = replace(condition(), once=Digest("sha-256=:once:"))


async def tried(durable: Durable, once: str = "once", warrant: str = "W-1") -> str:
    """Append under a condition that uses something up; gives why it was refused."""
    named = replace(condition(warrant), once=Digest(f"sha-256=:{once}:"))
    try:
        await durable.ledger.append(receipt(warrant=warrant), named)
    except Denied as denied:
        return denied.reason
    return ""


async def test_what_serves_once_serves_no_second_append(durable: Durable) -> None:
    await durable.registry.register(registered(), change())
    assert [await tried(durable) for _ in range(2)] == ["", "approval-used"]
    assert await tried(durable, "another") == ""


async def test_of_those_that_come_together_one_is_appended(durable: Durable) -> None:
    await durable.registry.register(registered(), change())
    size = (await durable.ledger.frontier()).size
    found = await asyncio.gather(*(tried(durable) for _ in range(20)))
    assert sorted(found) == ["", *["approval-used"] * 19]
    await durable.ledger.settle()
    assert (await durable.ledger.frontier()).size == size + 2  # with what was owed


async def test_an_append_that_may_not_happen_uses_nothing_up(durable: Durable) -> None:
    await durable.registry.register(registered(state=State.SUSPENDED), change())
    assert await tried(durable) == "warrant-not-active"
    await durable.registry.move(
        WarrantId("W-1"), frozenset({State.SUSPENDED}), State.ACTIVE, change()
    )
    assert await tried(durable) == ""
    with pytest.raises(Denied, match="used before"):
        await durable.ledger.append(receipt(), ONCE)
