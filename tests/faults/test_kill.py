"""SIGKILL at any moment: under load, while it starts, while it ends; of one process and of several.

Real processes on a real folder, killed and started again on it, and callers who keep the receipt of
every response of which they saw the first byte. When and whom to kill is drawn from a seed, which
a failure shows. The kernel goes on: what a power cut leaves of a disk's cache is not tried here.
"""

import asyncio
import faulthandler
import os
import random
import secrets
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.faults.asking import Connection, Heard, connected
from tests.faults.oracle import Log, settle_all
from tests.faults.service import Service
from tests.faults.store import LARGE, LONG, SMALL, store
from tests.running import starter
from withhold.demo.people import BOB

WARRANT = "W-KILL"
CALLERS = 10
PATHS = (*(SMALL,) * 6, LONG, LARGE, f"/stores/sample/accounts/{BOB}")
MOMENTS = ("load", "start", "shutdown", "worker", "supervisor")
UNDER_LOAD_S = 0.7
NEVER_LEAVES = b"canary"


@dataclass
class Lane:
    """One deployment that is killed again and again, and what was heard of it."""

    service: Service
    log: Log
    rng: random.Random
    heard: list[Heard] = field(default_factory=list)
    fresh: list[Heard] = field(default_factory=list)  # since the log was last read
    registered: set[str] = field(default_factory=set)  # as was answered
    revoked: set[str] = field(default_factory=set)
    frozen: int = 0  # as was answered, of what was not frozen
    thawed: bool = True  # as was answered, when it was last asked for
    clean: set[str] = field(default_factory=set)  # nodes that ended by themselves
    moments: Counter[str] = field(default_factory=Counter)

    async def read_on(self) -> None:
        """Read the log, and check it against what was heard so far."""
        fresh, self.fresh = self.fresh, []
        registered, revoked = set(self.registered), set(self.revoked)
        await asyncio.to_thread(self.log.read_on)
        self.log.check_heard(fresh)
        assert registered <= self.log.states.keys()
        assert {self.log.states[each] for each in revoked} <= {"revoked"}
        self.heard += fresh


async def call(lane: Lane, number: int) -> None:
    """Ask for ever, whatever happens to the service."""
    rng = random.Random(lane.rng.random() + number)
    service = lane.service
    with service.caller() as connection:
        while True:
            await service.listening.wait()
            answer = await connection.get(rng.choice(PATHS), WARRANT)
            if answer is not None:
                assert NEVER_LEAVES not in answer.body
                lane.fresh.append(answer)
            else:
                await asyncio.sleep(0.005)  # it was just killed; nobody listens


async def operate(lane: Lane) -> None:
    """Register and revoke, freeze and thaw, for ever."""
    service = lane.service
    number = 0
    with connected(service.ports["control"], service.token("operator")) as connection:
        while True:
            await service.listening.wait()
            number += 1
            warrant = f"{WARRANT}-{number}"
            document = service.document(warrant)
            if _is(await connection.ask("POST", "/warrants", document), 201):
                lane.registered.add(warrant)
            if _is(await connection.ask("POST", f"/warrants/{warrant}/revoke"), 200):
                lane.revoked.add(warrant)
            frozen, thawed = await _freeze(connection)
            lane.frozen += frozen and lane.thawed
            lane.thawed = thawed
            await asyncio.sleep(0.2)


async def _freeze(connection: Connection) -> tuple[bool, bool]:
    """Freeze and thaw what nobody asks for; tells of either whether it was confirmed."""
    frozen = await connection.ask("POST", "/freezes", b'{"instrument": "uk-entity-data"}')
    thawed = await connection.ask("DELETE", "/freezes?instrument=uk-entity-data")
    return _is(frozen, 201), _is(thawed, 200)


def _is(answer: Heard | None, status: int) -> bool:
    return answer is not None and answer.status == status


@asynccontextmanager
async def lane(folder: Path, url: str, workers: int, seed: int) -> AsyncIterator[Lane]:
    """Start a deployment, and callers who never stop."""
    service = Service(starter(folder, {"sample": url}), workers=workers)
    made = Lane(service, Log(service.database), random.Random(seed))
    tasks: list[asyncio.Task[None]] = []
    try:
        await service.start()
        await service.grant(WARRANT)
        tasks += [asyncio.create_task(call(made, number)) for number in range(CALLERS)]
        tasks.append(asyncio.create_task(operate(made)))
        yield made
        for task in tasks:
            assert not task.done() or task.result() is None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await service.close()


