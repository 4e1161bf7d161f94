"""Gates: which records of a column are in scope, told for the whole column at once.

The common case (ids and counts as they should be) is two list comprehensions; only a record that
they do not admit is looked at by the kinds, for the exact answer and the reason.
"""

from collections.abc import Callable, Sequence
from itertools import compress
from operator import attrgetter
from typing import Any, TypeAlias

from msgspec import UNSET

from withhold.catalogue.model import Record, RecordSubject, RecordTime
from withhold.kinds.form import Form
from withhold.kinds.scalar import identity, instant
from withhold.minimize.run import Bounds, Decoded, Run, scalar_of
from withhold.names import Kind, Reason
from withhold.paths import print_path

Reach: TypeAlias = Callable[[Any], Any]  # from a row to the value at a path of names, or UNSET
Gate: TypeAlias = Callable[[list[Any], Run], list[bool]]


def reach(attributes: Sequence[str]) -> Reach:
    """Give a function that follows attributes from a row; none of them is the row itself."""
    if not attributes:
        return lambda row: row
    if len(attributes) == 1:
        return attrgetter(attributes[0])

    def follow(row: Decoded) -> Decoded:
        for attribute in attributes:
            if row is None or row is UNSET:
                return UNSET
            row = getattr(row, attribute)
        return row

    return follow


def compile_gate(
    record: Record, subjects: Sequence[Reach], time: Reach | None, *, raw: bool
) -> Gate:
    """Compile the check of a record's subject, then of its time.

    `subjects`, `time`: from a row to the values that decide; `raw`: a subject is decoded as `Raw`.
    """
    place = print_path(record.each)
    by_subject = (
        None if record.subject is None else _subject_gate(record.subject, subjects, place, raw=raw)
    )
    by_time = None if record.time is None or time is None else _time_gate(record.time, time, place)

    def gate(rows: list[Any], run: Run) -> list[bool]:
        run.tally.records_seen += len(rows)
        if by_subject is None:
            return by_time(rows, run) if by_time is not None else [True] * len(rows)
        admitted = by_subject(rows, run)
        if by_time is None:
            return admitted
        in_time = iter(by_time(list(compress(rows, admitted)), run))
        return [is_in and next(in_time) for is_in in admitted]

    return gate


def _subject_gate(
    subject: RecordSubject, reaches: Sequence[Reach], place: str, *, raw: bool
) -> Gate:
    form = subject.form
    plain = _is_plain(form) and not raw

    def gate(rows: list[Any], run: Run) -> list[bool]:
        targets = run.bounds.targets[form.kind]
        columns = [list(map(each, rows)) for each in reaches]
        admitted = [plain and value in targets for value in columns[0]]
        for column in columns[1:]:
            admitted = [
                is_in or (plain and value in targets)
                for is_in, value in zip(admitted, column, strict=True)
            ]
        if not all(admitted):
            for i, is_in in enumerate(admitted):
                if not is_in:
                    admitted[i] = _is_target(form, [column[i] for column in columns], run, place)
        return admitted

    return gate


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


def _time_gate(time: RecordTime, reach_time: Reach, place: str) -> Gate:
    unit = time.form.unit

    def gate(rows: list[Any], run: Run) -> list[bool]:
        low, high = run.bounds.counts.get(unit, (0, 0)) if unit is not None else (0, 0)
        stamps = list(map(reach_time, rows))
        admitted = [type(stamp) is int and low <= stamp < high for stamp in stamps]
        if not all(admitted):
            for i, is_in in enumerate(admitted):
                if not is_in:
                    admitted[i] = _is_in_period(time.form, stamps[i], run, place)
        return admitted

    return gate


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
