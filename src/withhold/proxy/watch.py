"""The watch over a stream: nothing is waited for longer than the warrant's standing allows.

Whoever streams waits for a store or for a client, either of which may take its time. Revoking and
freezing wait for neither (law 4): standing is checked each quarter of a second while waiting, and
after every wait. However ready store and client are, others have their turn with every wait.

A step runs in the task that waits for it, which is cancelled when something speaks against it, as
`asyncio.timeout` does. A task of its own and `asyncio.wait` cost 11 µs a step, this 2.5.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from withhold.errors import CallerError

INTERVAL_S: Final = 0.25

_Result = TypeVar("_Result")


class ClientGone(CallerError):
    """Nobody is there to be answered."""


class Watch:
    """Waits for one thing at a time, and lets go as soon as something speaks against it.

    It is the task's that enters it.
    """

    def __init__(self, check: Callable[[], None], gone: Callable[[], Awaitable[None]]) -> None:
        """`check` raises what speaks against it; `gone` returns once the client has gone."""
        self._check = check
        self._gone = gone
        self._waiting: asyncio.Task[Any] | None = None
        self._against: Exception | None = None  # what the wait under way was cancelled for

    async def __aenter__(self) -> Self:
        self._absence = asyncio.ensure_future(self._gone())
        self._absence.add_done_callback(self._look)
        self._timer = asyncio.get_running_loop().call_later(INTERVAL_S, self._look_again)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        await _cancel(self._absence)

    async def wait(self, step: Coroutine[Any, Any, _Result]) -> _Result:
        """Wait for a step. Raises: what the step or the check raises; ClientGone."""
        task = asyncio.current_task()
        if task is None or self._absence.done():
            step.close()
            raise _gone()
        cancelling = task.cancelling()
        self._waiting = task
        try:
            result = await step
            await asyncio.sleep(0)  # others have their turn, and so has the client's going
        finally:
            self._waiting = None
            against, self._against = self._against, None
            # Where somebody else has cancelled the task, too, that goes on.
            if against is not None and task.uncancel() <= cancelling:
                raise against
        against = self._objection()
        if against is not None:
            raise against
        return result

    def _look_again(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(INTERVAL_S, self._look_again)
        self._look()

    def _look(self, _absence: asyncio.Future[None] | None = None) -> None:
        """Let go of the wait under way, if there is one, where something speaks against it."""
        if self._waiting is not None and self._against is None:
            self._against = self._objection()
            if self._against is not None:
                self._waiting.cancel()

    def _objection(self) -> Exception | None:
        try:
            self._check()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where one waits
            return error
        return _gone() if self._absence.done() else None


def _gone() -> ClientGone:
    return ClientGone("the client has gone")


async def _cancel(task: asyncio.Future[Any]) -> None:
    """Cancel a task that has not ended, and wait until it has."""
    if not task.done():
        task.cancel()
        await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # looked at, so that nobody complains
