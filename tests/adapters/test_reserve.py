"""The space that is kept for ending access: on its own, and on disks that are full or read-only."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from tests.durable import W1, Durable, change, on_database, receipt, registered, whole
from withhold.adapters.database import Database
from withhold.adapters.reserve import RESERVE_BYTES, Reserve
from withhold.errors import DatabaseUnavailable, LedgerUnavailable
from withhold.names import State
from withhold.ports import Freeze

ROOT = Path(__file__).parents[2]
SIZE = 64 * 1024
ACTIVE = frozenset({State.ACTIVE})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "withhold.db"


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


class TestReserve:
    def test_it_is_there_and_no_hole(self, path: Path) -> None:
        reserve = Reserve(path, SIZE)
        assert not reserve.is_whole()
        assert reserve.restore()
        assert reserve.is_whole()
        (name,) = files(path.parent)
        found = path.with_name(name).stat()
        assert name == "withhold.db-reserve"
        assert found.st_size == SIZE
        assert found.st_blocks * 512 >= SIZE
        assert stat.S_IMODE(found.st_mode) == 0o600
        assert len(set(path.with_name(name).read_bytes())) == 256  # nor can it be packed

    def test_what_is_whole_is_left_as_it_is(self, path: Path) -> None:
        Reserve(path, SIZE).restore()
        file = path.with_name("withhold.db-reserve")
        before = file.read_bytes()
        assert Reserve(path, SIZE).restore()
        assert file.read_bytes() == before

    @pytest.mark.parametrize("size", [0, SIZE - 1, SIZE + 1])
    def test_one_of_another_size_is_not_whole(self, path: Path, size: int) -> None:
        path.with_name("withhold.db-reserve").write_bytes(bytes(size))
        reserve = Reserve(path, SIZE)
        assert not reserve.is_whole()
        assert reserve.restore()
        assert reserve.is_whole()

    def test_it_is_given_away_and_taken_again(self, path: Path) -> None:
        reserve = Reserve(path, SIZE)
        reserve.restore()
        for _ in range(2):
            reserve.release()
            assert files(path.parent) == []
        assert reserve.restore()

    def test_where_there_is_too_little_room_nothing_is_taken(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        left = SimpleNamespace(f_bavail=2 * SIZE // 512 - 1, f_frsize=512)
        monkeypatch.setattr(os, "statvfs", lambda _: left)
        assert not Reserve(path, SIZE).restore()
        assert files(path.parent) == []
        left.f_bavail += 1
        assert Reserve(path, SIZE).restore()

    def test_a_disk_that_fails_meanwhile_leaves_no_part(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_: int) -> None:
            raise OSError

        monkeypatch.setattr(os, "fsync", fail)
        assert not Reserve(path, SIZE).restore()
        assert files(path.parent) == []

    def test_a_folder_that_is_gone_has_no_reserve(self, tmp_path: Path) -> None:
        reserve = Reserve(tmp_path / "gone" / "withhold.db", SIZE)
        assert not reserve.restore()
        reserve.release()


class TestDatabase:
    @pytest.fixture
    async def durable(self, path: Path) -> AsyncIterator[Durable]:
        database = Database(f"sqlite:///{path}")
        found = on_database(database)
        await found.registry.register(registered(), change())
        yield found
        database.close()

    async def test_whoever_writes_first_takes_it(self, path: Path, durable: Durable) -> None:
        await durable.ledger.append(receipt())
        assert path.with_name("withhold.db-reserve").stat().st_size == RESERVE_BYTES

    @pytest.mark.parametrize("which", ["move", "freeze"])
    async def test_what_ends_access_is_tried_again_with_the_space(
        self, path: Path, durable: Durable, monkeypatch: pytest.MonkeyPatch, which: str
    ) -> None:
        database = durable.database
        assert isinstance(database, Database)
        reserve = path.with_name("withhold.db-reserve")
        transact = database._transact
        there: list[bool] = []

        def full(jobs: list[Any]) -> list[Any]:
            there.append(reserve.exists())
            if there[-1]:
                raise OperationalError("", {}, sqlite3.OperationalError("disk is full"))
            return transact(jobs)

        with monkeypatch.context() as patch:
            patch.setattr(database, "_transact", full)
            if which == "move":
                await durable.registry.move(W1, ACTIVE, State.REVOKED, change())
            else:
                await durable.registry.freeze(Freeze(), change())
            assert there == [True, False]
            patch.setattr(Reserve, "restore", Reserve.is_whole)  # there is no room for it
            for attempt in (
                durable.ledger.append(receipt()),
                durable.registry.thaw(Freeze(), change()),
                durable.registry.register(registered("W-2"), change()),
            ):
                with pytest.raises(
                    (DatabaseUnavailable, LedgerUnavailable), match="the disk is full"
                ):
                    await attempt
        await durable.ledger.append(receipt())
        assert reserve.stat().st_size == RESERVE_BYTES
        said = await whole(durable.ledger)
        assert [one["type"] for one in said] == ["warrant", "warrant", "release"]

    async def test_what_does_not_end_access_never_gets_it(
        self, path: Path, durable: Durable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(_: list[Any]) -> list[Any]:
            raise OperationalError("", {}, sqlite3.OperationalError("disk is full"))

        with monkeypatch.context() as patch:
            patch.setattr(durable.database, "_transact", full)
            for attempt in (
                durable.ledger.append(receipt()),
                durable.registry.move(W1, ACTIVE, State.ACTIVE, change()),
                durable.registry.thaw(Freeze(), change()),
                durable.registry.register(registered("W-2"), change()),
            ):
                with pytest.raises((DatabaseUnavailable, LedgerUnavailable), match="disk is full"):
                    await attempt
        assert path.with_name("withhold.db-reserve").exists()


COMMON = """
import asyncio, os, sys
from pathlib import Path
import pytest
from tests.durable import W1, about, change, condition, on_database, receipt, registered, whole
from withhold.adapters.database import Database
from withhold.errors import DatabaseUnavailable, Denied, LedgerUnavailable
from withhold.names import State, StoreName
from withhold.ports import Freeze

