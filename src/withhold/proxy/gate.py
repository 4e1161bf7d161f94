"""The gate: how many requests are under way, in all and for each caller."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from withhold.errors import Denied
from withhold.names import CallerName


class Gate:
    """Lets in so many at once; where there are several callers, none may have all places."""

    def __init__(self, most: int, callers: Callable[[], int]) -> None:
        """`most`: requests at once; `callers`: gives how many there are to share them."""
        self._most = most
        self._callers = callers
        self._inside = 0
        self._of_caller: Counter[CallerName] = Counter()

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Take a place. Raises: Denied `too-many-requests`."""
        if self._inside >= self._most:
            raise Denied("too-many-requests")
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    @contextmanager
    def enter_as(self, caller: CallerName) -> Iterator[None]:
        """Take one of a caller's places. Raises: Denied `too-many-requests`."""
        most = self._most if self._callers() <= 1 else self._most - self._most // 4
        if self._of_caller[caller] >= most:
            raise Denied("too-many-requests")
        self._of_caller[caller] += 1
        try:
            yield
        finally:
            self._of_caller[caller] -= 1
