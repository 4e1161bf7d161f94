"""HTML: pages that stand alone, without scripts. Pure.

Nothing is fetched and nothing can run: the policy in the head allows the one style there is. All
text is escaped here, whatever it is; what is put together from these pieces is not escaped again.
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from html import escape
from typing import NewType

Html = NewType("Html", str)  # escaped, and ready to stand in a page


def page(
    title: str,
    style: str,
    body: Iterable[str],
    *,
    above: Iterable[str] = (),
    below: Iterable[str] = (),
) -> str:
    """Give a page; encode it as UTF-8. `above`, `below`: what stands around its title, as HTML."""
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_policy(style))}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{escape(title)}</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        "<header>",
        *above,
        f"<h1>{escape(title)}</h1>",
        *below,
        "</header>",
        "<main>",
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


def _policy(style: str) -> str:
    """Allow this style, and nothing else. Source: Content Security Policy Level 3 §2.3.1."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
