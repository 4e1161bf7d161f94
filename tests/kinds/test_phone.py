import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from withhold.kinds.phone import parse_phone

ALICE = "+442079460220"


@pytest.mark.parametrize(
    "text",
    ["+442079460220", "+44 20 7946 0220", "+44 (0)20 7946 0220", "+44(0)2079460220",
     "+44-20-7946-0220", "+44.20.7946.0220",
     "+44/20/7946 0220", "(+44) 20 7946 0220", " +442079460220", "+442079460220 "],
)  # fmt: skip
def test_one_number_has_one_normal_form(text: str) -> None:
    assert parse_phone(text) == ALICE
    assert parse_phone(text, "US") == ALICE  # a region never overrules a country code
    assert parse_phone(text, msisdn=text.lstrip().startswith("+")) == ALICE


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("020 7946 0220", "GB", ALICE),
        ("(020) 7946-0220", "GB", ALICE),
        ("2079460220", "GB", ALICE),
        ("0044 20 7946 0220", "GB", ALICE),
        ("011 44 20 7946 0220", "US", ALICE),
        ("(650) 253-0000", "US", "+16502530000"),
        ("06 698 12345", "IT", "+390669812345"),  # the zero is a part of the number there
    ],
)
def test_a_region_reads_national_numbers(text: str, region: str, expected: str) -> None:
    assert parse_phone(text, region) == expected
    assert parse_phone(text) is None


@pytest.mark.parametrize("text", ["442079460220", "44 20 7946 0220", " 442079460220", ALICE])
def test_an_msisdn_lacks_its_plus(text: str) -> None:
    assert parse_phone(text, msisdn=True) == ALICE


def test_an_msisdn_is_never_national() -> None:
    assert parse_phone("020 7946 0220", msisdn=True) is None
    assert parse_phone("0044 20 7946 0220", msisdn=True) is None


@pytest.mark.parametrize("text", ["+442600000000", "+1 200 555 0100", "+44 20 000 0000"])
def test_a_possible_number_passes_though_no_table_has_its_range(text: str) -> None:
    assert parse_phone(text) == "+" + "".join(c for c in text if c.isdigit())
    assert not phonenumbers.is_valid_number(phonenumbers.parse(text))


@pytest.mark.parametrize(
    ("text", "region"),
    [("7946 0220", "GB"), ("2530000", "US"), ("253-0000", "US"), ("+44 7946 0220", None),
     ("+1 253 0000", None)],
)  # fmt: skip
def test_a_number_without_its_area_is_nobodys(text: str, region: str | None) -> None:
    assert parse_phone(text, region) is None


@pytest.mark.parametrize(
    "text",
    ["", " ", "+", "-", "x", "+44", "+44 20", "112", "+999 20 7946 0220", "+0 20 7946 0220",
     "+442079460220123456",
     "+1 800 FLOWERS", "+44 20 7946 0220 x1", "+44 20 7946 0220 ext 1", "+44 20 7946 0220;ext=1",
     "+442079460220#1", "+442079460220,1",
     "tel:+442079460220", "+44 20 7946 0220\n", "+44\t2079460220", "+44\u00a02079460220",
     "+44\u20112079460220",
     "\uff0b442079460220", "+\u0664\u06642079460220", "+\uff14\uff142079460220",
     "+44 20 7946 022\uff10", "+44~2079460220", "*+442079460220",
     "+44 20 7946 0220 / +44 20 7946 0221", "020 7946 0220/020 7946 0221", "anonymous",
     "+442079460220 " + " " * 40],
)  # fmt: skip
def test_what_is_no_number_is_none(text: str) -> None:
    assert parse_phone(text) is None
    assert parse_phone(text, "GB") is None
    assert parse_phone(text, msisdn=True) is None


@given(
    st.sampled_from(["GB", "US", "DE", "IT", "AR", "MX", "BR", "FR", "JP", "CI", "SM"]),
    st.text("0123456789", min_size=5, max_size=12),
)
def test_the_normal_form_of_a_valid_number_is_read_back_as_itself(region: str, digits: str) -> None:
    code = phonenumbers.country_code_for_region(region)
    for found in (parse_phone(f"+{code}{digits}"), parse_phone(digits, region)):
        if found is not None:
            assert found[0] == "+"
            assert found[1:].isdecimal()
            if phonenumbers.is_valid_number(phonenumbers.parse(found)):
                assert len(found) <= 16
                assert parse_phone(found) == found
                assert parse_phone(found[1:], msisdn=True) == found
