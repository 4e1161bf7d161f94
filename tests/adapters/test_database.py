import asyncio
import contextlib
import json
import multiprocessing
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError, OperationalError

from tests.durable import W1, condition, on_database, receipt, registered
from withhold.adapters.database import MAX_TOGETHER, Database, unavailable
from withhold.adapters.schema import create_tables
from withhold.errors import DatabaseUnavailable, Denied, LedgerUnavailable, WithholdError
from withhold.names import State
from withhold.ports import Appended

ACTIVE = frozenset({State.ACTIVE})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "withhold.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{path}", busy_timeout_s=30.0)
    yield opened
    opened.close()


@contextmanager
def locked(path: Path) -> Iterator[sqlite3.Connection]:
    """Hold the one write lock, as another worker's transaction would."""
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("BEGIN IMMEDIATE")
    try:
        yield raw
    finally:
        if raw.in_transaction:
            raw.execute("ROLLBACK")
        raw.close()


@contextmanager
def transactions(database: Database) -> Iterator[list[str]]:
    """Note every transaction that the writer begins, and how it ends."""
    seen: list[str] = []
    listeners = {
        name: partial(lambda name, _: seen.append(name), name)
        for name in ("begin", "commit", "rollback")
    }
    for name, listener in listeners.items():
        event.listen(database._writer, name, listener)
    yield seen
    for name, listener in listeners.items():
        event.remove(database._writer, name, listener)


@asynccontextmanager
async def held(database: Database) -> AsyncIterator[None]:
    """Keep the writer busy, so that what is asked meanwhile waits in its queue."""
    entered, go_on = threading.Event(), threading.Event()

    def wait(_: Connection) -> None:
        entered.set()
        go_on.wait()

    holding = asyncio.ensure_future(database.write(wait))
    await asyncio.to_thread(entered.wait)
    try:
        yield
    finally:
        go_on.set()
        await holding


async def queued(*asked: Awaitable[None]) -> list[asyncio.Future[None]]:
    """Let each ask, and put itself into the queue."""
    futures: list[asyncio.Future[None]] = [asyncio.ensure_future(each) for each in asked]
    await asyncio.sleep(0)
    return futures


def pragma(database: Database, name: str) -> object:
    with database._writer.connect() as connection:
        return connection.execute(text(f"PRAGMA {name}")).scalar()


def test_sqlite_is_set_to_keep_what_it_confirms(database: Database) -> None:
    assert pragma(database, "journal_mode") == "wal"
    assert pragma(database, "synchronous") == 2  # FULL
    assert pragma(database, "foreign_keys") == 1
    assert pragma(database, "secure_delete") == 1
    assert pragma(database, "busy_timeout") == 30_000


def test_the_file_and_its_folder_are_the_owners(path: Path, database: Database) -> None:
    database.close()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


async def test_what_was_written_outlives_the_process(path: Path, database: Database) -> None:
    durable = on_database(database)
    await durable.registry.register(registered())
    await durable.ledger.append(receipt("R-a"), condition())
    database.close()
    again = Database(f"sqlite:///{path}")
    durable = on_database(again)
    assert await durable.registry.find(W1) == registered()
    assert len(await durable.ledger.receipts(0, 10)) == 1
    await durable.ledger.append(receipt("R-b"), condition())
    assert [a.sequence for a in await durable.ledger.receipts(0, 10)] == [1, 2]
    again.close()


async def test_what_waits_together_is_one_transaction(database: Database) -> None:
    durable = on_database(database)
    await durable.registry.register(registered())
    with transactions(database) as seen:
        async with held(database):
            count = MAX_TOGETHER + 1
            waiting = await queued(
                *(durable.ledger.append(receipt(), condition()) for _ in range(count))
            )
        await asyncio.gather(*waiting)
    assert seen == ["begin", "commit"] * 3  # the one that held it, a full one, and the last
    assert len(await durable.ledger.receipts(0, 1_000)) == count


