"""No number that is not shown can be worked out from those that are: tried, world by world."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.logs import instant
from withhold.kinds.instant import Instant
from withhold.ledger.receipt import Ending
from withhold.names import WarrantId
from withhold.report.cells import ALL, Atom, Cell, Scope, Table, make_table
from withhold.report.count import Count, Key, Order, What
from withhold.report.measures import Measure
from withhold.report.suppress import suppress

AT: Final = instant("2026-03-02")
UNTIL: Final = instant("2026-03-03")
PRIME: Final = 2**61 - 1
COUNTRIES: Final = {"a": "US", "b": "US", "c": "EU"}  # by instrument


def order(
    instrument: str = "a",
    *,
    country: str | None = None,
    categories: Sequence[str] = ("subscriber",),
    fate: str = "complied",
    targets: int = 1,
    tally: Mapping[Key, int] | None = None,
    secrecy_until: Instant | None = None,
) -> Order:
    made = Order(
        instrument,
        country or COUNTRIES[instrument],
        tuple(categories),
        targets,
        is_known=True,
        registered_at=AT,
        was_active=fate in {"complied", "part", "approved"},
        is_revoked=fate == "refused",
        disclosures=int(fate in {"complied", "part"}),
        in_part=fate == "part",
        secrecy_until=secrecy_until,
    )
    made.tally.update(tally or {})
    return made


def table_of(orders: Sequence[Order]) -> Table:
    count = Count(AT, UNTIL)
    count.orders = {WarrantId(f"W-{i}"): each for i, each in enumerate(orders)}
    return make_table(count, UNTIL, internal=False)


def worlds(table: Table, cells: set[Cell], hidden: frozenset[Cell]) -> Iterator[dict[Cell, int]]:
    """Give all worlds that show what is shown of `cells`; a number not shown is not nought."""
    atoms = [atom for atom in table.atoms if atom.number and atom.cells & cells]
    tops = [_top(table, atom, hidden) for atom in atoms]
    shown = [(cell, table.values[cell]) for cell in cells - hidden]
    for numbers in itertools.product(*(range(top + 1) for top in tops)):
        sums: dict[Cell, int] = dict.fromkeys(cells, 0)
        for atom, number in zip(atoms, numbers, strict=True):
            for cell in atom.cells:
                sums[cell] += number
        if all(sums[cell] == value for cell, value in shown) and all(
            sums[cell] for cell in cells & hidden
        ):
            yield sums


def _top(table: Table, atom: Atom, hidden: frozenset[Cell]) -> int:
    """How many of an atom there can be: as its least cell that is shown says, or a few more."""
    shown = [table.values[cell] for cell in atom.cells - hidden]
    return min([*shown, atom.number + 2])


def check_nothing_told(table: Table, hidden: frozenset[Cell], threshold: int) -> None:
    # What shares no atom is worked out apart.
    for cells in _connected(table):
        if not cells & hidden:
            continue
        seen: dict[Cell, set[int]] = {cell: set() for cell in cells & hidden}
        for sums in worlds(table, cells, hidden):
            for cell, values in seen.items():
                values.add(sums[cell])
            if all(len(values) > 1 for values in seen.values()):
                break
        assert [cell for cell, values in seen.items() if len(values) < 2] == []
    small = {
        cell
        for cell, value in table.values.items()
        if 0 < value < threshold
        and (cell.measure.startswith("orders_") or cell.measure is Measure.PEOPLE_AFFECTED)
    }
    assert small <= hidden
    assert not any(table.values[cell] == 0 for cell in hidden)


def _connected(table: Table) -> list[set[Cell]]:
    groups: list[set[Cell]] = []
    for atom in table.atoms:
        touching = [group for group in groups if group & atom.cells]
        groups = [group for group in groups if not group & atom.cells]
        groups.append(reduce(or_, touching, set(atom.cells)))
    return groups


FATES: Final = ("complied", "part", "approved", "refused", "waiting")
ORDERS: Final = st.builds(
    lambda sort, targets: order(sort[0], categories=sort[1], fate=sort[2], targets=targets),
    st.sampled_from(
        [
            ("a", ("subscriber",), "complied"),
            ("a", ("subscriber", "content"), "part"),
            ("b", ("content",), "complied"),
            ("b", ("content",), "refused"),
            ("c", ("subscriber",), "approved"),
        ]
    ),
    st.integers(1, 3),
)


@given(st.lists(ORDERS, min_size=1, max_size=9))
def test_no_number_of_orders_or_people_can_be_worked_out(orders: list[Order]) -> None:
    table = table_of(orders)
    check_nothing_told(table, suppress(table, 3), 3)


MINGLED: Final = st.builds(
    lambda instrument, fate: order(instrument, fate=fate),
    st.sampled_from("abc"),
    st.sampled_from(["complied", "refused"]),
)


@given(st.lists(MINGLED, min_size=4, max_size=16))
def test_no_number_can_be_worked_out_where_many_sorts_could_be_another(
    orders: list[Order],
) -> None:
    table = table_of(orders)
    check_nothing_told(table, suppress(table, 3), 3)


THINGS: Final = st.dictionaries(
    st.sampled_from(
        [
            Key(What.ENDED, Ending.COMPLETE),
            Key(What.ENDED, Ending.INCOMPLETE),
            Key(What.AUTHORISED),
            Key(What.WITHHELD_ASKED, "rule:r"),
            Key(What.WITHHELD_UNASKED, "not-in-warrant"),
            Key(What.FIELDS, "disclose"),
            Key(What.VALUES, "disclose"),
        ]
    ),
    st.integers(1, 3),
    max_size=4,
)


@given(st.lists(st.tuples(st.sampled_from("abc"), THINGS), min_size=1, max_size=6))
def test_nothing_that_orders_led_to_can_be_worked_out(
    made: list[tuple[str, dict[Key, int]]],
) -> None:
    table = table_of([order(instrument, tally=tally) for instrument, tally in made])
    check_nothing_told(table, suppress(table, 3), 3)


@given(
    st.lists(
        st.builds(
            lambda sort, fate, categories: order(
                sort[1], country=sort[0], fate=fate, categories=sorted(categories)
            ),
            st.tuples(st.sampled_from(["US", "EU", "UK"]), st.sampled_from("abcdefg")),
            st.sampled_from(FATES),
            st.sets(st.sampled_from(["subscriber", "identifying", "traffic", "content"])),
        ),
        max_size=120,
    ),
    st.integers(3, 12),
)
def test_no_sum_of_what_is_shown_is_a_number_that_is_not(
    orders: list[Order], threshold: int
) -> None:
    """On large tables: what is hidden is no linear combination of what is shown."""
    table = table_of(orders)
    hidden = suppress(table, threshold)
    cells = [cell for cell in table.values if cell.measure.startswith("orders_")]
    atoms = [atom for atom in table.atoms if atom.cells & set(cells) and atom.number]
    rows = {cell: [int(cell in atom.cells) for atom in atoms] for cell in cells}
    basis: dict[int, list[int]] = {}
    for cell in cells:
        if cell not in hidden:
            _reduce(rows[cell], basis, keep=True)
    told = [cell for cell in cells if cell in hidden and not _reduce(rows[cell], basis, keep=False)]
    assert told == []


def _reduce(row: list[int], basis: dict[int, list[int]], *, keep: bool) -> bool:
    """Tell whether a row is independent of the basis, modulo a prime; add it if asked to."""
    for i in range(len(row)):
        if row[i] and i in basis:
            factor = row[i]
            row = [(a - factor * b) % PRIME for a, b in zip(row, basis[i], strict=True)]
        elif row[i]:
            if keep:
                inverse = pow(row[i], -1, PRIME)
                basis[i] = [a * inverse % PRIME for a in row]
            return True
    return False


def test_one_small_number_in_a_row_takes_another_with_it() -> None:
    orders = [order("a")] * 2 + [order("b")] * 20 + [order("c")] * 40
    table = table_of(orders)
    hidden = suppress(table, 5)
    shown = {cell for cell in table.values if cell not in hidden}
    received = Measure.ORDERS_RECEIVED
    assert Cell(received, Scope("US", "a")) in hidden
    assert Cell(received, Scope("US", "b")) in hidden  # else a is the country's less b
    assert {Cell(received), Cell(received, Scope("US")), Cell(received, Scope("EU", "c"))} <= shown


def test_the_total_goes_where_nothing_else_can() -> None:
    table = table_of([order("a")] * 4)
    assert Cell(Measure.ORDERS_RECEIVED) in suppress(table, 5)
    assert Cell(Measure.ORDERS_REFUSED) not in suppress(table, 5)  # nought is about nobody


def test_what_few_orders_led_to_is_not_shown_however_large_it_is() -> None:
    busy = {Key(What.FIELDS, "disclose"): 50, Key(What.VALUES, "disclose"): 4_000}
    few = [order("a", tally=busy)] * 2 + [order("b", tally=busy)] * 9 + [order("c", tally=busy)] * 9
    for each in few:
        each.registered_at = Instant(0)  # before the period: how many came is nought, and shown
    hidden = suppress(table_of(few), 5)
    values = Measure.VALUES_DISCLOSED
    assert Cell(values, Scope("US", "a")) in hidden
    assert Cell(values, Scope("US", "b")) in hidden
    assert Cell(values, Scope("EU", "c")) not in hidden
    assert Cell(values) not in hidden


def test_what_was_disclosed_is_not_shown_where_the_orders_complied_with_are_not() -> None:
    # Five old orders led to things, and three of the period were complied with.
    old = order("c", tally={Key(What.RECORDS): 3})
    old.registered_at = Instant(0)
    table = table_of([old] * 6 + [order("c")] * 3)
    hidden = suppress(table, 5)
    assert Cell(Measure.ORDERS_COMPLIED, Scope("EU", "c")) in hidden
    assert Cell(Measure.RECORDS_DISCLOSED, Scope("EU", "c")) in hidden


def test_fields_and_values_are_shown_together_or_not_at_all() -> None:
    """Alone, fields would take b with them, which has few fields, and values d: it has few."""
    fields, values = Key(What.FIELDS, "tokenize"), Key(What.VALUES, "tokenize")
    orders = [order("a", tally={fields: 1, values: 1})] * 2
    orders += [order("b", tally={fields: 1, values: 90})] * 9
    orders += [order("d", country="US", tally={fields: 5, values: 5})] * 9
    for each in orders:
        each.registered_at = Instant(0)
    hidden = suppress(table_of(orders), 5)
    for measure in (Measure.FIELDS_TOKENIZED, Measure.VALUES_TOKENIZED):
        assert Cell(measure, Scope("US", "a")) in hidden
        assert Cell(measure, Scope("US", "b")) in hidden
        assert Cell(measure, Scope("US", "d")) not in hidden


def test_refusals_are_hidden_alone_and_freezes_never() -> None:
    count = Count(AT, UNTIL, freezes=1)
    count.refusals.update({"not-a-target": 2, "frozen": 7})
    hidden = suppress(make_table(count, UNTIL, internal=False), 5)
    assert hidden == {Cell(Measure.REFUSALS, ALL, "not-a-target")}


def test_a_threshold_that_hides_only_ones_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 3"):
        suppress(table_of([]), 2)


def test_a_table_of_many_countries_and_instruments_takes_no_time() -> None:
    orders = [
        order(f"i{i}", country=f"C{i % 30}", categories=("content", "traffic")[: i % 3], fate=fate)
        for i in range(60)
        for fate in FATES
        for _ in range(i % 7)
    ]
    table = table_of(orders)
    assert len(table.values) > 2_000
    assert len(suppress(table, 5)) > 500