ACTIVE = frozenset({State.ACTIVE})
folder = Path(sys.argv[1])
reserve = folder / "withhold.db-reserve"

async def denied(awaitable):
    with pytest.raises(Denied) as caught:
        await awaitable
    return caught.value.reason
"""

FULL = """
async def main():
    database = Database(f"sqlite:///{folder / 'withhold.db'}")
    it = on_database(database)
    for i in range(1, 41):
        await it.registry.register(registered(f"W-{i}"), change(f"W-{i}"))
    await it.ledger.append(receipt("R-before"), condition())
    assert reserve.exists()

    # The disk fills: with what is not ours, and then with appends until one is refused.
    with open(folder / "filler", "wb", buffering=0) as filler, pytest.raises(OSError):
        while True:
            filler.write(bytes(4096))
    kept = 0
    with pytest.raises(LedgerUnavailable, match="the entry is not durable"):
        while kept < 10_000:
            await it.ledger.append(receipt(), condition())
            kept += 1
    with pytest.raises(LedgerUnavailable):
        await it.ledger.append(receipt(), condition())
    assert reserve.exists()

    # What ends access holds, by the reserve, many times over.
    for i in range(1, 41):
        await it.registry.move(f"W-{i}", ACTIVE, State.REVOKED, change(f"W-revoked-{i}"))
    await it.registry.freeze(Freeze(StoreName("mail")), change("W-freeze"))
    assert not reserve.exists()
    assert (await it.registry.find(W1)).state is State.REVOKED
    assert (await it.registry.changes(0)).freezes == {Freeze(StoreName("mail"))}

    # Nothing else goes on, also where there were a little space.
    for attempt in (
        it.ledger.append(receipt()),
        it.ledger.append(receipt(), condition()),
        it.ledger.settle(),
        it.registry.register(registered("W-99"), change()),
        it.registry.thaw(Freeze(StoreName("mail")), change()),
    ):
        with pytest.raises((LedgerUnavailable, DatabaseUnavailable), match="the disk is full"):
            await attempt
    before = await whole(it.ledger)
    assert len(before) == 41 + kept

    # A process that starts meanwhile knows of it, too.
    database.close()
    database = Database(f"sqlite:///{folder / 'withhold.db'}")
    it = on_database(database)
    assert (await it.registry.find(W1)).state is State.REVOKED
    with pytest.raises(LedgerUnavailable, match="the disk is full"):
        await it.ledger.append(receipt())

    # There is space again: all goes on, and what was done without the ledger is entered first.
    (folder / "filler").unlink()
    assert await denied(it.ledger.append(receipt(), condition())) == "warrant-not-active"
    assert reserve.stat().st_size == 4 * 2**20
    await it.ledger.append(receipt("R-after"))
    said = await whole(it.ledger)
    assert said[: len(before)] == before
    owed = [one["warrant"] for one in said[len(before) : -1]]
    assert owed == [*(f"W-revoked-{i}" for i in range(1, 41)), "W-freeze"]
    assert about(said[-1:], "R-after") == ["release R-after"]
    database.close()

