"""The database: one thread that writes, a few that read. Registry, ledger and keys stand on it.

Writes that may go together do: whatever waits when a transaction begins is one commit, and one
wait for the disk; under load the writer rests between two of them, so that they are fewer. Writes
of the control plane go alone, and before those, so that a revocation waits for no disclosure. A
failed transaction fails all that were in it; nobody is told that a thing is durable before it is.
What the queue has no room for is refused, not kept waiting.
The two databases differ in `sqlite.py` and `postgresql.py`, and nowhere above.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from withhold.adapters.engines import make_engines
from withhold.adapters.reserve import Reserve
from withhold.adapters.schema import create_tables
from withhold.adapters.sqlite import Identity, check_files, identify_files, is_busy
from withhold.errors import DatabaseUnavailable, WithholdError

Item = TypeVar("Item")
Result = TypeVar("Result")
# A result per item, in order; a denial is a result, and has written nothing.
Together = Callable[[Connection, Sequence[Item]], Sequence[Result | WithholdError]]

MAX_TOGETHER: Final = 256  # writes in one transaction
MAX_WAITING: Final = 4_096
MIN_REST_S: Final = 0.002
MAX_REST_S: Final = 0.01  # between two transactions that were full of what is in a hurry
PATIENCE_S: Final = 0.1
BUSY_TIMEOUT_S: Final = 5.0  # for another's transaction to end; whatever waits longer, fails
_READERS: Final = 2

_log: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class _Job:
    """One write. Jobs of one `work` that stand in a row are handed to it at once."""

    work: Together[Any, Any]
    item: Any
    done: asyncio.Future[Any]  # if it is, whoever asked waits no longer: it is not begun any more
    since_s: float
    urgent: bool = False  # may use the reserve
    patient: bool = False  # nobody waits for it: others may come first, for a moment


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
        only, and so is the folder around it, if that is missing. `busy_timeout_s`: to wait for a
        lock; PostgreSQL has twice that for a statement, and thrice for an answer of any kind.
        """
        engines = make_engines(url, busy_timeout_s)
        self._is_open = True
        self._files: dict[Path, Identity] = {}  # SQLite's, as they were opened
        self._reserve: Reserve | None = None  # SQLite's: elsewhere the disk is the server's
        self._max_waiting = max_waiting
        self._alone: deque[_Job] = deque()
        self._together: deque[_Job] = deque()
        self._hurried = False  # whether somebody waits for what is in `_together`
        self._rests_until_s = 0.0
        self._wake = threading.Condition()
        self._writer, self._reader = engines.writer, engines.reader
        if engines.file is not None:
            self._reserve = Reserve(engines.file)
        try:
            self._begin(engines.make_schema, busy_timeout_s)
        except SQLAlchemyError as error:
            self._dispose()
            raise unavailable(error) from None
        except DatabaseUnavailable:
            self._dispose()
            raise
        if engines.file is not None:
            self._files = identify_files(engines.file)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="withhold-read")
        self._thread = threading.Thread(target=self._run, name="withhold-write", daemon=True)
        self._thread.start()

    async def write(self, work: Callable[[Connection], Result], *, urgent: bool = False) -> Result:
        """Run `work` in a transaction of its own, before all that is written together.

        Durable on return. A `WithholdError` that `work` raises undoes the transaction. `urgent`:
        it may use the space that is reserved on the disk; it may be run twice.
        """
        job = _job(lambda connection, _: [work(connection)], None, urgent=urgent)
        self._put(self._alone, job)
        result: Result = await job.done
        return result

    def write_together(
        self, work: Together[Item, Result], item: Item, *, patient: bool = False
    ) -> "asyncio.Future[Result]":
        """Write `item` in a transaction that others may share. Durable once the future is done.

        If that is cancelled, or given an error, what has not begun by then is taken back; what has
        begun, ends. `patient`: it has PATIENCE_S to go along with what is in a hurry.
        """
        job = _job(work, item, patient=patient)
        self._put(self._together, job)
        return job.done

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` on a connection that only reads."""
        return await self._in_reader(partial(self.read_now, work))

    def read_now(self, work: Callable[[Connection], Result]) -> Result:
        """Do as `read` does, in the calling thread."""
        check_files(self._files)  # a connection that is made now would make the file anew
        try:
            with self._reader.connect() as connection:
                result = work(connection)
        except SQLAlchemyError as error:
            raise unavailable(error) from None
        check_files(self._files)
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

    def _put(self, queue: deque[_Job], job: _Job) -> None:
        with self._wake:
            if not self._is_open:
                raise DatabaseUnavailable("the database is closed")
            if len(queue) >= self._max_waiting:
                raise DatabaseUnavailable("the database is behind: too much waits to be written")
            queue.append(job)
            if queue is self._alone or self._wakes(job):
                self._wake.notify()
        # CRASH: nothing is written, nobody was told anything.

    def _wakes(self, job: _Job) -> bool:
        """Tell whether the writer must look; if not, it does by itself, soon enough."""
        if job.patient:
            return len(self._together) == 1
        hurried, self._hurried = self._hurried, True
        return not hurried or len(self._together) == MAX_TOGETHER

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

    def _run(self) -> None:
        while jobs := self._take():
            began_s = time.thread_time()
            self._commit([job for job in jobs if not job.done.done()])
            worked_s = time.thread_time() - began_s
            self._rests_until_s = time.monotonic() + min(max(worked_s, MIN_REST_S), MAX_REST_S)

    def _take(self) -> list[_Job]:
        """Wait for jobs; none means that the end has come and nothing waits any more."""
        with self._wake:
            while not self._alone and self._is_open and len(self._together) < MAX_TOGETHER:
                wait_s = self._waits_s()
                if wait_s is not None and wait_s <= 0:
                    break
                self._wake.wait(wait_s)
            if self._alone:
                return [self._alone.popleft()]
            count = min(len(self._together), MAX_TOGETHER)
            taken = [self._together.popleft() for _ in range(count)]
            self._hurried = any(not job.patient for job in self._together)
            return taken

    def _waits_s(self) -> float | None:
        """Give for how long others may still join what is written together; None: for ever.

        A transaction costs about as much for ten as for one, and while one is written others come.
        So the writer rests for as long as it worked on the last one, not counting what it waited
        for the disk: small ones cost no more than half of the time that there is, and who waits
        for a slow disk does not wait twice. It rests 2 ms at least, which nobody notices who comes
        alone: at 1,000 requests a second that is 0.58 ms of processor each and not 0.81, for a p50
        of 2.9 ms and not 1.0; at full load 6 % more of them.
        """
        if not self._together:
            return None
        now_s = time.monotonic()
        if self._hurried:
            return self._rests_until_s - now_s
        return max(self._rests_until_s, self._together[0].since_s + PATIENCE_S) - now_s

    def _transact(self, jobs: list[_Job]) -> list[tuple[_Job, Any]]:
        with self._writer.begin() as connection:
            results = [
                result
                for work, same in groupby(jobs, key=lambda job: job.work)
                for result in work(connection, [job.item for job in same])
            ]
            told = list(zip(jobs, results, strict=True))
            check_files(self._files)
            # CRASH: the transaction is undone when the database is opened again; nobody was
            # told anything, and nothing has left.
        return told

    def _write(self, jobs: list[_Job]) -> list[tuple[_Job, Any]]:
        """Run one transaction, within what the disk has. Jobs that are urgent come alone."""
        if self._reserve is None:
            return self._transact(jobs)
        if not any(job.urgent for job in jobs):
            if not self._reserve.restore():
                raise DatabaseUnavailable("the disk is full: what is left is kept for revoking")
            return self._transact(jobs)
        try:
            return self._transact(jobs)
        except OperationalError as error:  # a full disk says many things
            if is_busy(error):  # and this is none of them
                raise
            self._reserve.release()
            return self._transact(jobs)

    def _commit(self, jobs: list[_Job]) -> None:
        try:
            told = self._write(jobs)
        except Exception as error:  # noqa: BLE001 - this thread must outlive whatever one job does
            # CRASH, and the same if the commit failed halfway: what was written may be durable,
            # while nobody believes it is. A receipt without a disclosure; never the reverse.
            told = [(job, unavailable(error)) for job in jobs]
        # CRASH: all of it is durable and nobody was told: as above.
        _tell(told)

    def _begin(self, make_schema: Callable[[Connection], None], busy_timeout_s: float) -> None:
        try:
            self._prepare(make_schema, busy_timeout_s)
        except OperationalError as error:
            if self._reserve is None or not self._reserve.is_whole() or is_busy(error):
                raise
            # To be open takes a little space too, and who isn't can't revoke.
            self._reserve.release()
            self._writer.dispose()
            self._prepare(make_schema, busy_timeout_s)

    def _prepare(self, make_schema: Callable[[Connection], None], busy_timeout_s: float) -> None:
        # Turning to write-ahead logging needs the file for itself for a moment, and SQLite does
        # not wait for that: several workers that start at once take turns here.
        deadline = time.monotonic() + busy_timeout_s
        while True:
            try:
                with self._writer.begin() as connection:
                    make_schema(connection)
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


def _job(
    work: Together[Any, Any], item: object, *, urgent: bool = False, patient: bool = False
) -> _Job:
    done = asyncio.get_running_loop().create_future()
    return _Job(work, item, done, time.monotonic(), urgent, patient)


def _tell(told: Sequence[tuple[_Job, Any]]) -> None:
    """Tell the waiters, those of an event loop at once: to wake one up costs a system call."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Job, Any]]] = defaultdict(list)
    for job, result in told:
        by_loop[job.done.get_loop()].append((job, result))
    for loop, these in by_loop.items():
        with contextlib.suppress(RuntimeError):  # it was closed, and nobody waits there any more
            loop.call_soon_threadsafe(_tell_here, these)


def _tell_here(told: Sequence[tuple[_Job, Any]]) -> None:
    for job, result in told:
        if job.done.done():
            continue
        if isinstance(result, WithholdError):
            job.done.set_exception(result)
        else:
            job.done.set_result(result)


def unavailable(error: Exception) -> WithholdError:
    """Give what a waiter is told: never a statement or its values; our own errors as they are."""
    if isinstance(error, WithholdError):
        return error
    if not isinstance(error, SQLAlchemyError):
        _log.error("a write failed by a fault of ours: %s", type(error).__name__)
    cause = error.orig if isinstance(error, DBAPIError) else None
    # SQLite's messages are fixed words and names of tables; PostgreSQL's quote values, and are
    # told by their names and SQLSTATEs.
    if type(cause).__module__ == "sqlite3":
        said = str(cause)
    else:
        state = getattr(cause, "sqlstate", None)
        said = type(cause or error).__name__ + (f" ({state})" if state else "")
    return DatabaseUnavailable(f"the database did not do it: {said}")
