"""HTML: a report's JSON as one page that stands alone. Pure.

Every table has a caption and named rows and columns, and every chart is beside its table. All text
that comes from the document is escaped, whatever it is.
"""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Final

from withhold.html import code, heading, listing, page, paragraph, terms
from withhold.names import Category
from withhold.report.chart import Bar, bars
from withhold.report.document import INTERNAL, Json
from withhold.report.measures import MEANINGS, Measure
from withhold.report.style import STYLE
from withhold.report.table import show_value

HIDDEN: Final = "not shown"
NONE: Final = "none"

_M = Measure
_ORDERS: Final = (
    _M.ORDERS_RECEIVED,
    _M.ORDERS_UNDECIDED,
    _M.ORDERS_REFUSED,
    _M.ORDERS_APPROVED,
    _M.ORDERS_NOT_COMPLIED,
    _M.ORDERS_COMPLIED,
    _M.ORDERS_COMPLIED_WHOLE,
    _M.ORDERS_COMPLIED_PART,
    _M.PEOPLE_AFFECTED,
    _M.ORDERS_UNDER_SECRECY,
    _M.SELECTORS_TARGETED,
)
_DISCLOSURES: Final = (
    _M.DISCLOSURES_MADE,
    _M.DISCLOSURES_COMPLETE,
    _M.DISCLOSURES_INCOMPLETE,
    _M.DISCLOSURES_UNKNOWN,
    _M.DISCLOSURES_HELD_BACK,
    _M.REVEALS,
)
_FIELDS: Final = (
    _M.FIELDS_REQUESTED,
    _M.FIELDS_AUTHORISED,
    _M.FIELDS_DISCLOSED,
    _M.FIELDS_TOKENIZED,
    _M.FIELDS_GENERALIZED,
)
_VALUES: Final = (
    _M.VALUES_DISCLOSED,
    _M.VALUES_TOKENIZED,
    _M.VALUES_GENERALIZED,
    _M.RECORDS_DISCLOSED,
)
_BY_REASON: Final = (
    (_M.FIELDS_WITHHELD, "reason"),
    (_M.VALUES_WITHHELD, "reason"),
    (_M.RECORDS_WITHHELD, "reason"),
    (_M.STORE_FAILURES, "code"),
)

_Scope = tuple[str, str, str]  # country, instrument, category; empty: all
_ALL: Final = ("", "", "")


class _Cells:
    """The cells of a document, by measure, scope and reason."""

    def __init__(self, document: Json) -> None:
        self.values = {
            (
                cell["measure"],
                (cell["country"] or "", cell["instrument"] or "", cell["category"] or ""),
                cell["reason"] or "",
            ): cell["value"]
            for cell in document["cells"]
        }
        self.scopes: list[_Scope] = sorted({scope for _, scope, _ in self.values})

    def has(self, measure: Measure) -> bool:
        return any(name == measure for name, _, _ in self.values)

    def has_row(self, measures: Iterable[Measure], scope: _Scope) -> bool:
        return any((measure, scope, "") in self.values for measure in measures)

    def reasons(self, measure: Measure) -> list[str]:
        return sorted({reason for name, _, reason in self.values if name == measure})

    def text(self, measure: Measure, scope: _Scope, reason: str = "") -> str:
        key = (measure, scope, reason)
        if key not in self.values:
            return "0" if reason else "–"
        value = self.values[key]
        return HIDDEN if value is None else show_value(value)

    def bar(self, label: str, measure: Measure, reason: str = "") -> Bar:
        value = self.values.get((measure, self.top, reason), 0)
        size = value["to"] if isinstance(value, dict) else value
        return Bar(label, size, self.text(measure, self.top, reason))

    @property
    def top(self) -> _Scope:
        """The scope that charts show: all, or the first country where only some are asked for."""
        return self.scopes[0] if self.scopes else _ALL


def write_html(document: Json) -> str:
    """Write a report as an HTML page; encode it as UTF-8."""
    cells = _Cells(document)
    title = f"Transparency report of {document['deployment']}"
    body = (
        *_orders(cells),
        *_disclosed(cells),
        *_withheld(cells),
        *_operations(cells),
        *_method(document, cells),
    )
    return page(title, STYLE, body, above=_banner(document), below=_lead(document))


def _banner(document: Json) -> Iterator[str]:
    if document["audience"] == INTERNAL:
        yield paragraph(f"{INTERNAL}: exact counts, not for publication.", "banner")


def _lead(document: Json) -> Iterator[str]:
    period = document["period"]
    yield (
        f'<p class="lead">Period from {_time(period["from"])} until before '
        f"{_time(period['until'])}; as of {_time(document['as_of'])}.</p>"
    )
    if document["countries"]:
        yield paragraph(f"Of these countries only: {', '.join(document['countries'])}.")
    form = document["form"]
    if "paragraph" in form:
        yield paragraph(f"{form['paragraph']}: {form['structure']}.")
        yield "<ul>"
        for each in form["conditions"]:
            met = "met" if each["met"] else "<strong>not met</strong>"
            yield f"<li>{escape(each['says'])}: {met}</li>"
        yield "</ul>"


def _orders(cells: _Cells) -> Iterator[str]:
    measures = [measure for measure in _ORDERS if cells.has(measure)]
    yield heading("Orders and people")
    charted = [m for m in measures if cells.has_row([m], cells.top)]
    if charted:
        rows = [cells.bar(MEANINGS[m].title, m) for m in charted if m is not _M.PEOPLE_AFFECTED]
        yield from _figure("orders", f"What became of the orders: {_name(cells.top)}", rows)
    yield from _tables(cells, "Orders", measures)


