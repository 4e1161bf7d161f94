"""The tables of a page, cell by cell."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(str(page.relative_to(ROOT)) for page in (*DOCS.glob("*.md"), ROOT / "README.md"))

_CODE = re.compile(r"`([^`]+)`")


def rows(page: str, first: str, under: str = "") -> list[list[str]]:
    """Give the rows of the one table whose first heading is `first`, in the section `under`."""
    text = (DOCS / page).read_text(encoding="utf-8")
    if under:
        text = text.partition(f"\n## {under}\n")[2].partition("\n## ")[0]
    found = re.findall(rf"^\| {re.escape(first)} \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert len(found) == 1, f"{page} has {len(found)} tables of `{first}`"
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in found[0].splitlines()]


def words(cell: str) -> list[str]:
    """Give what stands in backticks."""
    return _CODE.findall(cell)


def column(page: str, first: str, under: str = "") -> list[str]:
    """Give all words of a table's first column."""
    return [word for row in rows(page, first, under) for word in words(row[0])]
