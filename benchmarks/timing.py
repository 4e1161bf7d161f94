"""Timing: engines in turn, many rounds, medians of ratios: machines are noisy.

CPU time, not the clock on the wall: what runs here waits for nothing, and others may run beside it.
"""

import time
from collections.abc import Callable, Mapping


def alternate(
    engines: Mapping[str, Callable[[], object]], *, rounds: int = 25, seconds_per_turn: float = 0.02
) -> dict[str, list[float]]:
    """Give, for each engine, the seconds per call of each round; a round runs all in turn."""
    repeats = {name: _repeats(engine, seconds_per_turn) for name, engine in engines.items()}
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(rounds):
        for name, engine in engines.items():
            seconds[name].append(_time(engine, repeats[name]))
    return seconds


def _repeats(engine: Callable[[], object], seconds: float) -> int:
    engine()  # warm
    return max(1, round(seconds / max(_time(engine, 1), 1e-6)))


def _time(engine: Callable[[], object], repeats: int) -> float:
    start = time.process_time()
    for _ in range(repeats):
        engine()
    return (time.process_time() - start) / repeats
