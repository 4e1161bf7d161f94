"""Gates: which records of a column are in scope, told for the whole column at once.

The common case (ids and counts as they should be, those of others included) is two list
comprehensions; only what is written otherwise is looked at by the kinds.
"""

from collections.abc import Callable, Sequence
from operator import or_
from typing import Any, Final, TypeAlias

from msgspec import UNSET

from withhold.catalogue.model import Record, RecordSubject, RecordTime
from withhold.kinds.email import parse_email
from withhold.kinds.form import Form
from withhold.kinds.instant import YEAR_2000, YEAR_2100, count_from
from withhold.kinds.memo import Memo
from withhold.kinds.scalar import fits_pattern, identity, instant
from withhold.minimize.ip import normal
from withhold.minimize.run import Bounds, Decoded, Run, scalar_of
from withhold.names import Kind, Reason, Unit
from withhold.paths import print_path

Columns: TypeAlias = Sequence[list[Any]]  # the members of the rows, by index
Look: TypeAlias = Callable[[Columns], list[Any]]  # gives the column at a path of names
Gate: TypeAlias = Callable[[Columns, Run], list[bool]]
Identify: TypeAlias = Callable[[Any, Memo], str | None]  # who a decoded value is

_TEXT: Final = frozenset({str})


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
        admitted = None if by_subject is None else by_subject(columns, run)
        if by_time is not None:
            admitted = by_time(columns, admitted, run)
        return [True] * len(columns[0]) if admitted is None else admitted

    return gate


def _subject_gate(
    subject: RecordSubject, looks: Sequence[Look], place: str, *, raw: bool
) -> Callable[[Columns, Run], list[bool]]:
    form = subject.form
    if _is_plain(form) and not raw:
        return _plain_gate(form, looks, place)
    tell = _general(form) if raw else _compile_identity(form)

    def check(columns: Columns, run: Run) -> list[bool]:
        targets, memo = run.bounds.targets[form.kind], run.bounds.scope.memo
        found = [[tell(value, memo) for value in each(columns)] for each in looks]
        admitted = [each in targets for each in found[0]]
        for column in found[1:]:
            admitted = list(map(or_, admitted, [each in targets for each in column]))
        if not all(admitted):
            unnamed = sum(all(one is None for one in each) for each in zip(*found, strict=True))
            _withhold(run, Reason.NO_SUBJECT, place, unnamed)
            _withhold(run, Reason.NOT_A_TARGET, place, admitted.count(False) - unnamed)
        return admitted

    return check


def _plain_gate(
    form: Form, looks: Sequence[Look], place: str
) -> Callable[[Columns, Run], list[bool]]:
    """Compile the check of ids: where all are texts, none of them has to be read."""
    tell = _general(form)

    def check(columns: Columns, run: Run) -> list[bool]:
        targets, memo = run.bounds.targets[form.kind], run.bounds.scope.memo
        named = [each(columns) for each in looks]
        admitted = [value in targets for value in named[0]]
        for column in named[1:]:
            admitted = list(map(or_, admitted, [value in targets for value in column]))
        if all(admitted):
            return admitted
        unnamed = 0
        if not all(_TEXT.issuperset(map(type, column)) for column in named):
            for i, is_in in enumerate(admitted):
                if not is_in:
                    found = [tell(column[i], memo) for column in named]
                    admitted[i] = any(each in targets for each in found)
                    unnamed += all(each is None for each in found)
        _withhold(run, Reason.NO_SUBJECT, place, unnamed)
        _withhold(run, Reason.NOT_A_TARGET, place, admitted.count(False) - unnamed)
        return admitted

    return check


def _withhold(run: Run, reason: Reason, place: str, count: int) -> None:
    if count:  # no count of a tally is zero
        run.tally.withheld[reason, place] += count


def _is_plain(form: Form) -> bool:
    """Tell whether a value that equals a target's normal form is that target, unasked.

    Not so with options. Nor may a phone number be: what of a number is read away depends on what
    is left, so a normal form that is read again can become another (`+95 0 0641…`).
    """
    return form.kind is Kind.ID and form.pattern is None


def _compile_identity(form: Form) -> Identify:
    """Give what the kinds say who a value is, at once for texts that are decoded as such."""
    general = _general(form)
    match form.kind:
        case Kind.PHONE:
            region, msisdn = form.region, form.msisdn
            return lambda value, memo: (
                memo.phone(value, region, msisdn=msisdn)
                if type(value) is str
                else general(value, memo)
            )
        case Kind.IP | Kind.EMAIL:
            read = normal if form.kind is Kind.IP else parse_email
            return lambda value, memo: read(value) if type(value) is str else general(value, memo)
        case _:  # an id; one without a pattern is told by `_plain_gate`
            return lambda value, memo: (
                (value if fits_pattern(form, value) else None)
                if type(value) is str
                else general(value, memo)
            )


def _general(form: Form) -> Identify:
    """Give what the kinds say who a value is, however it was decoded."""

    def tell(value: Decoded, memo: Memo) -> str | None:
        scalar = scalar_of(value)
        return None if scalar is UNSET or isinstance(scalar, list) else identity(form, scalar, memo)

    return tell


def compile_agreement(form: Form) -> Callable[[list[Any], Bounds], bool]:
    """Compile the check that all of a column are the request's subject."""
    is_plain, identify = _is_plain(form), _general(form)

    def agree(values: list[Any], bounds: Bounds) -> bool:
        subject, memo = bounds.scope.subject, bounds.scope.memo
        if subject is None:
            return not values
        return (is_plain and values.count(subject) == len(values)) or all(
            identify(value, memo) == subject for value in values
        )

    return agree


def _time_gate(
    time: RecordTime, look_at: Look, place: str
) -> Callable[[Columns, list[bool] | None, Run], list[bool]]:
    """Compile the check of those rows that were admitted before it (None: all of them).

    A record has one reason to be withheld.
    """
    unit = time.form.unit
    first, last = 0, 0  # what may be a count at all
    if unit is not None and unit is not Unit.RFC3339:
        first, last = count_from(YEAR_2000, unit), count_from(YEAR_2100, unit)

    def check(columns: Columns, before: list[bool] | None, run: Run) -> list[bool]:
        low, high = run.bounds.counts.get(unit, (0, 0)) if unit is not None else (0, 0)
        stamps = look_at(columns)
        fits = [type(stamp) is int and low <= stamp < high for stamp in stamps]
        if all(fits):
            return fits if before is None else before
        admitted = [True] * len(fits) if before is None else before
        outside = 0
        for i, fit in enumerate(fits):
            if fit or not admitted[i]:
                continue
            stamp = stamps[i]
            if type(stamp) is int and first <= stamp < last:
                outside += 1
                admitted[i] = False
            else:
                admitted[i] = _is_in_period(time.form, stamp, run, place)
        _withhold(run, Reason.OUT_OF_PERIOD, place, outside)
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
