"""This machine's clock: for what is signed and what a receipt says, never for what is valid."""

import time

from withhold.kinds.instant import Instant


def read_clock() -> Instant:
    """Give the time of this machine, to the microsecond."""
    second, rest = divmod(time.time_ns() // 1_000, 1_000_000)
    return Instant(second, f"{rest:06d}".rstrip("0"))
