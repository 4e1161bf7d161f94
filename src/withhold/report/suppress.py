"""Suppression: which cells must not be published, so that no small number can be worked out. Pure.

Primary: a cell of orders or people from 1 to below the threshold; a cell of what orders led to, if
fewer orders than that led to it, or if how many orders were complied with in its scope is
suppressed. Complementary: further cells, until for each suppressed one there is *another world*
that shows the same published numbers and not this one: one of one sort is of another, or there is
one more or fewer of it. Each world is found, not guessed, so it is a proof.

Noughts are published: they are about nobody. So the worlds are held to what that gives away: a
suppressed number is never nought in any. Source of the terms: Willenborg and de Waal, Elements of
Statistical Disclosure Control (2001).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from withhold.report.cells import PAIRS, Cell, Table
from withhold.report.measures import Measure

DEFAULT_THRESHOLD: Final = 5
LEAST_THRESHOLD: Final = 3  # below it a number that is small enough to hide could only be 1
MOST_THRESHOLD: Final = 1_000_000

_OPEN: Final = frozenset({Measure.FREEZES})  # about nobody
_NOT_OF_ORDERS: Final = _OPEN | {Measure.REFUSALS}
_ORDERS, _PEOPLE, _THINGS = "orders", "people", "things"


@dataclass
class _Pattern:
    """What is suppressed so far; bits stand for cells, in the order of `cells`."""

    cells: list[Cell]
    bit: Mapping[Cell, int]
    values: list[int]
    worth: list[int]
    atoms: list[int]  # the cells of each atom that there is one of at least
    hidden: int = 0
    other: int = 0  # hidden cells that are another number in some world


def suppress(table: Table, threshold: int) -> frozenset[Cell]:
    """Give the cells that must not be published. Raises: ValueError, for a threshold too low."""
    if threshold < LEAST_THRESHOLD:
        message = f"a threshold is at least {LEAST_THRESHOLD}, not {threshold}"
        raise ValueError(message)
    primary = {cell for cell in table.values if _is_small(table, cell, threshold)}
    orders = {cell for cell in primary if _family(cell) == _ORDERS}
    hidden = _complete(table, orders, _ORDERS)
    thin = {cell.scope for cell in hidden if cell.measure is Measure.ORDERS_COMPLIED}
    for family in (_PEOPLE, _THINGS):
        of_thin = {
            cell
            for cell, value in table.values.items()
            if value and cell.scope in thin and cell.measure not in _NOT_OF_ORDERS
        }
        wanted = {cell for cell in primary | of_thin if _family(cell) == family}
        hidden |= _complete(table, wanted, family)
    return frozenset(hidden)


def _family(cell: Cell) -> str:
    """Tell which cells share atoms: no sum leads from one family to another."""
    if cell.measure is Measure.PEOPLE_AFFECTED:
        return _PEOPLE
    return _ORDERS if cell.measure.startswith("orders_") else _THINGS


def _is_small(table: Table, cell: Cell, threshold: int) -> bool:
    value = table.values[cell]
    if not value or cell.measure in _OPEN:
        return False
    return table.orders_in.get(cell, value) < threshold


def _complete(table: Table, primary: set[Cell], family: str) -> set[Cell]:
    """Add to the primary cells of a family what they need beside them."""
    cells = [cell for cell in table.values if _family(cell) == family]
    bit = {cell: 1 << i for i, cell in enumerate(cells)}
    atoms = [
        sum(bit[cell] for cell in atom.cells)
        for atom in table.atoms
        if atom.number and atom.cells & bit.keys()
    ]
    values = [table.values[cell] for cell in cells]
    pattern = _Pattern(cells, bit, values, [_worth(cell) for cell in cells], atoms)
    for cell in sorted(primary):
        _hide(pattern, cell)
    # INVARIANT: what makes a world another one is hidden, and hiding more never undoes that.
    while wanted := pattern.hidden & ~pattern.other:
        _, changed = min(
            ((_cost(pattern, world), world) for world in _worlds(pattern, wanted & -wanted)),
            key=lambda found: found[0],
        )
        for i in _bits(changed & ~pattern.hidden):
            _hide(pattern, cells[i])
        pattern.other |= changed
    return {cells[i] for i in _bits(pattern.hidden)}


def _hide(pattern: _Pattern, cell: Cell) -> None:
    """Hide a cell, and its partner unless that is nought."""
    partner = cell._replace(measure=PAIRS.get(cell.measure, cell.measure))
    for each in (cell, partner):
        if pattern.values[pattern.bit[each].bit_length() - 1]:
            pattern.hidden |= pattern.bit[each]


def _worlds(pattern: _Pattern, target: int) -> Iterator[int]:
    """Give the cells that differ in each world in which a cell does.

    The first always is one: one more of something, wherever that counts.
    """
    for cells in pattern.atoms:
        if not cells & target:
            continue
        yield cells
        for others in pattern.atoms:
            if others & target or not others & cells:
                continue
            # One of the others is one of these, or the reverse; every atom here has one to give.
            if _stays(pattern, others & ~cells) or _stays(pattern, cells & ~others):
                yield cells ^ others


def _stays(pattern: _Pattern, falling: int) -> bool:
    """Tell whether no cell that falls by one would become nought."""
    return all(pattern.values[i] > 1 for i in _bits(falling))


def _cost(pattern: _Pattern, changed: int) -> tuple[int, int]:
    """Give how much is lost by hiding what changes: what readers miss, then how large it is."""
    lost = list(_bits(changed & ~pattern.hidden))
    return sum(pattern.worth[i] for i in lost), sum(pattern.values[i] for i in lost)


def _worth(cell: Cell) -> int:
    """Give what a cell is worth: totals are the last to go, the overlapping categories the first.

    Each step is worth more than the cells of one world that are a step lower.
    """
    scope = cell.scope
    if scope.category:
        return 1 if scope.country else 20
    return 400 if scope.instrument else 8_000 if scope.country else 160_000


def _bits(cells: int) -> Iterator[int]:
    while cells:
        lowest = cells & -cells
        yield lowest.bit_length() - 1
        cells ^= lowest
