from collections import Counter
from enum import StrEnum

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from withhold.canonical import write_canonical
from withhold.ledger.entry import Json

EDGES = [0, 2**53 - 1, -(2**53) + 1]
# Text of each range whose order differs by code unit, and what is escaped or looks as if it were.
TEXT = st.text() | st.text(
    st.sampled_from('\0\b\t\n\f\r\x1f\x7f"\\/ab\xe9\u2028\ud7ff\ue000\uffff😀')
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.sampled_from(EDGES)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(TEXT, inner, max_size=5)
    ),
    max_leaves=12,
)


class Colour(StrEnum):
    RED = "red"


@given(JSON)
def test_the_bytes_are_those_of_the_plain_way(value: Json) -> None:
    assert write_canonical(value) == rfc8785.dumps(value)


@given(st.dictionaries(st.text(st.characters(max_codepoint=0x7F)), st.none(), max_size=8))
def test_names_in_ascii_stand_in_their_order(value: dict[str, None]) -> None:
    assert write_canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({chr(i): chr(i) for i in range(128)}, id="every character of ASCII"),
        pytest.param({"\uffff": 1, "😀": 2}, id="names by code unit and not by code point"),
        pytest.param({"a": 1.0, "b": 1e21, "c": -0.0}, id="numbers with a fraction"),
        pytest.param(Counter({"a": 1}), id="what counts"),
        pytest.param({Colour.RED: Colour.RED}, id="a word of few"),
    ],
)
def test_what_is_rare_is_written_all_the_same(value: Json) -> None:
    assert write_canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(2**53, id="too large"),
        pytest.param(-(2**53), id="too small"),
        pytest.param(float("nan"), id="no number"),
        pytest.param(float("inf"), id="without end"),
        pytest.param("\ud800", id="half a character"),
        pytest.param(b"x", id="bytes"),
        pytest.param({1}, id="a set"),
    ],
)
def test_what_has_no_canonical_bytes_is_not_written(value: object) -> None:
    for each in (value, [value], {"a": value}, {"a": [{"b": value}]}):
        with pytest.raises(ValueError, match=r"."):
            write_canonical(each)


@pytest.mark.parametrize("name", [1, None, b"x", "\ud800"])
def test_a_name_is_text(name: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        write_canonical({name: 1})


def test_what_is_too_deep_is_not_written() -> None:
    deep: list[object] = []
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(RecursionError):
        write_canonical(deep)
