"""Canonical bytes: all that decides what leaves a resource, and nothing else.

Two allowlists with the same bytes let out the same of every answer. Texts for readers (`means`,
`data`, titles, reasons) do not decide and are not in them. Source: RFC 8785 (canonical JSON).
"""

from collections.abc import Iterable
from typing import Final, TypeAlias

from withhold.canonical import write_canonical
from withhold.catalogue.model import Field, Page, Param, Record, RequestSubject, Resolves, Resource
from withhold.digest import digest_of
from withhold.kinds.form import Form
from withhold.names import Digest, Treatment
from withhold.paths import print_names, print_path

COMPILER_VERSION: Final = 1  # raised whenever the same documents would compile to other decisions

Json: TypeAlias = bool | int | str | list["Json"] | dict[str, "Json"] | None


def allowlist_digest(resource: Resource, covered: Iterable[tuple[Field, Treatment]]) -> Digest:
    """Give the digest of an allowlist: content-addressed, the same wherever it was compiled."""
    return digest_of(allowlist_bytes(resource, covered))


def allowlist_bytes(resource: Resource, covered: Iterable[tuple[Field, Treatment]]) -> bytes:
    """Give the canonical bytes of an allowlist. With nothing covered, nothing else decides."""
    fields = list(covered)
    decides: dict[str, Json] = {
        "compiler": COMPILER_VERSION,
        "resource": resource.name,
        "fields": [],
    }
    if fields:
        decides |= resource_decides(resource)
        decides["fields"] = [
            {**field_decides(resource, f), "treatment": t.value} for f, t in fields
        ]
    return write_canonical(decides)


def resource_decides(resource: Resource) -> dict[str, Json]:
    """Give what decides about a whole resource: how it is called and whom it is about."""
    return {
        "path": [{"param": s.name} if isinstance(s, Param) else s for s in resource.template],
        "subject": None if resource.subject is None else _subject(resource.subject),
        "query": [[name, value] for name, value in resource.query],
        "page": None if resource.page is None else _page(resource.page),
        "absent": list[Json](sorted(resource.absent)),
        "snapshot": resource.snapshot,
        "resolves": None if resource.resolves is None else _resolves(resource.resolves),
    }


def field_decides(resource: Resource, field: Field) -> dict[str, Json]:
    """Give what decides about one field: its place, form and variant, and the records around it."""
    when = field.when
    return {
        "path": print_path(field.path),
        "part": field.part.value,
        "form": _form(field.form),
        "when": None if when is None else {"field": print_names(when.field), "is": when.value},
        "records": [_record(record) for record in resource.records_around(field.path)],
    }


def _subject(subject: RequestSubject) -> Json:
    confirm = None if subject.confirm is None else print_path(subject.confirm)
    return {"param": subject.param, "form": _form(subject.form), "confirm": confirm}


def _page(page: Page) -> Json:
    limit: Json = None if page.limit is None else list(page.limit)
    return {"next": print_names(page.next), "param": page.param, "limit": limit, "max": page.max}


def _resolves(resolves: Resolves) -> Json:
    return {"to": print_path(resolves.to), "form": _form(resolves.form)}


def _record(record: Record) -> Json:
    subject: Json = None
    if record.subject is not None:
        # Any one of them: their order does not decide.
        places = {print_names(names) if names else "" for names in record.subject.fields}
        subject = {"any": list[Json](sorted(places)), "form": _form(record.subject.form)}
    time: Json = None
    if record.time is not None:
        time = {"field": print_names(record.time.field), "form": _form(record.time.form)}
    return {"each": print_path(record.each), "subject": subject, "time": time}


def _form(form: Form) -> Json:
    return {
        "kind": form.kind.value,
        "region": form.region,
        "msisdn": form.msisdn,
        "unit": None if form.unit is None else form.unit.value,
        "pattern": form.pattern,
    }
