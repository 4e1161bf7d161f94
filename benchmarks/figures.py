"""Figures: what was measured, of whom, in which unit, and how far the rounds were apart."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Better = Literal["higher", "lower"]

OURS: Final = "withhold"
REQUESTS: Final = "requests/s"
_UNITS_LOWER: Final = frozenset({"µs", "ms", "s", "MiB", "ns"})


@dataclass(frozen=True)
class Figure:
    """One measurement: the median of its rounds, and the lowest and highest of them."""

    section: str
    workload: str
    engine: str
    measure: str
    unit: str
    median: float
    low: float
    high: float

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What it is about: equal for the same measurement of another run."""
        return (self.section, self.workload, self.engine, self.measure)

    @property
    def better(self) -> Better:
        """Whether more of it is better, or less."""
        return "lower" if self.unit.split(" ")[0] in _UNITS_LOWER else "higher"

    @property
    def spread(self) -> float:
        """How far the rounds were apart, as a share of the median."""
        return (self.high - self.low) / self.median if self.median else 0.0


@dataclass(frozen=True)
class Result:
    """What a section found, and what is to be said beside it."""

    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()


def figure(  # noqa: PLR0917 - in the order of the table's headings
    section: str, workload: str, engine: str, measure: str, unit: str, rounds: Sequence[float]
) -> Figure:
    """Make a figure of what the rounds gave; there is at least one."""
    return Figure(
        section,
        workload,
        engine,
        measure,
        unit,
        statistics.median(rounds),
        min(rounds),
        max(rounds),
    )


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Give how many times theirs ours is: the median of the ratios, round by round."""
    return statistics.median(o / t for o, t in zip(ours, theirs, strict=True))


def significant(value: float) -> str:
    """Write a number with three figures that count, and thousands set apart."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
