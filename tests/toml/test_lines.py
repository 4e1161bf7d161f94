import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from withhold.toml.lines import MAX_DEPTH, KeyPath, Repeat, TooDeepError, find_lines

CONFIG = Path(__file__).parents[2] / "config"

DOCUMENT = r'''# a comment with "quotes" and [brackets]
title = "a # that is no comment"
dotted.key = 1.5

[table]
date = 1979-05-27 07:32:00
"quoted.key" = '\no escape'
"esc\u0061ped" = true

[[array]]
text = """
several
"lines" with \""" in them"""
literal = '"""'
list = [
  1, # one
  [2, 3], # nested

  { when = { field = "m", is = "x" }, n = 4 },
  "]",
]

[array.inner]
x = 1

[[array]]
x = 2
[[array.deep]]
y = 3
inline = { a.b = 1, c = [] }
'''  # fmt: skip


def paths_of(value: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Every place of a parsed document."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths_of(inner, (*path, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from paths_of(inner, (*path, i))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("dotted",), 3),
        (("dotted", "key"), 3),
        (("table",), 5),
        (("table", "date"), 6),
        (("table", "quoted.key"), 7),
        (("table", "escaped"), 8),
        (("array",), 10),
        (("array", 0), 10),
        (("array", 0, "text"), 11),
        (("array", 0, "literal"), 14),
        (("array", 0, "list"), 15),
        (("array", 0, "list", 0), 16),
        (("array", 0, "list", 1), 17),
        (("array", 0, "list", 1, 1), 17),
        (("array", 0, "list", 2), 19),
        (("array", 0, "list", 2, "when", "is"), 19),
        (("array", 0, "list", 3), 20),
        (("array", 0, "inner"), 23),
        (("array", 0, "inner", "x"), 24),
        (("array", 1), 26),
        (("array", 1, "x"), 27),
        (("array", 1, "deep"), 28),
        (("array", 1, "deep", 0, "y"), 29),
        (("array", 1, "deep", 0, "inline", "a", "b"), 30),
    ],
)
def test_every_key_and_value_has_its_line(path: KeyPath, line: int) -> None:
    assert find_lines(DOCUMENT).at[path] == line


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_are_counted_whatever_ends_them(end: str) -> None:
    assert find_lines(f"a = 1{end}{end}b = 2{end}").at[("b",)] == 3


def test_what_has_no_line_has_that_of_what_is_around_it() -> None:
    lines = find_lines("\n[a]\nb = 1\n")
    assert lines.of(("a", "b")) == 3
    assert lines.of(("a", "c")) == 2
    assert lines.of(("x", "y")) == 1


@pytest.mark.parametrize("file", sorted(CONFIG.rglob("*.toml")), ids=lambda path: path.name)
def test_the_shipped_files_have_a_line_for_everything(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert set(paths_of(tomllib.loads(text))) == set(find_lines(text).at)


KEYS = st.sampled_from(["a", "b-1", '"c d"', "'e.f'", "a.b", 'x."y"'])
SCALARS = st.sampled_from(
    ["1", "-1.5e3", "true", '"#]"', "'}'", '"""a\n"b"""""', "''''c'''", "1979-05-27T07:32:00Z"]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[ {','.join(items)}\n ]")
        | st.dictionaries(st.sampled_from(["k", '"l m"']), inner, max_size=2).map(
            lambda items: "{" + ", ".join(f"{k} = {v}" for k, v in items.items()) + "}"
        )
    ),
    max_leaves=5,
)
LINES = st.one_of(
    st.builds("{} = {}".format, KEYS, VALUES),
    st.builds("[{}] # table".format, KEYS),
    st.builds("[[ {} ]]".format, KEYS),
    st.just(""),
    st.just("# = ["),
)


@given(st.lists(LINES, max_size=8).map("\n".join))
def test_the_scan_finds_what_tomllib_finds(text: str) -> None:
    lines = find_lines(text)
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert set(paths_of(parsed)) == set(lines.at)
    assert not lines.repeats


@given(st.text(alphabet="ab=.,[]{}\"'\n #\\1$", max_size=40))
def test_no_text_breaks_the_scan(text: str) -> None:
    find_lines(text)


@pytest.mark.parametrize(
    ("text", "repeat"),
    [
        ("a = 1\n\na = 2", Repeat(("a",), 1, 3)),
        ("a = { b = 1, b = 2 }", Repeat(("a", "b"), 1, 1)),
        ("[a]\n[b]\n[a]", Repeat(("a",), 1, 3)),
        ("[[a]]\nb = 1\n[[a]]\nb = 1\nb = 2", Repeat(("a", 1, "b"), 4, 5)),
    ],
)
def test_what_is_written_twice_is_found(text: str, repeat: Repeat) -> None:
    assert find_lines(text).repeats == [repeat]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\n[" + ".".join("a" * (MAX_DEPTH + 2)) + "]", 2),
        ("\n\n" + ".".join("a" * 100_000) + " = 1", 3),
        ("a = [\n" + "[" * 100_000, 2),
        ("a = " + "{ b = " * 100_000, 1),
        ("a = " + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), 1),
    ],
)
def test_a_document_that_nests_too_deeply_is_refused_early(text: str, line: int) -> None:
    with pytest.raises(TooDeepError) as caught:
        find_lines(text)
    assert caught.value.line == line


def test_a_document_may_nest_as_deeply_as_ours_do() -> None:
    inner = MAX_DEPTH - 1
    assert ("a", *[0] * inner) in find_lines("a = " + "[" * inner + "1" + "]" * inner).at


@pytest.mark.parametrize(
    "text",
    ["a", "a = ", "= 1", "[a", "[[a]", "a = 1 b = 2", "a = [1 2]", "a = {b = 1 c = 2}", "a.=1",
     '"\\q" = 1', "a = \x00", 'a = "', "a = ]", 'a = "x" "y"'],
)  # fmt: skip
def test_what_is_no_toml_is_left_to_tomllib(text: str) -> None:
    with pytest.raises(tomllib.TOMLDecodeError):
        tomllib.loads(text)
    assert find_lines(text).of(("zzz",)) == 1
