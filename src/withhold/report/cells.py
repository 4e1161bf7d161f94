"""The table: from a count to cells, and to the atoms that cells are sums of. Pure.

A cell is a measure of a scope (all, a country, an instrument of it, a category). Cells overlap:
the same order is in several. What does not overlap is an *atom*: so many orders, people or things
of one sort; each cell is the sum of the atoms that are in it. Whoever knows some cells and wants
another has only these sums to go by, across all tables of the report at once.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from withhold.kinds.instant import Instant
from withhold.ledger.receipt import Ending
from withhold.names import Category, Reason, Treatment
from withhold.report.count import Count, Key, Order, What
from withhold.report.measures import BY_REASON, Measure


class Scope(NamedTuple):
    """What a cell is about; an empty member means all. An instrument stands with its country."""

    country: str = ""
    instrument: str = ""
    category: str = ""


class Cell(NamedTuple):
    """One number of the report. `reason`: or a code, where the measure has them."""

    measure: Measure
    scope: Scope = Scope()
    reason: str = ""


class Atom(NamedTuple):
    """So many of one sort, and all cells that they are in."""

    cells: frozenset[Cell]
    number: int


Sort: TypeAlias = tuple[Scope, ...]  # the scopes that one order is in


@dataclass(frozen=True)
class Table:
    """The cells of a report, exact, and how they hang together.

    `orders_in`: of a cell that counts what orders led to, how many orders did; one that isn't there
    counts the orders or people themselves, or nothing that is anybody's.
    """

    values: Mapping[Cell, int]
    atoms: tuple[Atom, ...]
    orders_in: Mapping[Cell, int]


ALL: Final = Scope()
_OF_ORDERS: Final = (
    Measure.ORDERS_RECEIVED,
    Measure.ORDERS_APPROVED,
    Measure.ORDERS_REFUSED,
    Measure.ORDERS_UNDECIDED,
    Measure.ORDERS_COMPLIED,
    Measure.ORDERS_COMPLIED_WHOLE,
    Measure.ORDERS_COMPLIED_PART,
    Measure.ORDERS_NOT_COMPLIED,
    Measure.PEOPLE_AFFECTED,
)
_FIELDS: Final = {
    Treatment.DISCLOSE: (Measure.FIELDS_DISCLOSED, Measure.VALUES_DISCLOSED),
    Treatment.TOKENIZE: (Measure.FIELDS_TOKENIZED, Measure.VALUES_TOKENIZED),
    Treatment.GENERALIZE: (Measure.FIELDS_GENERALIZED, Measure.VALUES_GENERALIZED),
}
_ENDED: Final = {
    Ending.COMPLETE: (Measure.DISCLOSURES_MADE, Measure.DISCLOSURES_COMPLETE),
    Ending.INCOMPLETE: (Measure.DISCLOSURES_MADE, Measure.DISCLOSURES_INCOMPLETE),
    Ending.UNKNOWN: (Measure.DISCLOSURES_MADE, Measure.DISCLOSURES_UNKNOWN),
    Ending.NOT_SENT: (Measure.DISCLOSURES_HELD_BACK,),
}
_MEASURES: Final = {
    What.FAILED: (Measure.STORE_FAILURES,),
    What.REVEALED: (Measure.REVEALS,),
    What.AUTHORISED: (Measure.FIELDS_REQUESTED, Measure.FIELDS_AUTHORISED),
    What.WITHHELD_ASKED: (Measure.FIELDS_REQUESTED, Measure.FIELDS_WITHHELD),
    What.WITHHELD_UNASKED: (Measure.FIELDS_WITHHELD,),
    What.RECORDS: (Measure.RECORDS_DISCLOSED,),
}
_OF_DISCLOSURES: Final = (
    Measure.DISCLOSURES_MADE,
    Measure.DISCLOSURES_COMPLETE,
    Measure.DISCLOSURES_INCOMPLETE,
    Measure.DISCLOSURES_UNKNOWN,
    Measure.DISCLOSURES_HELD_BACK,
    Measure.REVEALS,
    Measure.FIELDS_REQUESTED,
    Measure.FIELDS_AUTHORISED,
    *(measure for pair in _FIELDS.values() for measure in pair),
    Measure.RECORDS_DISCLOSED,
)
# Each value that left is of a field that left, so one of a pair says much of the other.
PAIRS: Final = {
    **dict(_FIELDS.values()),
    **{values: fields for fields, values in _FIELDS.values()},
}


def is_under_secrecy(order: Order, as_of: Instant) -> bool:
    """Tell whether an order must not be spoken of yet."""
    return order.secrecy_until is not None and as_of < order.secrecy_until


def make_table(count: Count, as_of: Instant, *, internal: bool) -> Table:
    """Make the table of a settled count."""
    orders = spoken_of(count, as_of, internal=internal)
    received = received_of(count, orders)
    active = [o for o in orders if +o.tally]
    complied = [o for o in received if o.disclosures]
    orders_in: Counter[Cell] = Counter()
    for order in active:
        for cell in {c for key in +order.tally for c in _cells_of(order, key)}:
            orders_in[cell] += 1
    atoms = [
        *_order_atoms(received),
        *_people_atoms(complied),
        *_disclosure_atoms(active),
        *_other_atoms(count),
        *(_secrecy_atoms(received, as_of) if internal else ()),
    ]
    values = dict.fromkeys(_always(received, active, internal=internal), 0)
    for atom in atoms:
        for cell in atom.cells:
            values[cell] = values.get(cell, 0) + atom.number
    return Table(dict(sorted(values.items())), tuple(atoms), orders_in)


def spoken_of(count: Count, as_of: Instant, *, internal: bool) -> list[Order]:
    """Give the orders that may be spoken of: those known, unless under secrecy.

    INVARIANT: unless `internal`, an order under secrecy and all that it led to are left out before
    anything is summed, so no cell, row, note or pattern of suppression is a function of them.
    """
    known = [order for order in count.orders.values() if order.is_known]
    return [order for order in known if internal or not is_under_secrecy(order, as_of)]


def received_of(count: Count, orders: Iterable[Order]) -> list[Order]:
    """Give those of the orders that were registered in the period."""
    return [o for o in orders if o.registered_at and count.since <= o.registered_at < count.until]


def _scopes(order: Order) -> Sort:
    country = Scope(order.country)
    return (
        ALL,
        country,
        country._replace(instrument=order.instrument),
        *(Scope(category=category) for category in order.categories),
        *(country._replace(category=category) for category in order.categories),
    )


def _fates(order: Order) -> tuple[Measure, ...]:
    """Give the measures that an order is in."""
    if not order.was_active:
        undecided = Measure.ORDERS_REFUSED if order.is_revoked else Measure.ORDERS_UNDECIDED
        return (Measure.ORDERS_RECEIVED, undecided)
    if not order.disclosures:
        last: tuple[Measure, ...] = (Measure.ORDERS_NOT_COMPLIED,)
    elif order.in_part:
        last = (Measure.ORDERS_COMPLIED, Measure.ORDERS_COMPLIED_PART)
    else:
        last = (Measure.ORDERS_COMPLIED, Measure.ORDERS_COMPLIED_WHOLE)
    return (Measure.ORDERS_RECEIVED, Measure.ORDERS_APPROVED, *last)


def _order_atoms(received: Iterable[Order]) -> Iterator[Atom]:
    sorts = Counter((_scopes(order), _fates(order)) for order in received)
    for (scopes, fates), number in sorted(sorts.items()):
        yield Atom(frozenset(Cell(fate, scope) for fate in fates for scope in scopes), number)


def _people_atoms(complied: Iterable[Order]) -> Iterator[Atom]:
    sorts: Counter[Sort] = Counter()
    for order in complied:
        sorts[_scopes(order)] += order.targets
    for scopes, number in sorted(sorts.items()):
        yield Atom(frozenset(Cell(Measure.PEOPLE_AFFECTED, scope) for scope in scopes), number)


def _disclosure_atoms(active: Iterable[Order]) -> Iterator[Atom]:
    sorts: Counter[frozenset[Cell]] = Counter()
    for order in active:
        for key, number in (+order.tally).items():
            sorts[frozenset(_cells_of(order, key))] += number
    for cells, number in sorted(sorts.items(), key=lambda sort: sorted(sort[0])):
        yield Atom(cells, number)


def _other_atoms(count: Count) -> Iterator[Atom]:
    for code, number in sorted((+count.refusals).items()):
        yield Atom(frozenset({Cell(Measure.REFUSALS, ALL, code)}), number)
    yield Atom(frozenset({Cell(Measure.FREEZES)}), count.freezes)


def _secrecy_atoms(received: Iterable[Order], as_of: Instant) -> Iterator[Atom]:
    for order in received:
        if is_under_secrecy(order, as_of):
            scopes = (ALL, Scope(order.country))
            yield Atom(frozenset(Cell(Measure.ORDERS_UNDER_SECRECY, scope) for scope in scopes), 1)


def _cells_of(order: Order, key: Key) -> Iterator[Cell]:
    """Give the cells that what happened under an order is in: no category, for values have none."""
    for measure, reason in _measures_of(key):
        for scope in _scopes(order)[:3]:
            yield Cell(measure, scope, reason)


def _measures_of(key: Key) -> Iterator[tuple[Measure, str]]:
    """Give the measures that a tally counts in, and under which reason of each."""
    match key.what:
        case What.ENDED:
            measures: tuple[Measure, ...] = _ENDED[Ending(key.reason)]
        case What.FIELDS | What.VALUES:
            measures = (_FIELDS[Treatment(key.reason)][key.what is What.VALUES],)
        case What.LACKING:
            is_value = key.reason == Reason.MALFORMED
            measures = (Measure.VALUES_WITHHELD if is_value else Measure.RECORDS_WITHHELD,)
        case what:
            measures = _MEASURES[what]
    for measure in measures:
        yield measure, key.reason if measure in BY_REASON else ""


def _always(received: list[Order], active: list[Order], *, internal: bool) -> Iterator[Cell]:
    """Give the cells that are there even where they are nought, so that none stands out."""
    orders = [*received, *active]
    countries = sorted({Scope(order.country) for order in orders})
    instruments = sorted({Scope(order.country, order.instrument) for order in orders})
    for country in (ALL, *countries):
        for category in ("", *Category):
            for measure in _OF_ORDERS:
                yield Cell(measure, country._replace(category=category))
    for scope in (ALL, *countries, *instruments):
        for measure in _OF_DISCLOSURES:
            yield Cell(measure, scope)
    for scope in instruments:
        for measure in _OF_ORDERS:
            yield Cell(measure, scope)
    if internal:
        for scope in (ALL, *countries):
            yield Cell(Measure.ORDERS_UNDER_SECRECY, scope)
