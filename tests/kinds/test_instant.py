from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from withhold.kinds.instant import (
    YEAR_2000,
    YEAR_2100,
    Instant,
    count_from,
    parse_count,
    parse_from,
    parse_rfc3339,
    print_day,
    print_instant,
)
from withhold.names import Unit

COUNTS = {Unit.SECONDS: 1, Unit.MILLISECONDS: 1_000, Unit.MICROSECONDS: 1_000_000}

instants = st.builds(
    lambda second, fraction: Instant(second, fraction.rstrip("0")),
    st.integers(YEAR_2000.second - 10, YEAR_2100.second + 10),
    st.text("0123456789", max_size=12),
)


def exact(instant: Instant) -> Fraction:
    return instant.second + Fraction(int(instant.fraction or "0"), 10 ** len(instant.fraction))


def second(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # RFC 3339 §5.8, its own examples (those with leap seconds are below)
        ("1985-04-12T23:20:50.52Z", Instant(second("1985-04-12T23:20:50"), "52")),
        ("1996-12-19T16:39:57-08:00", Instant(second("1996-12-20T00:39:57"))),
        ("1937-01-01T12:00:27.87+00:20", Instant(second("1937-01-01T11:40:27"), "87")),
        # §4.3 and §5.6: letters of either case, unknown and extreme offsets
        ("2026-01-01t00:00:00z", Instant(second("2026-01-01T00:00:00"))),
        ("2026-01-01T00:00:00-00:00", Instant(second("2026-01-01T00:00:00"))),
        ("2026-01-01T00:00:00+23:59", Instant(second("2025-12-31T00:01:00"))),
        ("2026-01-01T00:00:00-23:59", Instant(second("2026-01-01T23:59:00"))),
        ("2024-02-29T00:00:00Z", Instant(second("2024-02-29T00:00:00"))),
        ("2026-01-01T00:00:00.000Z", Instant(second("2026-01-01T00:00:00"))),
        ("2026-01-01T00:00:00.10Z", Instant(second("2026-01-01T00:00:00"), "1")),
        ("1969-12-31T23:59:59.5Z", Instant(-1, "5")),
        ("0001-01-01T00:00:00+23:59", Instant(second("0001-01-01T00:00:00") - 86_340)),
        ("9999-12-31T23:59:59-23:59", Instant(second("9999-12-31T23:59:59") + 86_340)),
    ],
)
def test_date_times_are_read_in_utc(text: str, expected: Instant) -> None:
    assert parse_rfc3339(text) == expected


@pytest.mark.parametrize(
    "text",
    [  # first leap seconds, real or not
     "1990-12-31T23:59:60Z", "1990-12-31T15:59:60-08:00", "2026-06-01T00:00:60Z",
     "", "2026-06-01", "2026-06-01T00:00:00", "2026-06-01 00:00:00Z", "2026-06-01T00:00Z",
     "2026-06-01T00:00:00.Z",
     "2026-06-01T00:00:00,5Z", "2026-06-01T24:00:00Z", "2026-06-01T00:60:00Z",
     "2026-06-31T00:00:00Z", "2025-02-29T00:00:00Z",
     "2026-00-01T00:00:00Z", "2026-13-01T00:00:00Z", "2026-06-00T00:00:00Z", "0000-01-01T00:00:00Z",
     "26-06-01T00:00:00Z",
     "2026-6-1T00:00:00Z", "2026-06-01T00:00:00+24:00", "2026-06-01T00:00:00+01:60",
     "2026-06-01T00:00:00+0100",
     "2026-06-01T00:00:00+01", "2026-06-01T00:00:00 Z", " 2026-06-01T00:00:00Z",
     "2026-06-01T00:00:00Z\n", "20260601T000000Z",
     "2026-W23-1T00:00:00Z", "+2026-06-01T00:00:00Z", "-2026-06-01T00:00:00Z",
     "2026-06-01T00:00:00UTC", "1780272000",
     "\uff12\uff10\uff12\uff16-06-01T00:00:00Z", "2026-06-01T00:00:00\u221201:00",
     "2026-06-01T00:00:00.\u0665Z"],
)  # fmt: skip
def test_what_is_no_date_time_is_none(text: str) -> None:
    assert parse_rfc3339(text) is None


