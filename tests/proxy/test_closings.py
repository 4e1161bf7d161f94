import asyncio
from dataclasses import dataclass, field

import pytest

from tests.durable import endings, handle, receipt, whole
from withhold.adapters.memory import MemoryDatabase, MemoryLedger
from withhold.ledger.receipt import Closing, Ending
from withhold.names import WarrantId
from withhold.proxy import closings as module
from withhold.proxy.closings import Closings


@dataclass
class House:
    """Closings over a twin of the ledger."""

    database: MemoryDatabase = field(default_factory=MemoryDatabase)

    def __post_init__(self) -> None:
        self.ledger = MemoryLedger(self.database)
        self.closings = Closings(self.ledger)

    async def release(self, *names: str) -> None:
        for name in names:
            await self.ledger.append(receipt(name))

    def hold(self) -> asyncio.Event:
        """Keep appends waiting until the event is set."""
        self.database.held["append"] = asyncio.Event()
        return self.database.held["append"]

    async def endings(self) -> dict[str, str]:
        return endings(await whole(self.ledger))


@pytest.fixture
async def house() -> House:
    return House()


def closing(name: str, ending: Ending = Ending.COMPLETE) -> Closing:
    return Closing(handle(name), "2026-11-24T00:00:01Z", WarrantId("W-1"), ending, 7)


async def test_a_closing_is_entered_behind_ones_back(house: House) -> None:
    await house.release("R-a", "R-b")
    go_on = house.hold()
    house.closings.add(closing("R-a"))
    house.closings.add(closing("R-b", Ending.INCOMPLETE))
    await asyncio.sleep(0)
    assert await house.endings() == {}  # and nobody waited
    go_on.set()
    await house.closings.drain()
    assert await house.endings() == {handle("R-a"): "complete", handle("R-b"): "incomplete"}


async def test_draining_waits_for_what_is_added_meanwhile(house: House) -> None:
    await house.release("R-a", "R-b")
    go_on = house.hold()
    house.closings.add(closing("R-a"))
    drain = asyncio.ensure_future(house.closings.drain())
    await asyncio.sleep(0)
    house.closings.add(closing("R-b"))
    go_on.set()
    await drain
    assert len(await house.endings()) == 2
    await house.closings.drain()  # nothing is under way


@pytest.mark.parametrize("fails", ["fails_before", "fails_after"])
async def test_one_that_fails_is_the_ledgers_to_settle(house: House, fails: str) -> None:
    await house.release("R-a")
    failing: set[str] = getattr(house.database, fails)
    failing.add("append")
    house.closings.add(closing("R-a"))
    await house.closings.drain()
    failing.clear()
    await house.ledger.settle()
    assert await house.endings() == {handle("R-a"): "complete"}


async def test_one_that_another_node_closed_is_let_be(house: House) -> None:
    await house.release("R-a")
    await house.ledger.append(closing("R-a", Ending.UNKNOWN).entry())
    house.closings.add(closing("R-a"))
    await house.closings.drain()
    assert await house.endings() == {handle("R-a"): "unknown"}


async def test_no_more_are_under_way_than_the_ledger_has_room_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_UNDER_WAY", 2)
    await house.release("R-a", "R-b", "R-c", "R-d")
    go_on = house.hold()
    for name in ("R-a", "R-b", "R-c"):
        house.closings.add(closing(name))
    go_on.set()
    await house.closings.drain()
    house.closings.add(closing("R-d"))
    await house.closings.drain()
    assert set(await house.endings()) == {handle(name) for name in ("R-a", "R-b", "R-d")}