async def test_a_revocation_goes_before_all_appends_that_wait(database: Database) -> None:
    durable = on_database(database)
    await durable.registry.register(registered())
    async with held(database):
        waiting = await queued(
            *(durable.ledger.append(receipt(), condition()) for _ in range(9)),
            durable.registry.move(W1, ACTIVE, State.REVOKED),
        )
    *appends, revocation = await asyncio.gather(*waiting, return_exceptions=True)
    assert revocation is None
    assert all(isinstance(denial, Denied) for denial in appends)
    assert list(await durable.ledger.receipts(0, 10)) == []


async def test_a_failed_transaction_fails_all_that_were_in_it(
    path: Path, database: Database
) -> None:
    durable = on_database(database)
    await durable.registry.register(registered())
    await durable.ledger.append(receipt("R-0"), condition())
    with contextlib.closing(sqlite3.connect(path)) as raw:
        raw.execute(
            "CREATE TRIGGER full BEFORE INSERT ON receipts WHEN NEW.id = 'R-bad'"
            " BEGIN SELECT RAISE(ABORT, 'no room'); END"
        )
    with transactions(database) as seen:
        async with held(database):
            names = ("R-a", "R-bad", "R-b")
            waiting = await queued(*(durable.ledger.append(receipt(n), condition()) for n in names))
        results = await asyncio.gather(*waiting, return_exceptions=True)
    assert seen == ["begin", "commit", "begin", "rollback"]
    assert {type(result) for result in results} == {LedgerUnavailable}
    assert {str(result) for result in results} == {
        "the receipt is not durable: the database did not do it: no room"
    }
    await durable.ledger.append(receipt("R-a"), condition())  # and then it goes on
    assert [a.sequence for a in await durable.ledger.receipts(0, 10)] == [1, 2]


async def test_a_commit_that_fails_is_no_receipt(database: Database) -> None:
    durable = on_database(database)
    await durable.registry.register(registered())

    def refuse(_: Connection) -> None:
        raise OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))

    event.listen(database._writer, "commit", refuse)
    with pytest.raises(LedgerUnavailable, match="disk I/O error"):
        await durable.ledger.append(receipt("R-a"), condition())
    with pytest.raises(DatabaseUnavailable, match="disk I/O error"):
        await durable.registry.move(W1, ACTIVE, State.CLOSED)
    event.remove(database._writer, "commit", refuse)
    await durable.ledger.append(receipt("R-a"), condition())


async def test_a_database_that_is_held_by_another_is_unavailable(path: Path) -> None:
    database = Database(f"sqlite:///{path}", busy_timeout_s=0.0)
    durable = on_database(database)
    await durable.registry.register(registered())
    with locked(path):
        with pytest.raises(LedgerUnavailable, match="database is locked"):
            await durable.ledger.append(receipt(), condition())
        with pytest.raises(DatabaseUnavailable, match="database is locked"):
            await durable.registry.move(W1, ACTIVE, State.REVOKED)
        assert await durable.registry.find(W1)  # reading waits for nobody
    await durable.ledger.append(receipt(), condition())
    database.close()


@pytest.mark.parametrize("which", ["withhold.db", "withhold.db-wal"])
@pytest.mark.parametrize("how", ["removed", "replaced"])
async def test_a_file_that_is_no_longer_there_is_no_database(
    path: Path, database: Database, which: str, how: str
) -> None:
    durable = on_database(database)
    await durable.registry.register(registered())
    file = path.with_name(which)
    kept = file.rename(file.with_suffix(".kept"))
    if how == "replaced":
        file.write_bytes(kept.read_bytes())
    with pytest.raises(DatabaseUnavailable, match="moved, removed or replaced"):
        await durable.registry.find(W1)
    with pytest.raises(LedgerUnavailable, match="moved, removed or replaced"):
        await durable.ledger.append(receipt(), condition())
    assert file.exists() is (how == "replaced")
    kept.rename(file)
    assert await durable.ledger.receipts(0, 9) == ()
    await durable.ledger.append(receipt(), condition())


