"""Pages: HTML that stands alone, without scripts, and reads as well on paper. Pure.

Nothing is fetched and nothing can run: the policy in the head allows the one style there is. All
text is escaped here, whatever it is; what is put together from these pieces is not escaped again.
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final, NewType

Html = NewType("Html", str)  # escaped, and ready to stand in a page

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1b1f; --paper: #fff; --soft: #555560; --line: #c9c9d1; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececf1; --paper: #17171b; --soft: #b0b0bc; --line: #45454f; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 52rem; color: var(--ink);
  background: var(--paper); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { margin-bottom: 0; line-height: 1.2; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
caption { color: var(--soft); text-align: left; padding-bottom: .4rem; }
.notice { border: 2px solid var(--ink); padding: .75rem 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; }
tbody th { font-weight: normal; }
td.count { text-align: right; font-variant-numeric: tabular-nums; }
dt { font-weight: bold; }
dd { margin: 0 0 .5rem 1.5rem; }
pre { white-space: pre-wrap; border-left: 3px solid var(--line); padding-left: .75rem; }
@media print {
  :root { --ink: #000; --paper: #fff; --soft: #333; --line: #999; }
  body { padding: 0; max-width: none; font-size: 9.5pt; }
  h2 { break-after: avoid; }
  tr, dd, li, pre { break-inside: avoid; }
  thead { display: table-header-group; }
}
"""

# Source: Content Security Policy Level 3 §2.3.1, hash-source.
POLICY: Final = (
    "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'; base-uri 'none'; form-action 'none'"
)


def page(title: str, body: Iterable[Html]) -> str:
    """Give a page; encode it as UTF-8."""
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        "</head>",
        "<body>",
        "<main>",
        f"<h1>{escape(title)}</h1>",
        *body,
        "</main>",
        "</body>",
        "</html>",
        "",
    ]
    return "\n".join(lines)


def heading(text: str) -> Html:
    """Give the heading of a section."""
    return Html(f"<h2>{escape(text)}</h2>")


def paragraph(text: str, kind: str = "") -> Html:
    """Give a paragraph. `kind`: a class of the style."""
    named = f' class="{escape(kind)}"' if kind else ""
    return Html(f"<p{named}>{escape(text)}</p>")


def code(text: str) -> Html:
    """Give lines to be typed, or copied."""
    return Html(f"<pre><code>{escape(text)}</code></pre>")


def listing(items: Iterable[str], *, ordered: bool = False) -> Html:
    """Give a list."""
    name = "ol" if ordered else "ul"
    inner = "".join(f"<li>{escape(item)}</li>" for item in items)
    return Html(f"<{name}>{inner}</{name}>")


def terms(rows: Iterable[tuple[str, str]]) -> Html:
    """Give a list of names and what they are."""
    inner = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows)
    return Html(f"<dl>{inner}</dl>")


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str | int]]) -> Html:
    """Give a table, its first column naming its rows; numbers stand to the right."""
    names = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    lines = [
        f"<table><caption>{escape(caption)}</caption><thead><tr>{names}</tr></thead><tbody>",
        *(_row(row) for row in rows),
        "</tbody></table>",
    ]
    return Html("\n".join(lines))


def _row(row: Sequence[str | int]) -> str:
    first, *rest = row
    cells = "".join(
        f'<td class="count">{cell}</td>' if isinstance(cell, int) else f"<td>{escape(cell)}</td>"
        for cell in rest
    )
    return f'<tr><th scope="row">{escape(str(first))}</th>{cells}</tr>'
