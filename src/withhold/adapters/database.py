"""The database: one thread that writes, a few that read. Registry, ledger and keys stand on it.

Writes that may go together do: whatever waits when a transaction begins is one commit, and one
wait for the disk. Writes of the control plane go alone, and before those, so that a revocation
waits for no disclosure. A failed transaction fails all that were in it; nobody is told that a
thing is durable before it is. What the queue has no room for is refused, not kept waiting.
A file that was moved, removed or replaced is no database any more: SQLite would write on into what
has no name, where no receipt is found again and no revocation by another process is heard of.
"""

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from withhold.adapters.schema import DIALECTS, create_tables
from withhold.errors import DatabaseUnavailable, WithholdError

Item = TypeVar("Item")
Result = TypeVar("Result")
# A result per item, in order; a denial is a result, and has written nothing.
Together = Callable[[Connection, Sequence[Item]], Sequence[Result | WithholdError]]

MAX_TOGETHER: Final = 256  # writes in one transaction
MAX_WAITING: Final = 4_096
BUSY_TIMEOUT_S: Final = 5.0  # SQLite: for another process's transaction to end
_READERS: Final = 2
_POOL: Final = 8  # connections that read: those threads, `Standing`, and room

_log: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class _Job:
    """One write. Jobs of one `work` that stand in a row are handed to it at once."""

    work: Together[Any, Any]
    item: Any
    done: Future[Any] = field(default_factory=Future)


class Database:
    """One database, open. Every method raises DatabaseUnavailable."""

    def __init__(
        self,
        url: str,
        *,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        """Connect, create what is missing and start the writer.

        `url`: `sqlite:///<path>` or `postgresql://…`. An SQLite file is made readable by its owner
        only, and so is the folder around it, if that is missing.
        """
        parsed = _parse(url)
        if parsed.get_backend_name() == "sqlite":
            _make_file(Path(parsed.database or ""))
        self._is_open = True
        self._files: dict[Path, tuple[int, int]] = {}  # SQLite's, as they were opened
        self._max_waiting = max_waiting
        self._alone: deque[_Job] = deque()
        self._together: deque[_Job] = deque()
        self._wake = threading.Condition()
        self._writer = _engine(parsed, busy_timeout_s, writes=True)
        self._reader = _engine(parsed, busy_timeout_s, writes=False)
        try:
            self._prepare(busy_timeout_s)
            if parsed.get_backend_name() == "sqlite":
                self._files = _files_of(Path(parsed.database or ""))
        except SQLAlchemyError as error:
            self._dispose()
            raise unavailable(error) from None
        except DatabaseUnavailable:
            self._dispose()
            raise
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="withhold-read")
        self._thread = threading.Thread(target=self._run, name="withhold-write", daemon=True)
        self._thread.start()

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a transaction of its own, before all that is written together.

        Durable on return. A `WithholdError` that `work` raises undoes the transaction.
        """
        job = _Job(lambda connection, _: [work(connection)], None)
        result: Result = await self._put(self._alone, job)
        return result

    async def write_together(self, work: Together[Item, Result], item: Item) -> Result:
        """Write `item` in a transaction that others may share. Durable on return."""
        result: Result = await self._put(self._together, _Job(work, item))
        return result

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` on a connection that only reads."""
        return await self._in_reader(partial(self.read_now, work))

    def read_now(self, work: Callable[[Connection], Result]) -> Result:
        """Do as `read` does, in the calling thread."""
        self._check_files()  # a connection that is made now would make the file anew
        try:
            with self._reader.connect() as connection:
                result = work(connection)
        except SQLAlchemyError as error:
            raise unavailable(error) from None
        self._check_files()
        return result

    async def scrub(self) -> None:
        """SQLite: move the write-ahead log into the file and empty it, as far as others allow.

        What was deleted is then in neither. Elsewhere nothing happens.
        """
        await self._in_reader(self._scrub)

    def close(self) -> None:
        """Write what still waits, then end. Further writes are refused. Idempotent."""
        with self._wake:
            self._is_open = False
            self._wake.notify()
        self._thread.join()
        self._readers.shutdown()
        self._dispose()

    async def _put(self, queue: deque[_Job], job: _Job) -> Any:  # noqa: ANN401 - `write` types it
        with self._wake:
            if not self._is_open:
                raise DatabaseUnavailable("the database is closed")
            if len(queue) >= self._max_waiting:
                raise DatabaseUnavailable("the database is behind: too much waits to be written")
            queue.append(job)
            self._wake.notify()
        # CRASH: nothing is written, nobody was told anything.
        # Whoever no longer waits takes back what has not begun; what has begun, ends.
        return await asyncio.wrap_future(job.done)

    async def _in_reader(self, work: Callable[[], Result]) -> Result:
        try:
            under_way = asyncio.get_running_loop().run_in_executor(self._readers, work)
        except RuntimeError:  # the executor's only one: it was shut down
            raise DatabaseUnavailable("the database is closed") from None
        return await under_way

    def _scrub(self) -> None:
        # Not in a transaction, which would keep the log from being emptied.
        with contextlib.suppress(SQLAlchemyError), self._reader.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _check_files(self) -> None:
        """Check that what was opened is what is there. Raises: DatabaseUnavailable."""
        try:
            same = all(_identity(path) == opened for path, opened in self._files.items())
        except OSError:
            same = False
        if not same:
            raise DatabaseUnavailable("the database's file was moved, removed or replaced")

    def _run(self) -> None:
        while jobs := self._take():
            self._commit([job for job in jobs if job.done.set_running_or_notify_cancel()])

    def _take(self) -> list[_Job]:
        """Wait for jobs; none means that the end has come and nothing waits any more."""
        with self._wake:
            self._wake.wait_for(lambda: self._alone or self._together or not self._is_open)
            if self._alone:
                return [self._alone.popleft()]
            count = min(len(self._together), MAX_TOGETHER)
            return [self._together.popleft() for _ in range(count)]

    def _commit(self, jobs: list[_Job]) -> None:
        try:
            with self._writer.begin() as connection:
                results = [
                    result
                    for work, same in groupby(jobs, key=lambda job: job.work)
                    for result in work(connection, [job.item for job in same])
                ]
                told = list(zip(jobs, results, strict=True))
                self._check_files()
                # CRASH: the transaction is undone when the database is opened again; nobody was
                # told anything, and nothing has left.
        except Exception as error:  # noqa: BLE001 - this thread must outlive whatever one job does
            # CRASH, and the same if the commit failed halfway: what was written may be durable,
            # while nobody believes it is. A receipt without a disclosure; never the reverse.
            for job in jobs:
                job.done.set_exception(unavailable(error))
            return
        # CRASH: all of it is durable and nobody was told: as above.
        for job, result in told:
            if isinstance(result, WithholdError):
                job.done.set_exception(result)
            else:
                job.done.set_result(result)

    def _prepare(self, busy_timeout_s: float) -> None:
        # Turning to write-ahead logging needs the file for itself for a moment, and SQLite does
        # not wait for that: several workers that start at once take turns here.
        deadline = time.monotonic() + busy_timeout_s
        while True:
            try:
                with self._writer.begin() as connection:
                    create_tables(connection)
            except DBAPIError as error:
                if "locked" not in str(error.orig) or time.monotonic() >= deadline:
                    raise
                self._writer.dispose()
                time.sleep(0.01)
            else:
                return

    def _dispose(self) -> None:
        self._writer.dispose()
        self._reader.dispose()


