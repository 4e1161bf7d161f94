"""The query: which period and countries, and in what form the numbers are. Pure.

It travels as a query string, so the command and the control plane read the same words.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from withhold.errors import BadRequest
from withhold.kinds.instant import Instant, parse_from
from withhold.report.bands import STRUCTURES
from withhold.report.suppress import DEFAULT_THRESHOLD, LEAST_THRESHOLD, MOST_THRESHOLD


@dataclass(frozen=True, slots=True)
class Exact:
    """Every number as it is: for inside use only."""


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Small numbers, and those that would tell them, are not shown."""

    threshold: int = DEFAULT_THRESHOLD


@dataclass(frozen=True, slots=True)
class Banded:
    """The bands of 50 U.S.C. 1874. `size`: a key of `STRUCTURES`."""

    size: int


Form: TypeAlias = Exact | Suppressed | Banded


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for. `countries`: empty means all."""

    since: Instant
    until: Instant
    form: Form = Suppressed()
    countries: frozenset[str] = frozenset()


_ONCE: Final = ("from", "until", "exact", "suppress", "bands")


def parse_query(pairs: Iterable[tuple[str, str]]) -> Query:
    """Read the pairs of a query string. Raises: BadRequest.

    `from`, `until` (required): a day, which begins at midnight UTC, or a date-time with its offset;
    `country`, any number of times; one of `exact=yes`, `suppress=N`, `bands=N`.
    """
    named: dict[str, str] = {}
    countries: set[str] = set()
    for name, text in pairs:
        if name == "country":
            countries.add(text)
        elif name not in _ONCE or name in named:
            known = ", ".join(f"`{each}`" for each in _ONCE)
            message = f"a report takes {known}, each once, and `country`"
            raise BadRequest(message)
        else:
            named[name] = text
    since, until = _instant(named, "from"), _instant(named, "until")
    if until <= since:
        message = "`until` is not after `from`: the period is empty"
        raise BadRequest(message, "the period is [from, until): a year ends on the next 1 January")
    return Query(since, until, _form(named), frozenset(countries))


def _instant(named: dict[str, str], name: str) -> Instant:
    instant = parse_from(named.get(name, ""))
    if instant is None:
        message = f"`{name}` is not a day or a date-time with its offset"
        raise BadRequest(message, "such as 2026-01-01, or 2026-01-01T00:00:00Z")
    return instant


def _form(named: dict[str, str]) -> Form:
    asked = [name for name in ("exact", "suppress", "bands") if name in named]
    if len(asked) > 1:
        message = "`exact`, `suppress` and `bands` exclude each other"
        raise BadRequest(message)
    if "exact" in named:
        if named["exact"] != "yes":
            message = "`exact` can only be `yes`"
            raise BadRequest(message)
        return Exact()
    if "bands" in named:
        size = _number(named["bands"])
        if size not in STRUCTURES:
            message = "`bands` is one of 1000, 500, 250, 100"
            raise BadRequest(message, "the structures of 50 U.S.C. 1874(a)(1) to (4)")
        return Banded(size)
    threshold = _number(named.get("suppress", str(DEFAULT_THRESHOLD)))
    if not LEAST_THRESHOLD <= threshold <= MOST_THRESHOLD:
        message = f"`suppress` is a whole number from {LEAST_THRESHOLD} to {MOST_THRESHOLD}"
        raise BadRequest(message, "below it, a number that is not shown could only be 1")
    return Suppressed(threshold)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < len("10000000") else -1
