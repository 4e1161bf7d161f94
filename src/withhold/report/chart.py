"""Charts: bars as inline SVG, with a text alternative. Pure.

A chart shows what a table beside it says in full; nothing is in the chart alone. Colours come from
the page's style, so that it is read in the dark and on paper; no bar is told apart by colour only.
"""

from collections.abc import Sequence
from html import escape
from typing import Final, NamedTuple

_WIDTH: Final = 640
_ROW: Final = 30
_LABEL: Final = 210
_NUMBER: Final = 90


class Bar(NamedTuple):
    """A bar: what it is, how long, and what is written beside it. `size`: None has no bar."""

    label: str
    size: int | None
    text: str


def bars(identity: str, title: str, rows: Sequence[Bar]) -> str:
    """Draw horizontal bars. `identity`: unique in the page, and a name as HTML has them."""
    most = max((row.size or 0 for row in rows), default=0) or 1
    height = _ROW * len(rows)
    says = "; ".join(f"{row.label}: {row.text}" for row in rows)
    lines = [
        f'<svg class="chart" role="img" aria-labelledby="{identity}-t {identity}-d"',
        f'  viewBox="0 0 {_WIDTH} {height}">',
        f'<title id="{identity}-t">{escape(title)}</title>',
        f'<desc id="{identity}-d">{escape(says)}</desc>',
    ]
    space = _WIDTH - _LABEL - _NUMBER
    for i, row in enumerate(rows):
        top = i * _ROW
        middle = top + _ROW // 2 + 5
        lines.append(
            f'<text class="label" x="{_LABEL - 8}" y="{middle}" text-anchor="end">'
            f"{escape(row.label)}</text>"
        )
        length = 0
        if row.size:
            length = max(1, space * row.size // most)  # a thing that is there is seen
            lines.append(
                f'<rect x="{_LABEL}" y="{top + 5}" width="{length}" height="{_ROW - 10}"/>'
            )
        lines.append(f'<text x="{_LABEL + length + 6}" y="{middle}">{escape(row.text)}</text>')
    lines.append("</svg>")
    return "\n".join(lines)