def unavailable(error: Exception) -> WithholdError:
    """Give what a waiter is told: never a statement or its values; our own errors as they are."""
    if isinstance(error, WithholdError):
        return error
    if not isinstance(error, SQLAlchemyError):
        _log.error("a write failed by a fault of ours: %s", type(error).__name__)
    cause = error.orig if isinstance(error, DBAPIError) else None
    # SQLite's messages are fixed words and names of tables; those of other databases quote values.
    is_sqlite = type(cause).__module__ == "sqlite3"
    said = str(cause) if is_sqlite else type(cause or error).__name__
    return DatabaseUnavailable(f"the database did not do it: {said}")


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:  # its text holds the URL, and that a password
        raise DatabaseUnavailable("the database's URL is not one") from None
    known = " nor ".join(f"`{name}`" for name in DIALECTS)
    if parsed.get_backend_name() not in DIALECTS:
        raise DatabaseUnavailable(f"the database's URL begins with neither {known}")
    if parsed.get_backend_name() == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise DatabaseUnavailable("a database in memory keeps nothing: give a file")
    return parsed


def _make_file(path: Path) -> None:
    """Make the file before SQLite does, which would let others of the group read it."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Only if it is missing: closing a file ends every lock that this process has on it
        # (POSIX), those of another connection of ours too.
        if not path.exists():
            with contextlib.suppress(FileExistsError):  # another worker was first
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        message = f"the database's file can't be made: {error.strerror}"
        raise DatabaseUnavailable(message) from None


def _files_of(path: Path) -> dict[Path, tuple[int, int]]:
    """Give the file and the log beside it, each with what tells it from another of that name."""
    log = path.with_name(f"{path.name}-wal")
    return {each: _identity(each) for each in (path, log) if each.exists()}


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _engine(url: URL, busy_timeout_s: float, *, writes: bool) -> Engine:
    sqlite = url.get_backend_name() == "sqlite"
    options: dict[str, Any] = {"connect_args": {"timeout": busy_timeout_s}} if sqlite else {}
    try:
        engine = create_engine(
            url,
            hide_parameters=True,  # law 6: no value in an error's text
            pool_size=1 if writes else _POOL,
            pool_pre_ping=not sqlite,
            **options,
        )
    except ArgumentError:
        raise DatabaseUnavailable("the database's driver is unknown") from None
    except ModuleNotFoundError as error:
        raise DatabaseUnavailable(f"the database needs the package `{error.name}`") from None
    if sqlite:
        event.listen(engine, "connect", _connect_writer if writes else _connect_reader)
        # The driver begins transactions when it sees fit; we say when, and for writing at once:
        # a lock that is taken later can fail a transaction that has read already.
        begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _connect_writer(raw: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own
    raw.isolation_level = None
    raw.execute("PRAGMA journal_mode = WAL")
    raw.execute("PRAGMA synchronous = FULL")  # a commit returns when the disk has it
    raw.execute("PRAGMA fullfsync = ON")  # macOS: the disk, not its cache
    raw.execute("PRAGMA foreign_keys = ON")
    raw.execute("PRAGMA secure_delete = ON")  # a destroyed key is overwritten


def _connect_reader(raw: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own
    raw.isolation_level = None
    raw.execute("PRAGMA query_only = ON")
