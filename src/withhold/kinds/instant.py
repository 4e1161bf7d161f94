"""Instants: points in UTC, compared exactly whatever unit they were written in.

Source: RFC 3339 §5.6. Leap seconds (`:60`) are refused: POSIX time has no place to compare them at.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from withhold.names import Unit


class Instant(NamedTuple):
    """Seconds since 1970 and the fraction's decimal digits without trailing zeros.

    Tuples compare as the instants do: digit strings of fractions order as the fractions.
    """

    second: int
    fraction: str = ""


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))",
    re.ASCII,
)
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DIGITS: Final = {Unit.SECONDS: 0, Unit.MILLISECONDS: 3, Unit.MICROSECONDS: 6}
_COUNTS: Final = {unit: int("1" + "0" * digits) for unit, digits in _DIGITS.items()}  # in a second
_INTEGER: Final = re.compile(r"0|[1-9][0-9]{0,19}", re.ASCII)

YEAR_2000: Final = Instant(946_684_800)
YEAR_2100: Final = Instant(4_102_444_800)


def parse_rfc3339(text: str) -> Instant | None:
    """Read a date-time with its offset; None if it isn't one."""
    found = _RFC3339.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, sign, off_hour, off_minute = found.groups()
    try:
        local = datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC
        )
    except ValueError:
        return None
    offset = timedelta()
    if sign:
        if int(off_hour) > 23 or int(off_minute) > 59:  # noqa: PLR2004 - RFC 3339 time-numoffset
            return None
        offset = timedelta(hours=int(off_hour), minutes=int(off_minute))
    elapsed = local - _EPOCH - (-offset if sign == "-" else offset)
    return Instant(elapsed.days * 86_400 + elapsed.seconds, (fraction or "").rstrip("0"))


def parse_from(text: str) -> Instant | None:
    """Read a day, which begins at midnight UTC, or a date-time with its offset; None if neither."""
    return parse_rfc3339(f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text)


def parse_count(text: str, unit: Unit) -> Instant | None:
    """Read an integer count of `unit` since 1970, as its digits; None if it isn't one."""
    if not _INTEGER.fullmatch(text):
        return None
    digits = _DIGITS[unit]
    second, fraction = divmod(int(text), _COUNTS[unit])
    return Instant(second, str(fraction).rjust(digits, "0").rstrip("0") if digits else "")


def count_from(instant: Instant, unit: Unit) -> int:
    """Give the smallest count of `unit` that is not before `instant`.

    A count `n` is in `[from, until)` exactly if `count_from(from) <= n < count_from(until)`.
    """
    digits = _DIGITS[unit]
    whole = instant.fraction[:digits].ljust(digits, "0")
    rest = instant.fraction[digits:]
    return instant.second * _COUNTS[unit] + int(whole or "0") + (1 if rest else 0)


def print_day(instant: Instant) -> str:
    """Give the UTC day as an RFC 3339 full-date."""
    return (_EPOCH + timedelta(seconds=instant.second)).date().isoformat()


def print_instant(instant: Instant) -> str:
    """Give RFC 3339 in UTC with `Z`; `parse_rfc3339` reads it back."""
    text = (_EPOCH + timedelta(seconds=instant.second)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{instant.fraction}Z" if instant.fraction else f"{text}Z"
