"""Bands: the four structures of 50 U.S.C. 1874(a), and what each asks of the period. Pure.

A structure fixes what may be told apart, how coarse the numbers are, and how old they must be.
Whether the statute applies to an order is for counsel to say: the ledger does not know which
instrument is a national security letter. Source: 50 U.S.C. 1874(a) and (b), as of November 2024.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from withhold.kinds.instant import Instant
from withhold.names import Category
from withhold.report.cells import ALL, Cell, Scope
from withhold.report.count import Order
from withhold.report.measures import Measure

DAY_S: Final = 86_400
CONTENTS: Final = "contents"
NONCONTENTS: Final = "noncontents"


@dataclass(frozen=True, slots=True)
class Structure:
    """One paragraph of 50 U.S.C. 1874(a)."""

    size: int
    paragraph: str
    says: str
    is_divided: bool  # into contents and noncontents; else all process combined
    longest_days: int
    oldest_days: int | None  # how long before publication the period may begin
    ended_days: int  # how long before publication it must have ended


STRUCTURES: Final[Mapping[int, Structure]] = {
    each.size: each
    for each in (
        Structure(
            1000,
            "50 U.S.C. 1874(a)(1)",
            "semiannual, bands of 1000, contents and noncontents apart",
            is_divided=True,
            longest_days=180,
            oldest_days=None,
            ended_days=180,
        ),
        Structure(
            500,
            "50 U.S.C. 1874(a)(2)",
            "semiannual, bands of 500, contents and noncontents apart",
            is_divided=True,
            longest_days=180,
            oldest_days=None,
            ended_days=180,
        ),
        Structure(
            250,
            "50 U.S.C. 1874(a)(3)",
            "semiannual, bands of 250, all process combined",
            is_divided=False,
            longest_days=180,
            oldest_days=180,
            ended_days=0,
        ),
        Structure(
            100,
            "50 U.S.C. 1874(a)(4)",
            "annual, bands of 100, all process combined",
            is_divided=False,
            longest_days=366,
            oldest_days=None,
            ended_days=365,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that subsection (b) asks of the period."""

    says: str
    is_met: bool


def conditions(
    structure: Structure, since: Instant, until: Instant, as_of: Instant
) -> tuple[Condition, ...]:
    """Check a period against 50 U.S.C. 1874(b), taking `as_of` for the day of publication."""
    days = (until.second - since.second) / DAY_S
    ended = (as_of.second - until.second) / DAY_S
    found = [
        Condition(
            f"the period is of at most {structure.longest_days} days",
            days <= structure.longest_days,
        )
    ]
    if structure.oldest_days is not None:
        begun = (as_of.second - since.second) / DAY_S
        says = f"the period is within the {structure.oldest_days} days before publication"
        found.append(Condition(says, begun <= structure.oldest_days and ended >= 0))
    if structure.ended_days:
        says = f"the period ended at least {structure.ended_days} days before publication"
        if structure.is_divided:
            says += " (national security letters: the 180 days before it)"
        found.append(Condition(says, ended >= structure.ended_days))
    return tuple(found)


def banded(received: list[Order], structure: Structure) -> dict[Cell, tuple[int, int]]:
    """Give the first and the last number of the band of each cell that the paragraph allows.

    Only orders and the selectors that they name, in all and by country; nothing of what was
    disclosed, for no paragraph speaks of it.
    """
    counts: dict[Cell, int] = {}
    parts = (CONTENTS, NONCONTENTS) if structure.is_divided else ("",)
    for scope in (ALL, *sorted({Scope(order.country) for order in received})):
        for part in parts:
            for measure in (Measure.ORDERS_RECEIVED, Measure.SELECTORS_TARGETED):
                counts[Cell(measure, scope._replace(category=part))] = 0
    for order in received:
        part = "" if not structure.is_divided else _part(order)
        for scope in (ALL, Scope(order.country)):
            narrowed = scope._replace(category=part)
            counts[Cell(Measure.ORDERS_RECEIVED, narrowed)] += 1
            counts[Cell(Measure.SELECTORS_TARGETED, narrowed)] += order.targets
    return dict(_bands(counts, structure.size))


def _bands(counts: Mapping[Cell, int], size: int) -> Iterator[tuple[Cell, tuple[int, int]]]:
    for cell, number in sorted(counts.items()):
        first = number // size * size
        yield cell, (first, first + size - 1)


def _part(order: Order) -> str:
    return CONTENTS if Category.CONTENT in order.categories else NONCONTENTS
