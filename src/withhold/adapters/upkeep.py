"""Upkeep: what a node does for the ledger every second, beside the requests.

Counts of refusals are written, what is owed is entered, the node says that it lives; bundle,
signers and keys that are others than the log last said are entered; and the log that was seen is
noted in a file outside the database, the *anchor*, so that a database that was set back is found
out. A fault is logged once and tried again: nothing here decides what leaves.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from withhold.errors import WithholdError

UPKEEP_S: Final = 1.0

_log: Final = logging.getLogger(__name__)

Step = Callable[[], Awaitable[None]]


class Upkeep:
    """The steps, done in their order, again and again. Of one event loop."""

    def __init__(self, steps: Sequence[Step]) -> None:
        """`steps`: each raises a WithholdError if it can't be done now; the others are done."""
        self._steps = steps
        self._complaints: dict[int, str] = {}
        self._task: asyncio.Task[None] | None = None
        self._doing = asyncio.Lock()

    async def start(self) -> None:
        """Do all once, and then for ever."""
        await self.once()
        self.begin()

    def begin(self) -> None:
        """Do all in a second, and then for ever."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Do nothing more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def close(self) -> None:
        """Stop, but in the middle of no step, and do all for the last time."""
        async with self._doing:
            await self.stop()
        await self.once()

    async def once(self) -> None:
        """Do all steps."""
        async with self._doing:
            for number, step in enumerate(self._steps):
                await self._do(number, step)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(UPKEEP_S)
            await self.once()

    async def _do(self, number: int, step: Step) -> None:
        try:
            await step()
        except WithholdError as error:
            self._complain(number, error.message)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the upkeep
            self._complain(number, f"a fault of ours: {type(error).__name__}")
        else:
            self._complaints.pop(number, None)

    def _complain(self, number: int, message: str) -> None:
        """Log the first of a row of failures, not one a second."""
        if self._complaints.get(number) != message:
            self._complaints[number] = message
            _log.warning("the ledger's upkeep: %s", message)
