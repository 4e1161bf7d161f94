"""Refusals: what authenticated callers were refused, counted by caller, code and minute.

A refusal leaves no receipt of its own, so that whoever is refused often cannot fill the ledger: the
counts go to the database every second, and each is one entry once its minute is over. A crash loses
at most the counts of its last second.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from withhold.adapters.settling import minute_of
from withhold.errors import OwnError
from withhold.kinds.instant import Instant
from withhold.names import CallerName
from withhold.ports import Ledger, Refused

MAX_KINDS: Final = 4_096  # that wait to be written, while the database does not


class Refusals:
    """The counts of one node that are not written yet."""

    def __init__(self, ledger: Ledger, now: Callable[[], Instant]) -> None:
        """`now`: this node's clock."""
        self._ledger = ledger
        self._now = now
        self._counts: Counter[Refused] = Counter()

    def note(self, caller: CallerName, code: str) -> None:
        """Count a refusal."""
        refused = (caller, code, minute_of(self._now()))
        if refused in self._counts or len(self._counts) < MAX_KINDS:
            self._counts[refused] += 1

    async def flush(self) -> None:
        """Write the counts; what can't be written now is tried again."""
        counts, self._counts = self._counts, Counter()
        if counts:
            try:
                await self._ledger.count_refusals(counts)
            except OwnError:
                self._counts.update(counts)