async def test_what_the_queue_has_no_room_for_is_refused_at_once(path: Path) -> None:
    database = Database(f"sqlite:///{path}", max_waiting=2)
    durable = on_database(database)
    await durable.registry.register(registered())
    async with held(database):
        waiting = await queued(*(durable.ledger.append(receipt(), condition()) for _ in range(2)))
        with pytest.raises(LedgerUnavailable, match="too much waits"):
            await durable.ledger.append(receipt(), condition())
        # What ends access has a queue of its own.
        waiting += await queued(durable.registry.move(W1, ACTIVE, State.REVOKED))
    *appends, revocation = await asyncio.gather(*waiting, return_exceptions=True)
    assert revocation is None
    assert all(isinstance(denial, Denied) for denial in appends)
    database.close()


async def test_who_no_longer_waits_takes_back_what_has_not_begun(database: Database) -> None:
    durable = on_database(database)
    async with held(database):
        gone, stays = await queued(
            durable.ledger.append(receipt("R-a"), None), durable.ledger.append(receipt("R-b"), None)
        )
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
    await stays
    async with held(database):
        (gone,) = await queued(durable.ledger.append(receipt("R-c"), None))
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
    await durable.ledger.append(receipt("R-d"), None)
    kept = [json.loads(a.receipt)["id"] for a in await durable.ledger.receipts(0, 10)]
    assert kept == ["R-b", "R-d"]


