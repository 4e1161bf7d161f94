import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from withhold.errors import WarrantError
from withhold.kinds.scalar import Number
from withhold.warrant.document import (
    check_members,
    read_object,
    take_array,
    take_object,
    take_text,
)


def read(data: bytes) -> dict[str, object]:
    return read_object(data, "the file", 1_000)


def test_reads_an_object_and_keeps_the_digits_of_numbers() -> None:
    found = read('{"a": [1.10, -0], "é": {"b": null}, "c": true}'.encode())
    assert found == {"a": [Number("1.10"), Number("-0")], "é": {"b": None}, "c": True}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[]", "the file is not a JSON object"),
        (b'"x"', "the file is not a JSON object"),
        (b"", "the file is not JSON: expecting value at line 1"),
        (b'{\n"a": }', "the file is not JSON: expecting value at line 2"),
        (b'{"a": 1} {}', "the file is not JSON: extra data at line 1"),
        (b'{"a": 01}', "the file is not JSON: expecting ',' delimiter at line 1"),
        (b'\xef\xbb\xbf{"a": 1}', "the file is not JSON"),
        (b'{"a": "\xff"}', "the file is not UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "the file is not UTF-8"),
        (b'{"a": 1, "a": 1}', "a member's name occurs twice in one object"),
        (b'{"a": [{"b": {"c": 1, "\\u0063": 2}}]}', "a member's name occurs twice in one object"),
        (b'{"a": NaN}', "`NaN` and `Infinity` are no JSON"),
        (b'{"a": [-Infinity]}', "`NaN` and `Infinity` are no JSON"),
        (b'{"a": ' + b"[" * 8 + b"]" * 8 + b"}", "nested too deeply: more than 8 levels"),
        (b'{"a": ' + b"[" * 900, "nested too deeply: more than 8 levels"),
        (b'{"a": "' + b"x" * 1_000 + b'"}', "the file is too large: more than 1000 bytes"),
    ],
)
def test_refuses_what_two_readers_could_read_differently(data: bytes, message: str) -> None:
    with pytest.raises(WarrantError) as caught:
        read(data)
    assert message in str(caught.value)


def test_depth_is_that_of_brackets_outside_strings() -> None:
    assert read(b'{"a": "[[[[[[[[[[\\"[[[[", "b": [[], []]}')["b"] == [[], []]


def test_a_message_quotes_nothing_and_has_no_cause_that_does() -> None:
    for data in (b'{"a": "secret" "b"}', b'{"secret": 1, "secret": 2}', b'{"a": "secret\xff"}'):
        with pytest.raises(WarrantError) as caught:
            read(data)
        assert "secret" not in str(caught.value)
        assert caught.value.__suppress_context__


@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:\\a1 -.eNu', max_size=60).map(str.encode))
def test_any_bytes_are_an_object_or_a_warrant_error(data: bytes) -> None:
    with contextlib.suppress(WarrantError):
        assert read(data) == read(data)


def test_an_unknown_member_is_named_with_the_nearest_known_one() -> None:
    with pytest.raises(WarrantError) as caught:
        check_members({"id": 1, "targts": 2}, "$", ("id", "targets"), ("note",))
    assert str(caught.value) == "`$.targts` is unknown"
    assert caught.value.hint == "did you mean `targets`?"


def test_an_unknown_member_that_is_near_to_none_shows_them_all() -> None:
    with pytest.raises(WarrantError) as caught:
        check_members({"id": 1, "xyz": 2}, "$.a[0]", ("id",), ("note",))
    assert str(caught.value) == "`$.a[0].xyz` is unknown"
    assert caught.value.hint == "known: `id`, `note`"


@pytest.mark.parametrize("key", ["+442079460220", "a b", "x" * 41, ""])
def test_a_key_that_is_no_word_may_be_data_and_is_not_shown(key: str) -> None:
    with pytest.raises(WarrantError) as caught:
        check_members({"id": 1, key: 2}, "$", ("id",))
    assert str(caught.value) == "a key in `$` is unknown"


def test_missing_members_are_named() -> None:
    with pytest.raises(WarrantError, match=r"^`\$\.period` lacks `from`, `until`$"):
        check_members({}, "$.period", ("from", "until"))


TAKES: dict[str, Callable[[object, str], object]] = {
    "a string": take_text,
    "an array": take_array,
    "an object": take_object,
}


@pytest.mark.parametrize(
    ("found", "name"),
    [
        (None, ""),
        (True, ""),
        (Number("1"), ""),
        ("x", "a string"),
        (["x"], "an array"),
        ({"x": 1}, "an object"),
    ],
)
def test_what_is_taken_has_the_type_that_is_asked_for(found: object, name: str) -> None:
    for wanted, take in TAKES.items():
        if wanted == name:
            assert take(found, "$.a") == found
        else:
            with pytest.raises(WarrantError, match=rf"^`\$\.a` must be {wanted}$"):
                take(found, "$.a")


def test_half_a_surrogate_pair_is_no_text() -> None:
    with pytest.raises(WarrantError, match="surrogate"):
        take_text(read(b'{"a": "x\\ud800"}')["a"], "$.a")
    assert take_text(read(b'{"a": "\\ud83d\\ude42"}')["a"], "$.a") == "\N{SLIGHTLY SMILING FACE}"
