"""What must end while the database takes nothing: at once here, everywhere as soon as may be."""

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.control.plane import ID, VALID, Plane, W, on_twins, plane_on, resumption, until
from tests.proxy import plane as data
from tests.warrants import approved
from withhold.adapters.freezes import list_freezes
from withhold.adapters.memory import MemoryDatabase, MemoryLedger
from withhold.control.pending import MAX_PENDING, Pending
from withhold.errors import DatabaseUnavailable, Denied
from withhold.ledger.entry import EntryType
from withhold.names import State, StoreName, WarrantId
from withhold.ports import Freeze

AWAY = {"move", "freeze", "thaw"}
WARRANT = WarrantId(ID)


@pytest.fixture
def twins() -> MemoryDatabase:
    return MemoryDatabase()


@pytest.fixture
async def plane(twins: MemoryDatabase, tmp_path: Path) -> AsyncIterator[Plane]:
    async with on_twins(twins, tmp_path / "freezes") as made:
        await made.post("/warrants", approved(valid=VALID))
        yield made


def state_of(twins: MemoryDatabase) -> State:
    return twins.warrants[WARRANT].state


# --- Suspending and revoking ---


@pytest.mark.parametrize(
    ("verb", "state"), [("suspend", State.SUSPENDED), ("revoke", State.REVOKED)]
)
async def test_what_ends_a_warrant_is_in_force_here_and_told_later(
    plane: Plane, twins: MemoryDatabase, verb: str, state: State
) -> None:
    twins.fails_before |= AWAY
    answer = await plane.send("POST", f"{W}/{verb}")
    assert answer.status_code == 503
    problem = answer.json()
    assert problem["code"] == "database-unavailable"
    assert problem["detail"].startswith("in force in this process and not durable yet: ")
    assert "freeze by file" in problem["hint"]
    assert plane.pending.ended == {WARRANT: state}
    assert state_of(twins) is State.ACTIVE
    twins.fails_before.clear()
    await until(lambda: state_of(twins) is state)
    await until(lambda: not plane.pending.ended)
    assert await plane.events() == ["registered", state.value]
    assert (await plane.entries())[1][1] == {"by": "caller-operate"}


@pytest.mark.parametrize("verb", ["suspend", "revoke", "close"])
async def test_it_does_not_wait_for_a_database_that_hangs(
    plane: Plane, twins: MemoryDatabase, verb: str
) -> None:
    """As one does whose lock somebody holds: it answers in seconds, if at all."""
    twins.held["move"] = asyncio.Event()
    asked = asyncio.ensure_future(plane.send("POST", f"{W}/{verb}"))
    await until(lambda: WARRANT in plane.pending.ended)
    assert state_of(twins) is State.ACTIVE
    twins.held["move"].set()
    assert (await asked).status_code == 200
    assert plane.pending.ended == {}


async def test_a_freeze_does_not_wait_for_a_database_that_hangs(
    plane: Plane, twins: MemoryDatabase
) -> None:
    twins.held["freeze"] = asyncio.Event()
    asked = asyncio.ensure_future(plane.send("POST", "/freezes", b"{}"))
    await until(lambda: plane.pending.frozen == {Freeze()})
    twins.held["freeze"].set()
    assert (await asked).status_code == 201
    assert plane.pending.frozen == frozenset()


async def test_whatever_else_is_asked_a_pending_revocation_holds(
    plane: Plane, twins: MemoryDatabase
) -> None:
    twins.fails_before |= AWAY
    for verb in ("revoke", "suspend", "close", "suspend"):
        await plane.send("POST", f"{W}/{verb}")
        assert plane.pending.ended == {WARRANT: State.REVOKED}
    twins.fails_before.clear()
    await until(lambda: state_of(twins) is State.REVOKED)