async def kill_often(it: Lane, times: int) -> None:
    """Kill and start again. Whenever nobody runs, the log is read."""
    service, rng = it.service, it.rng
    start_s = 1.0 if service.workers == 1 else 4.0
    for _ in range(times):
        moment = rng.choices(MOMENTS, _odds(service))[0]
        it.moments[moment] += 1
        if moment == "start":
            await service.end(signal.SIGKILL)
            await it.read_on()
            await service.launch()
            await asyncio.sleep(rng.uniform(0, start_s))
        else:
            await asyncio.sleep(rng.uniform(0, UNDER_LOAD_S))
        if moment == "shutdown":
            assert service.process is not None
            service.process.terminate()
            await asyncio.sleep(rng.uniform(0, 0.4))
        if moment == "worker":
            os.kill(rng.choice(_children(service)), signal.SIGKILL)
            await asyncio.sleep(rng.uniform(0, UNDER_LOAD_S))
            await it.read_on()  # while the others run
        elif moment == "supervisor":
            assert service.process is not None
            service.process.kill()
            service.listening.clear()
            await service.ended()  # the workers see to it themselves
        code = await _killed(service)
        assert code in {None, -signal.SIGKILL, 0}, (code, service.lines)
        it.moments["too late: it had ended"] += code == 0
        await it.read_on()
        began_s = time.monotonic()
        await service.start()
        start_s = time.monotonic() - began_s


async def _killed(service: Service) -> int | None:
    service.listening.clear()
    return None if service.process is None else await service.end(signal.SIGKILL)


def _odds(service: Service) -> tuple[float, ...]:
    return (70, 15, 15, 0, 0) if service.workers == 1 else (40, 10, 10, 20, 20)


def _children(service: Service) -> list[int]:
    """Give the workers' processes."""
    assert service.process is not None
    path = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children")
    return [int(pid) for pid in path.read_text().split()]


async def finish(it: Lane) -> Counter[str]:
    """End it in order, let others close what the killed left open, and check all of the log."""
    known = set(it.log.nodes.values())
    assert await it.service.end() == 0
    await it.read_on()
    it.clean |= set(it.log.nodes.values()) - known
    await settle_all(it.service.database)
    await it.read_on()
    await asyncio.to_thread(it.log.read_anew)
    endings = it.log.check_endings(it.heard)
    assert it.log.unknown_of(it.clean) == []
    assert it.log.owed == 0
    # What people changed is entered once, whether or not they heard that it was done.
    said = it.log.changes
    assert {of for event, of in said if event == "registered"} == it.log.states.keys()
    assert {count for (event, _of), count in said.items() if event == "registered"} == {1}
    revoked = {of for of, state in it.log.states.items() if state == "revoked"}
    assert {of for event, of in said if event == "revoked"} == revoked
    assert said["frozen", "uk-entity-data"] >= it.frozen > 0
    assert len([each for each in it.heard if each.status == 200]) > CALLERS
    return endings


async def kill_lanes(folder: Path, times: dict[int, int], seed: int) -> str:
    """Kill deployments of so many workers each so often, all at once. Gives what there is to say.

    `times`: kills by the number of workers.
    """

    async def one(workers: int, url: str) -> str:
        async with lane(folder / f"of-{workers}", url, workers, seed + workers) as it:
            await kill_often(it, times[workers])
            endings = await finish(it)
        received = Counter(_outcome(each) for each in it.heard)
        return (
            f"{times[workers]} kills, {workers} worker(s): moments {dict(it.moments)};"
            f" received {dict(received)}; {len(it.log.opened)} releases, endings {dict(endings)};"
            f" {it.log.frontier.size} entries; {len(it.revoked)} revocations confirmed"
        )

    began_s = time.monotonic()
    async with store() as url, asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(workers, url)) for workers in times]
    said = "\n".join(task.result() for task in tasks)
    return f"seed {seed}, {time.monotonic() - began_s:.0f} s\n{said}"


def _outcome(each: Heard) -> str:
    return f"{each.status} {'whole' if each.is_whole else 'broken'}"


async def make_and_kill(folder: Path, seed: int) -> None:
    """Kill it while it makes its database; what is there then is no obstacle to the next one."""
    service = Service(starter(folder, {"sample": "http://127.0.0.1:1"}))
    rng = random.Random(seed)
    try:
        await service.launch()
        while not service.database.exists():  # noqa: ASYNC110 - a file, and nobody tells of it
            await asyncio.sleep(0.001)
        await asyncio.sleep(rng.uniform(0, 0.2))
        await service.end(signal.SIGKILL)
        await service.start()
        assert await service.end() == 0
        Log(service.database).read_on()
    finally:
        await service.close()


async def test_it_may_be_killed_while_it_makes_its_database(tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")  # noqa: T201 - shown by a failure
    await make_and_kill(tmp_path / "made", seed)


@pytest.mark.deep
async def test_it_may_be_killed_30_times_while_it_makes_its_database(tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")  # noqa: T201 - shown by a failure
    for number in range(30):
        await make_and_kill(tmp_path / f"made-{number}", seed + number)


async def test_no_receipt_is_lost_when_it_is_killed(tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")  # noqa: T201 - shown by a failure
    print(await kill_lanes(tmp_path, {1: 11, 2: 1}, seed))  # noqa: T201 - likewise


@pytest.mark.deep
async def test_no_receipt_is_lost_when_it_is_killed_500_times(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    faulthandler.dump_traceback_later(40 * 60, exit=True)  # it takes longer than others may
    seed = secrets.randbits(32)
    print(f"seed {seed}")  # noqa: T201 - shown by a failure
    said = await kill_lanes(tmp_path, {1: 430, 2: 70}, seed)
    with capfd.disabled():
        print(f"\n{said}")  # noqa: T201 - these numbers are the result
