"""Latencies: how long answers took, counted in buckets of a fixed ratio.

However many are added, it takes the same memory: a bucket reaches 1 % above its lower edge and
stands for its middle, so a quantile is wrong by half of that at most.
"""

from math import exp, log, log1p
from typing import Final

_RATIO: Final = log1p(0.01)
_SHORTEST_S: Final = 1e-6
_BUCKETS: Final = 2084  # to a thousand seconds; what is longer counts as that


class Latencies:
    """Counts of latencies, from a microsecond to a thousand seconds."""

    __slots__ = ("_counts", "total")

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self.total = 0

    def add(self, latency_s: float, times: int = 1) -> None:
        """Count a latency, `times` over."""
        at = int(log(latency_s / _SHORTEST_S) / _RATIO) if latency_s > _SHORTEST_S else 0
        self._counts[at if at < _BUCKETS else _BUCKETS - 1] += times
        self.total += times

    def quantile_ms(self, q: float) -> float:
        """Give the latency that the fraction `q` did not exceed, in ms; 0.0 if there is none."""
        rank, seen = q * self.total, 0
        for at, count in enumerate(self._counts):
            seen += count
            if count and seen >= rank:
                return _SHORTEST_S * exp((at + 0.5) * _RATIO) * 1e3
        return 0.0
