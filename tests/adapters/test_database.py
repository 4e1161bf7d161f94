"""What both databases promise. What only one of them has is in `test_sqlite`, `test_postgresql`."""

import asyncio
import multiprocessing
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError, OperationalError

from tests.kept import keep, make_table, names, put
from withhold.adapters.database import MAX_TOGETHER, Database, unavailable
from withhold.errors import DatabaseUnavailable, Denied, WithholdError


@contextmanager
def opened(url: str, max_waiting: int = 1_000) -> Iterator[Database]:
    database = Database(url, busy_timeout_s=30.0, max_waiting=max_waiting)
    try:
        yield database
    finally:
        database.close()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    with opened(database_url) as found:
        await make_table(found)
        yield found


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


async def keep_alone(database: Database, name: str) -> None:
    await database.write(lambda connection: put(connection, [name]))


async def test_what_was_written_outlives_the_process(database_url: str, database: Database) -> None:
    await keep(database, "a")
    database.close()
    with opened(database_url) as again:
        assert await names(again) == ["a"]
        await keep(again, "b")
        assert await names(again) == ["a", "b"]


async def test_what_waits_together_is_one_transaction(database: Database) -> None:
    with transactions(database) as seen:
        async with held(database):
            asked = [f"{i}" for i in range(MAX_TOGETHER + 1)]
            waiting = await queued(*(keep(database, name) for name in asked))
        await asyncio.gather(*waiting)
    assert seen == ["begin", "commit"] * 3  # the one that held it, a full one, and the last
    assert await names(database) == asked


async def test_what_goes_alone_goes_before_all_that_waits(database: Database) -> None:
    async with held(database):
        waiting = await queued(
            *(keep(database, f"{i}") for i in range(9)), keep_alone(database, "first")
        )
    await asyncio.gather(*waiting)
    assert await names(database) == ["first", *(f"{i}" for i in range(9))]


async def test_a_failed_transaction_fails_all_that_were_in_it(database: Database) -> None:
    await keep(database, "there")
    with transactions(database) as seen:
        async with held(database):
            waiting = await queued(*(keep(database, name) for name in ("a", "there", "b")))
        results = await asyncio.gather(*waiting, return_exceptions=True)
    assert seen == ["begin", "commit", "begin", "rollback"]
    assert {type(result) for result in results} == {DatabaseUnavailable}
    assert {str(result) for result in results} <= {
        "the database did not do it: UNIQUE constraint failed: kept.name",
        "the database did not do it: UniqueViolation (23505)",
    }
    await keep(database, "a")  # and then it goes on
    assert await names(database) == ["there", "a"]


async def test_a_commit_that_fails_is_none(database: Database) -> None:
    def refuse(_: Connection) -> None:
        raise OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))

    event.listen(database._writer, "commit", refuse)
    with pytest.raises(DatabaseUnavailable, match="disk I/O error"):
        await keep(database, "a")
    with pytest.raises(DatabaseUnavailable, match="disk I/O error"):
        await keep_alone(database, "b")
    event.remove(database._writer, "commit", refuse)
    await keep(database, "c")
    assert await names(database) == ["c"]


async def test_a_denial_is_told_to_whom_it_is_about(database: Database) -> None:
    def odd(connection: Connection, items: Sequence[int]) -> Sequence[int | WithholdError]:
        put(connection, [f"{item}" for item in items if item % 2])
        return [item if item % 2 else Denied("even", "it is even") for item in items]

    def refuse(connection: Connection) -> None:
        put(connection, ["undone"])
        raise Denied("no", "not this")

    async with held(database):
        waiting = [asyncio.ensure_future(database.write_together(odd, i)) for i in range(4)]
        await asyncio.sleep(0)
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert results[1::2] == [1, 3]
    assert all(isinstance(result, Denied) for result in results[::2])
    with pytest.raises(Denied):
        await database.write(refuse)
    assert await names(database) == ["1", "3"]


