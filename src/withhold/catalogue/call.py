"""Call: how a store is asked for a resource, and what the answer repeats or leads to."""

import re
from dataclasses import dataclass
from typing import Final

from withhold.catalogue.forms import IDENTITY_KINDS, read_form
from withhold.catalogue.model import Page, Param, RequestSubject, Resolves
from withhold.catalogue.template import Template
from withhold.paths import Path, PathError, Wild, parse_path
from withhold.toml.faults import did_you_mean
from withhold.toml.table import Table

MAX_PAGES: Final = 10_000

_MAX_NUMBER: Final = 2**53 - 1
_STATUSES: Final = ((201, 299), (400, 499))
# These speak of the request or of us: that the store has nothing can't follow from them.
_NO_ABSENCE: Final = frozenset(
    {401, 405, 406, 407, 408, 411, 413, 414, 415, 421, 425, 426, 428, 429, 431}
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Place:
    """A path in an answer, with the table in which it is the value of `key`."""

    path: Path
    table: Table
    key: str


def read_subject(table: Table, template: Template | None) -> RequestSubject | None:
    """Read `subject`: which parameter it is, and where the answer repeats it."""
    subject = table.table("subject", required=False)
    if subject is None:
        return None
    param = subject.text("param")
    form = read_form(subject, IDENTITY_KINDS, "a subject")
    confirm: Path | None = None
    sound = True
    if "confirm" not in subject:
        hint = "the path at which the answer repeats it; or `false`, if it does not"
        subject.fault("`confirm` is missing", hint)
        sound = False
    elif subject.raw("confirm") is not False:
        if subject.raw("confirm") is True:
            hint = "or `false`, if it does not repeat it"
            subject.fault("`confirm` is the path at which the answer repeats it", hint, "confirm")
        found = None if subject.raw("confirm") is True else read_place(subject, "confirm")
        sound = found is not None
        confirm = None if found is None else found.path
    subject.done()
    if param is not None and template is not None:
        params = [segment.name for segment in template if isinstance(segment, Param)]
        if param.value not in params:
            hint = did_you_mean(param.value, params) or "the path has no parameter"
            param.fault(f"`{param.value}` is no parameter of the path", hint)
            sound = False
    if param is None or form is None or not sound:
        return None
    return RequestSubject(param.value, form, confirm)


def read_place(table: Table, key: str) -> Place | None:
    """Read a path of the answer that is not its root."""
    text = table.text(key)
    if text is None:
        return None
    try:
        path = parse_path(text.value)
    except PathError as error:
        text.fault(f"{error}")
        return None
    if not path:
        text.fault("`$` is the whole answer: name a place in it")
        return None
    return Place(path, table, key)


def read_resolves(table: Table) -> tuple[Resolves, Place] | None:
    """Read `resolves`: where a lookup's answer has the other identifier."""
    resolves = table.table("resolves", required=False)
    if resolves is None:
        return None
    to = read_place(resolves, "to")
    form = read_form(resolves, IDENTITY_KINDS, "an identifier")
    resolves.done()
    if "subject" not in table:
        resolves.fault("a lookup needs a `subject`: whose other identifier it gives")
    return None if to is None or form is None else (Resolves(to.path, form), to)


def read_query(table: Table) -> tuple[tuple[str, str], ...]:
    """Read `query`, by name: the order in the file says nothing."""
    query = table.table("query", required=False)
    if query is None:
        return ()
    found = []
    for name, _ in query.each():
        if not name or _CONTROL.search(name):
            query.fault("a query parameter has no name, or one with a control character", "", name)
        value = _parameter(query, name)
        if value is not None:
            found.append((name, value))
    return tuple(sorted(found))


def read_absent(table: Table) -> frozenset[int]:
    """Read `absent`: the statuses that mean that the store has nothing."""
    found = table.raw("absent", required=False)
    if found is None:
        return frozenset()
    if not isinstance(found, list):
        table.wrong_type("absent", "an array of statuses, such as `[404]`")
        return frozenset()
    statuses = set()
    for i, item in enumerate(found):
        status = table.check_integer(item, 100, 599, "absent", i)
        if status is None:
            continue
        if status in _NO_ABSENCE or not any(low <= status <= high for low, high in _STATUSES):
            hint = "such as 404, 410 or 204; what is wrong with the call is never an answer"
            table.fault(f"{status} can't mean that the store has nothing", hint, "absent", i)
        statuses.add(status)
    return frozenset(statuses)


def read_page(table: Table, query: tuple[tuple[str, str], ...]) -> tuple[Page, Place] | None:
    """Read `page`: where the next page's cursor is, and how it is sent."""
    page = table.table("page", required=False)
    if page is None:
        return None
    place = read_place(page, "next")
    param = page.text("param")
    limit = _limit(page)
    most = page.integer("max", 1, MAX_PAGES)
    page.done()
    if limit is not None and limit[0] in dict(query):
        hint = "leave it out of `query`"
        page.fault(f"`{limit[0]}` is in `query`, too", hint, "limit", "param")
    if param is not None and limit is not None and limit[0] == param.value:
        page.fault("cursor and limit are one parameter", "", "limit", "param")
    if place is None:
        return None
    names = tuple(segment for segment in place.path if isinstance(segment, str))
    if len(names) != len(place.path):
        page.fault("the cursor stands at a path with a wildcard", "an answer has one", "next")
        return None
    if param is None or most is None:
        return None
    return Page(names, param.value, limit, most), place


def joins(path: Path) -> bool:
    """Tell whether the pages of a field join: an array comes first, or it is on every page."""
    first = next((segment for segment in path if isinstance(segment, Wild)), Wild.ELEMENTS)
    return first is Wild.ELEMENTS


def _limit(page: Table) -> tuple[str, str] | None:
    limit = page.table("limit", required=False)
    if limit is None:
        return None
    param = limit.text("param")
    value = _parameter(limit, "value")
    limit.done()
    return None if param is None or value is None else (param.value, value)


def _parameter(table: Table, key: str) -> str | None:
    """Give a query parameter's value as it is sent: a string, or an integer's digits."""
    value = table.raw(key)
    if isinstance(value, int) and not isinstance(value, bool):
        number = table.check_integer(value, -_MAX_NUMBER, _MAX_NUMBER, key)
        return None if number is None else str(number)
    if value is None or isinstance(value, str):
        text = None if value is None else table.text(key, exact=True)
        return None if text is None else text.value
    table.wrong_type(key, "a string or an integer")
    return None
