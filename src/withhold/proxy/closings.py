"""Closings: what became of whole answers, entered in the ledger behind their backs.

A whole answer is released by a durable entry; what became of it may be written a moment later, and
by then the connection should be free again. What can't be written the ledger keeps and tries again;
what is lost in a crash another node enters as `unknown`.
"""

import asyncio
from typing import Final

from withhold.ledger.receipt import Closing
from withhold.ports import Ledger

MAX_UNDER_WAY: Final = 2_048  # half of what the database lets wait: a release finds room


class Closings:
    """The closings of one node that are under way. Of one event loop."""

    def __init__(self, ledger: Ledger) -> None:
        """`ledger`: where they go."""
        self._ledger = ledger
        self._under_way = 0
        self._drained: asyncio.Event | None = None  # made by whoever waits

    def add(self, closing: Closing) -> None:
        """Enter a closing, soon."""
        if self._under_way < MAX_UNDER_WAY:  # beyond it: `unknown`, once this node has ended
            self._under_way += 1
            self._ledger.append_later(closing.entry(), self._end)

    async def drain(self) -> None:
        """Wait until all that was added is entered, or has failed."""
        while self._under_way:
            self._drained = self._drained or asyncio.Event()
            await self._drained.wait()

    def _end(self) -> None:
        self._under_way -= 1
        if not self._under_way and self._drained is not None:
            self._drained.set()
            self._drained = None
