"""Counts: how many values of a leaf's column stand, told for all leaves of an object at once.

A column holds only what has been admitted, and whatever stands in it makes all around it stand: so
what leaves a leaf is in the output. UNSET is false, as few values are, and truth is told in less
than half the time of identity: only columns that hold something false are looked at value by value.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from msgspec import UNSET

from withhold.minimize.run import Context, Operation, Run
from withhold.minimize.tally import add_counts

# Counts the members of a column of objects, and tells whether under each something is disclosed.
Count: TypeAlias = Callable[[list[list[Any]], Run], bool]


def count_leaf(label: str, inner: Operation | None) -> Operation:
    """Give a leaf's operation with its count. `inner`: None if all of it may pass."""

    def operation(values: list[Any], context: Context, run: Run) -> list[Any]:
        outs = values if inner is None else inner(values, context, run)
        run.disclose(label, _standing(outs))
        return outs

    return operation


def count_members(leaves: Sequence[tuple[str, int]], sure: Sequence[int]) -> Count | None:
    """Make the count of an object's leaves; None if it has none.

    `leaves`: the label of each, and the index of its column; `sure`: the indexes of those columns
    of which all stands, unasked.
    """
    once = {label: 1 for label, _ in leaves}
    unsure = [index for _, index in leaves if index not in sure]
    one_stands, all_stand = _true("columns[{}][0]", unsure), _true("all(columns[{}])", unsure)

    def count(columns: list[list[Any]], run: Run) -> bool:
        rows = len(columns[0])
        if rows == 1 and one_stands(columns):
            add_counts(run.tally.disclosed, once)
            return True
        if rows and all_stand(columns):
            add_counts(run.tally.disclosed, dict.fromkeys(once, rows))
            return True
        for label, index in leaves:
            run.disclose(label, _standing(columns[index]))
        return bool(sure)

    return count if leaves else None


def _standing(column: list[Any]) -> int:
    return len(column) if all(column) else sum(value is not UNSET for value in column)


def _true(term: str, indexes: Sequence[int]) -> Callable[[list[list[Any]]], bool]:
    """Tell whether a term is true for each of some columns.

    Source text made of integers, as in `fast`: 0.25 µs for one row of six columns, where a `map`
    over them takes 0.5.
    """
    terms = " and ".join(term.format(index) for index in indexes) or "True"
    told: Callable[[list[list[Any]]], bool] = eval(f"lambda columns: {terms}")  # noqa: S307 - as above
    return told
