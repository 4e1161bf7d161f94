"""Forms: a kind and the options that belong to it, as fields, keys and subjects write them."""

import re
import warnings
from collections.abc import Collection
from typing import Final

import phonenumbers

from withhold.kinds.form import Form
from withhold.names import Kind, Unit
from withhold.toml.faults import did_you_mean, listed
from withhold.toml.table import Table, Text

IDENTITY_KINDS: Final = frozenset({Kind.PHONE, Kind.IP, Kind.EMAIL, Kind.ID})  # tell people apart
KEY_KINDS: Final = frozenset(Kind) - {Kind.NUMBER, Kind.BOOLEAN, Kind.PORT}  # keys are strings

MAX_PATTERN: Final = 256  # characters

_OWNERS: Final = {
    "unit": Kind.TIMESTAMP,
    "region": Kind.PHONE,
    "format": Kind.PHONE,
    "pattern": Kind.ID,
}
_REGIONS: Final = {"UK": "GB"}  # ISO 3166-1 reserves it, and means another code
_MSISDN: Final = "msisdn"

# What a pattern is made of: escapes, sets, groups, repetitions, and everything else.
_PIECE: Final = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?(?:P<\w+>|<?[=!]|[:>])|\{\d*,?\d*\}|.", re.DOTALL
)
_VARIABLE: Final = re.compile(r"[*+?]|\{\d*,\d*\}")
_MAX_VARIABLE: Final = 4
# Of those that are no `?`. Three that follow each other and may hold the same text cost a sixth of
# the cube of the value's length: 30 ms at what a pattern is held to at most; eight, years. Each `?`
# doubles that.
_MAX_REPEATED: Final = 3
_BACKREFERENCE: Final = re.compile(r"\\[1-9]|\(\?P=|\(\?\(")


def read_form(table: Table, kinds: Collection[Kind], use: str) -> Form | None:
    """Read `kind` and its options. `kinds`: those that are meant here; `use`: what for."""
    kind = table.choice("kind", Kind)
    options = {name: table.text(name, required=False) for name in _OWNERS}
    if kind is None:
        return None
    for name, owner in _OWNERS.items():
        if name in table and kind is not owner:
            table.fault(f"`{name}` belongs to kind `{owner}`, not to `{kind}`", "", name)
    if kind not in kinds:
        hint = f"one of {listed(sorted(kinds))}"
        table.fault(f"{use} can't be of kind `{kind}`", hint, "kind")
        return None
    match kind:
        case Kind.TIMESTAMP:
            return _timestamp(table, options["unit"])
        case Kind.PHONE:
            return _phone(table, options["region"], options["format"])
        case Kind.ID:
            pattern = options["pattern"]
            if pattern is not None and not _is_sound(pattern):
                return None
            return Form(kind, pattern=None if pattern is None else pattern.value)
        case _:
            return Form(kind)


def _timestamp(table: Table, written: Text | None) -> Form | None:
    if "unit" not in table:
        hint = f"how the store writes it: {listed(unit.value for unit in Unit)}"
        table.fault("a timestamp needs a `unit`", hint)
    unit = None if written is None else table.choose(written, Unit)
    return None if unit is None else Form(Kind.TIMESTAMP, unit=unit)


def _phone(table: Table, region: Text | None, written: Text | None) -> Form | None:
    if region is not None and written is not None:
        hint = "a number of digits without `+` is international; `region` is for national ones"
        table.fault("`region` and `format` exclude each other", hint, "format")
        return None
    if region is not None and region.value not in phonenumbers.SUPPORTED_REGIONS:
        code = _REGIONS.get(region.value.upper(), region.value.upper())
        hint = did_you_mean(code, phonenumbers.SUPPORTED_REGIONS)
        region.fault(f"`{region.value}` is no region, such as `GB`", hint)
        return None
    if written is not None and written.value != _MSISDN:
        written.fault(f"`{written.value}` is no format of a phone", f"the only one is `{_MSISDN}`")
        return None
    return Form(
        Kind.PHONE, region=None if region is None else region.value, msisdn=written is not None
    )


def _is_sound(pattern: Text) -> bool:
    """Tell whether a pattern compiles and can't take for ever on any value; note what is wrong."""
    text = pattern.value
    if len(text) > MAX_PATTERN:
        pattern.fault(f"the pattern is longer than {MAX_PATTERN} characters")
        return False
    try:
        with warnings.catch_warnings(action="error"):
            re.compile(text)
    except (re.error, RecursionError, OverflowError, Warning):
        pattern.fault("the pattern is no regular expression, or one that may change its meaning")
        return False
    if _BACKREFERENCE.search(text) or _may_run_away(text):
        hint = (
            f"at most {_MAX_VARIABLE} repetitions, {_MAX_REPEATED} of them by more than `?`, none"
            " of a group that repeats or chooses; `[ab]` chooses, too"
        )
        pattern.fault("the pattern may take for ever to match", hint)
        return False
    return True


def _may_run_away(text: str) -> bool:
    """Tell whether a repeated group holds a repetition or a choice, as in `(a+)+` or `(a|b)*`.

    Such a pattern may match a value in exponentially many ways. Some that could not are refused
    with it; and of what remains the cost is a power of the value's length, so its number is small.
    """
    varies = [False]  # for each open group: whether it may match a text in several ways
    closed = False  # whether the piece before was the end of such a group
    variable = repeated = 0
    for piece in _PIECE.findall(text):
        if closed and (piece in {"*", "+"} or piece[0] == "{"):
            return True
        closed = False
        if piece[0] == "(":
            varies.append(False)
        elif piece == ")":
            closed = varies.pop()
            varies[-1] |= closed
        elif piece == "|":
            varies[-1] = True
        elif _VARIABLE.fullmatch(piece):
            varies[-1] = True
            variable += 1
            repeated += piece != "?"
    return variable > _MAX_VARIABLE or repeated > _MAX_REPEATED
