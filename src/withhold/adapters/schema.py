"""The tables, in SQL that SQLite and PostgreSQL both take, and the two things that differ.

Numbers are handed out from rows of `sequences`, not by the database's own counters: a transaction
that takes one holds that row until it has committed, so numbers become visible in their order and
without gaps, and nobody who has read up to one can miss a smaller one.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.schema import CreateIndex, CreateTable

from withhold.errors import DatabaseUnavailable
from withhold.kinds.instant import Instant, parse_rfc3339

VERSION: Final = 1  # of the tables; another one is not touched

metadata: Final = MetaData()

sequences: Final = Table(
    "sequences",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),  # the last number that was taken
)
warrants: Final = Table(
    "warrants",
    metadata,
    Column("id", Text, primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),  # in the order of registration
    Column("document", LargeBinary, nullable=False),
    Column("digest", Text, nullable=False),
    Column("state", Text, nullable=False),
)
changes: Final = Table(  # INVARIANT: rows are added, never changed or removed
    "changes",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("warrant", Text, ForeignKey("warrants.id"), nullable=False),
    Column("state", Text, nullable=False),
    Column("at", Text, nullable=False),
)
receipts: Final = Table(  # INVARIANT: rows are added, never changed or removed
    "receipts",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("stage", Text, nullable=False),  # a stream has two entries under one id
    Column("warrant", Text, nullable=False),
    Column("receipt", LargeBinary, nullable=False),  # its canonical encoding
    Column("at", Text, nullable=False),
    UniqueConstraint("id", "stage"),
    Index("receipts_by_warrant", "warrant", "sequence"),
)
freezes: Final = Table(
    "freezes",
    metadata,
    Column("store", Text, primary_key=True),  # empty: any; a key takes no NULL
    Column("instrument", Text, primary_key=True),  # likewise
    Column("at", Text, nullable=False),
)
token_keys: Final = Table(
    "token_keys",
    metadata,
    Column("warrant", Text, ForeignKey("warrants.id"), primary_key=True),
    Column("wrapped", LargeBinary),  # NULL: destroyed, and none is ever made again
    Column("wrapped_by", BigInteger, nullable=False),  # the version of the key-encryption key
    Column("at", Text, nullable=False),
)

_SEQUENCES: Final = ("warrants", "changes", "receipts")
# Where the two differ. RFC 3339 in UTC, of the moment of the statement and not of the transaction.
_CLOCK: Final = {
    "sqlite": "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
    "postgresql": (
        "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    ),
}
# SQLite's transactions begin IMMEDIATE, so whoever creates tables there is alone already.
_ALONE: Final = {
    "sqlite": "SELECT 1",
    "postgresql": "SELECT pg_advisory_xact_lock(7823961)",  # any number that only this uses
}
DIALECTS: Final = tuple(_CLOCK)


def create_tables(connection: Connection) -> None:
    """Create what is missing; several processes may do so at once.

    Raises: DatabaseUnavailable if the tables are those of another version.
    """
    connection.execute(text(_ALONE[connection.dialect.name]))
    for table in metadata.sorted_tables:
        connection.execute(CreateTable(table, if_not_exists=True))
        for index in table.indexes:
            connection.execute(CreateIndex(index, if_not_exists=True))
    there = {row.name: row.value for row in connection.execute(select(sequences))}
    for name, value in (("schema", VERSION), *((name, 0) for name in _SEQUENCES)):
        if name not in there:
            connection.execute(insert(sequences).values(name=name, value=value))
    # CRASH: all of this is one transaction, so either it was never begun or it is whole.
    found = there.get("schema", VERSION)
    if found != VERSION:
        raise DatabaseUnavailable(f"the database has tables of version {found}, not {VERSION}")


def take_numbers(connection: Connection, name: str, count: int) -> int:
    """Take `count` numbers of a sequence, in this transaction; gives the first of them."""
    taken = update(sequences).where(sequences.c.name == name)
    connection.execute(taken.values(value=sequences.c.value + count))
    last = connection.execute(select(sequences.c.value).where(sequences.c.name == name))
    return int(last.scalar_one()) - count + 1


def read_clock_text(connection: Connection) -> str:
    """Give the database's clock as RFC 3339 in UTC."""
    return str(connection.execute(text(_CLOCK[connection.dialect.name])).scalar_one())


def read_clock(connection: Connection) -> Instant:
    """Give the database's clock, the only one that all nodes share. Raises: DatabaseUnavailable."""
    now = parse_rfc3339(read_clock_text(connection))
    if now is None:
        raise DatabaseUnavailable("the database's clock gives no date")
    return now
