"""Scratch: where a bench writes: a folder that goes with it, and a database that is nobody's."""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, select

from withhold.adapters.database import Database
from withhold.adapters.schema import entries, freezes, owed, warrants
from withhold.errors import BadRequest, WithholdError

PREFIX: Final = "withhold-bench-"
SQLITE: Final = "sqlite:///"


class NotScratch(WithholdError):
    """The database that was named is in use."""


def parent_of(url: str) -> Path | None:
    """Give the folder of a deployment's database file, or what there is of the way to it.

    The scratch database belongs on the same disk: what a receipt costs is what that disk takes.
    None: the database is no file.
    """
    if not url.startswith(SQLITE):
        return None
    folder = Path(url.removeprefix(SQLITE).partition("?")[0]).absolute().parent
    return next(each for each in (folder, *folder.parents) if each.is_dir())


def check_scratch(url: str, deployments: str) -> None:
    """Check that a database holds nothing; what tables it lacks are made. Blocks.

    Raises: BadRequest, NotScratch, DatabaseUnavailable.
    """
    if url == deployments:
        message = "this is the deployment's own database"
        raise BadRequest(message, "name one that is empty, and nobody's")
    database = Database(url)
    try:
        is_empty = database.read_now(_is_empty)
    finally:
        database.close()
    if not is_empty:
        message = "the database is no scratch database: it holds warrants or a log"
        raise NotScratch(message, "make a new one for each bench, and drop it afterwards")


def _is_empty(connection: Connection) -> bool:
    """Tell whether nothing was ever served here; what is owed is not in the log yet."""
    tables = (warrants, entries, owed, freezes)
    return all(connection.execute(select(each).limit(1)).first() is None for each in tables)
