"""The event loop that a service runs on."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import uvloop

# A thread that comes back from SQLite waits so long for a busy event loop to let it go on; Python's
# own 5 ms are half of what a request may take.
SWITCH_INTERVAL_S: Final = 0.0005

_Result = TypeVar("_Result")


def run(main: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a service until it ends, on libuv's loop."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
