"""The gate: how many requests are under way, in all and for each caller."""

from collections import Counter
from collections.abc import Callable
from types import TracebackType

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

    def enter(self) -> "Place":
        """Take a place, for the length of a context. Raises: Denied `too-many-requests`."""
        if self._inside >= self._most:
            raise Denied("too-many-requests")
        self._inside += 1
        return Place(self._leave)

    def enter_as(self, caller: CallerName) -> "Place":
        """Take one of a caller's places. Raises: Denied `too-many-requests`."""
        most = self._most if self._callers() <= 1 else self._most - self._most // 4
        if self._of_caller[caller] >= most:
            raise Denied("too-many-requests")
        self._of_caller[caller] += 1
        return Place(lambda: self._leave_as(caller))

    def _leave(self) -> None:
        self._inside -= 1

    def _leave_as(self, caller: CallerName) -> None:
        self._of_caller[caller] -= 1


class Place:
    """A place that was taken; it is free again at the end of its context."""

    __slots__ = ("_leave",)

    def __init__(self, leave: Callable[[], None]) -> None:
        """`leave`: told once."""
        self._leave = leave

    def __enter__(self) -> None:
        """Nothing is left to do: it was taken when it was asked for."""

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._leave()