def _disclosed(cells: _Cells) -> Iterator[str]:
    if not cells.has(_M.DISCLOSURES_MADE):
        return
    yield heading("What was disclosed")
    rows = [cells.bar(MEANINGS[measure].title, measure) for measure in _FIELDS]
    yield from _figure("fields", f"Fields, in all disclosures: {_name(cells.top)}", rows)
    yield from _tables(cells, "Fields", _FIELDS)
    yield from _tables(cells, "Values and records", _VALUES)
    yield from _tables(cells, "Deliveries", _DISCLOSURES)


def _withheld(cells: _Cells) -> Iterator[str]:
    found = [(measure, column) for measure, column in _BY_REASON if cells.has(measure)]
    if not found:
        return
    yield heading("What was withheld, and why")
    for measure, column in found:
        meaning = MEANINGS[measure]
        rows = [cells.bar(reason, measure, reason) for reason in cells.reasons(measure)]
        yield from _figure(measure, f"{meaning.title}: {_name(cells.top)}", rows)
        scopes = [scope for scope in cells.scopes if not scope[1] and not scope[2]]
        head = [column, *map(_name, scopes)]
        body = [
            [reason, *(cells.text(measure, scope, reason) for scope in scopes)]
            for reason in cells.reasons(measure)
        ]
        yield from _table(f"{meaning.title}: {meaning.says}.", head, body)
        instruments = [s for s in cells.scopes if s[1] and cells.has_row(_DISCLOSURES, s)]
        reasons = cells.reasons(measure)
        body = [[_name(s), *(cells.text(measure, s, r) for r in reasons)] for s in instruments]
        yield from _table(f"{meaning.title}, by instrument.", ["instrument", *reasons], body)


def _operations(cells: _Cells) -> Iterator[str]:
    if not cells.has(_M.FREEZES):
        return
    yield heading("Refused requests and freezes")
    body = [[code, cells.text(_M.REFUSALS, _ALL, code)] for code in cells.reasons(_M.REFUSALS)]
    if body:
        yield from _table(f"Refusals: {MEANINGS[_M.REFUSALS].says}.", ["code", "refusals"], body)
    says = MEANINGS[_M.FREEZES].says
    yield paragraph(f"Of {says}: {cells.text(_M.FREEZES, _ALL)}.")


def _method(document: Json, cells: _Cells) -> Iterator[str]:
    yield heading("How it was counted")
    yield listing(note["says"] for note in document["notes"])
    counted = [meaning for measure, meaning in MEANINGS.items() if cells.has(measure)]
    yield terms((meaning.title, meaning.says) for meaning in counted)
    log = document["log"]
    yield heading("What it was computed over")
    yield paragraph(f"The ledger's first {log['size']} entries, by {document['software']}.")
    if log["root"]:
        yield f"<p>Root of its tree: <code>{escape(log['root'])}</code></p>"
    if log["checkpoint"]:
        yield code(log["checkpoint"])


def _tables(cells: _Cells, title: str, measures: Sequence[Measure]) -> Iterator[str]:
    """Write the tables of some measures: by country, by instrument, by category."""
    known = {category.value for category in Category}
    groups = (
        ("by country", [s for s in cells.scopes if not s[1] and not s[2]]),
        ("by instrument", [s for s in cells.scopes if s[1]]),
        ("by category of data asked for", [s for s in cells.scopes if s[2] in known]),
        ("by contents and noncontents", [s for s in cells.scopes if s[2] and s[2] not in known]),
    )
    for words, scopes in groups:
        rows = [scope for scope in scopes if cells.has_row(measures, scope)]
        columns = [m for m in measures if any(cells.has_row([m], scope) for scope in rows)]
        if rows:
            head = ["", *(MEANINGS[measure].title for measure in columns)]
            body = [[_name(row), *(cells.text(m, row) for m in columns)] for row in rows]
            yield from _table(f"{title}, {words}.", head, body)


def _table(caption: str, head: Sequence[str], body: Iterable[Sequence[str]]) -> Iterator[str]:
    # A table that is too wide is scrolled within itself, with the keyboard too.
    yield f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}">'
    yield f"<table><caption>{escape(caption)}</caption>"
    cells = "".join(f'<th scope="col">{escape(text)}</th>' for text in head[1:])
    yield f'<thead><tr><th scope="col">{escape(head[0] or "of")}</th>{cells}</tr></thead><tbody>'
    for row in body:
        texts = "".join(
            f'<td class="no">{HIDDEN}</td>' if text == HIDDEN else f"<td>{escape(text)}</td>"
            for text in row[1:]
        )
        whole = ' class="all"' if row[0] == _name(_ALL) else ""
        yield f'<tr{whole}><th scope="row">{escape(row[0])}</th>{texts}</tr>'
    yield "</tbody></table></div>"


def _figure(identity: str, title: str, rows: Sequence[Bar]) -> Iterator[str]:
    yield f"<figure><figcaption>{escape(title)}</figcaption>"
    yield bars(f"chart-{identity}", title, rows)
    yield "</figure>"


def _name(scope: _Scope) -> str:
    """Say in words what a row is about."""
    return ", ".join(part for part in scope if part) or "all countries"


def _time(text: str) -> str:
    return f'<time datetime="{escape(text)}">{escape(text)}</time>'
