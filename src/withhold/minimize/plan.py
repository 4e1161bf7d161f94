"""The plan: an allowlist laid out as the tree of places that a decoder must look at, and no others.

Beside the covered leaves stand the places that are only looked at: a record's subject and time,
the neighbour that tells a variant, where the answer repeats its subject. What no place names is
skipped by the decoder and never becomes an object (law 3).
"""

from dataclasses import dataclass, field
from enum import StrEnum

from withhold.allowlist.compile import covers_keys
from withhold.allowlist.model import Allowlist, Entry
from withhold.catalogue.model import Record
from withhold.kinds.form import TEXT_KINDS, Form
from withhold.names import Kind, Unit
from withhold.paths import Names, Path, Wild


class Reading(StrEnum):
    """How a scalar is decoded: as one JSON type (another is a mismatch), or as its raw bytes."""

    TEXT = "text"
    TEXT_OR_INTEGER = "text-or-integer"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    RAW = "raw"


@dataclass
class Place:
    """One place of the answer. A leaf has readings; a container has names or one wildcard."""

    path: Path
    names: dict[str, "Place"] = field(default_factory=dict)
    elements: "Place | None" = None
    members: "Place | None" = None
    leaves: list[Entry] = field(default_factory=list)
    readings: set[Reading] = field(default_factory=set)
    record: Record | None = None
    keys: Entry | None = None  # of a `.*` place: the entry that discloses the keys
    whens: list[Names] = field(default_factory=list)  # of a base: what its variants look at
    covered: bool = False  # something beneath, or the leaf itself, may be disclosed

    @property
    def reading(self) -> Reading:
        """The one reading that serves all who look at this leaf."""
        return next(iter(self.readings)) if len(self.readings) == 1 else Reading.RAW

    @property
    def is_base(self) -> bool:
        """Whether variants beneath look at their neighbours from here."""
        return not self.path or isinstance(self.path[-1], Wild)

    def attributes(self) -> dict[str, str]:
        """Give the attribute that each member is decoded into, by name in order."""
        return {name: f"f{i}" for i, name in enumerate(sorted(self.names))}

    def attributes_to(self, names: Names) -> list[str]:
        """Give the attributes that lead along `names`."""
        if not names:
            return []
        return [self.attributes()[names[0]], *self.names[names[0]].attributes_to(names[1:])]

    def at(self, names: Names) -> "Place":
        """Give the place that `names` lead to."""
        return self.names[names[0]].at(names[1:]) if names else self


def lay_out(allowlist: Allowlist) -> Place | None:
    """Lay out the tree; None if it can't be one (the reference then does the work)."""
    root = Place(())
    resource = allowlist.resource
    for entry in allowlist.leaves:
        leaf = _reach(root, entry.field.path, covered=True)
        leaf.leaves.append(entry)
        leaf.readings.add(reading_of(entry.field.form) if entry.field.when is None else Reading.RAW)
        if entry.field.when is not None:
            base = _reach(root, entry.field.base)
            if entry.field.when.field not in base.whens:
                base.whens.append(entry.field.when.field)
            textual = isinstance(entry.field.when.value, str)
            _look_at(base, entry.field.when.field, Reading.TEXT if textual else Reading.RAW)
        for record in resource.records_around(entry.field.path):
            place = _reach(root, record.each)
            if place.record is None:
                place.record = record
                _look_at_record(place, record)
    if resource.subject is not None and resource.subject.confirm is not None:
        _reach(root, resource.subject.confirm).readings.add(reading_of(resource.subject.form))
    _find_keys(root, allowlist)
    return root if _is_tree(root) else None


def reading_of(form: Form) -> Reading:
    """Give how values of a form are decoded."""
    if form.kind in TEXT_KINDS or form.unit is Unit.RFC3339:
        return Reading.TEXT
    if form.kind in {Kind.ID, Kind.TIMESTAMP}:
        return Reading.TEXT_OR_INTEGER
    return {Kind.PORT: Reading.INTEGER, Kind.BOOLEAN: Reading.BOOLEAN}.get(form.kind, Reading.RAW)


def _look_at_record(place: Place, record: Record) -> None:
    if record.subject is not None:
        for names in record.subject.fields:
            _look_at(place, names, reading_of(record.subject.form))
    if record.time is not None:
        _look_at(place, record.time.field, reading_of(record.time.form))


def _look_at(place: Place, names: Names, reading: Reading) -> None:
    _reach(place, names).readings.add(reading)


def _reach(place: Place, path: Path, *, covered: bool = False) -> Place:
    """Follow `path` from `place`, making what is missing."""
    place.covered |= covered
    for segment in path:
        deeper = (*place.path, segment)
        if segment is Wild.ELEMENTS:
            place.elements = place.elements or Place(deeper)
            place = place.elements
        elif segment is Wild.MEMBERS:
            place.members = place.members or Place(deeper)
            place = place.members
        else:
            place = place.names.setdefault(str(segment), Place(deeper))
        place.covered |= covered
    return place


def _find_keys(place: Place, allowlist: Allowlist) -> None:
    if place.members is not None:
        place.members.keys = covers_keys(allowlist, place.members.path)
    for inner in inner_places(place):
        _find_keys(inner, allowlist)


def inner_places(place: Place) -> list[Place]:
    """Give the places one step beneath a place."""
    return [*place.names.values(), *(p for p in (place.elements, place.members) if p is not None)]


def _is_tree(place: Place) -> bool:
    """Tell whether every place is one thing, under names that the decoder can be told."""
    faces = (
        bool(place.names),
        place.elements is not None,
        place.members is not None,
        bool(place.readings),
    )
    # msgspec matches names by their bytes and so refuses those that JSON would have to escape
    plain = all(name.isprintable() and '"' not in name and "\\" not in name for name in place.names)
    return sum(faces) <= 1 and plain and all(_is_tree(inner) for inner in inner_places(place))