async def test_one_that_persisted_although_it_failed_is_entered_once(
    plane: Plane, twins: MemoryDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    twins.fails_after |= AWAY
    assert await plane.post(f"{W}/revoke") == (503, "database-unavailable")
    assert state_of(twins) is State.REVOKED
    twins.fails_after.clear()
    await until(lambda: not plane.pending.ended)
    assert await plane.events() == ["registered", "revoked"]
    assert "what was pending can't be" in caplog.text


async def test_the_data_plane_of_the_process_refuses_at_once(tmp_path: Path) -> None:
    pending = Pending()
    async with data.plane(tmp_path, ended=lambda: pending.ended) as it:
        ledger = MemoryLedger(it.database)
        folder = tmp_path / "freezes"
        async with plane_on(it.registry, ledger, folder, pending=pending) as control:
            assert (await it.account()).status_code == 200
            it.database.fails_before |= AWAY
            assert (await control.post(f"{W}/suspend"))[0] == 503
            refused = await it.account()
            assert (refused.status_code, refused.json()["code"]) == (403, "warrant-not-active")
            assert len(it.shop.heard) == 1
            assert (await control.post(f"{W}/revoke"))[0] == 503
            it.database.fails_before.clear()
            await until(lambda: not pending.ended)
            # The node has polled since, as it does five times a second, and asks nobody's memory.
            it.standing.poll()
            assert (await it.account()).status_code == 403
            assert it.database.warrants[WARRANT].state is State.REVOKED


async def test_a_release_under_way_is_held_back(tmp_path: Path) -> None:
    """The database takes appends and no changes of state: what was appended says `not-sent`."""
    pending = Pending()
    async with data.plane(tmp_path, ended=lambda: pending.ended) as it:
        async with plane_on(
            it.registry, MemoryLedger(it.database), tmp_path / "freezes", pending=pending
        ) as control:
            it.database.fails_before |= AWAY
            held = it.database.held["append"] = data.Held()
            asking = asyncio.ensure_future(it.account())
            await held.reached.wait()
            assert (await control.post(f"{W}/revoke"))[0] == 503
            held.set()
            assert (await asking).status_code == 403
            it.database.fails_before.clear()
            await until(lambda: not pending.ended)
        release, closing = await it.entries()
        assert (release.type, release.public["outcome"]) == (EntryType.RELEASE, "disclosed")
        assert closing.public == {"outcome": "not-sent", "size_bytes": 0}


async def test_the_latest_of_one_warrant_counts(plane: Plane, twins: MemoryDatabase) -> None:
    twins.fails_before |= AWAY
    await plane.post(f"{W}/suspend")
    await plane.post(f"{W}/revoke")
    twins.fails_before.clear()
    await until(lambda: not plane.pending.ended)
    assert await plane.events() == ["registered", "revoked"]


async def test_but_nothing_takes_the_place_of_a_revocation(
    plane: Plane, twins: MemoryDatabase
) -> None:
    twins.fails_before |= AWAY
    await plane.post(f"{W}/revoke")
    assert (await plane.post(f"{W}/suspend"))[0] == 503
    assert plane.pending.ended == {WARRANT: State.REVOKED}
    twins.fails_before.clear()
    await until(lambda: not plane.pending.ended)
    assert state_of(twins) is State.REVOKED


async def test_what_is_suspended_here_resumes_once_it_is_durable(
    plane: Plane, twins: MemoryDatabase
) -> None:
    twins.fails_before |= AWAY
    await plane.post(f"{W}/suspend")
    assert await plane.post(f"{W}/resume", resumption()) == (409, "wrong-state")
    twins.fails_before.clear()
    await until(lambda: not plane.pending.ended)
    assert (await plane.post(f"{W}/resume", resumption()))[0] == 200
    assert await plane.events() == ["registered", "suspended", "resumed"]


async def test_closing_waits_for_the_database(plane: Plane, twins: MemoryDatabase) -> None:
    """It destroys a key, which is done once and for all or not at all."""
    twins.fails_before |= AWAY
    assert await plane.post(f"{W}/close") == (503, "database-unavailable")
    assert plane.pending.ended == {}
    assert plane.destroyed == []


async def test_what_is_pending_is_tried_once_more_at_the_end(
    twins: MemoryDatabase, tmp_path: Path
) -> None:
    async with on_twins(twins, tmp_path / "freezes") as plane:
        await plane.post("/warrants", approved(valid=VALID))
        twins.fails_before |= AWAY
        await plane.post(f"{W}/revoke")
        twins.fails_before.clear()
    assert state_of(twins) is State.REVOKED


# --- Freezing ---


async def test_a_freeze_that_the_database_does_not_take_is_told_later(
    plane: Plane, twins: MemoryDatabase
) -> None:
    twins.fails_before |= AWAY
    answer = await plane.send("POST", "/freezes", b"{}")
    assert answer.status_code == 503
    assert answer.json()["detail"].startswith("frozen by file, so for the nodes of this machine")
    assert list_freezes(plane.freezes) == {Freeze()}
    assert twins.freezes == set()
    twins.fails_before.clear()
    await until(lambda: twins.freezes == {Freeze()})
    assert await plane.events() == ["registered", "frozen"]


async def test_a_freeze_that_neither_takes_is_in_force_here(
    plane: Plane, twins: MemoryDatabase
) -> None:
    shutil.rmtree(plane.freezes)
    twins.fails_before |= AWAY
    answer = await plane.send("POST", "/freezes", b'{"store": "synapse"}')
    assert answer.status_code == 503
    assert answer.json()["detail"].startswith("frozen in this process and not durable yet: ")
    freeze = Freeze(store=StoreName("synapse"))
    assert plane.pending.frozen == {freeze}
    assert twins.freezes == set()
    twins.fails_before.clear()
    await until(lambda: not plane.pending.frozen)
    assert twins.freezes == {freeze}
    assert await plane.events() == ["registered", "frozen"]


async def test_several_freezes_wait_each_for_itself(plane: Plane, twins: MemoryDatabase) -> None:
    twins.fails_before |= AWAY
    for body in (b"{}", b'{"store": "synapse"}', b'{"store": "synapse"}'):
        await plane.post("/freezes", body)
    twins.fails_before.clear()
    await until(lambda: len(twins.freezes) == 2)
    assert await plane.events() == ["registered", "frozen", "frozen"]


async def test_a_thaw_comes_after_the_freeze_that_it_lifts(
    plane: Plane, twins: MemoryDatabase
) -> None:
    """The freeze waits for the database; a thaw, once that is back, is not undone by it."""
    twins.fails_before |= AWAY
    await plane.post("/freezes", b"{}")
    assert await plane.call("DELETE", "/freezes") == (503, "database-unavailable")
    assert list_freezes(plane.freezes) == {Freeze()}
    twins.fails_before.clear()
    assert (await plane.call("DELETE", "/freezes"))[0] == 200
    await until(lambda: not plane.pending._tries)
    assert twins.freezes == set()
    assert list_freezes(plane.freezes) == frozenset()
    assert await plane.events() == ["registered", "frozen", "thawed"]


# --- By itself ---


class Attempts:
    """Something that is tried, and how it goes."""

    def __init__(self) -> None:
        self.fault: Exception | None = DatabaseUnavailable("away")
        self.made: list[str] = []

    def of(self, name: str) -> Callable[[], Awaitable[None]]:
        async def attempt() -> None:
            if self.fault is not None:
                raise self.fault
            self.made.append(name)

        return attempt


async def test_no_more_waits_than_may() -> None:
    pending, attempts = Pending(), Attempts()
    for n in range(MAX_PENDING):
        pending.add(f"{n}", attempts.of(f"{n}"), (WarrantId(f"W-{n}"), State.SUSPENDED))
    with pytest.raises(DatabaseUnavailable, match="too much waits"):
        pending.add("more", attempts.of("more"), (WarrantId("W-more"), State.REVOKED))
    pending.add("0", attempts.of("zero"), (WarrantId("W-0"), State.REVOKED))  # takes its own place
    assert len(pending.ended) == MAX_PENDING
    attempts.fault = None
    await pending.try_now()
    assert attempts.made == ["zero", *(f"{n}" for n in range(1, MAX_PENDING))]
    assert pending.ended == {}
    await pending.close()


async def test_trying_now_says_what_waits_still() -> None:
    pending, attempts = Pending(), Attempts()
    await pending.try_now()
    pending.add("one", attempts.of("one"), Freeze())
    with pytest.raises(DatabaseUnavailable, match="waits for the database still"):
        await pending.try_now()
    attempts.fault = None
    await pending.try_now()
    await pending.close()
    assert attempts.made == ["one"]


async def test_what_can_not_be_is_given_up_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    pending, attempts = Pending(), Attempts()
    attempts.fault = Denied("wrong-state", "a warrant that is `closed` does not become `revoked`")
    pending.add("one", attempts.of("one"), (WARRANT, State.REVOKED))
    with caplog.at_level(logging.WARNING):
        await until(lambda: not pending.ended)
    assert "does not become `revoked`" in caplog.text
    await pending.close()


async def test_what_comes_while_another_is_tried_is_tried_too() -> None:
    pending, attempts = Pending(), Attempts()
    attempts.fault = None
    going = asyncio.Event()

    async def slow() -> None:
        await going.wait()
        attempts.made.append("slow")

    pending.add("one", slow, (WARRANT, State.SUSPENDED))
    first, second = (asyncio.ensure_future(pending.try_now()) for _ in range(2))
    await asyncio.sleep(0)
    pending.add("one", attempts.of("later"), (WARRANT, State.REVOKED))
    going.set()
    await asyncio.gather(first, second, return_exceptions=True)
    # The first was done with when another had taken its place: that one is tried as well.
    await until(lambda: not pending.ended)
    assert attempts.made == ["slow", "later"]
    await pending.close()
