"""The structures of 50 U.S.C. 1874(a), and what (b) asks of the period."""

import pytest

from tests.report.day import a_day
from tests.report.logs import instant
from withhold.kinds.instant import Instant
from withhold.report.bands import DAY_S, STRUCTURES, banded, conditions
from withhold.report.cells import ALL, Cell, Scope, received_of, spoken_of
from withhold.report.measures import Measure

RECEIVED, SELECTORS = Measure.ORDERS_RECEIVED, Measure.SELECTORS_TARGETED
PUBLISHED = instant("2026-12-01")


def test_all_process_is_one_number_under_the_finer_bands() -> None:
    count = a_day().count()
    received = received_of(count, spoken_of(count, PUBLISHED, internal=False))
    bands = banded(received * 40, STRUCTURES[100])
    # Six orders of the day, less SECRET: 240, of which 120 are of the US and 160 people there.
    assert bands == {
        Cell(RECEIVED): (200, 299),
        Cell(RECEIVED, Scope("EU")): (100, 199),
        Cell(RECEIVED, Scope("US")): (100, 199),
        Cell(SELECTORS): (200, 299),
        Cell(SELECTORS, Scope("EU")): (100, 199),
        Cell(SELECTORS, Scope("US")): (100, 199),
    }


def test_contents_and_noncontents_are_apart_under_the_coarser_ones() -> None:
    count = a_day().count()
    bands = banded(received_of(count, count.orders.values()), STRUCTURES[500])
    assert set(bands.values()) == {(0, 499)}  # beginning with nought
    assert {cell.scope.category for cell in bands} == {"contents", "noncontents"}
    assert {cell.scope.country for cell in bands} == {"", "US", "EU", "UK"}


@pytest.mark.parametrize("size", [1000, 500, 250, 100])
@pytest.mark.parametrize(("times", "edge"), [(0, 0), (1, -1), (1, 0), (7, 0)])
def test_a_band_holds_its_number(size: int, times: int, edge: int) -> None:
    count = a_day().count()
    order = next(iter(count.orders.values()))
    number = size * times + edge
    structure = STRUCTURES[size]
    part = "noncontents" if structure.is_divided else ""
    first, last = banded([order] * number, structure)[Cell(RECEIVED, ALL._replace(category=part))]
    assert first <= number <= last
    assert (first % size, last - first + 1) == (0, size)


def before(days: float) -> Instant:
    return Instant(PUBLISHED.second - int(days * DAY_S))


@pytest.mark.parametrize(
    ("size", "since", "until", "met"),
    [
        (1000, 360, 180, (True, True)),
        (1000, 361, 180, (False, True)),
        (500, 359, 179, (True, False)),
        (250, 180, 0, (True, True)),
        (250, 181, 1, (True, False)),
        (250, 10, -1, (True, False)),  # it is not over
        (100, 731, 365, (True, True)),  # a leap year
        (100, 732, 365, (False, True)),
        (100, 700, 364, (True, False)),
    ],
)
def test_the_period_is_held_to_the_statute(
    size: int, since: int, until: int, met: tuple[bool, ...]
) -> None:
    found = conditions(STRUCTURES[size], before(since), before(until), PUBLISHED)
    assert tuple(each.is_met for each in found) == met


def test_each_structure_names_its_paragraph() -> None:
    assert {size: each.paragraph for size, each in STRUCTURES.items()} == {
        1000: "50 U.S.C. 1874(a)(1)",
        500: "50 U.S.C. 1874(a)(2)",
        250: "50 U.S.C. 1874(a)(3)",
        100: "50 U.S.C. 1874(a)(4)",
    }
