import asyncio
import logging

import pytest

from withhold.adapters import upkeep as module
from withhold.adapters.upkeep import Upkeep
from withhold.errors import LedgerUnavailable


class Steps:
    """Three steps, which do what they are told."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.errors: dict[str, Exception] = {}
        self.held: dict[str, asyncio.Event] = {}
        self.begun = asyncio.Event()
        self.often = asyncio.Event()

    async def _do(self, name: str) -> None:
        self.begun.set()
        if name in self.held:
            await self.held[name].wait()
        if name in self.errors:
            raise self.errors[name]
        self.done.append(name)
        if len(self.done) >= 9:
            self.often.set()

    async def first(self) -> None:
        await self._do("first")

    async def second(self) -> None:
        await self._do("second")

    async def third(self) -> None:
        await self._do("third")

    def upkeep(self) -> Upkeep:
        return Upkeep([self.first, self.second, self.third])


@pytest.fixture
async def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    monkeypatch.setattr(module, "UPKEEP_S", 0.001)
    return Steps()


async def test_steps_are_done_in_their_order(steps: Steps) -> None:
    await steps.upkeep().once()
    assert steps.done == ["first", "second", "third"]


async def test_one_that_fails_stops_no_other(
    steps: Steps, caplog: pytest.LogCaptureFixture
) -> None:
    steps.errors = {"first": LedgerUnavailable("no disk"), "second": ZeroDivisionError("canary")}
    upkeep = steps.upkeep()
    for count in (1, 2, 3):
        await upkeep.once()
        assert steps.done == ["third"] * count
    assert [record.message for record in caplog.records] == [
        "the ledger's upkeep: no disk",
        "the ledger's upkeep: a fault of ours: ZeroDivisionError",
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


async def test_a_row_of_failures_is_logged_once_and_another_again(
    steps: Steps, caplog: pytest.LogCaptureFixture
) -> None:
    upkeep = steps.upkeep()

    async def once(error: Exception | None) -> int:
        steps.errors = {} if error is None else {"second": error}
        await upkeep.once()
        return len(caplog.records)

    assert await once(LedgerUnavailable("no disk")) == 1
    assert await once(LedgerUnavailable("no disk")) == 1
    assert await once(LedgerUnavailable("no database")) == 2
    assert await once(None) == 2
    assert await once(LedgerUnavailable("no database")) == 3


async def test_all_is_done_at_the_start_and_again_and_again(steps: Steps) -> None:
    upkeep = steps.upkeep()
    await upkeep.start()
    assert steps.done == ["first", "second", "third"]
    await steps.often.wait()
    await upkeep.close()
    assert steps.done[:9] == ["first", "second", "third"] * 3


async def test_beginning_does_nothing_yet(steps: Steps) -> None:
    upkeep = steps.upkeep()
    upkeep.begin()
    assert steps.done == []
    await upkeep.stop()
    assert steps.done == []


async def test_what_was_not_begun_can_be_stopped_and_closed(steps: Steps) -> None:
    await steps.upkeep().stop()
    assert steps.done == []
    await steps.upkeep().close()
    assert steps.done == ["first", "second", "third"]


async def test_stopping_waits_for_nothing(steps: Steps) -> None:
    steps.held["second"] = asyncio.Event()
    upkeep = steps.upkeep()
    upkeep.begin()
    await steps.begun.wait()
    await upkeep.stop()
    assert steps.done in ([], ["first"])


async def test_closing_cuts_no_step_off_and_does_all_for_the_last_time(steps: Steps) -> None:
    upkeep = steps.upkeep()
    upkeep.begin()
    steps.held["first"] = asyncio.Event()
    await steps.begun.wait()
    closes = asyncio.ensure_future(upkeep.close())
    await asyncio.sleep(0)
    assert steps.done == []
    steps.held.pop("first").set()
    await closes
    assert steps.done == ["first", "second", "third"] * 2
