"""The tables, in SQL that SQLite and PostgreSQL both take, and the two things that differ.

Numbers are handed out from rows of `sequences`, not by the database's own counters: a transaction
that takes one holds that row until it has committed, so numbers become visible in their order and
without gaps, and nobody who has read up to one can miss a smaller one.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.schema import CreateIndex, CreateTable

from withhold.errors import DatabaseUnavailable
from withhold.kinds.instant import Instant, parse_rfc3339
from withhold.ledger.tree import Frontier

VERSION: Final = 2  # of the tables; another one is not touched

metadata: Final = MetaData()

# SQLite keeps no second tree for a key of this type alone: it is the row's own number.
_NUMBER: Final = BigInteger().with_variant(Integer, "sqlite")

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
    Column("sequence", _NUMBER, primary_key=True, autoincrement=False),
    Column("warrant", Text, ForeignKey("warrants.id"), nullable=False),
    Column("state", Text, nullable=False),
    Column("at", Text, nullable=False),
)
log: Final = Table(  # one row: the right edge of the tree
    "log",
    metadata,
    Column("id", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("frontier", LargeBinary, nullable=False),  # see `ledger.tree`
)
entries: Final = Table(  # INVARIANT: rows are added; later only parts of one become NULL (pruned)
    "entries",
    metadata,
    Column("leaf_index", _NUMBER, primary_key=True, autoincrement=False),
    Column("type", Text, nullable=False),
    Column("receipt", Text),  # a disclosure's handle
    Column("warrant", Text),
    Column("node", Text),  # who is to say what became of it; of openings and releases
    Column("leaf", LargeBinary, nullable=False),  # 32 bytes; stays when all else is pruned
    Column("public", LargeBinary),  # canonical
    Column("salt", LargeBinary),
    Column("sealed", LargeBinary),  # canonical
    UniqueConstraint("receipt", "type"),
    Index("entries_by_warrant", "warrant", "leaf_index"),
)
subtrees: Final = Table(  # roots of full subtrees, so that no proof reads more than 511 rows
    "subtrees",
    metadata,
    Column("level", BigInteger, primary_key=True, autoincrement=False),  # a multiple of 8, from 8
    Column("subtree", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
)
owed: Final = Table(  # what took effect, and is still to be entered in the log
    "owed",
    metadata,
    Column("sequence", _NUMBER, primary_key=True, autoincrement=False),
    Column("entry", LargeBinary, nullable=False),
)
refusals: Final = Table(  # counted here until their minute is over
    "refusals",
    metadata,
    Column("caller", Text, primary_key=True),
    Column("code", Text, primary_key=True),
    Column("minute", Text, primary_key=True),
    Column("times", BigInteger, nullable=False),
)
nodes: Final = Table(  # who may still say what became of a release
    "nodes",
    metadata,
    Column("node", Text, primary_key=True),
    Column("seen", BigInteger, nullable=False),  # by the database's clock, in seconds since 1970
    Column("settled", BigInteger, nullable=False),  # it owes no closing for entries before this
)
entered: Final = Table(  # what bundles, signers and keys the log last said there are
    "entered",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
checkpoints: Final = Table(  # at most one row: the newest that witnesses have signed
    "checkpoints",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, nullable=False),
)
used: Final = Table(  # what served once and never again: approvals
    "used",
    metadata,
    Column("digest", Text, primary_key=True),
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
    Column("key_id", Text),  # as every token made with it says; NULL: no key was ever made
    Column("at", Text, nullable=False),
)

_SEQUENCES: Final = ("warrants", "changes", "owed")
LOG: Final = "log"  # the id of its one row
# Where the two differ. RFC 3339 in UTC, of the moment of the statement and not of the transaction.
_CLOCK: Final = {
    "sqlite": func.strftime("%Y-%m-%dT%H:%M:%fZ", "now"),
    "postgresql": func.to_char(
        func.timezone("UTC", func.clock_timestamp()), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
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
    names = set(inspect(connection).get_table_names())
    for table in metadata.sorted_tables:
        if table.name not in names:  # a node needs no right to create what is there
            connection.execute(CreateTable(table))
            for index in table.indexes:
                connection.execute(CreateIndex(index))
    there = {row.name: row.value for row in connection.execute(select(sequences))}
    for name, value in (("schema", VERSION), *((name, 0) for name in _SEQUENCES)):
        if name not in there:
            connection.execute(insert(sequences).values(name=name, value=value))
    if connection.execute(select(log.c.id)).scalar_one_or_none() is None:
        empty = {"id": LOG, "size": 0, "frontier": Frontier().encode()}
        connection.execute(insert(log).values(empty))
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
    return str(connection.execute(select(clock_of(connection.dialect.name))).scalar_one())


def read_clock(connection: Connection) -> Instant:
    """Give the database's clock, the only one that all nodes share. Raises: DatabaseUnavailable."""
    return parse_clock(read_clock_text(connection))


def clock_of(dialect: str) -> ColumnElement[str]:
    """Give what a question asks the clock with, for an answer in RFC 3339 in UTC."""
    return _CLOCK[dialect]


def has_row_locks(connection: Connection) -> bool:
    """Tell whether rows have locks. Else who writes has the whole file from the beginning."""
    return connection.dialect.name == "postgresql"


def parse_clock(said: str) -> Instant:
    """Read what the clock said. Raises: DatabaseUnavailable."""
    now = parse_rfc3339(said)
    if now is None:
        raise DatabaseUnavailable("the database's clock gives no date")
    return now
