"""The document: a report as JSON, from which the other forms are written. Pure.

Version 1; its members are in docs/reporting.md. Nothing in it is a target, a warrant's id, a caller
or a value: names of countries, instruments, categories, codes and rules, and numbers.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from withhold.kinds.instant import Instant, print_instant
from withhold.report.bands import STRUCTURES, banded, conditions
from withhold.report.cells import Cell, Table, make_table, received_of, spoken_of
from withhold.report.count import Count, Order
from withhold.report.query import Banded, Exact, Form, Query, Suppressed
from withhold.report.suppress import suppress

Json: TypeAlias = Any  # a document that was read back is anybody's until it is looked at

VERSION: Final = 1
NAME: Final = "withhold-transparency-report"
INTERNAL: Final = "INTERNAL"
PUBLIC: Final = "publication"

# The same sentence whether there are such orders or not: it must not tell.
SECRECY: Final = (
    "Orders under secrecy are in no number of this report, and nor is anything that they led to, "
    "until their secrecy ends; every total is without them. Whether there are any is not said."
)
_SECRECY_INTERNAL: Final = (
    "INTERNAL: exact counts, orders under secrecy among them. Not for publication."
)
_SUPPRESSED: Final = (
    "A number from 1 to {most} is not shown, nor is one that fewer than {threshold} orders led to, "
    "nor any from which such a one could be worked out. Nought is shown."
)
_EXACT: Final = "Every number is exact."
_BANDS: Final = "Every number is a band; what is not in a structure of the statute is not shown."
_PERIOD: Final = (
    "An order belongs to the period in which it was registered, and is judged by all that the log "
    "held when the report was made. A disclosure belongs to the period in which it was made, "
    "whenever its order was registered. Periods are [from, until) in UTC."
)
_CATEGORIES: Final = (
    "An order that asks for several categories is in the row of each, so these rows add up to more "
    "than the total. Disclosures are not told apart by category."
)
_PEOPLE: Final = (
    "People are counted as the identifiers that each order names. The log does not let anybody see "
    "that two orders are about the same person, so whoever several orders name counts for each."
)
_OPERATIONS: Final = (
    "Refusals and freezes are of all requests and of the whole deployment, whichever orders they "
    "were about."
)


_GAPS: Final = {
    "pruned_entries": "Parts of the log are pruned: what stood in them is not counted.",
    "unreadable_entries": "Entries of the log could not be read: they are not counted.",
    "unopened_receipts": (
        "Receipts have no sealed part any more: what was withheld under them is not counted."
    ),
    "receipts_without_requested": (
        "Receipts do not say how many fields the order asks for: of their fields that the "
        "instrument does not reach, none counts as requested."
    ),
    "orders_without_registration": (
        "Orders have no registration in the log: they are not counted as received."
    ),
    "orders_without_entry": (
        "Receipts name orders of which the log says nothing else: they are not counted."
    ),
}


@dataclass(frozen=True, slots=True)
class Source:
    """What a report was computed over. `root`: of the tree, base64; `checkpoint`: a signed note."""

    deployment: str
    software: str
    root: str | None = None
    checkpoint: str | None = None


def make_document(count: Count, query: Query, as_of: Instant, source: Source) -> dict[str, Json]:
    """Make the report of a settled count. `as_of`: when it is made; secrecy is judged by it."""
    form = query.form
    internal = isinstance(form, Exact)
    table = make_table(count, as_of, internal=internal)
    orders = spoken_of(count, as_of, internal=internal)
    uncounted = _uncounted(count, orders, internal=internal)
    return {
        "report": NAME,
        "version": VERSION,
        "audience": INTERNAL if internal else PUBLIC,
        "deployment": source.deployment,
        "software": source.software,
        "period": {"from": print_instant(query.since), "until": print_instant(query.until)},
        "as_of": print_instant(as_of),
        "countries": sorted(query.countries) or None,
        "log": {"size": count.size, "root": source.root, "checkpoint": source.checkpoint},
        "form": _form(query, as_of),
        "people": "identifiers-by-order",
        "uncounted": uncounted,
        "notes": list(_notes(form, uncounted)),
        "cells": [
            {
                "country": cell.scope.country or None,
                "instrument": cell.scope.instrument or None,
                "category": cell.scope.category or None,
                "measure": cell.measure.value,
                "reason": cell.reason or None,
                "value": value,
            }
            for cell, value in _values(count, table, form, as_of).items()
            if not query.countries or cell.scope.country in query.countries
        ],
    }


def write_json(document: Json) -> str:
    """Write a report, indented, its text as it is; encode it as UTF-8."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _values(count: Count, table: Table, form: Form, as_of: Instant) -> Mapping[Cell, Json]:
    """Give each cell's number, its band, or None.

    INVARIANT: what is hidden is decided over all countries, whichever are asked for: else reports
    on each of them would together tell what none tells.
    """
    if isinstance(form, Exact):
        return table.values
    if isinstance(form, Suppressed):
        hidden = suppress(table, form.threshold)
        return {cell: None if cell in hidden else n for cell, n in table.values.items()}
    received = received_of(count, spoken_of(count, as_of, internal=False))
    bands = banded(received, STRUCTURES[form.size])
    return {cell: {"from": first, "to": last} for cell, (first, last) in bands.items()}


def _form(query: Query, as_of: Instant) -> dict[str, Json]:
    if isinstance(query.form, Exact):
        return {"numbers": "exact"}
    if isinstance(query.form, Suppressed):
        return {"numbers": "suppressed", "threshold": query.form.threshold}
    structure = STRUCTURES[query.form.size]
    return {
        "numbers": "bands",
        "size": structure.size,
        "paragraph": structure.paragraph,
        "structure": structure.says,
        "conditions": [
            {"says": each.says, "met": each.is_met}
            for each in conditions(structure, query.since, query.until, as_of)
        ],
    }


def _uncounted(count: Count, orders: Iterable[Order], *, internal: bool) -> dict[str, int | bool]:
    """Say what could not be counted: how many, or for publication whether there is any.

    Receipts of an order that no entry describes may be under secrecy, so they are internal.
    """
    numbers = {
        "pruned_entries": count.pruned,
        "unreadable_entries": count.unreadable,
        "unopened_receipts": sum(order.unopened for order in orders),
        "receipts_without_requested": sum(order.unasked for order in orders),
        "orders_without_registration": sum(order.registered_at is None for order in orders),
    }
    if internal:
        unknown = sum(not order.is_known for order in count.orders.values())
        return {**numbers, "orders_without_entry": unknown}
    return {name: number > 0 for name, number in numbers.items()}


def _notes(form: Form, uncounted: Mapping[str, int]) -> Iterator[dict[str, str]]:
    if isinstance(form, Exact):
        yield {"about": "audience", "says": _SECRECY_INTERNAL}
        yield {"about": "numbers", "says": _EXACT}
    elif isinstance(form, Suppressed):
        yield {"about": "secrecy", "says": SECRECY}
        says = _SUPPRESSED.format(most=form.threshold - 1, threshold=form.threshold)
        yield {"about": "numbers", "says": says}
    else:
        yield {"about": "secrecy", "says": SECRECY}
        yield {"about": "numbers", "says": _BANDS}
    yield {"about": "period", "says": _PERIOD}
    if not isinstance(form, Banded):
        yield {"about": "categories", "says": _CATEGORIES}
        yield {"about": "people", "says": _PEOPLE}
        yield {"about": "operations", "says": _OPERATIONS}
    for name, number in uncounted.items():
        if number:
            yield {"about": "uncounted", "says": _GAPS[name]}
