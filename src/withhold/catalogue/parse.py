"""Parse: catalogue documents become resources, or faults. Source: contract §4.

What the model promises is checked here. A resource at fault stays known by its name, as None, so
that what refers to it is not at fault, too.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Final, TypeAlias

from withhold.catalogue.call import (
    Place,
    joins,
    read_absent,
    read_page,
    read_query,
    read_resolves,
    read_subject,
)
from withhold.catalogue.fields import Declared, read_fields
from withhold.catalogue.model import Field, Record, RequestSubject, Resolves, Resource
from withhold.catalogue.records import Fields, check_record, read_records
from withhold.catalogue.shape import Claim, Shape
from withhold.catalogue.template import Template, overlap, read_template
from withhold.names import Part, ResourceName, StoreName
from withhold.paths import Path, print_path
from withhold.toml.faults import did_you_mean
from withhold.toml.table import Table

MAX_RESOURCES: Final = 500  # of all stores together

Resources: TypeAlias = dict[ResourceName, Resource | None]


def parse_catalogue(documents: Iterable[Table]) -> Resources:
    """Parse documents into resources by name; faults are noted with their documents'."""
    found: Resources = {}
    tables: dict[ResourceName, Table] = {}
    templates: dict[str, list[tuple[Template, Table]]] = {}
    for document in documents:
        store = document.name("store")
        if "resource" not in document:
            document.fault("a catalogue without `[[resource]]` describes nothing")
        for table in document.tables("resource"):
            name = table.name("name")
            template = read_template(table)
            resource = _resource(store or "", name or "", template, table)
            if store is None or name is None:
                continue
            full = ResourceName(f"{store}/{name}")
            if full in tables:
                first = _place(tables[full])
                table.fault(f"`{full}` is declared twice: first in {first}", "", "name")
                continue
            found[full], tables[full] = resource, table
            if template is not None:
                templates.setdefault(store, []).append((template, table))
            if len(found) > MAX_RESOURCES:
                table.fault(f"there are more than {MAX_RESOURCES} resources")
                return found
        document.done()
    for each in templates.values():
        _check_overlaps(each)
    return found


def _resource(store: str, name: str, template: Template | None, table: Table) -> Resource | None:
    faults = len(table.source.faults)
    subject = read_subject(table, template)
    query = read_query(table)
    page = read_page(table, query)
    absent = read_absent(table)
    snapshot = table.flag("snapshot")
    resolves = read_resolves(table)
    entries = table.table("fields")
    declared, faulty = ([], {()}) if entries is None else read_fields(entries)
    drafts = read_records(table.tables("records"))
    table.done()

    shape = Shape(faulty)
    declared = _placed(declared, shape)
    fields = _by_path(declared)
    records = [check_record(draft, fields, shape) for draft in drafts]
    _check_confirm(subject, table, shape)
    if page is not None:
        _check_pages(page[1], declared, shape)
    if resolves is not None:
        _check_resolves(*resolves, fields, shape)
    if template is None or len(table.source.faults) > faults:
        return None
    return Resource(
        store=StoreName(store),
        short_name=name,
        template=template,
        subject=subject,
        query=query,
        page=None if page is None else page[0],
        absent=absent,
        snapshot=snapshot,
        resolves=None if resolves is None else resolves[0],
        fields=tuple(sorted((each.field for each in declared), key=lambda field: field.label)),
        records=_sorted(records),
    )


def _placed(declared: Iterable[Declared], shape: Shape) -> list[Declared]:
    """Give the fields that fit together, and let `shape` grow by them and their neighbours."""
    placed = []
    for each in declared:
        leaf = each.field.part is Part.VALUE
        what = f"`{each.field.label}`"
        if shape.grow(Claim(each.field.path, what, each.table, (), leaf=leaf)):
            placed.append(each)
    for each in placed:
        when = each.field.when
        if when is not None:
            path = (*each.field.base, *when.field)
            what = f"`{print_path(path)}`, which tells a variant,"
            shape.grow(Claim(path, what, each.table, ("when", "field")))
    return placed


def _by_path(declared: Iterable[Declared]) -> dict[Path, list[Field]]:
    """Give the values that are declared, all variants of a path together."""
    fields: dict[Path, list[Field]] = {}
    for each in declared:
        if each.field.part is Part.VALUE:
            fields.setdefault(each.field.path, []).append(each.field)
    return fields


def _sorted(records: Iterable[Record | None]) -> tuple[Record, ...]:
    """Give records by path: what begins like another, and is inside it, comes after it."""
    found = (record for record in records if record is not None)
    return tuple(sorted(found, key=lambda record: print_path(record.each)))


def _check_confirm(subject: RequestSubject | None, table: Table, shape: Shape) -> None:
    if subject is not None and subject.confirm is not None:
        what = f"`{print_path(subject.confirm)}`, where the answer repeats its subject,"
        shape.grow(Claim(subject.confirm, what, table, ("subject", "confirm")))


def _check_pages(cursor: Place, declared: Iterable[Declared], shape: Shape) -> None:
    if cursor.path in {each.field.path for each in declared}:
        hint = "a cursor never leaves; undeclare the field"
        cursor.table.fault("the cursor is declared as a field", hint, cursor.key)
    shape.grow(Claim(cursor.path, "the cursor", cursor.table, (cursor.key,)))
    for each in declared:
        if not joins(each.field.path):
            hint = "members that two pages share could hide each other: an array must come first"
            each.table.fault(f"the pages of `{each.field.label}` don't join", hint)


def _check_resolves(resolves: Resolves, place: Place, fields: Fields, shape: Shape) -> None:
    found = fields.get(resolves.to, ())
    if shape.is_unclear(resolves.to):
        return
    if not found:
        text = print_path(resolves.to)
        hint = did_you_mean(text, {print_path(path) for path in fields})
        place.table.fault(f"`{text}` is not declared", hint, place.key)
    elif any(field.form.kind is not resolves.form.kind for field in found):
        kinds = f"`{found[0].form.kind}`, not `{resolves.form.kind}`"
        place.table.fault(f"the identifier is declared as {kinds}", "", "kind")


def _check_overlaps(templates: Sequence[tuple[Template, Table]]) -> None:
    for (one, first), (other, second) in combinations(templates, 2):
        if overlap(one, other):
            message = f"the path overlaps that of another resource, in {_place(first, 'path')}"
            second.fault(message, "a request could be for either", "path")


def _place(table: Table, key: str = "name") -> str:
    return f"{table.source.file}:{table.line(key)}"
