import sqlite3
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from tests.kept import keep, make_table, names, put
from withhold.adapters.database import Database
from withhold.adapters.reserve import Reserve
from withhold.adapters.schema import create_tables
from withhold.errors import DatabaseUnavailable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "withhold.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    opened = Database(f"sqlite:///{path}", busy_timeout_s=30.0)
    await make_table(opened)
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


def pragma(database: Database, name: str) -> object:
    with database._writer.connect() as connection:
        return connection.execute(text(f"PRAGMA {name}")).scalar()


async def test_a_session_is_set_to_keep_what_it_confirms(database: Database) -> None:
    assert pragma(database, "journal_mode") == "wal"
    assert pragma(database, "synchronous") == 2  # FULL
    assert pragma(database, "foreign_keys") == 1
    assert pragma(database, "secure_delete") == 1
    assert pragma(database, "busy_timeout") == 30_000


async def test_the_file_and_its_folder_are_the_owners(path: Path, database: Database) -> None:
    database.close()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


async def test_a_database_that_is_held_by_another_is_unavailable(
    path: Path, database: Database
) -> None:
    database.close()
    database = Database(f"sqlite:///{path}", busy_timeout_s=0.0)
    await keep(database, "a")
    with locked(path):
        with pytest.raises(DatabaseUnavailable, match="database is locked"):
            await keep(database, "b")
        with pytest.raises(DatabaseUnavailable, match="database is locked"):
            await database.write(lambda connection: put(connection, ["c"]))
        assert await names(database) == ["a"]  # reading waits for nobody
    await keep(database, "d")
    database.close()


async def test_another_that_writes_is_no_full_disk(path: Path) -> None:
    database = Database(f"sqlite:///{path}", busy_timeout_s=0.0)
    await make_table(database)
    await keep(database, "a")
    reserve = Reserve(path)
    assert reserve.is_whole()
    with locked(path), pytest.raises(DatabaseUnavailable, match="database is locked"):
        await database.write(lambda connection: put(connection, ["b"]), urgent=True)
    assert reserve.is_whole()
    database.close()


@pytest.mark.parametrize("which", ["withhold.db", "withhold.db-wal"])
@pytest.mark.parametrize("how", ["removed", "replaced"])
async def test_a_file_that_is_no_longer_there_is_no_database(
    path: Path, database: Database, which: str, how: str
) -> None:
    await keep(database, "a")
    file = path.with_name(which)
    aside = file.rename(file.with_suffix(".aside"))
    if how == "replaced":
        file.write_bytes(aside.read_bytes())
    with pytest.raises(DatabaseUnavailable, match="moved, removed or replaced"):
        await names(database)
    with pytest.raises(DatabaseUnavailable, match="moved, removed or replaced"):
        await keep(database, "b")
    assert file.exists() is (how == "replaced")
    aside.rename(file)
    assert await names(database) == ["a"]
    await keep(database, "c")


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, not at all. " * 100)
    with pytest.raises(DatabaseUnavailable, match="file is not a database"):
        Database(f"sqlite:///{path}")


async def test_a_database_that_stays_locked_while_opening_is_unavailable(
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
