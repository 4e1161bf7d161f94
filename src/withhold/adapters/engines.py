"""What a database's URL means: an engine that writes by one connection, one that reads by several.

Neither has connected yet. Which of the two databases it is, is known here and in their own files.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError

from withhold.adapters import sqlite
from withhold.adapters.schema import DIALECTS
from withhold.errors import DatabaseUnavailable

_READING: Final = 8  # connections: the threads of `Database`, `Standing`, and room


@dataclass(frozen=True, slots=True)
class Engines:
    """The two, and what there is to do before the tables are made."""

    writer: Engine
    reader: Engine
    file: Path | None  # SQLite's
    make_schema: Callable[[Connection], None]


def make_engines(url: str, busy_timeout_s: float) -> Engines:
    """Read the URL. Makes SQLite's file, if that is missing. Raises: DatabaseUnavailable."""
    return _sqlite(url, busy_timeout_s) if _is_sqlite(url) else _postgresql(url, busy_timeout_s)


def _is_sqlite(url: str) -> bool:
    scheme, mark, _ = url.partition("://")
    if not mark:
        raise DatabaseUnavailable("the database's URL is not one")
    backend, _, driver = scheme.partition("+")
    if backend not in DIALECTS:
        known = " nor ".join(f"`{name}`" for name in DIALECTS)
        raise DatabaseUnavailable(f"the database's URL begins with neither {known}")
    if driver and scheme != "postgresql+psycopg":
        raise DatabaseUnavailable("the database's driver is unknown")
    return backend == "sqlite"


def _sqlite(url: str, busy_timeout_s: float) -> Engines:
    parsed = _parse(url)
    file = Path(parsed.database or "")
    sqlite.make_file(file)
    return Engines(
        writer=sqlite.make_engine(parsed, busy_timeout_s, 1, writes=True),
        reader=sqlite.make_engine(parsed, busy_timeout_s, _READING, writes=False),
        file=file,
        make_schema=lambda _: None,
    )


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # their texts hold the URL
        raise DatabaseUnavailable("the database's URL is not one") from None
    if parsed.database in {None, "", ":memory:"}:
        raise DatabaseUnavailable("a database in memory keeps nothing: give a file")
    return parsed


def _postgresql(url: str, busy_timeout_s: float) -> Engines:
    try:
        from withhold.adapters import postgresql  # noqa: PLC0415 - its driver may be missing
    except ImportError:  # of the package, or of libpq beneath it
        message = "the database needs a driver: `pip install 'withhold[postgresql]'`"
        raise DatabaseUnavailable(message) from None
    return Engines(
        writer=postgresql.make_engine(url, busy_timeout_s, 1, writes=True),
        reader=postgresql.make_engine(url, busy_timeout_s, _READING, writes=False),
        file=None,
        make_schema=postgresql.make_schema,
    )
