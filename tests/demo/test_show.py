import json

import pytest

from withhold.demo.show import NOTHING, align, beside


def rows(before: object, after: object) -> list[tuple[str, str]]:
    return [(row.left, row.right) for row in align(before, after)]


def test_lines_that_leave_stand_beside_those_they_came_from() -> None:
    before = {"a": 1, "b": {"c": "x", "d": None}, "e": [True]}
    after = {"e": [True], "b": {"c": "y"}}
    assert rows(before, after) == [
        ("{", "{"),
        ('  "a": 1,', ""),
        ('  "b": {', '  "b": {'),
        ('    "c": "x",', '    "c": "y"'),
        ('    "d": null', ""),
        ("  },", "  },"),
        ('  "e": [', '  "e": ['),
        ("    true", "    true"),
        ("  ]", "  ]"),
        ("}", "}"),
    ]


def test_both_sides_are_documents_that_can_be_read() -> None:
    before = {"l": [{"k": 1}, {"k": 2, "x": [1, 2]}, {"k": 3}], "m": {}}
    after = {"l": [{"k": 2}, {"k": 3}]}
    found = rows(before, after)
    assert json.loads("\n".join(left for left, _ in found)) == before
    assert json.loads("\n".join(right for _, right in found)) == after


def test_an_element_stands_beside_the_one_it_is_most_like() -> None:
    before = [{"d": "one", "n": 1}, {"d": "one", "n": 2}, {"d": "two", "n": 3, "l": [4]}]
    found = rows(before, [{"d": "one", "n": 2}, {"n": 3, "l": [4]}])
    assert found[1] == ('  {"d": "one", "n": 1},', "")
    assert ('    "n": 2', '    "n": 2') in found


def test_a_whole_answer_that_is_withheld() -> None:
    assert rows({"a": 1}, NOTHING) == [('{"a": 1}', "")]
    assert rows({"a": 1}, {}) == [("{", "{"), ('  "a": 1', ""), ("}", "}")]


def test_fits_a_terminal_and_shows_no_control_character(
    capsys: pytest.CaptureFixture[str],
) -> None:
    beside(json.dumps({"long": "x" * 200, "bell": "\x07"}).encode(), b'{"bell": "\\u001b[31m"}')
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 100 for line in lines)
    assert all(line.isprintable() for line in lines)