async def test_a_fault_of_ours_is_told_and_ends_nothing(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    def wrong(_: Connection) -> None:
        raise ZeroDivisionError

    def too_few(_: Connection, items: Sequence[int]) -> list[int | WithholdError]:
        return [*items[1:]]

    with pytest.raises(DatabaseUnavailable, match="ZeroDivisionError"):
        await database.write(wrong)
    with pytest.raises(DatabaseUnavailable, match="ValueError"):
        await database.write_together(too_few, 1)
    assert "a write failed by a fault of ours: ZeroDivisionError" in caplog.text
    assert await database.write(lambda _: 42) == 42


async def test_a_closed_database_takes_and_gives_nothing(database: Database) -> None:
    durable = on_database(database)
    database.close()
    database.close()
    with pytest.raises(DatabaseUnavailable, match="the database is closed"):
        await durable.registry.register(registered())
    with pytest.raises(LedgerUnavailable, match="the database is closed"):
        await durable.ledger.append(receipt(), None)
    with pytest.raises(DatabaseUnavailable, match="the database is closed"):
        await durable.registry.find(W1)
    with pytest.raises(LedgerUnavailable, match="the database is closed"):
        await durable.ledger.receipts(0, 1)


async def test_closing_writes_what_waits(path: Path, database: Database) -> None:
    durable = on_database(database)
    waiting = await queued(*(durable.ledger.append(receipt(), None) for _ in range(20)))
    database.close()
    assert await asyncio.gather(*waiting) == [None] * 20
    with contextlib.closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT count(*) FROM receipts").fetchone() == (20,)


async def test_reading_cannot_write(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable, match="readonly"):
        await database.read(lambda c: c.execute(text("DELETE FROM warrants")))


async def test_a_read_that_fails_says_so(path: Path, database: Database) -> None:
    durable = on_database(database)
    await durable.registry.find(W1)
    with contextlib.closing(sqlite3.connect(path)) as raw:
        raw.execute("ALTER TABLE warrants RENAME TO gone")
    with pytest.raises(DatabaseUnavailable, match="no such table: warrants"):
        await durable.registry.find(W1)


async def test_no_error_holds_a_value(path: Path, database: Database) -> None:
    durable = on_database(database)
    with contextlib.closing(sqlite3.connect(path)) as raw:
        raw.execute("DROP TABLE changes")
    canary = registered("W-canary", document=b"CANARY")
    with pytest.raises(DatabaseUnavailable) as caught:
        await durable.registry.register(canary)
    error: BaseException | None = caught.value
    assert "canary" not in f"{error!r}".lower()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_another_drivers_text_is_not_repeated() -> None:
    class DriverError(Exception):
        pass

    error = DBAPIError("INSERT", {}, DriverError("Key (id)=(W-canary) already exists"))
    assert str(unavailable(error)) == "the database did not do it: DriverError"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "the database's URL is not one"),
        ("withhold.db", "the database's URL is not one"),
        ("mysql://root:hunter2@db/x", "begins with neither `sqlite` nor `postgresql`"),
        ("sqlite://", "a database in memory keeps nothing"),
        ("sqlite:///:memory:", "a database in memory keeps nothing"),
        ("postgresql+nodriver://u:hunter2@db/x", "the database's driver is unknown"),
        ("postgresql://u:hunter2@db/x?nonsense=1", "the database's URL is not one"),
        ("postgresql://u:hunter2@127.0.0.1:x/x", "can't be connected to: look at its own log"),
        ("sqlite:////dev/null/x.db", "the database's file can't be made"),
    ],
)
def test_a_url_that_cannot_be_served_is_refused(url: str, message: str) -> None:
    with pytest.raises(DatabaseUnavailable) as caught:
        Database(url)
    assert message in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_driver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "withhold.adapters.postgresql", raising=False)
    monkeypatch.delattr("withhold.adapters.postgresql", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(DatabaseUnavailable, match=r"a driver: `pip install 'withhold\[postgr"):
        Database("postgresql://u:hunter2@db/x")


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, not at all. " * 100)
    with pytest.raises(DatabaseUnavailable, match="file is not a database"):
        Database(f"sqlite:///{path}")


def test_tables_of_another_version_are_not_touched(path: Path, database: Database) -> None:
    database.close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE sequences SET value = 2 WHERE name = 'schema'")
    raw.close()
    with pytest.raises(DatabaseUnavailable, match="tables of version 2, not 1"):
        Database(f"sqlite:///{path}")


def test_a_database_that_stays_locked_while_opening_is_unavailable(
    path: Path, database: Database
) -> None:
    database.close()
    with locked(path), pytest.raises(DatabaseUnavailable, match="database is locked"):
        Database(f"sqlite:///{path}", busy_timeout_s=0.0)


def test_while_others_are_making_the_tables_opening_waits(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = iter([True, True, False])

    def make(connection: Connection) -> None:
        if next(attempts):
            raise OperationalError("PRAGMA", {}, sqlite3.OperationalError("database is locked"))
        create_tables(connection)

    monkeypatch.setattr("withhold.adapters.database.create_tables", make)
    Database(f"sqlite:///{path}").close()
    assert next(attempts, "none") == "none"


def _open(url: str, barrier: threading.Barrier) -> None:
    barrier.wait()
    Database(url).close()


def test_several_workers_may_start_at_once(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(3)
    workers = [context.Process(target=_open, args=(f"sqlite:///{path}", barrier)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 3
    Database(f"sqlite:///{path}").close()


APPENDS = """
import asyncio, sys
from tests.durable import condition, on_database, receipt, registered
from withhold.adapters.database import Database

async def main():
    durable = on_database(Database(sys.argv[1]))
    await durable.registry.register(registered())
    async def one(i):
        await durable.ledger.append(receipt(f"R-{i}"), condition())
        print(f"R-{i}", flush=True)
    for start in range(0, 1_000_000, 8):
        await asyncio.gather(*(one(i) for i in range(start, start + 8)))

asyncio.run(main())
"""


async def _every_receipt(database: Database) -> Sequence[Appended]:
    return await on_database(database).ledger.receipts(0, 1_000_000)


def test_what_was_confirmed_is_there_after_the_process_was_killed(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", APPENDS, f"sqlite:///{path}"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        confirmed = [process.stdout.readline().strip() for _ in range(100)]
        process.send_signal(signal.SIGKILL)
        confirmed += process.stdout.read().split()
    database = Database(f"sqlite:///{path}")
    kept = asyncio.run(_every_receipt(database))
    assert [a.sequence for a in kept] == list(range(1, len(kept) + 1))
    assert {json.loads(a.receipt)["id"] for a in kept} >= set(confirmed)
    database.close()
