"""Freezes, in both places at once: the database, which every node asks, and this node's folder.

Either can fail without the other: a freeze is put wherever it can be, and an answer that says less
than "everywhere" says so. To lift one takes both: what is still frozen somewhere stays frozen.
"""

import asyncio
from pathlib import Path

from withhold.adapters.freezes import add_freeze, list_freezes, remove_freeze
from withhold.errors import DatabaseUnavailable
from withhold.ports import NOTHING_SINCE, Freeze, Registry


async def put_in_force(registry: Registry, folder: Path, freeze: Freeze) -> None:
    """Freeze this machine's nodes by file, and all nodes by the database.

    Raises: DatabaseUnavailable, where one of the two failed; its message says what is frozen.
    """
    by_file: DatabaseUnavailable | None = None
    try:
        await asyncio.to_thread(add_freeze, folder, freeze)
    except DatabaseUnavailable as error:
        by_file = error
    try:
        await registry.freeze(freeze)
    except DatabaseUnavailable as error:
        if by_file is not None:
            raise
        message = f"frozen by file, so for the nodes of this machine only: {error.message}"
        raise DatabaseUnavailable(message, "freeze the others with -c, one by one") from None
    if by_file is not None:
        message = f"frozen by the database, and not by file: {by_file.message}"
        raise DatabaseUnavailable(message)


async def lift(registry: Registry, folder: Path, freeze: Freeze) -> None:
    """Lift exactly this freeze, in both places. Raises: DatabaseUnavailable."""
    await registry.thaw(freeze)
    # CRASH: this machine's nodes alone are still frozen, until it is done again.
    await asyncio.to_thread(remove_freeze, folder, freeze)


async def list_in_force(registry: Registry, folder: Path) -> frozenset[Freeze]:
    """Give the freezes of either place. Raises: DatabaseUnavailable."""
    by_file = await asyncio.to_thread(list_freezes, folder)
    return by_file | (await registry.changes(NOTHING_SINCE)).freezes
