"""Answers: what a store could say of a resource, made up from its catalogue alone. Pure.

Every field that the catalogue declares is there with a valid value of its kind: the record is about
one made-up person and within `PERIOD`, `confirm` repeats whom the request is about, and of variants
each stands where its `when` says so. Beside them stands what no catalogue declares, as much as is
asked for. The same resource gives the same bytes. No page leads to another.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import msgspec

from withhold.bench.values import Value, identity_of, make_key, make_person, make_value
from withhold.catalogue.model import Field, Param, Record, Resource, When
from withhold.kinds.form import Form
from withhold.names import Part
from withhold.paths import Names, Path, Segment, Wild
from withhold.warrant.model import Target

RECORDS: Final = 20  # elements of each outermost array or map, unless asked otherwise
_INNER: Final = 2  # elements of those within
_DECLARED: Final = 2  # of so many bytes one is declared, unless asked otherwise
_PARAM: Final = "bench-1"  # what a path's other parameters are
_UNDECLARED: Final = b'"nothing that any catalogue declares",{"count":1234567,"of":[true,null]},'


@dataclass
class Place:
    """A place of an answer, and all that is known of the values there."""

    within: dict[Segment, "Place"] = field(default_factory=dict)
    fields: list[Field] = field(default_factory=list)  # several: variants
    key: Form | None = None  # of a map's members: what their keys are
    person: list[Form] = field(default_factory=list)  # it says whom something is about
    dated: list[Form] = field(default_factory=list)  # it says when a record is
    whens: dict[Names, list[str | int | bool]] = field(default_factory=dict)  # of what is within


@dataclass(frozen=True)
class Sketch:
    """What answers of a resource look like, and whom a request for it is about."""

    resource: Resource
    root: Place
    params: Mapping[str, str]  # of the resource's path
    targets: frozenset[Target]  # whom a warrant must name for all of it to leave
    is_lines: bool  # one document can't hold every variant: the store answers NDJSON


@dataclass(frozen=True)
class Answer:
    """One answer of a store."""

    body: bytes
    records: int  # elements of the outermost arrays and maps, or lines


def sketch(resource: Resource) -> Sketch:
    """Read from the catalogue what an answer looks like.

    Raises: NoExample if a value of some form can't be made up.
    """
    root = Place()
    for each in resource.fields:
        place = _at(root, each.path)
        if each.part is Part.KEY:
            place.key = each.form
        else:
            place.fields.append(each)
            _note_when(root, each)
    for record in resource.records:
        _note_record(root, record)
    subject, params = resource.subject, dict.fromkeys(resource.params, _PARAM)
    if subject is not None:
        forms = [subject.form]
        if subject.confirm is not None:
            repeated = _at(root, subject.confirm)
            repeated.person.append(subject.form)
            forms += [each.form for each in repeated.fields]
        params[subject.param] = str(make_person(forms))
    if resource.resolves is not None:
        _at(root, resource.resolves.to).person.append(resource.resolves.form)
    if resource.page is not None:
        _remove(root, resource.page.next)
    targets = frozenset(_targets(root))
    if subject is not None:
        value = identity_of(subject.form, params[subject.param])
        targets |= {Target(subject.form.kind, str(value))}
    is_lines = bool(root.whens) and resource.page is None
    return Sketch(resource, root, params, targets, is_lines)


def path_of(shape: Sketch) -> tuple[str, ...]:
    """Give the segments of the path by which a store is asked for it, decoded."""
    template = shape.resource.template
    return tuple(shape.params[s.name] if isinstance(s, Param) else s for s in template)


def write_answer(
    shape: Sketch, *, records: int | None = None, size_bytes: int | None = None
) -> Answer:
    """Write an answer with so many records, filled up to so many bytes with what is undeclared.

    Left out, half of the bytes are declared; there are never fewer records than variants, and never
    fewer bytes than they take. Raises: NoExample.
    """
    if records is None:
        records = RECORDS if size_bytes is None else _fitting(shape, size_bytes // _DECLARED)
    return _Writer(shape, records).write(size_bytes)


def _fitting(shape: Sketch, size_bytes: int) -> int:
    """Estimate how many records take so many bytes."""
    few, more = (_Writer(shape, n).declared_bytes() for n in (RECORDS, 2 * RECORDS))
    each = max(more - few, RECORDS) / RECORDS
    return max(1, RECORDS + round((size_bytes - few) / each))


def _at(root: Place, path: Path) -> Place:
    place = root
    for segment in path:
        place = place.within.setdefault(segment, Place())
    return place


def _note_when(root: Place, each: Field) -> None:
    """Note at the innermost element which values must be among its neighbours."""
    if each.when is None:
        return
    values = _at(root, each.base).whens.setdefault(each.when.field, [])
    if not any(_is(each.when, value) for value in values):
        values.append(each.when.value)
    _at(root, each.base + each.when.field)


def _note_record(root: Place, record: Record) -> None:
    """Note where a record says whom it is about, and when it is."""
    if record.time is not None:
        _at(root, record.each + record.time.field).dated.append(record.time.form)
    if record.subject is not None:
        # Of `any` one is enough: the first that may well hold such an identifier.
        form = record.subject.form
        places = [_at(root, record.each + names) for names in record.subject.fields]
        fitting = (place for place in places if _may_name(place, form))
        next(fitting, places[0]).person.append(form)


def _may_name(place: Place, form: Form) -> bool:
    kinds = {each.form.kind for each in place.fields}
    return not place.dated and (not kinds or form.kind in kinds)


def _remove(root: Place, names: Names) -> None:
    """Have no cursor: what is not there leads to no other page."""
    *outer, last = names
    place: Place | None = root
    for name in outer:
        place = None if place is None else place.within.get(name)
    if place is not None:
        place.within.pop(last, None)


def _targets(place: Place) -> Iterator[Target]:
    """Give everybody whom records are about, in the normal form."""
    if place.person:
        value = make_person(_forms_of_person(place))
        for form in place.person:
            if (normal := identity_of(form, value)) is not None:
                yield Target(form.kind, normal)
    for inner in place.within.values():
        yield from _targets(inner)


def _forms_of_person(place: Place) -> list[Form]:
    kinds = {form.kind for form in place.person}
    return [*place.person, *(each.form for each in place.fields if each.form.kind in kinds)]


def _is(when: When, value: object) -> bool:
    """Compare as exact JSON: 1 is not true."""
    return type(when.value) is type(value) and when.value == value


class _Writer:
    """One answer under way: objects, and those of them that have room for the undeclared."""

    def __init__(self, shape: Sketch, records: int) -> None:
        self._records = records
        self._numbers = count(1)
        self._room: list[dict[str, Any]] = []
        self._seen = 0
        most = max([records, *map(len, shape.root.whens.values())]) if shape.is_lines else 1
        self._documents = [self._value(shape.root, at, depth=0) for at in range(most)]
        self._is_lines = shape.is_lines
        if shape.is_lines:
            self._seen = most
        if not self._room and not any(isinstance(each, Wild) for each in shape.root.within):
            self._room = [each for each in self._documents if isinstance(each, dict)]
        self._name = _undeclared_name(shape.root)

    def declared_bytes(self) -> int:
        return len(self._encode())

    def write(self, size_bytes: int | None) -> Answer:
        body = self._encode()
        wanted = _DECLARED * len(body) if size_bytes is None else size_bytes
        # `"name":` and, in an object that has others, a comma.
        spare = wanted - len(body) - sum(len(self._name) + 3 + bool(each) for each in self._room)
        if self._room and spare >= 2 * len(self._room):
            share, rest = divmod(spare, len(self._room))
            for at, each in enumerate(self._room):
                each[self._name] = msgspec.Raw(_ballast(share + (at < rest)))
            body = self._encode()
        return Answer(body, self._seen)

    def _encode(self) -> bytes:
        if self._is_lines:
            return b"".join(msgspec.json.encode(each) + b"\n" for each in self._documents)
        return msgspec.json.encode(self._documents[0])

    def _value(self, place: Place, element: int, depth: int) -> Any:  # noqa: ANN401 - it is JSON
        """Give what stands at an element, a member or the root."""
        told = {names: values[element % len(values)] for names, values in place.whens.items()}
        value = self._within(place, (), told, depth)
        if depth == 1:
            self._seen += 1
            if isinstance(value, dict) and any(isinstance(name, str) for name in place.within):
                self._room.append(value)
        return value

    def _within(
        self, place: Place, names: Names, told: Mapping[Names, str | int | bool], depth: int
    ) -> Any:  # noqa: ANN401 - it is JSON
        """Give what stands at `names` from the innermost element; None if nothing does."""
        inner = place.within
        if not inner:
            return self._leaf(place, names, told) if names or place.fields or place.person else {}
        if Wild.ELEMENTS in inner:
            each = inner[Wild.ELEMENTS]
            values = (self._value(each, at, depth + 1) for at in range(self._many(each, depth)))
            return [value for value in values if value is not None]
        if Wild.MEMBERS in inner:
            each = inner[Wild.MEMBERS]
            many = range(self._many(each, depth))
            return {
                make_key(each.key, next(self._numbers)): self._value(each, at, depth + 1)
                for at in many
            }
        found = {
            name: self._within(next_place, (*names, name), told, depth)
            for name, next_place in inner.items()
            if isinstance(name, str)
        }
        return {name: value for name, value in found.items() if value is not None}

    def _many(self, each: Place, depth: int) -> int:
        return max([_INNER if depth else self._records, *map(len, each.whens.values())])

    def _leaf(
        self, place: Place, names: Names, told: Mapping[Names, str | int | bool]
    ) -> Value | None:
        if names in told:
            return told[names]
        if place.person:
            return make_person(_forms_of_person(place))
        fitting = [
            each.form
            for each in place.fields
            if each.when is None or _is(each.when, told.get(each.when.field))
        ]
        forms = place.dated or fitting
        return make_value(forms, next(self._numbers)) if forms else None


def _undeclared_name(root: Place) -> str:
    """Give a member's name that no catalogued place bears."""

    def names(place: Place) -> Iterator[Segment]:
        for segment, inner in place.within.items():
            yield segment
            yield from names(inner)

    known, name = set(names(root)), "undeclared"
    while name in known:
        name += "_"
    return name


def _ballast(size_bytes: int) -> bytes:
    """Give a JSON value of exactly so many bytes, at least two."""
    least = 4  # `[""]`
    if size_bytes < least:
        return b"1" * size_bytes
    whole = max(0, size_bytes - least) // len(_UNDECLARED)
    filling = _UNDECLARED * whole
    return b'[%b"%b"]' % (filling, b"x" * (size_bytes - least - len(filling)))
