"""Effort: how long is measured. Only the full one is worth recording."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Effort:
    """How many rounds of how long; a round runs all engines in turn."""

    name: str
    rounds: int  # of a load, or of a process
    warm_s: float  # before them
    seconds: float  # each
    paced_s: float  # each, at a fixed rate
    turns: int  # rounds of a function
    turn_s: float
    stream_bytes: int
    rates: int  # how many of them, lowest first


FULL: Final = Effort("full", 3, 1.0, 2.0, 1.5, 15, 0.02, 10**9, 5)
QUICK: Final = Effort("quick", 2, 1.0, 1.0, 0.5, 7, 0.01, 10**8, 5)
SMOKE: Final = Effort("smoke", 1, 0.1, 0.2, 0.2, 1, 0.001, 10**6, 1)
EFFORTS: Final = (FULL, QUICK, SMOKE)