async def test_what_the_queue_has_no_room_for_is_refused_at_once(
    database_url: str, database: Database
) -> None:
    with opened(database_url, max_waiting=2) as small:
        async with held(small):
            waiting = await queued(*(keep(small, name) for name in ("a", "b")))
            with pytest.raises(DatabaseUnavailable, match="too much waits"):
                await keep(small, "c")
            # What ends access has a queue of its own.
            waiting += await queued(keep_alone(small, "first"))
        await asyncio.gather(*waiting)
    assert await names(database) == ["first", "a", "b"]


async def test_who_no_longer_waits_takes_back_what_has_not_begun(database: Database) -> None:
    async with held(database):
        gone, stays = await queued(keep(database, "a"), keep(database, "b"))
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
    await stays
    async with held(database):
        (gone,) = await queued(keep(database, "c"))
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
    await keep(database, "d")
    assert await names(database) == ["b", "d"]


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
    database.close()
    database.close()
    with pytest.raises(DatabaseUnavailable, match="the database is closed"):
        await keep_alone(database, "a")
    with pytest.raises(DatabaseUnavailable, match="the database is closed"):
        await keep(database, "a")
    with pytest.raises(DatabaseUnavailable, match="the database is closed"):
        await names(database)


async def test_closing_writes_what_waits(database_url: str, database: Database) -> None:
    asked = [f"{i}" for i in range(20)]
    waiting = await queued(*(keep(database, name) for name in asked))
    database.close()
    assert await asyncio.gather(*waiting) == [None] * 20
    with opened(database_url) as again:
        assert await names(again) == asked


async def test_reading_is_of_one_moment_and_cannot_write(database: Database) -> None:
    def count_twice(connection: Connection) -> list[int]:
        count = text("SELECT count(*) FROM kept")
        before = connection.execute(count).scalar_one()
        asyncio.run_coroutine_threadsafe(keep(database, "a"), loop).result()
        return [before, connection.execute(count).scalar_one()]

    loop = asyncio.get_running_loop()
    assert await database.read(count_twice) == [0, 0]
    assert await names(database) == ["a"]
    with pytest.raises(DatabaseUnavailable, match=r"readonly|ReadOnlySqlTransaction \(25006\)"):
        await database.read(lambda c: c.execute(text("DELETE FROM kept")))


async def test_a_read_that_fails_says_so(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable, match=r"no such table: gone|UndefinedTable \(42P01\)"):
        await database.read(lambda c: c.execute(text("SELECT * FROM gone")))


async def test_no_error_holds_a_value(database: Database) -> None:
    await keep(database, "CANARY")
    with pytest.raises(DatabaseUnavailable) as caught:
        await keep(database, "CANARY")
    assert "canary" not in f"{caught.value!r}".lower()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_another_drivers_text_is_not_repeated() -> None:
    class DriverError(Exception):
        pass

    error = DBAPIError("INSERT", {}, DriverError("Key (id)=(W-canary) already exists"))
    assert str(unavailable(error)) == "the database did not do it: DriverError"


async def test_several_nodes_share_numbers_without_a_gap(
    database_url: str, database: Database
) -> None:
    with opened(database_url) as second, opened(database_url) as third:
        nodes = (database, second, third)
        await asyncio.gather(*(keep(nodes[i % 3], f"{i}") for i in range(300)))
        assert sorted(map(int, await names(database))) == list(range(300))


def _open(url: str, barrier: threading.Barrier) -> None:
    barrier.wait()
    Database(url).close()


def test_several_workers_may_start_at_once(database_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(3)
    workers = [context.Process(target=_open, args=(database_url, barrier)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 3
    Database(database_url).close()


KEEP = """
import asyncio, sys
from tests.kept import keep, make_table
from withhold.adapters.database import Database

async def main():
    database = Database(sys.argv[1])
    await make_table(database)
    async def one(i):
        await keep(database, f"{i}")
        print(i, flush=True)
    for start in range(0, 1_000_000, 8):
        await asyncio.gather(*(one(i) for i in range(start, start + 8)))

asyncio.run(main())
"""


def test_what_was_confirmed_is_there_after_the_process_was_killed(database_url: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KEEP, database_url], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        confirmed = [process.stdout.readline().strip() for _ in range(100)]
        process.send_signal(signal.SIGKILL)
        confirmed += process.stdout.read().split()
    with opened(database_url) as database:
        assert set(asyncio.run(names(database))) >= set(confirmed)
