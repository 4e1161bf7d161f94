"""Fields: what `[resource.fields]` declares, each path with its classification or its variants."""

import re
from dataclasses import dataclass
from typing import Final

from withhold.catalogue.forms import KEY_KINDS, read_form
from withhold.catalogue.model import Field, When
from withhold.names import Category, Kind, Part
from withhold.paths import Path, PathError, Wild, parse_names, parse_path, print_path
from withhold.toml.table import Table

# Beyond this a number has no one canonical text. Source: RFC 8785 §3.2.2.3, RFC 7493 §2.2
_MAX_INTEGER: Final = 2**53 - 1
_DATA: Final = re.compile(r"(?:user|system)(?:\.[a-z][a-z0-9]*(?:_[a-z0-9]+)*)*")


@dataclass(frozen=True)
class Declared:
    """A field with the table that declares it."""

    field: Field
    table: Table


def read_fields(table: Table) -> tuple[list[Declared], set[Path]]:
    """Read the fields of a resource, in the file's order, and the paths of those at fault.

    `()` among these: what its path should be can't be told.
    """
    declared: list[Declared] = []
    faulty: set[Path] = set()
    first: dict[Path, str] = {}
    for key, value in table.each():
        path = _path(table, key)
        if path is None:
            faulty.add(())
            continue
        if path in first:
            at = table.line(first[path])
            table.fault(f"`{key}` is declared twice: first in line {at}", "", key)
            continue
        first[path] = key
        faults = len(table.source.faults)
        declared += (
            _variants(table, key, path) if isinstance(value, list) else _one(table, key, path)
        )
        if len(table.source.faults) > faults:
            faulty.add(path)
    return declared, faulty


def is_data(text: str) -> bool:
    """Tell whether a text has the form of a data category. Source: fideslang's taxonomy."""
    return _DATA.fullmatch(text) is not None


def _path(table: Table, key: str) -> Path | None:
    try:
        path = parse_path(key)
    except PathError as error:
        hint = "from `$`, by `.name`, `['odd.name']`, `[*]` and `.*`"
        table.fault(f"{error}", hint, key)
        return None
    if not path:
        hint = "name the leaves in it; an answer that is an array begins with `$[*]`"
        table.fault("`$` is the whole answer and no field", hint, key)
        return None
    return path


def _one(table: Table, key: str, path: Path) -> list[Declared]:
    """Read a field, the keys of a map, or both: the members of a map of scalars."""
    entry = table.table(key)
    if entry is None:
        return []
    fields = [_keys(entry, path)] if "key" in entry else []
    if "when" in entry:
        fields.append(_variant(entry, path))
    elif entry.members.keys() != {"key"}:
        fields.append(_field(entry, path))
    entry.done()
    return [Declared(field, entry) for field in fields if field is not None]


def _keys(entry: Table, path: Path) -> Field | None:
    if path[-1] is not Wild.MEMBERS:
        hint = "`.*` stands for every member of an object that is keyed by data"
        entry.fault(f"`{print_path(path)}` has no keys: it does not end in `.*`", hint, "key")
    key = entry.table("key")
    if key is None:
        return None
    found = _field(key, path, Part.KEY)
    key.done()
    return found


def _variants(table: Table, key: str, path: Path) -> list[Declared]:
    declared: list[Declared] = []
    first: When | None = None
    values: set[tuple[type, object]] = set()  # as JSON has it, `true` is not `1`
    if not table.members[key]:
        table.fault(f"`{key}` has no variants", "each is a table with `when`", key)
    for entry in table.tables(key):
        found = _variant(entry, path)
        entry.done()
        if found is None or found.when is None:
            continue
        when = found.when
        first = first or when
        if when.field != first.field:
            hint = "else two of them could fit one value"
            entry.fault("the variants of a path look at different fields", hint, "when", "field")
        elif (type(when.value), when.value) in values:
            entry.fault("two variants of a path fit the same value", "", "when", "is")
        else:
            declared.append(Declared(found, entry))
            values.add((type(when.value), when.value))
    return declared


def _variant(entry: Table, path: Path) -> Field | None:
    when = _when(entry)
    found = _field(entry, path)
    if isinstance(path[-1], Wild):
        hint = "it has no neighbours of its own: elements that are objects have"
        entry.fault(f"`{print_path(path)}` is an element and can't have variants", hint)
        return None
    if when is None or found is None:
        return None
    return Field(path, found.category, found.form, found.data, found.means, when=when)


def _when(entry: Table) -> When | None:
    when = entry.table("when")
    if when is None:
        return None
    text = when.text("field")
    value = when.raw("is")
    when.done()
    if isinstance(value, str):
        checked = when.text("is", exact=True)
        value = None if checked is None else checked.value
    elif isinstance(value, int):  # `true` and `false` are integers to Python
        within = when.check_integer(int(value), -_MAX_INTEGER, _MAX_INTEGER, "is")
        value = value if within is not None else None
    elif value is not None:
        when.wrong_type("is", "a string, an integer, true or false")
        value = None
    if text is None or value is None:
        return None
    try:
        return When(parse_names(text.value), value)
    except PathError as error:
        hint = "from the innermost element around the field, else from the root"
        text.fault(f"{error}", hint)
        return None


def _field(entry: Table, path: Path, part: Part = Part.VALUE) -> Field | None:
    category = entry.choice("category", Category)
    kinds = KEY_KINDS if part is Part.KEY else frozenset(Kind)
    form = read_form(entry, kinds, "the key of an object" if part is Part.KEY else "a field")
    data = entry.text("data")
    means = entry.text("means")
    if data is not None and not is_data(data.value):
        hint = "such as `user.contact.email`: fideslang's categories, or your own under `user`"
        data.fault(f"`{data.value}` is no data category", hint)
        data = None
    if category is None or form is None or data is None or means is None:
        return None
    return Field(path, category, form, data.value, means.value, part)
