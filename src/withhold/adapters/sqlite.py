"""SQLite, as the writer and the readers are connected to it: a file of the owner's, kept whole.

A file that was moved, removed or replaced is no database any more: SQLite would write on into what
has no name, where no receipt is found again and no revocation by another process is heard of.
"""

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from withhold.errors import DatabaseUnavailable

Identity = tuple[int, int]  # what tells a file from another of its name


def make_file(path: Path) -> None:
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
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        message = "the database's file, or the folder around it, can't be written"
        raise DatabaseUnavailable(message, "the disk is read-only, or they are somebody else's")


def identify_files(path: Path) -> dict[Path, Identity]:
    """Give the file and the log beside it, each with what tells it from another of that name."""
    log = path.with_name(f"{path.name}-wal")
    return {each: _identity(each) for each in (path, log) if each.exists()}


def check_files(files: dict[Path, Identity]) -> None:
    """Check that what was opened is what is there. Raises: DatabaseUnavailable."""
    try:
        same = all(_identity(path) == opened for path, opened in files.items())
    except OSError:
        same = False
    if not same:
        raise DatabaseUnavailable("the database's file was moved, removed or replaced")


def make_engine(url: URL, busy_timeout_s: float, connections: int, *, writes: bool) -> Engine:
    """Make an engine whose connections write and keep what they confirm, or only read."""
    engine = create_engine(
        url,
        hide_parameters=True,  # law 6: no value in an error's text
        pool_size=connections,
        connect_args={"timeout": busy_timeout_s},
    )
    event.listen(engine, "connect", _connect_writer if writes else _connect_reader)
    # The driver begins transactions when it sees fit; we say when, and for writing at once:
    # a lock that is taken later can fail a transaction that has read already.
    begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def is_busy(error: DBAPIError) -> bool:
    """Tell whether somebody else's transaction was in the way, and nothing else."""
    return getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY


def _identity(path: Path) -> Identity:
    found = path.stat()
    return found.st_dev, found.st_ino


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
