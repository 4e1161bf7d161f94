import pytest

from tests.report.logs import instant
from withhold.errors import BadRequest
from withhold.report.query import Banded, Exact, Query, Suppressed, parse_query

PERIOD = [("from", "2026-01-01"), ("until", "2026-07-01T02:00:00+02:00")]
SINCE, UNTIL = instant("2026-01-01"), instant("2026-07-01")


def test_for_publication_small_numbers_are_hidden_unless_it_is_said_otherwise() -> None:
    assert parse_query(PERIOD) == Query(SINCE, UNTIL, Suppressed(5))


@pytest.mark.parametrize(
    ("pair", "form"),
    [
        (("exact", "yes"), Exact()),
        (("suppress", "3"), Suppressed(3)),
        (("suppress", "1000000"), Suppressed(1_000_000)),
        (("bands", "250"), Banded(250)),
    ],
)
def test_the_form_is_one_of_three(pair: tuple[str, str], form: object) -> None:
    assert parse_query([*PERIOD, pair]).form == form


def test_several_countries_can_be_named() -> None:
    query = parse_query([*PERIOD, ("country", "US"), ("country", "EU"), ("country", "US")])
    assert query.countries == {"US", "EU"}


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "`from` is not a day"),
        ([("from", "2026-01-01")], "`until` is not a day"),
        ([("from", "2026-02-30"), ("until", "2026-03-01")], "`from` is not a day"),
        ([("from", "2026-01-01T00:00:00"), ("until", "2027-01-01")], "`from` is not a day"),
        ([("from", "2026-01-01"), ("until", "2026-01-01")], "the period is empty"),
        ([*PERIOD, ("from", "2026-01-01")], "each once"),
        ([*PERIOD, ("since", "2026-01-01")], "a report takes"),
        ([*PERIOD, ("exact", "no")], "can only be `yes`"),
        ([*PERIOD, ("exact", "yes"), ("suppress", "5")], "exclude each other"),
        ([*PERIOD, ("suppress", "2")], "from 3 to 1000000"),
        ([*PERIOD, ("suppress", "1000001")], "from 3 to 1000000"),
        ([*PERIOD, ("suppress", "five")], "from 3 to 1000000"),
        ([*PERIOD, ("suppress", "\u0665")], "from 3 to 1000000"),
        ([*PERIOD, ("suppress", "9" * 5_000)], "from 3 to 1000000"),
        ([*PERIOD, ("bands", "50")], "one of 1000, 500, 250, 100"),
    ],
    ids=lambda each: each if isinstance(each, str) else "&".join(f"{a}={b[:25]}" for a, b in each),
)
def test_what_is_not_a_query_is_refused(pairs: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        parse_query(pairs)
