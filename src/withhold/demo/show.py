"""Before and after, side by side: what a store answered, and what Withhold let out of it."""

import difflib
import json
from collections.abc import Iterator
from typing import Final

from withhold.terminal import Ink, out, paint, printable

WIDTH: Final = 100
_COLUMN: Final = (WIDTH - 5) // 2  # two columns, an indent of two, a gap with a mark in it


def heading(number: int, title: str) -> None:
    """Write the heading of a disclosure."""
    out()
    out(paint(f"{number}  {title}", Ink.BOLD))


def told(text: str) -> None:
    """Write a line under a heading."""
    out(f"   {text}")


def beside(before: bytes, after: bytes) -> None:
    """Write two JSON documents side by side, their common lines next to each other."""
    out()
    titles = ("the store answers", "Withhold discloses")
    out(f"  {paint(titles[0].ljust(_COLUMN), Ink.DIM)}   {paint(titles[1], Ink.DIM)}")
    for left, right in align(before, after):
        out(_row(left, right))
    out()


def align(before: bytes, after: bytes) -> Iterator[tuple[str, str]]:
    """Pair the lines of two documents; empty text where one has no such line."""
    left, right = _lines(before), _lines(after)
    # A comma at a line's end says only whether something follows: it is no difference.
    matcher = difflib.SequenceMatcher(
        a=[line.rstrip(",") for line in left],
        b=[line.rstrip(",") for line in right],
        autojunk=False,
    )
    for _tag, i, i_end, j, j_end in matcher.get_opcodes():
        for step in range(max(i_end - i, j_end - j)):
            yield (
                left[i + step] if i + step < i_end else "",
                right[j + step] if j + step < j_end else "",
            )


def _row(left: str, right: str) -> str:
    shown = _fit(left).ljust(_COLUMN)
    if left.rstrip(",") == right.rstrip(","):
        return f"  {paint(shown, Ink.GREEN)}   {paint(_fit(right), Ink.GREEN)}"
    if not right:
        return f"  {paint(shown, Ink.DIM)} -".rstrip()
    return f"  {paint(shown, Ink.DIM)} > {paint(_fit(right), Ink.YELLOW)}"


def _lines(body: bytes) -> list[str]:
    """Give pretty lines: of one document, or of each line of a stream."""
    documents = [json.loads(line) for line in body.splitlines()] or [{}]
    pretty = (json.dumps(each, indent=2, ensure_ascii=False) for each in documents)
    return [printable(line) for each in pretty for line in each.splitlines()]


def _fit(line: str) -> str:
    return line if len(line) <= _COLUMN else f"{line[: _COLUMN - 1]}…"
