"""Statements that an append runs, compiled once, and with as many rows as there are.

SQLAlchemy compiles a statement of many rows anew, and hands its rows to SQLite one by one: each
gives up the interpreter's lock, and to get it back takes as long as the event loop likes. Here
rows go by the hundred, in statements whose sizes are powers of two, so that there are few of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, CursorResult, Table, insert, make_url
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

MAX_ROWS: Final = 128  # of one statement
# The dialect of each, and how it writes a parameter that is told by its place.
_DIALECTS: Final = {
    "sqlite": ("sqlite://", "qmark"),
    "postgresql": ("postgresql+psycopg://", "format"),
}


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement in a database's own words, and what it takes, in order."""

    text: str
    names: Sequence[str]
    fixed: Mapping[str, Any]  # what the statement itself says

    def run(self, connection: Connection, values: Mapping[str, Any]) -> CursorResult[Any]:
        """Run it with these values."""
        given = {**self.fixed, **values}
        return connection.exec_driver_sql(self.text, tuple([given[name] for name in self.names]))


def compiled(connection: Connection, statement: ClauseElement) -> Compiled:
    """Compile for the database of the connection, once."""
    return _compile(statement, connection.dialect.name)


def insert_rows(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows, each with all columns in the order of the table."""
    one = compiled(connection, _insert(table))
    at = 0
    while at < len(rows):
        count = min(1 << (len(rows) - at).bit_length() - 1, MAX_ROWS)
        values = tuple([value for row in rows[at : at + count] for value in row])
        connection.exec_driver_sql(_many(one.text, count), values)
        at += count


def padded(values: Sequence[str]) -> list[str]:
    """Repeat the last one, up to a power of two: `IN` means the same, and few texts are compiled.

    Without any: an empty one, which names nothing.
    """
    found = list(values) or [""]
    return found + found[-1:] * ((1 << (len(found) - 1).bit_length()) - len(found))


@lru_cache
def _insert(table: Table) -> ClauseElement:
    return insert(table)


@lru_cache(maxsize=256)
def _compile(statement: ClauseElement, database: str) -> Compiled:
    url, style = _DIALECTS[database]
    dialect = make_url(url).get_dialect()()
    dialect.paramstyle, dialect.positional = style, True
    made = statement.compile(dialect=dialect)
    if not isinstance(made, SQLCompiler):
        raise TypeError
    fixed = {key: value for key, value in made.params.items() if value is not None}
    return Compiled(str(made), tuple(made.positiontup or ()), fixed)


@lru_cache
def _many(text: str, count: int) -> str:
    begin, values, row = text.rpartition(" VALUES ")
    return begin + values + ", ".join([row] * count)