asyncio.run(main())
"""

READ_ONLY = """
import resource

async def main():
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    database = Database(f"sqlite:///{folder / 'withhold.db'}")
    it = on_database(database)
    await it.registry.register(registered(), change())
    await it.ledger.append(receipt("R-before"), condition())

    for _ in range(2):
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))  # no file takes another byte
        for attempt in (
            it.ledger.append(receipt("R-lost"), condition()),
            it.ledger.count_refusals({("a", "frozen", "2026-11-24T14:05Z"): 1}),
        ):
            with pytest.raises(LedgerUnavailable, match="disk I/O error|disk is full"):
                await attempt
        for attempt in (
            it.registry.move(W1, ACTIVE, State.REVOKED, change()),
            it.registry.freeze(Freeze(), change()),
            it.registry.register(registered("W-2"), change()),
        ):
            with pytest.raises(DatabaseUnavailable, match="disk I/O error|disk is full"):
                await attempt
        # Nothing is done by halves, and all that is there can be read.
        assert (await it.registry.find(W1)).state is State.ACTIVE
        assert (await it.registry.changes(0)).freezes == frozenset()
        assert about(await whole(it.ledger), "R-before") == ["warrant", "release R-before"]

        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        await it.ledger.settle()
        assert about(await whole(it.ledger), "R-before") == ["warrant", "release R-before"]

    await it.ledger.append(receipt("R-after"), condition())
    assert reserve.exists()
    await it.registry.move(W1, ACTIVE, State.REVOKED, change())
    assert await denied(it.ledger.append(receipt(), condition())) == "warrant-not-active"
    said = about(await whole(it.ledger), "R-before", "R-after")
    assert said == ["warrant", "release R-before", "release R-after", "warrant"]
    database.close()

asyncio.run(main())
"""


def run_script(script: str, folder: Path, before: Sequence[str] = ()) -> None:
    """Run a story in a process of its own, whose disk is not the tests'."""
    command = [*before, sys.executable, "-c", COMMON + script, str(folder)]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


MOUNT = 'mount -t tmpfs -o "size=$1" tmpfs "$2" && shift 2 && exec "$@"'


def small_disk(folder: Path, size: str) -> list[str]:
    """Give what runs a command with a small disk at `folder`, which only that command sees."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("no small disk can be made: there is no `unshare`")
    for flags in ("-m", "-rm"):
        before = [unshare, flags, "sh", "-c", MOUNT, "sh", size, str(folder)]
        if subprocess.run([*before, "true"], capture_output=True, check=False).returncode == 0:
            return before
    pytest.skip("no small disk can be made: mounting one is not allowed here")


def test_on_a_full_disk_only_what_ends_access_goes_on(tmp_path: Path) -> None:
    run_script(FULL, tmp_path, small_disk(tmp_path, "24m"))


def test_on_a_disk_that_takes_nothing_nothing_is_lost(tmp_path: Path) -> None:
    run_script(READ_ONLY, tmp_path)
