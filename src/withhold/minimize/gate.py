"""Gates: which records of a column are in scope, told for the whole column at once.

The common case (ids and counts as they should be) is two list comprehensions; only a record that
they do not admit is looked at by the kinds, for the exact answer and the reason.
"""

from collections.abc import Callable, Sequence
from operator import or_
from typing import Any, TypeAlias

from msgspec import UNSET

from withhold.catalogue.model import Record, RecordSubject, RecordTime
from withhold.kinds.form import Form
from withhold.kinds.scalar import identity, instant
from withhold.minimize.run import Bounds, Decoded, Run, scalar_of
from withhold.names import Kind, Reason
from withhold.paths import print_path

Columns: TypeAlias = Sequence[list[Any]]  # the members of the rows, by index
Look: TypeAlias = Callable[[Columns], list[Any]]  # gives the column at a path of names
Gate: TypeAlias = Callable[[Columns, Run], list[bool]]


def look(index: int, attributes: Sequence[str] = ()) -> Look:
    """Give a function that takes a column, and follows attributes from its values."""
    if not attributes:
        return lambda columns: columns[index]

    def follow(value: Decoded) -> Decoded:
        for attribute in attributes:
            if value is None or value is UNSET:
                return UNSET
            value = getattr(value, attribute)
        return value

    return lambda columns: list(map(follow, columns[index]))


def compile_gate(record: Record, subjects: Sequence[Look], time: Look | None, *, raw: bool) -> Gate:
    """Compile the check of a record's subject, then of its time.

    `subjects`, `time`: where the values are that decide; `raw`: a subject is decoded as `Raw`.
    """
    place = print_path(record.each)
    by_subject = (
        None if record.subject is None else _subject_gate(record.subject, subjects, place, raw=raw)
    )
    by_time = None if record.time is None or time is None else _time_gate(record.time, time, place)

    def gate(columns: Columns, run: Run) -> list[bool]:
        run.tally.records_seen += len(columns[0])
        admitted = [True] * len(columns[0])
        if by_subject is not None:
            admitted = by_subject(columns, admitted, run)
        if by_time is not None:
            admitted = by_time(columns, admitted, run)
        return admitted

    return gate


# A check of those rows that were admitted before it: a record has one reason to be withheld.
_Check: TypeAlias = Callable[[Columns, list[bool], Run], list[bool]]


def _subject_gate(
    subject: RecordSubject, looks: Sequence[Look], place: str, *, raw: bool
) -> _Check:
    form = subject.form
    plain = _is_plain(form) and not raw

    def check(columns: Columns, _before: list[bool], run: Run) -> list[bool]:
        targets = run.bounds.targets[form.kind]
        named = [each(columns) for each in looks]
        admitted = [False] * len(named[0])
        for column in named if plain else ():
            found = [value in targets for value in column]
            admitted = list(map(or_, admitted, found)) if any(admitted) else found
        if not all(admitted):
            for i, is_in in enumerate(admitted):
                if not is_in:
                    admitted[i] = _is_target(form, [column[i] for column in named], run, place)
        return admitted

    return check


def _is_target(form: Form, values: list[Any], run: Run, place: str) -> bool:
    found = [_identity(form, value) for value in values]
    if not run.bounds.scope.values(form.kind).isdisjoint(
        each for each in found if each is not None
    ):
        return True
    run.withhold(
        Reason.NO_SUBJECT if all(each is None for each in found) else Reason.NOT_A_TARGET, place
    )
    return False


def _is_plain(form: Form) -> bool:
    """Tell whether a value that equals a target's normal form is that target, unasked.

    Not so with options. Nor may a phone number be: what of a number is read away depends on what
    is left, so a normal form that is read again can become another (`+95 0 0641…`).
    """
    return form.kind is Kind.ID and form.pattern is None


def _identity(form: Form, value: Decoded) -> str | None:
    scalar = scalar_of(value)
    return None if scalar is UNSET or isinstance(scalar, list) else identity(form, scalar)


def agrees(form: Form, value: Decoded, bounds: Bounds) -> bool:
    """Tell whether a decoded value is the request's subject."""
    subject = bounds.scope.subject
    if subject is None:
        return False
    return (_is_plain(form) and value == subject) or _identity(form, value) == subject


def _time_gate(time: RecordTime, look_at: Look, place: str) -> _Check:
    unit = time.form.unit

    def check(columns: Columns, before: list[bool], run: Run) -> list[bool]:
        low, high = run.bounds.counts.get(unit, (0, 0)) if unit is not None else (0, 0)
        stamps = look_at(columns)
        admitted = [type(stamp) is int and low <= stamp < high for stamp in stamps]
        if not (all(admitted) and all(before)):
            for i, (was_in, is_in) in enumerate(zip(before, admitted, strict=True)):
                if not was_in or not is_in:
                    admitted[i] = was_in and _is_in_period(time.form, stamps[i], run, place)
        return admitted

    return check


def _is_in_period(form: Form, value: Decoded, run: Run, place: str) -> bool:
    scalar = scalar_of(value)
    moment = None if scalar is UNSET or isinstance(scalar, list) else instant(form, scalar)
    if moment is None:
        run.withhold(Reason.UNDATED, place)
        return False
    if not run.bounds.scope.period.holds(moment):
        run.withhold(Reason.OUT_OF_PERIOD, place)
        return False
    return True
