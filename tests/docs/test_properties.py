"""Every property names a test that there is."""

import ast
from pathlib import Path

from tests.docs.tables import DOCS, words

TESTS = Path(__file__).parents[1]
TEXT = (DOCS / "properties.md").read_text(encoding="utf-8")
NAMED = [
    word for line in TEXT.splitlines() if line[:1] == "|" for word in words(line) if "::" in word
]


def names(file: Path) -> set[str]:
    """Give the names of a file's tests, as pytest writes them."""
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        found |= {
            f"{prefix}{each.name}"
            for each in inner
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
        }
    return found


def test_every_property_names_a_test_that_there_is() -> None:
    assert len(NAMED) > 90
    files = {name.split("::")[0] for name in NAMED}
    there = {f"{file}::{name}" for file in files for name in names(TESTS / file)}
    assert sorted(set(NAMED) - there) == []


def test_no_test_stands_for_two_properties() -> None:
    assert len(set(NAMED)) == len(NAMED)
