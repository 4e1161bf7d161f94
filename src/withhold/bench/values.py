"""Values: made-up ones of every kind, none of which could be anybody's. Pure.

Telephone numbers are those that Ofcom keeps for drama (020 7946 0000 to 0999), addresses those of
RFC 5737 and RFC 3849, domains those of RFC 6761. The same number gives the same value.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from withhold.bench.example import example
from withhold.errors import WithholdError
from withhold.kinds.form import Form
from withhold.kinds.instant import Instant, count_from, print_instant
from withhold.kinds.scalar import Number, Scalar, identity, normal_form
from withhold.names import Kind, Unit
from withhold.warrant.model import Interval

Value = str | int | float | bool

PERIOD: Final = Interval(Instant(1_772_323_200), Instant(1_775_001_600))  # March 2026
PERSON: Final = 0  # the number of whoever the warrant is about

_SECONDS: Final = PERIOD.until.second - PERIOD.since.second
_STEP_S: Final = 7_919  # a prime: instants do not repeat before there are as many as seconds
_NETWORKS: Final = ("203.0.113", "198.51.100", "192.0.2")  # RFC 5737
_NUMBERS: Final = 1_000
_DYNAMIC: Final = 49_152  # the first port that nobody is assigned (RFC 6335 §6)


class NoExample(WithholdError):
    """No value could be made up that has a form."""


def make_value(forms: Sequence[Form], number: int) -> Value:
    """Make a value that has all of these forms. Raises: NoExample."""
    # What asks the most of a text comes first: what has that form mostly has the others, too.
    for form in sorted(forms, key=lambda form: not (form.pattern or form.msisdn)):
        value = _make(form, number)
        if value is not None and all(has_form(each, value) for each in forms):
            return value
    kinds = " and ".join(sorted({str(form.kind) for form in forms}))
    message = f"no value could be made up of kind {kinds}"
    raise NoExample(message, "a `pattern` may be more than examples are found for")


def make_person(forms: Sequence[Form]) -> Value:
    """Make an identifier of the one person whom all is about. Raises: NoExample."""
    return make_value(forms, PERSON)


def make_key(form: Form | None, number: int) -> str:
    """Make the key of a map. Raises: NoExample."""
    return f"key-{number}" if form is None else str(make_value([form], number))


def has_form(form: Form, value: Value) -> bool:
    """Tell whether a value would leave as one of this form."""
    return isinstance(normal_form(form, as_scalar(value)), str | Number | bool)


def identity_of(form: Form, value: Value) -> str | None:
    """Give the normal form of an identifier; None if it is none."""
    return identity(form, as_scalar(value))


def as_scalar(value: Value) -> Scalar:
    """Give a value as the kinds know it."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return (
        Number(str(value)) if is_number else str(value) if isinstance(value, str) else bool(value)
    )


def _make(form: Form, number: int) -> Value | None:
    match form.kind:
        case Kind.PHONE:
            ending = f"{(number * 7 + 220) % _NUMBERS:04}"
            return f"44207946{ending}" if form.msisdn else f"+44 20 7946 {ending}"
        case Kind.TIMESTAMP:
            at = Instant(PERIOD.since.second + number * _STEP_S % _SECONDS)
            unit = form.unit or Unit.RFC3339
            return print_instant(at) if unit is Unit.RFC3339 else count_from(at, unit)
        case Kind.ID if form.pattern is not None:
            return example(form.pattern, number)
        case kind:
            return _PLAIN[kind](number)


def _address(number: int) -> str:
    if number % 4 == 3:  # noqa: PLR2004 - one in four is of version 6
        return f"2001:db8::{number % 65_536:x}"
    return f"{_NETWORKS[number // 254 % 3]}.{number % 254 + 1}"


# Of the kinds without an option.
_PLAIN: Final[Mapping[Kind, Callable[[int], Value]]] = {
    Kind.IP: _address,
    Kind.PORT: lambda number: _DYNAMIC + number % 16_384,
    Kind.EMAIL: "person-{}@example.test".format,
    Kind.ID: "id-{:06}".format,
    Kind.NUMBER: lambda number: number + 0.25 if number % 2 else number,
    Kind.BOOLEAN: lambda number: number % 2 == 0,
    Kind.TEXT: "text {} of nobody".format,
}
