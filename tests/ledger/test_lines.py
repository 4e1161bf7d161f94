import pytest
from hypothesis import given
from hypothesis import strategies as st

from withhold.errors import Unproven
from withhold.ledger.lines import MAX_SIZE, decode_text, parse_base64, parse_decimal, print_base64


@given(st.integers(0, MAX_SIZE))
def test_a_decimal_is_read_back(number: int) -> None:
    assert parse_decimal(str(number), "x") == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        "01",
        "+1",
        "-1",
        " 1",
        "1 ",
        "1_0",
        "1\n",
        "٣",
        "0x1",
        str(MAX_SIZE + 1),
        "9" * 5000,
    ],
)
def test_a_decimal_has_one_spelling(text: str) -> None:
    with pytest.raises(Unproven, match="the size is not a decimal"):
        parse_decimal(text, "the size")


@given(st.binary(max_size=70))
def test_base64_is_read_back(data: bytes) -> None:
    assert parse_base64(print_base64(data), "x") == data
    assert parse_base64(print_base64(data), "x", len(data)) == data


@pytest.mark.parametrize(
    "text", ["A", "AA", "AA=", "AB==", "AAA", "AAB=", "AA==\n", "A A=", "AA==AA==", "_-==", "é==="]
)
def test_base64_has_one_spelling(text: str) -> None:
    with pytest.raises(Unproven, match="the root is not base64"):
        parse_base64(text, "the root")


def test_base64_has_the_size_it_must_have() -> None:
    with pytest.raises(Unproven, match="the root has 1 bytes, not 32"):
        parse_base64("AA==", "the root", 32)


def test_text_is_utf_8_of_bounded_size_without_controls() -> None:
    assert decode_text("é\n\x7f".encode(), "x", 4) == "é\n\x7f"
    for data in (b"12345", b"\xff", b"\xed\xa0\x80", b"\r", b"\t", b"\0", b"\x1f"):
        with pytest.raises(Unproven):
            decode_text(data, "x", 4)
