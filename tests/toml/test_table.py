from enum import StrEnum

import pytest

from withhold.toml.faults import Faults
from withhold.toml.read import read_toml
from withhold.toml.table import MAX_TEXT, Table


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


class Reader:
    """A table of some text, with what it found."""

    def __init__(self, text: str) -> None:
        self._faults = Faults()
        table = read_toml("f.toml", text.encode(), self._faults)
        assert table is not None
        self.table: Table = table

    @property
    def faults(self) -> list[str]:
        found = self._faults.error().faults
        return [
            f"{each.line}: {each.message}" + (f" | {each.hint}" if each.hint else "")
            for each in found
        ]


def value_of(table: Table, key: str) -> str | None:
    found = table.text(key)
    return None if found is None else found.value


def test_what_is_there_is_given() -> None:
    it = Reader("a = 'x'\nb = 3\nc = true\nd = ['x', 'y']\ne = 1.5\nf = 'red'\n[t]\n[[s]]\n[[s]]\n")
    assert value_of(it.table, "a") == "x"
    assert it.table.name("a") == "x"
    assert it.table.integer("b", 1, 3) == 3
    assert it.table.number("b", 1, 3) == 3.0
    assert it.table.number("e", 1, 3) == 1.5
    assert it.table.flag("c")
    assert [text.value for text in it.table.texts("d")] == ["x", "y"]
    assert [text.value for text in it.table.texts("a", alone=True)] == ["x"]
    assert it.table.choice("f", Colour) is Colour.RED
    assert it.table.choices("f", Colour, alone=True) == {Colour.RED}
    inner = it.table.table("t")
    assert inner is not None
    assert inner.line() == 7
    assert [table.line() for table in it.table.tables("s")] == [8, 9]
    assert it.table.raw("b") == 3
    assert "a" in it.table
    it.table.done()
    assert it.faults == []


def test_what_may_be_missing_is_no_fault() -> None:
    it = Reader("")
    assert it.table.text("a", required=False) is None
    assert it.table.integer("a", 1, 2, required=False) is None
    assert it.table.number("a", 1, 2) is None
    assert not it.table.flag("a")
    assert it.table.texts("a", required=False) == []
    assert it.table.choices("a", Colour, alone=True) == set()
    assert it.table.table("a", required=False) is None
    assert it.table.tables("a") == []
    assert it.table.raw("a", required=False) is None
    assert it.faults == []


def test_what_is_missing_is_a_fault_of_the_table() -> None:
    it = Reader("\n[t]\n")
    inner = it.table.table("t")
    assert inner is not None
    assert inner.text("a") is None
    assert inner.name("a") is None
    assert inner.texts("b") == []
    assert inner.choice("c", Colour) is None
    assert inner.choices("c", Colour) == set()
    assert inner.integer("d", 1, 2) is None
    assert inner.table("e") is None
    assert inner.raw("f") is None
    assert it.faults == [f"2: `{key}` is missing" for key in "aabccdef"]


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("1", "2: `a` is an integer, not a string | put it in quotes"),
        ("1.5", "2: `a` is a decimal number, not a string | put it in quotes"),
        ("true", "2: `a` is true or false, not a string | put it in quotes"),
        ("1979-05-27", "2: `a` is a date or a time, not a string | put it in quotes"),
        ("1979-05-27T07:32:00Z", "2: `a` is a date or a time, not a string | put it in quotes"),
        ("07:32:00", "2: `a` is a date or a time, not a string | put it in quotes"),
        ("[]", "2: `a` is an array, not a string"),
        ("{}", "2: `a` is a table, not a string"),
        ("''", "2: `a` is empty, or has space around it"),
        ("' x'", "2: `a` is empty, or has space around it"),
        ('"x\\ny"', "2: `a` holds a control character or a line's end"),
        (f"'{'x' * (MAX_TEXT + 1)}'", f"2: `a` is longer than {MAX_TEXT} characters"),
    ],
)
def test_a_text_is_one_line(value: str, fault: str) -> None:
    it = Reader(f"\na = {value}")
    assert it.table.text("a") is None
    assert it.faults == [fault]


def test_an_exact_text_may_be_empty() -> None:
    it = Reader("a = ' '")
    found = it.table.text("a", exact=True)
    assert found is not None
    assert found.value == " "


