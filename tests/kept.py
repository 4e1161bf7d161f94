"""What a test of the database itself writes: names, numbered in the order of their transactions."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, Text, insert, select
from sqlalchemy.schema import CreateTable

from withhold.adapters.database import Database
from withhold.adapters.schema import take_numbers

kept = Table(
    "kept",
    MetaData(),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False, unique=True),
)


async def make_table(database: Database) -> None:
    """Make the table that the others are about."""
    await database.write(lambda connection: connection.execute(CreateTable(kept)))


def put(connection: Connection, names: Sequence[str]) -> list[None]:
    """Write names, for `write_together`."""
    first = take_numbers(connection, "warrants", len(names))
    rows = [{"number": first + i, "name": name} for i, name in enumerate(names)]
    connection.execute(insert(kept), rows)
    return [None] * len(names)


async def keep(database: Database, name: str) -> None:
    """Write one name, in a transaction that others may share."""
    await database.write_together(put, name)


async def names(database: Database) -> list[str]:
    """Give all names. Their numbers have no gap."""
    rows = await database.read(lambda c: c.execute(select(kept).order_by(kept.c.number)).all())
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    return [row.name for row in rows]
