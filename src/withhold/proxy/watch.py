"""The watch over a stream: nothing is waited for longer than the warrant's standing allows.

Whoever streams waits for a store or for a client, either of which may take its time. Revoking and
freezing wait for neither (law 4): standing is checked each quarter of a second while waiting, and
after every wait.
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
    """Waits for one thing at a time, and lets go as soon as something speaks against it."""

    def __init__(self, check: Callable[[], None], gone: Callable[[], Awaitable[None]]) -> None:
        """`check` raises what speaks against it; `gone` returns once the client has gone."""
        self.check = check
        self._gone = gone

    async def __aenter__(self) -> Self:
        self._absence = asyncio.ensure_future(self._gone())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await _cancel(self._absence)

    async def wait(self, step: Coroutine[Any, Any, _Result]) -> _Result:
        """Wait for a step. Raises: what the step or the check raises; ClientGone."""
        task = asyncio.ensure_future(step)
        try:
            while not task.done():
                await asyncio.wait(
                    {task, self._absence},
                    timeout=INTERVAL_S,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                self.check()
                if self._absence.done():
                    raise ClientGone("the client has gone")
        finally:
            await _cancel(task)
        return task.result()


async def _cancel(task: asyncio.Future[Any]) -> None:
    """Cancel a task that has not ended, and wait until it has."""
    if not task.done():
        task.cancel()
        await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # looked at, so that nobody complains
