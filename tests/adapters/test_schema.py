from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from withhold.adapters.schema import (
    create_tables,
    metadata,
    read_clock,
    sequences,
    take_numbers,
)
from withhold.errors import DatabaseUnavailable


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    engine = create_engine(f"sqlite:///{tmp_path / 'x.db'}")
    with engine.begin() as opened:
        create_tables(opened)
        yield opened
    engine.dispose()


def test_numbers_are_taken_in_order_and_without_gaps(connection: Connection) -> None:
    assert take_numbers(connection, "receipts", 1) == 1
    assert take_numbers(connection, "receipts", 3) == 2
    assert take_numbers(connection, "changes", 1) == 1
    assert take_numbers(connection, "receipts", 1) == 5


def test_making_the_tables_again_changes_nothing(connection: Connection) -> None:
    take_numbers(connection, "receipts", 7)
    create_tables(connection)
    rows = {row.name: row.value for row in connection.execute(select(sequences))}
    assert rows == {"schema": 1, "warrants": 0, "changes": 0, "receipts": 7}


def test_a_clock_that_gives_no_date_is_no_clock(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_clock(connection).second > 1_700_000_000
    monkeypatch.setattr("withhold.adapters.schema._CLOCK", {"sqlite": "SELECT 'noon'"})
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
    assert "sequence BIGINT NOT NULL" in "".join(said)
    assert "SERIAL" not in "".join(said)
