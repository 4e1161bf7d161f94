"""Run: what one call of the fast plan needs beside the values, and the signals of its columns.

A column is a list of values that stand at one place, one for each parent that was kept; an
operation gives a list of the same length, with UNSET where nothing leaves.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, json

from withhold.kinds.instant import YEAR_2000, YEAR_2100, count_from
from withhold.kinds.scalar import Number, Scalar
from withhold.minimize.scope import Scope
from withhold.minimize.tally import Tally
from withhold.names import Kind, Reason, Unit

# `0` is left out: an integer 0 may have been written `-0`, which is another id. So are integers
# that are longer than any store's: the kinds compare them by their digits.
_INTEGER: Final = re.compile(r"-?[1-9][0-9]{0,18}", re.ASCII)


class Unclear(Exception):
    """The fast plan can't tell cleanly; the reference has the last word."""


@dataclass(frozen=True)
class Bounds:
    """A scope in the shapes that columns compare with."""

    scope: Scope
    # Ids that are integers stand in both shapes. Personal, so in no `repr` (law 6).
    targets: dict[Kind, frozenset[str | int]] = field(repr=False)
    counts: dict[
        Unit, tuple[int, int]
    ]  # a count n is in the period and in range if low <= n < high


def bounds_of(scope: Scope) -> Bounds:
    """Prepare a scope, once for the life of a minimizer."""
    targets: dict[Kind, frozenset[str | int]] = {}
    for kind in Kind:
        texts = scope.values(kind)
        integers = {int(text) for text in texts if _INTEGER.fullmatch(text)}
        targets[kind] = texts | integers if kind is Kind.ID else texts
    counts = {
        unit: (
            max(count_from(scope.period.since, unit), count_from(YEAR_2000, unit)),
            min(count_from(scope.period.until, unit), count_from(YEAR_2100, unit)),
        )
        for unit in (Unit.SECONDS, Unit.MILLISECONDS, Unit.MICROSECONDS)
    }
    return Bounds(scope, targets, counts)


class Run(Struct):
    """One call: the bounds, and the tally that grows."""

    bounds: Bounds
    tally: Tally = msgspec.field(default_factory=Tally)

    def withhold(self, reason: Reason, place: str) -> None:
        """Count something withheld."""
        self.tally.withheld[reason, place] += 1

    def disclose(self, label: str, count: int) -> None:
        """Count values that stand, or keys."""
        if count:
            disclosed = self.tally.disclosed
            disclosed[label] = disclosed.get(label, 0) + count  # a number, whatever it was


Decoded: TypeAlias = Any  # what a typed decoder gives: its type is made at run time

# What variants look at, aligned with the column: one list of scalars for each `when.field`.
Context: TypeAlias = Sequence[list[Any]]
Operation: TypeAlias = Callable[[list[Any], Context, Run], list[Any]]


def scalar_of(value: object) -> Scalar | UnsetType | list[object]:
    """Give a decoded value as the kinds know it; a list stands for any container.

    `value`: what a typed decoder gave (`str`, `int`, `bool`, `None`), `Raw`, or UNSET.
    Raises: Unclear for an integer 0, whose sign the decoder does not tell.
    """
    if isinstance(value, Raw):
        return _scalar_of_raw(bytes(value))
    if value is None or value is UNSET or isinstance(value, str | bool):
        return value
    if isinstance(value, int) and value:
        return Number(str(value))
    raise Unclear


def _scalar_of_raw(text: bytes) -> Scalar | UnsetType | list[object]:
    first = text[:1]
    if first == b'"':
        return json.decode(text, type=str)
    if first in (b"{", b"["):
        return []
    if first in (b"t", b"f"):
        return first == b"t"
    # A member that is missing decodes to UNSET, so empty bytes never come here.
    return None if first == b"n" else Number(text.decode())
