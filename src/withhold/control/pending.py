"""Pending: what must end and the database was not told yet.

This process knows at once, before anything is asked that can fail or hang (law 4). A disk that
takes no writes lets nothing out either, for no receipt is durable there; so what could not be told
is kept here, in memory, and tried ten times a second, to be told before the first receipt after it.
A process that ends before it succeeds loses it, and whoever asked was told so (503).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from withhold.errors import DatabaseUnavailable, WithholdError
from withhold.names import State, WarrantId
from withhold.ports import Freeze

RETRY_S: Final = 0.1
MAX_PENDING: Final = 1_024

_log: Final = logging.getLogger(__name__)

Try = Callable[[], Awaitable[None]]
Ends = tuple[WarrantId, State] | Freeze  # a warrant and its state in this process, or a freeze


class Pending:
    """What is tried until it succeeds. Of one event loop; any thread reads what is in force."""

    def __init__(self) -> None:
        """Nothing is pending."""
        # What has ended for this process. Replaced as a whole: a reader sees one state.
        self.ended: dict[WarrantId, State] = {}
        self.frozen: frozenset[Freeze] = frozenset()
        self._tries: dict[str, tuple[Try, Ends]] = {}
        self._held: list[Ends] = []
        self._trying = asyncio.Lock()  # or what is tried twice at once would be entered twice
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def holding(self, ends: Ends) -> Iterator[None]:
        """Have it in force in this process while the database is told, and after it if added."""
        self._held.append(ends)
        self._renew()
        try:
            yield
        finally:
            self._held.remove(ends)
            self._renew()

    def add(self, name: str, attempt: Try, ends: Ends) -> None:
        """Try until the database takes it, or says that it can't be. `name`: the latest counts.

        Raises: DatabaseUnavailable, if too much is pending already.
        """
        if name not in self._tries and len(self._tries) >= MAX_PENDING:
            raise DatabaseUnavailable("too much waits for the database already", "freeze by file")
        self._tries[name] = attempt, ends
        self._renew()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def try_now(self) -> None:
        """Try all at once. Raises: DatabaseUnavailable, if something still waits."""
        await self._try_all()
        if self._tries:
            raise DatabaseUnavailable("what was ended before waits for the database still")

    async def close(self) -> None:
        """Try for the last time."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._try_all()

    async def _run(self) -> None:
        while self._tries:
            await asyncio.sleep(RETRY_S)
            await self._try_all()

    async def _try_all(self) -> None:
        async with self._trying:
            for name, (attempt, _ends) in list(self._tries.items()):
                try:
                    await attempt()
                except DatabaseUnavailable:
                    return
                except WithholdError as error:
                    _log.warning("what was pending can't be: %s", error)
                # From here on the database knows, and asks nobody's memory.
                if self._tries[name][0] is attempt:
                    del self._tries[name]
                    self._renew()

    def _renew(self) -> None:
        every = [*(ends for _attempt, ends in self._tries.values()), *self._held]
        ended: dict[WarrantId, State] = {}
        for ends in every:
            if not isinstance(ends, Freeze) and ended.get(ends[0]) is not State.REVOKED:
                ended[ends[0]] = ends[1]
        self.ended = ended
        self.frozen = frozenset(ends for ends in every if isinstance(ends, Freeze))
