"""Before and after, side by side: what a store answered, and what Withhold let out of it.

The right side stands in the left one's order (the order of an object's members says nothing), so
that each line that leaves is beside the line that it came from.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from withhold.terminal import Ink, out, paint, printable

Json: TypeAlias = Any

WIDTH: Final = 100
NOTHING: Final = object()  # where there is no such value
_COLUMN: Final = (WIDTH - 5) // 2  # two columns, an indent of two, a gap with a mark in it
_INDENT: Final = "  "


@dataclass(frozen=True)
class Row:
    """A line of either document; empty where it has none there."""

    left: str
    right: str


def heading(number: int, title: str) -> None:
    """Write the heading of a disclosure."""
    out()
    out(paint(f"{number}  {title}", Ink.BOLD))


def told(text: str) -> None:
    """Write a line under a heading."""
    out(f"   {text}")


def beside(before: bytes, after: bytes) -> None:
    """Write two JSON documents side by side."""
    out()
    titles = ("the store answers", "Withhold discloses")
    out(f"  {paint(titles[0].ljust(_COLUMN), Ink.DIM)}   {paint(titles[1], Ink.DIM)}")
    for row in align(json.loads(before), json.loads(after)):
        out(_print(row))


def align(before: Json, after: Json) -> Iterator[Row]:
    """Give the lines of both documents, each pair at one height."""
    yield from _align("", before, after, "", commas=("", ""))


def _align(
    name: str, before: Json, after: Json, indent: str, commas: tuple[str, str]
) -> Iterator[Row]:
    if after is NOTHING:  # on one line, whatever it is: it is not there
        yield Row(f"{indent}{name}{_text(before)}{commas[0]}", "")
        return
    if not _is_container(before):
        yield Row(
            f"{indent}{name}{_text(before)}{commas[0]}", f"{indent}{name}{_text(after)}{commas[1]}"
        )
        return
    marks = "[]" if isinstance(before, list) else "{}"
    inner = _elements(before, after) if isinstance(before, list) else _members(before, after)
    yield Row(f"{indent}{name}{marks[0]}", f"{indent}{name}{marks[0]}")
    kept = [i for i, (_, _, right) in enumerate(inner) if right is not NOTHING]
    for i, (inner_name, left, right) in enumerate(inner):
        inner_commas = (
            "," if i < len(inner) - 1 else "",
            "," if kept and i < kept[-1] else "",
        )
        yield from _align(inner_name, left, right, f"{indent}{_INDENT}", inner_commas)
    yield Row(f"{indent}{marks[1]}{commas[0]}", f"{indent}{marks[1]}{commas[1]}")


def _members(before: Json, after: Json) -> Sequence[tuple[str, Json, Json]]:
    found = {} if after is NOTHING else after
    return [(f"{_text(name)}: ", value, found.get(name, NOTHING)) for name, value in before.items()]


def _elements(before: Json, after: Json) -> Sequence[tuple[str, Json, Json]]:
    """Pair the elements: those that left are in the order of those that they came from."""
    beside: list[Json] = [NOTHING] * len(before)
    start = 0
    for j, element in enumerate(after):
        # As many must be left as still have to find theirs.
        candidates = range(start, len(before) - (len(after) - j) + 1)
        best = max(candidates, key=lambda i: _likeness(before[i], element))
        beside[best], start = element, best + 1
    return [("", value, right) for value, right in zip(before, beside, strict=True)]


def _likeness(before: Json, after: Json) -> int:
    """Count the scalars of `after` that stand unchanged in `before`."""
    if isinstance(before, dict) and isinstance(after, dict):
        return sum(_likeness(before[name], after[name]) for name in before.keys() & after.keys())
    if isinstance(before, list) and isinstance(after, list):
        return sum(max((_likeness(b, a) for b in before), default=0) for a in after)
    return int(before == after)


def _print(row: Row) -> str:
    left, right = _fit(row.left), _fit(row.right)
    shown = left.ljust(_COLUMN)
    if not right:
        return f"  {paint(shown, Ink.DIM)} {paint('-', Ink.DIM)}"
    if row.left.rstrip(",") == row.right.rstrip(","):
        return f"  {paint(shown, Ink.GREEN)}   {paint(right, Ink.GREEN)}"
    return f"  {paint(shown, Ink.DIM)} {paint('>', Ink.YELLOW)} {paint(right, Ink.YELLOW)}"


def _is_container(value: Json) -> bool:
    return isinstance(value, list | dict) and len(value) > 0


def _text(value: Json) -> str:
    return printable(json.dumps(value, ensure_ascii=False))


def _fit(line: str) -> str:
    return line if len(line) <= _COLUMN else f"{line[: _COLUMN - 1]}…"
