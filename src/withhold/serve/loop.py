"""The event loop that a service runs on, and what is set for its whole process."""

import asyncio
import gc
import sys
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import uvloop

# A thread that comes back from SQLite waits so long before it asks a busy event loop to let it go
# on; Python's own 5 ms are all that half of the requests may take.
SWITCH_INTERVAL_S: Final = 0.0005

# A request makes objects by the hundred and hardly a cycle: at Python's own 700 the collector took
# a tenth of the time (386 µs of processor a request against 350).
GARBAGE: Final = (50_000, 20, 50)

_Result = TypeVar("_Result")


def run(main: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a service until it ends, on libuv's loop."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.freeze()  # what was imported stays, and need not be gone through again
    gc.set_threshold(*GARBAGE)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
