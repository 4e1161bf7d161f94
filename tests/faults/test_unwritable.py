"""A disk that takes no write at all: nothing leaves, and what was ended meanwhile stays ended.

By the kernel's limit on what a process may write to files, and by a file system that is made to be
read-only. Then it takes writes again, while callers ask as fast as they can: whoever had ended
access must win that race.
"""

import asyncio
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.faults.asking import Heard
from tests.faults.disk import small_disk
from tests.faults.oracle import Log
from tests.faults.service import Service, ask_small, codes
from tests.faults.store import LARGE, LONG, SMALL, store
from tests.running import starter
from withhold.demo.story import EPOC
from withhold.names import State

REVOKED, SUSPENDED, FROZEN, OTHER = "W-REVOKED", "W-SUSPENDED", "W-FROZEN", "W-OTHER"
REFUSALS = {"ledger-unavailable", "database-unavailable"}
HAMMERS = 3  # for each warrant
DURABLE_S = 1.0

linux = pytest.mark.skipif(sys.platform != "linux", reason="`prlimit` is Linux's")


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Service]:
    """Serve, with a warrant for each thing that is done to one."""
    async with store() as url:
        service = Service(starter(folder, {"sample": url}))
        try:
            await service.start()
            await service.grant(REVOKED, SUSPENDED, OTHER)
            await service.grant(FROZEN, order=EPOC)
            yield service
        finally:
            await service.close()


def limit(service: Service, size_bytes: int) -> None:
    """Let none of its files grow past a size, from now on: also what is written within is refused.

    Python ignores SIGXFSZ, so that a write beyond it fails, and nothing else happens.
    """
    assert service.process is not None
    _, hard = resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (size_bytes, hard))


async def hammer(service: Service, warrant: str, heard: list[Heard]) -> None:
    """Ask under a warrant for ever."""
    with service.caller() as connection:
        while True:
            heard.append(await ask_small(connection, warrant))


async def until_unwritable(service: Service) -> None:
    """Ask for each kind of answer, until none is given and nothing of one."""
    with service.caller() as connection:
        while (await ask_small(connection, OTHER)).code not in REFUSALS:
            pass
        for path in (SMALL, LARGE, LONG):
            answer = await connection.get(path, OTHER)
            assert answer is not None
            assert answer.code in REFUSALS
            assert answer.receipt is None


@linux
async def test_what_ends_while_nothing_can_be_written_stays_ended(tmp_path: Path) -> None:
    async with served(tmp_path / "made") as service:
        limit(service, 0)
        await until_unwritable(service)
        await end_access(service)
        await recover(service)


async def end_access(service: Service) -> None:
    """End it in each way. Nobody is told that it is durable, and here it is in force at once."""
    for words in (("warrant", "revoke", REVOKED), ("warrant", "suspend", SUSPENDED)):
        done = await service.command(*words)
        assert done.code == 3
        assert "in force in this process and not durable yet: " in done.err
    done = await service.command("freeze", "--instrument", EPOC.instrument)
    assert done.code == 3
    assert "frozen in this process and not durable yet: " in done.err
    with service.caller() as connection:
        for warrant in (REVOKED, SUSPENDED):
            assert (await ask_small(connection, warrant)).code == "warrant-not-active"
        assert (await ask_small(connection, FROZEN)).code == "frozen"
        assert (await ask_small(connection, OTHER)).code in REFUSALS


async def recover(service: Service) -> None:
    """Let it write again, while callers ask as fast as they can under what was ended."""
    ended: dict[str, list[Heard]] = {REVOKED: [], SUSPENDED: [], FROZEN: []}
    hammers = [
        asyncio.create_task(hammer(service, warrant, heard))
        for warrant, heard in ended.items()
        for _ in range(HAMMERS)
    ]
    with service.caller() as connection:
        while min(map(len, ended.values())) < HAMMERS:
            assert (await ask_small(connection, OTHER)).code in REFUSALS
    limit(service, resource.RLIM_INFINITY)
    async with asyncio.timeout(DURABLE_S):
        log = Log(service.database)
        while (
            log.states.get(REVOKED) != State.REVOKED
            or log.states.get(SUSPENDED) != State.SUSPENDED
            or not log.changes["frozen", EPOC.instrument] + log.owed
        ):
            await asyncio.sleep(0.02)
            log.read_on()
    with service.caller() as connection:
        while (await ask_small(connection, OTHER)).status != 200:
            pass
        before = {warrant: len(heard) for warrant, heard in ended.items()}
        while any(len(heard) < before[warrant] + HAMMERS for warrant, heard in ended.items()):
            assert (await ask_small(connection, OTHER)).status == 200
    for task in hammers:
        task.cancel()
    await asyncio.gather(*hammers, return_exceptions=True)
    assert codes(ended[REVOKED]).keys() == {"warrant-not-active"}
    assert codes(ended[SUSPENDED]).keys() == {"warrant-not-active"}
    assert codes(ended[FROZEN]).keys() == {"frozen"}

    assert await service.end() == 0
    log.read_on()
    assert log.owed == 0
    assert log.changes["revoked", REVOKED] == 1
    assert log.changes["suspended", SUSPENDED] == 1
    assert log.changes["frozen", EPOC.instrument] == 1
    log.read_anew()


@pytest.mark.mounts
async def test_a_file_system_that_is_read_only_is_named(tmp_path: Path) -> None:
    """One that turns so while files are open for writing the kernel makes of broken disks only."""
    with small_disk(tmp_path / "disk") as disk:
        async with served(disk.path / "made") as service:
            await service.end()
            disk.remount("ro")
            await service.launch()
            assert not await service.is_ready()
            assert await service.ended() == 3
            said = "".join(line.get("text", "") for line in service.lines)
            assert said.startswith("error: the database's file"), said
            assert "the disk is read-only" in said
            assert "Traceback" not in said
            disk.remount("rw")
            await service.start()
            with service.caller() as connection:
                assert (await ask_small(connection, OTHER)).status == 200
