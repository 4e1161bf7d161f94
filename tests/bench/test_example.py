import re

import pytest

from withhold.bench.example import example

PATTERNS = [
    "u-[0-9]{5}",
    "[0-9]{4}",
    r"@[a-z0-9._=\-/+]+:[a-z.]+",
    "(acc|usr)-[A-F0-9]{8}(-x)?",
    r"^\d+$",
    r"\w{2,3}\.\S",
    "(?:a|b)c*d",
    "(?P<kind>x)[^0-9a-z]",
    "a{0}b{,2}c+?",
    "(?=z)z|y",
    "(a|b)(c|d(e|f)+)?",
    ".{3}",
    "é+",
    "",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_an_example_matches_whole(pattern: str) -> None:
    for number in (0, 1, 12_345):
        found = example(pattern, number)
        assert found is not None
        assert re.fullmatch(pattern, found)


def test_another_number_is_another_example_as_long_as_there_are_any() -> None:
    assert len({example("u-[0-9]{3}", number) for number in range(1_000)}) == 1_000
    assert example("u-[0-9]{3}", 1_000) == example("u-[0-9]{3}", 0)


@pytest.mark.parametrize("pattern", ["(?=b)a", "(?i:a)", "[^\\x00-\\x7f]"])
def test_what_has_none_that_is_found_has_none(pattern: str) -> None:
    assert example(pattern, 0) is None