@given(instants, st.integers(-1439, 1439), st.sampled_from(["", "0", "000"]))
def test_offsets_and_trailing_zeros_make_no_difference(
    instant: Instant, minutes: int, zeros: str
) -> None:
    local = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=instant.second, minutes=minutes)
    fraction = f".{instant.fraction}{zeros}" if instant.fraction + zeros else ""
    sign, offset = "-" if minutes < 0 else "+", abs(minutes)
    text = f"{local:%Y-%m-%dT%H:%M:%S}{fraction}{sign}{offset // 60:02}:{offset % 60:02}"
    assert parse_rfc3339(text) == instant


def test_a_fraction_of_any_length_is_compared_exactly() -> None:
    nines = "9" * 40
    before = parse_rfc3339(f"2025-12-31T23:59:59.{nines}Z")
    assert before is not None
    assert before < Instant(second("2026-01-01T00:00:00"))
    assert before > Instant(before.second, nines[:-1])
    assert parse_rfc3339("2026-01-01T00:00:00." + "0" * 500 + "1Z") == Instant(
        second("2026-01-01T00:00:00"), "0" * 500 + "1"
    )


@given(instants, instants)
def test_instants_order_as_the_numbers_do(one: Instant, other: Instant) -> None:
    assert (one < other) is (exact(one) < exact(other))
    assert (one == other) is (exact(one) == exact(other))


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("0", Unit.SECONDS, Instant(0)),
        ("1780272000", Unit.SECONDS, Instant(1_780_272_000)),
        ("1780272000000", Unit.MILLISECONDS, Instant(1_780_272_000)),
        ("1780272000007", Unit.MILLISECONDS, Instant(1_780_272_000, "007")),
        ("1780272000500", Unit.MILLISECONDS, Instant(1_780_272_000, "5")),
        ("1780272000000001", Unit.MICROSECONDS, Instant(1_780_272_000, "000001")),
        ("1780272000120000", Unit.MICROSECONDS, Instant(1_780_272_000, "12")),
        ("99999999999999999999", Unit.MICROSECONDS, Instant(99_999_999_999_999, "999999")),
    ],
)
def test_counts_are_read_in_their_unit(text: str, unit: Unit, expected: Instant) -> None:
    assert parse_count(text, unit) == expected


@pytest.mark.parametrize(
    "text",
    ["", "-1", "+1", "01", "00", "1.0", "1e3", "1_000", " 1", "1 ", "1\n", "0x1", "\u0661",
     "\uff11", "1" * 21, "Infinity", "true"],
)  # fmt: skip
@pytest.mark.parametrize("unit", COUNTS)
def test_what_is_no_count_is_none(text: str, unit: Unit) -> None:
    assert parse_count(text, unit) is None


@given(st.sampled_from(list(COUNTS)), st.integers(0, 10**20 - 1))
def test_a_count_is_the_same_number(unit: Unit, count: int) -> None:
    instant = parse_count(str(count), unit)
    assert instant is not None
    assert exact(instant) == Fraction(count, COUNTS[unit])
    assert not instant.fraction.endswith("0")


@given(st.sampled_from(list(COUNTS)), instants, instants, st.integers(-2, 2))
def test_a_count_is_in_the_period_exactly_if_its_bounds_say_so(
    unit: Unit, since: Instant, until: Instant, nudge: int
) -> None:
    for edge in (since, until):
        count = max(0, count_from(edge, unit) + nudge)
        instant = parse_count(str(count), unit)
        assert instant is not None
        by_instants = since <= instant < until
        assert by_instants is (count_from(since, unit) <= count < count_from(until, unit))
        assert by_instants is (exact(since) <= Fraction(count, COUNTS[unit]) < exact(until))


@given(instants)
def test_an_instant_is_read_back_as_itself(instant: Instant) -> None:
    assert parse_rfc3339(print_instant(instant)) == instant


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-06-01T00:00:00Z", "2026-06-01"),
        ("2026-06-01T23:59:59.999Z", "2026-06-01"),
        ("2026-06-01T00:30:00+01:00", "2026-05-31"),
        ("2026-12-31T23:30:00-01:00", "2027-01-01"),
        ("2000-01-01T00:00:00Z", "2000-01-01"),
    ],
)
def test_a_day_is_the_day_in_utc(text: str, day: str) -> None:
    instant = parse_rfc3339(text)
    assert instant is not None
    assert print_day(instant) == day


def test_a_day_begins_at_midnight_and_an_instant_is_itself() -> None:
    assert parse_from("2026-01-01") == parse_rfc3339("2026-01-01T00:00:00Z")
    assert parse_from("2026-01-01T02:00:00+02:00") == parse_from("2026-01-01")
    for text in ("", "2026-01", "2026-02-30", "2026-01-01T", "2026-01-01T00:00:00"):
        assert parse_from(text) is None
