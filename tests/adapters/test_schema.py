from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, literal_column, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from withhold.adapters.schema import (
    LOG,
    VERSION,
    create_tables,
    log,
    metadata,
    read_clock,
    sequences,
    take_numbers,
)
from withhold.errors import DatabaseUnavailable
from withhold.ledger.tree import Frontier


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    engine = create_engine(f"sqlite:///{tmp_path / 'x.db'}")
    with engine.begin() as opened:
        create_tables(opened)
        yield opened
    engine.dispose()


def test_numbers_are_taken_in_order_and_without_gaps(connection: Connection) -> None:
    assert take_numbers(connection, "owed", 1) == 1
    assert take_numbers(connection, "owed", 3) == 2
    assert take_numbers(connection, "changes", 1) == 1
    assert take_numbers(connection, "owed", 1) == 5


def test_making_the_tables_again_changes_nothing(connection: Connection) -> None:
    take_numbers(connection, "owed", 7)
    create_tables(connection)
    rows = {row.name: row.value for row in connection.execute(select(sequences))}
    assert rows == {"schema": VERSION, "warrants": 0, "changes": 0, "owed": 7}


def test_there_is_one_log_however_often_the_tables_are_made(connection: Connection) -> None:
    create_tables(connection)
    rows = connection.execute(select(log)).all()
    assert [(row.id, row.size, Frontier.decode(row.frontier)) for row in rows] == [
        (LOG, 0, Frontier())
    ]


@pytest.mark.parametrize("version", [VERSION - 1, VERSION + 1])
def test_tables_of_another_version_are_not_touched(connection: Connection, version: int) -> None:
    other = update(sequences).where(sequences.c.name == "schema").values(value=version)
    connection.execute(other)
    with pytest.raises(DatabaseUnavailable, match=f"tables of version {version}, not {VERSION}"):
        create_tables(connection)


def test_a_clock_that_gives_no_date_is_no_clock(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_clock(connection).second > 1_700_000_000
    monkeypatch.setattr("withhold.adapters.schema._CLOCK", {"sqlite": literal_column("'noon'")})
    with pytest.raises(DatabaseUnavailable, match="gives no date"):
        read_clock(connection)


def test_the_tables_can_be_said_to_postgresql() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call] # the library's
    said = [str(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables]
    said += [
        str(CreateIndex(index).compile(dialect=dialect))
        for table in metadata.sorted_tables
        for index in table.indexes
    ]
    assert "document BYTEA NOT NULL" in "".join(said)
    assert "CREATE INDEX entries_by_warrant" in "".join(said)
    assert "sequence BIGINT NOT NULL" in "".join(said)
    assert "SERIAL" not in "".join(said)
