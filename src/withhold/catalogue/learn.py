"""Learn: what a recorded answer holds that the catalogue does not declare. Pure.

The answer is read as a person at a terminal would read it, to write a catalogue; nothing is let
out by it, and everything it proposes is withheld until somebody declares it. Kinds are guessed
from the form of values; no value is kept, and an object's key is kept only where it looks like a
name and not like data. In doubt it is data: a store may key its objects by people's names.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from withhold.catalogue.model import Resource
from withhold.kinds.email import parse_email
from withhold.kinds.form import Form
from withhold.kinds.ip import parse_ip
from withhold.kinds.phone import parse_phone
from withhold.kinds.scalar import Number, Scalar, instant
from withhold.names import Kind, Part, Unit
from withhold.paths import MAX_SEGMENTS, Path, Wild, print_path

Json: TypeAlias = "Scalar | list[Json] | dict[str, Json]"
Guess: TypeAlias = Form | None  # None: only `null` was seen
Declared: TypeAlias = frozenset[tuple[Path, Part]]

ALIKE_OBJECTS: Final = 2  # so many objects with the same members may be people as well as parts
ALIKE_CONTAINERS: Final = 3  # so many arrays of one shape are more likely data than names
ALIKE_SCALARS: Final = 12  # likewise, where a shape says less
MAX_NAME: Final = 40  # no member's name that we have seen is longer

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)  # what a path need not quote
_DATA: Final = re.compile(r"[0-9]{4}|[0-9A-F]{8}-|[A-Z0-9]{8}", re.ASCII)
# Up to its first mark, and on: a pattern that looked for any mark would be quadratic.
_HANDLE: Final = re.compile(r"[\"%-,.;-?A-^`-~]*[0-9@:$!#/_\-][\x21-\x7e]*", re.ASCII)

# From the form that says most to the one that says least.
_PREFERENCE: Final = (
    Form(Kind.BOOLEAN),
    Form(Kind.IP),
    Form(Kind.TIMESTAMP, unit=Unit.RFC3339),
    Form(Kind.TIMESTAMP, unit=Unit.MICROSECONDS),
    Form(Kind.TIMESTAMP, unit=Unit.MILLISECONDS),
    Form(Kind.TIMESTAMP, unit=Unit.SECONDS),
    Form(Kind.EMAIL),
    Form(Kind.PHONE),
    Form(Kind.NUMBER),
    Form(Kind.ID),
    Form(Kind.TEXT),
)


@dataclass(frozen=True)
class Undeclared:
    """A place that the answer holds and the catalogue does not declare."""

    path: Path
    part: Part
    guess: Guess
    mixed: bool = False  # scalars and containers both stand there: it can't be declared as it is


@dataclass
class _Place:
    """What was seen at one place, over all its occurrences."""

    names: dict[str, "_Place"] = field(default_factory=dict)
    elements: "_Place | None" = None
    scalars: int = 0
    forms: frozenset[Form] | None = None  # those that fit every value so far; None: no value yet

    @property
    def leaf(self) -> bool:
        return self.scalars > 0

    @property
    def container(self) -> bool:
        return bool(self.names) or self.elements is not None


def learn(documents: Iterable[Json], resource: Resource | None) -> list[Undeclared]:
    """Give the places that `documents` hold and `resource` does not declare, by path.

    `documents`: answers of one resource, or the lines of a stream; `resource`: None if it is new.
    Places deeper than a path can say are left out.
    """
    root = _Place()
    for document in documents:
        _see(root, document, 0)
    fields = () if resource is None else resource.fields
    found: list[Undeclared] = []
    _collect(root, (), frozenset((each.path, each.part) for each in fields), found)
    return sorted(found, key=lambda each: (print_path(each.path), each.part))


def looks_like_data(key: str) -> bool:
    """Tell whether a member's key is more likely somebody's identifier than a member's name."""
    return len(key) > MAX_NAME or not _NAME.fullmatch(key) or bool(_DATA.search(key))


def guess_forms(value: Scalar) -> frozenset[Form]:
    """Give the forms that a value may have; judged by its form only, never by where it stands."""
    return frozenset(form for form in _PREFERENCE if _fits(form, value))


def _fits(form: Form, value: Scalar) -> bool:
    if isinstance(value, bool):
        return form.kind is Kind.BOOLEAN
    if isinstance(value, Number):
        return form.kind is Kind.NUMBER or (
            form.unit is not Unit.RFC3339 and instant(form, value) is not None
        )
    return isinstance(value, str) and _text_fits(form, value)


