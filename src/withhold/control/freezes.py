"""Freezes, in both places at once: the database, which every node asks, and this node's folder.

Either can fail, or hang, without the other: a freeze is put wherever it can be, and an answer that
says less than "everywhere" says so. To lift one takes both: what is still frozen somewhere stays
frozen. The folder has threads of its own: a freeze waits for nothing that others do (law 4).
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from withhold.adapters.freezes import add_freeze, list_freezes, remove_freeze
from withhold.control.entries import Act, entry_of_freeze
from withhold.control.pending import Pending
from withhold.errors import DatabaseUnavailable
from withhold.ports import NOTHING_SINCE, Freeze, Registry

_threads: Final = ThreadPoolExecutor(2, thread_name_prefix="withhold-freeze")
_P = ParamSpec("_P")
_Result = TypeVar("_Result")


async def put_in_force(
    registry: Registry, pending: Pending, folder: Path, freeze: Freeze, act: Act
) -> None:
    """Freeze this machine's nodes by file, and all nodes by the database.

    It is in force in this process at once; what the database does not take is tried until it does.
    Raises: DatabaseUnavailable, where one of the two failed; its message says what is frozen.
    """
    attempt = partial(registry.freeze, freeze, entry_of_freeze(act, freeze, frozen=True))
    with pending.holding(freeze):
        by_file, by_database = await asyncio.gather(
            _fault_of(_on_disk(add_freeze, folder, freeze)), _fault_of(attempt())
        )
        if by_database is not None:
            pending.add(f"freeze {freeze}", attempt, freeze)
    if by_file is not None and by_database is not None:
        message = f"frozen in this process and not durable yet: {by_database.message}"
        hint = "it is tried until the database takes it; freeze the others with -c, one by one"
        raise DatabaseUnavailable(message, hint)
    if by_file is not None:  # what the database has just made room for may fit now
        by_file = await _fault_of(_on_disk(add_freeze, folder, freeze))
    if by_database is not None:
        message = f"frozen by file, so for the nodes of this machine only: {by_database.message}"
        raise DatabaseUnavailable(message, "freeze the others with -c, one by one")
    if by_file is not None:
        message = f"frozen by the database, and not by file: {by_file.message}"
        raise DatabaseUnavailable(message)


async def lift(
    registry: Registry, pending: Pending, folder: Path, freeze: Freeze, act: Act
) -> None:
    """Lift exactly this freeze, in both places. Raises: DatabaseUnavailable."""
    await pending.try_now()  # a freeze that waits would come after its own thaw
    await registry.thaw(freeze, entry_of_freeze(act, freeze, frozen=False))
    # CRASH: this machine's nodes alone are still frozen, until it is done again.
    await _on_disk(remove_freeze, folder, freeze)


async def list_in_force(registry: Registry, folder: Path) -> frozenset[Freeze]:
    """Give the freezes of either place. Raises: DatabaseUnavailable."""
    by_file = await _on_disk(list_freezes, folder)
    return by_file | (await registry.changes(NOTHING_SINCE)).freezes


async def _fault_of(step: Awaitable[object]) -> DatabaseUnavailable | None:
    try:
        await step
    except DatabaseUnavailable as error:
        return error
    return None


async def _on_disk(work: Callable[_P, _Result], *args: _P.args, **named: _P.kwargs) -> _Result:
    return await asyncio.wrap_future(_threads.submit(work, *args, **named))
