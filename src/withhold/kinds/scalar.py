"""Scalars: what a JSON value is worth under a form: its normal form, its identity, its instant.

The one place that knows every kind. A scalar is `None`, `bool`, `str` or `Number` (whose digits
are kept: a float would turn `0.1000` into `0.1`). What does not fit is `MALFORMED` and stays.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from withhold.errors import KeyUnavailable
from withhold.kinds.email import parse_email
from withhold.kinds.form import Form
from withhold.kinds.instant import (
    YEAR_2000,
    YEAR_2100,
    Instant,
    parse_count,
    parse_rfc3339,
    print_day,
)
from withhold.kinds.ip import pack_ip, parse_ip, print_ip, print_prefix
from withhold.kinds.memo import Memo
from withhold.kinds.phone import parse_phone
from withhold.kinds.token import Tokenizer
from withhold.names import Kind, Treatment, Unit


@dataclass(frozen=True, slots=True)
class Number:
    """A JSON number, as its digits stood in the store's answer."""

    text: str


class Absent(Enum):
    """Why there is nothing to disclose."""

    MALFORMED = "malformed"


MALFORMED: Final = Absent.MALFORMED
Scalar: TypeAlias = bool | str | Number | None

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)", re.ASCII)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_PORT: Final = re.compile(r"0|[1-9][0-9]{0,4}", re.ASCII)
LONGEST_PATTERNED: Final = 256  # characters of a value that a pattern is held against
LARGEST_PORT: Final = 65_535


def normal_form(form: Form, value: Scalar) -> Scalar | Absent:
    """Give the value as it is disclosed untreated; `null` is `null` whatever the kind."""
    if value is None:
        return None
    if isinstance(value, str) and not _is_unicode(value):
        return MALFORMED
    match form.kind:
        case Kind.TEXT:
            fits = isinstance(value, str)
        case Kind.BOOLEAN:
            fits = isinstance(value, bool)
        case Kind.NUMBER:
            fits = isinstance(value, Number)
        case Kind.PORT:
            fits = isinstance(value, Number) and _is_port(value.text)
        case Kind.TIMESTAMP:
            fits = instant(form, value) is not None
        case Kind.ID:
            fits = identity(form, value) is not None
        case _:
            return identity(form, value) or MALFORMED
    return value if fits else MALFORMED


def identity(form: Form, value: Scalar, memo: Memo | None = None) -> str | None:
    """Give the text by which a value is the same person's or not; None if it has not its form.

    Only kinds that identify have one: `phone`, `ip`, `email`, `id`. `memo`: the warrant's, if any;
    it makes no difference but of time.
    """
    if isinstance(value, str) and not _is_unicode(value):
        return None
    match form.kind, value:
        case Kind.PHONE, str():
            read = parse_phone if memo is None else memo.phone
            return read(value, form.region, msisdn=form.msisdn)
        case Kind.IP, str():
            address = parse_ip(value)
            return None if address is None else print_ip(address)
        case Kind.EMAIL, str():
            return parse_email(value)
        case Kind.ID, str():
            return value if fits_pattern(form, value) else None
        case Kind.ID, Number(text) if _INTEGER.fullmatch(text):
            return text if fits_pattern(form, text) else None
    return None


def instant(form: Form, value: Scalar) -> Instant | None:
    """Give when a timestamp is; None if it is no timestamp between 2000 and 2100."""
    if form.unit is None:
        return None
    found: Instant | None = None
    if form.unit is Unit.RFC3339:
        found = parse_rfc3339(value) if isinstance(value, str) else None
    elif isinstance(value, Number):
        found = parse_count(value.text, form.unit)
    elif isinstance(value, str):
        found = parse_count(value, form.unit)
    return found if found is not None and YEAR_2000 <= found < YEAR_2100 else None


def treat(
    form: Form, treatment: Treatment, value: Scalar, tokenizer: Tokenizer | None
) -> Scalar | Absent:
    """Give what leaves of a value.

    `treatment`: `tokenize` and `generalize` only where the compiler gives them to the kind.

    Raises: KeyUnavailable if a token is asked for and there is no `tokenizer`.
    """
    if treatment is Treatment.DISCLOSE or value is None:
        return normal_form(form, value)
    if form.kind is Kind.TIMESTAMP:
        found = instant(form, value)
        return MALFORMED if found is None else print_day(found)
    address = parse_ip(value) if isinstance(value, str) else None
    if address is None:
        return MALFORMED
    if treatment is Treatment.GENERALIZE:
        return print_prefix(address)
    if tokenizer is None:
        message = "an address is to be tokenized and there is no token key"
        raise KeyUnavailable(message)
    return tokenizer.tokens([pack_ip(address)])[0]


def _is_port(text: str) -> bool:
    # No more digits than a port has, so that no hostile number is ever converted.
    return bool(_PORT.fullmatch(text)) and int(text) <= LARGEST_PORT


def fits_pattern(form: Form, text: str) -> bool:
    """Tell whether an id has the form's `pattern`, if there is one.

    A pattern costs a power of the length of what it is held against: no id is that long.
    """
    return form.matcher is None or (
        len(text) <= LONGEST_PATTERNED and form.matcher.fullmatch(text) is not None
    )


def _is_unicode(text: str) -> bool:
    """Tell whether UTF-8 can carry the text: a lone surrogate is no character (RFC 3629 §3)."""
    return text.isascii() or not _SURROGATE.search(text)
