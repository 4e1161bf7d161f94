"""Closings: what became of whole answers, entered in the ledger behind their backs.

A whole answer is released by a durable entry; what became of it may be written a moment later, and
by then the connection should be free again. What can't be written the ledger keeps and tries again;
what is lost in a crash another node enters as `unknown`.
"""

import asyncio
import contextlib
from typing import Final

from withhold.errors import OwnError
from withhold.ledger.receipt import Closing
from withhold.ports import Ledger

MAX_UNDER_WAY: Final = 2_048  # half of what the database lets wait: a release finds room


class Closings:
    """The closings of one node that are under way. Of one event loop."""

    def __init__(self, ledger: Ledger) -> None:
        """`ledger`: where they go."""
        self._ledger = ledger
        self._under_way: set[asyncio.Task[None]] = set()

    def add(self, closing: Closing) -> None:
        """Enter a closing, soon."""
        if len(self._under_way) < MAX_UNDER_WAY:  # beyond it: `unknown`, once this node has ended
            task = asyncio.get_running_loop().create_task(self._enter(closing))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def drain(self) -> None:
        """Wait until all that was added is entered, or has failed."""
        while self._under_way:
            await asyncio.wait(set(self._under_way))

    async def _enter(self, closing: Closing) -> None:
        with contextlib.suppress(OwnError):
            await self._ledger.append(closing.entry(), patient=True)