@pytest.mark.parametrize("name", ["A", "a b", "-a", "a-", "a--b", "ä", "a/b", "x" * 65])
def test_a_name_is_small_letters_and_digits(name: str) -> None:
    it = Reader(f"a = '{name}'")
    assert it.table.name("a") is None
    hint = "at most 64 small letters and digits, with `-`, `_` or `.` between"
    assert it.faults == [f"1: `{name}` can't be a name | {hint}"]


def test_an_array_of_texts_says_which_is_wrong() -> None:
    it = Reader("a = [\n 'x',\n 1,\n 'y',\n 'x',\n]\nb = 'x'\nc = 1")
    assert [text.value for text in it.table.texts("a")] == ["x", "y", "x"]
    assert it.table.texts("b") == []
    assert it.table.texts("c", alone=True) == []
    assert it.faults == [
        "3: `a`, element 2, is an integer, not a string | put it in quotes",
        "5: `x` stands twice in `a`",
        "7: `b` is a string, not an array of strings",
        "8: `c` is an integer, not a string or an array of strings",
    ]


def test_a_word_is_one_of_the_vocabulary() -> None:
    it = Reader("a = 'rde'\nb = ['red',\n 'blue']")
    assert it.table.choice("a", Colour) is None
    assert it.table.choices("b", Colour) == {Colour.RED}
    assert it.faults == [
        "1: `rde` is no colour | did you mean `red`?",
        "3: `blue` is no colour | known: `green`, `red`",
    ]


def test_a_number_is_within_its_bounds() -> None:
    it = Reader("a = 3\nb = true\nc = 1.0\nd = nan\ne = 'x'\nf = 0")
    assert it.table.integer("a", 1, 2) is None
    assert it.table.integer("b", 0, 2) is None
    assert it.table.integer("c", 0, 2) is None
    assert it.table.integer("f", 1, 2) is None
    assert it.table.number("d", 0, 2) is None
    assert it.table.number("e", 0, 2) is None
    assert it.table.number("b", 0, 2) is None
    assert it.faults == [
        "1: `a` is out of range | from 1 to 2",
        "2: `b` is true or false, not an integer",
        "2: `b` is true or false, not a number",
        "3: `c` is a decimal number, not an integer",
        "4: `d` is out of range | from 0 to 2",
        "5: `e` is a string, not a number",
        "6: `f` is out of range | from 1 to 2",
    ]


def test_a_flag_is_true_or_false() -> None:
    it = Reader("a = 'true'\nb = 1")
    assert not it.table.flag("a")
    assert not it.table.flag("b")
    assert it.faults == [
        "1: `a` is a string, not true or false",
        "2: `b` is an integer, not true or false",
    ]


def test_tables_are_tables() -> None:
    it = Reader("a = 1\nb = [\n {},\n 2,\n]\n[c]")
    assert it.table.table("a") is None
    assert it.table.tables("a") == []
    assert [table.line() for table in it.table.tables("b")] == [3]
    assert it.table.tables("c") == []
    it.table.wrong_type("a", "something else")
    assert it.faults == [
        "1: `a` is an integer, not a table",
        "1: `a` is an integer, not an array of tables, `[[a]]`",
        "1: `a` is an integer, not something else",
        "4: `b`, element 2, is an integer, not a table",
        "6: `c` is a table, not an array of tables, `[[c]]`",
    ]


def test_a_key_that_nobody_asks_for_is_a_fault() -> None:
    it = Reader("name = 'x'\nnmae = 'y'\nother = 1")
    it.table.name("name")
    it.table.text("title", required=False)
    it.table.done()
    assert it.faults == [
        "2: `nmae` is unknown here | did you mean `name`?",
        "3: `other` is unknown here | known: `name`, `title`",
    ]


def test_keys_that_are_free_to_choose_are_known() -> None:
    it = Reader("x = 1\ny = 2")
    assert list(it.table.each()) == [("x", 1), ("y", 2)]
    it.table.done()
    assert it.faults == []


def test_a_key_that_is_misspelt_is_not_missing_too() -> None:
    it = Reader('meaning = "x"\nmeans_ = "y"\n')
    assert value_of(it.table, "means") is None
    assert value_of(it.table, "kind") is None
    it.table.done()
    assert it.faults == [
        "1: `kind` is missing",
        "1: `meaning` is unknown here | did you mean `means`?",
        "2: `means_` is unknown here | did you mean `means`?",
    ]
