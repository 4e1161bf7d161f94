import re
from itertools import product
from random import Random

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from withhold.kinds.e164 import is_possible
from withhold.kinds.phone import UNREAD, ask_library, parse_phone, read_digits

CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
WRITTEN = re.compile(r"[0-9 +\-.()/]{1,40}", re.ASCII)


def plain(text: str, region: str | None = None, *, msisdn: bool = False) -> str | None:
    """Read a number by libphonenumber alone."""
    return ask_library(text, region, msisdn=msisdn) if WRITTEN.fullmatch(text) else None


def differences(texts: list[str]) -> list[str]:
    read = [(text, read_digits(text, msisdn=False)) for text in texts]
    return [text for text, found in read if found is not UNREAD and found != plain(text)]


def test_there_are_all_calling_codes() -> None:
    assert len(CODES) > 200
    assert {len(str(code)) for code in CODES} == {1, 2, 3}


@pytest.mark.parametrize("size", range(19))
def test_it_is_what_libphonenumber_says_for_every_calling_code_and_length(size: int) -> None:
    rng = Random(size)
    texts = []
    for code, start in product(range(1000), ("", *"0123456789")):
        digits = start + "".join(rng.choices("0123456789", k=size))
        texts.append(f"+{code:03}{digits[:size]}")
    assert differences(texts) == []
    possible = sum(is_possible(text) is True for text in texts)
    assert possible > 500 or size not in range(5, 11)


@pytest.mark.parametrize("first", range(10))
def test_it_is_what_libphonenumber_says_however_a_number_begins(first: int) -> None:
    rng = Random(first)
    texts = [
        f"+{code}{first}{start:02}" + "".join(rng.choices("0123456789", k=rng.randrange(2, 11)))
        for code, start in product(CODES, range(100))
    ]
    assert differences(texts) == []


@pytest.mark.deep
@pytest.mark.parametrize("code", CODES)
def test_it_is_what_libphonenumber_says_for_every_four_digits(code: int) -> None:
    rng = Random(code)
    for _ in range(3):
        texts = (
            f"+{code}{i:04}" + "".join(rng.choices("0123456789", k=rng.randrange(13)))
            for i in range(10_000)
        )
        assert differences(list(texts)) == []


numbers = st.builds(
    lambda plus, code, digits: f"{plus}{code}{digits}",
    st.sampled_from(["+", "", "00", "++"]),
    st.sampled_from(CODES),
    st.text("0123456789", max_size=14),
)
punctuated = st.builds(
    lambda number, marks: "".join(mark + c for mark, c in zip(marks, number, strict=False)),
    numbers,
    st.lists(st.sampled_from(["", "", "", " ", "-", ".", "(", ")", "/", " (", ") "]), min_size=20),
)
REGIONS = [None, "GB", "US", "CA", "AR", "BR", "MX", "IT", "JP", "SM", "LI", "RU", "KZ"]


@given(
    st.one_of(numbers, punctuated, st.text("0123456789 +-.()/", max_size=42), st.text(max_size=9)),
    st.sampled_from(REGIONS),
    st.booleans(),
)
@example("\u00a0442079460220", None, True)
@example("+-+442079460220", None, True)
@example("+541112345678", "AR", False)
@example("+\u0664\u0664\u0662\u0660\u0667\u0669\u0664\u0666\u0660\u0662\u0662\u0660", None, False)
def test_a_number_is_read_as_libphonenumber_reads_it(
    text: str, region: str | None, msisdn: bool
) -> None:
    expected = plain(text, region, msisdn=msisdn)
    assert parse_phone(text, region, msisdn=msisdn) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("+442079460220", True),
        ("+541112345678", True),  # its prefix is found, of no digits
        ("+44207946", False),
        ("+4402079460220", None),  # a national prefix: libphonenumber reads it away
        ("+5491112345678", True),
        ("+54111512345678", None),  # `15` of mobile numbers, which become others
        ("+999123456789", None),
        ("442079460220", None),
        ("+44", None),
        ("+", None),
        ("", None),
    ],
)
def test_what_more_than_length_decides_is_left_open(text: str, told: bool | None) -> None:
    assert is_possible(text) is told