def _text_fits(form: Form, text: str) -> bool:
    match form.kind:
        case Kind.TEXT:
            return True
        case Kind.IP:
            return parse_ip(text) is not None
        case Kind.TIMESTAMP:
            # Digits in a string are as likely a number of something else.
            return form.unit is Unit.RFC3339 and instant(form, text) is not None
        case Kind.EMAIL:
            return parse_email(text) is not None
        case Kind.PHONE:
            return text.startswith("+") and parse_phone(text) is not None
        case Kind.ID:
            return _HANDLE.fullmatch(text) is not None
        case _:
            return False


def _see(place: _Place, value: Json, depth: int) -> None:
    if depth > MAX_SEGMENTS:
        return
    if isinstance(value, dict):
        for name, item in value.items():
            _see(place.names.setdefault(name, _Place()), item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            place.elements = place.elements or _Place()
            _see(place.elements, item, depth + 1)
    else:
        place.scalars += 1
        if value is not None:
            forms = guess_forms(value)
            place.forms = forms if place.forms is None else place.forms & forms


def _collect(place: _Place, path: Path, declared: Declared, found: list[Undeclared]) -> None:
    if place.leaf and ((path, Part.VALUE) not in declared or place.container) and path:
        found.append(Undeclared(path, Part.VALUE, _best(place.forms), mixed=place.container))
    if place.elements is not None:
        _collect(place.elements, (*path, Wild.ELEMENTS), declared, found)
    if not place.names:
        return
    if not _is_map(place, path, declared):
        for name, inner in place.names.items():
            _collect(inner, (*path, name), declared, found)
        return
    members = (*path, Wild.MEMBERS)
    if (members, Part.KEY) not in declared:
        forms = frozenset.intersection(*map(guess_forms, place.names))
        found.append(Undeclared(members, Part.KEY, _best(forms)))
    merged = _Place()
    for inner in place.names.values():
        _merge(merged, inner)
    _collect(merged, members, declared, found)


def _is_map(place: _Place, path: Path, declared: Declared) -> bool:
    """Tell whether the members here are keyed by data: as declared, else by how they look."""
    depth = len(path)
    here = {each[depth] for each, _ in declared if each[:depth] == path and len(each) > depth}
    if here:
        return Wild.MEMBERS in here
    if any(looks_like_data(name) for name in place.names):
        return True
    if _are_alike(place.names.values()):
        return True
    shapes = {_shape(inner) for inner in place.names.values()}
    if len(shapes) > 1:
        return False
    containers = all(inner.container for inner in place.names.values())
    return len(place.names) >= (ALIKE_CONTAINERS if containers else ALIKE_SCALARS)


def _are_alike(places: Collection[_Place]) -> bool:
    """Tell whether all are objects, and their members' names the same or nearly so.

    Nearly: some lack what the largest has, or share at least half of all names with it.
    """
    if any(place.leaf or place.elements is not None for place in places):
        return False
    objects = [set(place.names) for place in places if place.names]
    largest = max(objects, key=len, default=set())
    return len(objects) >= ALIKE_OBJECTS and all(
        each <= largest or 2 * len(each & largest) >= len(each | largest) for each in objects
    )


def _shape(place: _Place) -> str:
    """Give what two places of one shape have in common: names and forms, all the way down."""
    names = ",".join(f"{name!r}:{_shape(place.names[name])}" for name in sorted(place.names))
    elements = "" if place.elements is None else _shape(place.elements)
    forms = _best(place.forms) if place.leaf else ""
    return f"({forms}[{elements}]{{{names}}})"


def _merge(into: _Place, place: _Place) -> None:
    for name, inner in place.names.items():
        _merge(into.names.setdefault(name, _Place()), inner)
    if place.elements is not None:
        into.elements = into.elements or _Place()
        _merge(into.elements, place.elements)
    into.scalars += place.scalars
    if place.forms is not None:
        into.forms = place.forms if into.forms is None else into.forms & place.forms


def _best(forms: frozenset[Form] | None) -> Guess:
    """Give the form that says most; `text` where values of several types stand at one place."""
    if forms is None:
        return None
    return next((form for form in _PREFERENCE if form in forms), Form(Kind.TEXT))
