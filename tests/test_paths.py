import pytest
from hypothesis import given
from hypothesis import strategies as st

from withhold.paths import (
    MAX_SEGMENTS,
    Path,
    PathError,
    Wild,
    parse_names,
    parse_path,
    print_names,
    print_path,
)

# Whatever JSON can have as a member's name; a surrogate alone is no character.
NAMES = st.one_of(
    st.sampled_from(["a", "a_b", "m.new", "it's", 'a"b', "\\", "", " ", "\u0001", "é", "*", "😀"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
PATHS = st.lists(NAMES | st.sampled_from(list(Wild)), max_size=MAX_SEGMENTS).map(tuple)


@given(PATHS)
def test_what_is_printed_is_read_back(path: Path) -> None:
    assert parse_path(print_path(path)) == path


@given(st.lists(NAMES, min_size=1, max_size=8).map(tuple))
def test_names_that_are_printed_are_read_back(names: tuple[str, ...]) -> None:
    assert parse_names(print_names(names)) == names


@given(PATHS)
def test_a_path_is_printed_in_one_way(path: Path) -> None:
    printed = print_path(path)
    assert print_path(parse_path(printed)) == printed
    assert printed.isprintable() or any(
        isinstance(segment, str) and not segment.isprintable() for segment in path
    )
    assert "\n" not in printed


@given(PATHS, PATHS)
def test_two_paths_are_never_printed_alike(one: Path, other: Path) -> None:
    assert (print_path(one) == print_path(other)) == (one == other)


@given(st.text(alphabet="$.[]*'\"\\ab0u ", max_size=12))
def test_every_text_is_a_path_or_an_error(text: str) -> None:
    try:
        path = parse_path(text)
    except PathError:
        return
    assert parse_path(print_path(path)) == path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("$", ()),
        ("$.user_id", ("user_id",)),
        ("$['user_id']", ("user_id",)),
        ('$["user_id"]', ("user_id",)),
        ("$.a[*].b", ("a", Wild.ELEMENTS, "b")),
        ("$[*]", (Wild.ELEMENTS,)),
        ("$.*.é9", (Wild.MEMBERS, "é9")),
        ("$['*']", ("*",)),
        (r"""$['it\'s']["a\"b"]""", ("it's", 'a"b')),
        (r"$['\u00e9\n\\\/\b']", ("é\n\\/\b",)),
        ("$['']", ("",)),
    ],
)
def test_a_path_is_read(text: str, path: Path) -> None:
    assert parse_path(text) == path


# RFC 9535 has these, and this subset does not; the rest is no JSONPath either.
@pytest.mark.parametrize(
    "text",
    ["", "a", "@.a", " $", "$ .a", "$.", "$..a", "$[0]", "$[-1]", "$[1:2]", "$['a','b']", "$[?@.a]",
     "$.0a", "$.a b", "$[a]", "$['a", "$['a'", "$.a[*", "$[]", "$.a-b", r"$['\q']", r"$['\u12']",
     r"$['\ud800']", r"$['\udfff']", "$['\n']", "$.a'", "$[ * ]", "$.[*]", "$*"],
)  # fmt: skip
def test_what_is_not_in_the_subset_is_refused(text: str) -> None:
    with pytest.raises(PathError):
        parse_path(text)


def test_an_error_says_where_a_path_stops_being_one() -> None:
    with pytest.raises(PathError, match=r"is not a path at `\[0\]\.b`: use"):
        parse_path("$.a[0].b")


def test_a_path_is_no_deeper_than_a_walk_may_be() -> None:
    assert len(parse_path("$" + ".a" * MAX_SEGMENTS)) == MAX_SEGMENTS
    with pytest.raises(PathError, match="more than 32 segments"):
        parse_path("$" + ".a" * (MAX_SEGMENTS + 1))


@pytest.mark.parametrize(
    ("text", "names"),
    [("a", ("a",)), ("a.b", ("a", "b")), ("['a.b'].c", ("a.b", "c")), ("a['*']", ("a", "*"))],
)
def test_names_are_read(text: str, names: tuple[str, ...]) -> None:
    assert parse_names(text) == names


@pytest.mark.parametrize("text", ["", "$", "$.a", ".a", "a.", "a[*]", "*", "a.*", "[*]", "a b"])
def test_what_is_more_than_names_is_refused(text: str) -> None:
    with pytest.raises(PathError):
        parse_names(text)
