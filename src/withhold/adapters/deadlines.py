"""Deadlines: one timer for all that waits equally long, where one of each costs 4 us a use."""

import asyncio
from collections import deque
from collections.abc import Callable


class Deadlines:
    """Ends futures that are not done in time. Of one event loop at a time."""

    def __init__(self, within_s: float, error: Callable[[], Exception]) -> None:
        """`within_s`: what each has, from when it is added; `error`: what it ends with."""
        self._within_s = within_s
        self._error = error
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: deque[tuple[float, asyncio.Future[int]]] = deque()  # the oldest first

    def add(self, future: asyncio.Future[int]) -> None:
        """Give a future its time."""
        loop, waiting = future.get_loop(), self._waiting
        if loop is not self._loop:  # what was of another one, ended with it
            self._loop, self._timer = loop, None
            waiting.clear()
        while waiting and waiting[0][1].done():
            waiting.popleft()
        at_s = loop.time() + self._within_s
        waiting.append((at_s, future))
        if self._timer is None:
            self._timer = loop.call_at(at_s, self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now_s = loop.time()
        while self._waiting and (self._waiting[0][0] <= now_s or self._waiting[0][1].done()):
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_exception(self._error())
        is_more = bool(self._waiting)
        self._timer = loop.call_at(self._waiting[0][0], self._sweep, loop) if is_more else None
