import ipaddress
from datetime import UTC, datetime

import pytest

from withhold.bench.values import (
    PERIOD,
    NoExample,
    has_form,
    identity_of,
    make_key,
    make_person,
    make_value,
)
from withhold.kinds.form import Form
from withhold.names import Kind, Unit

FORMS = [
    *(Form(kind) for kind in Kind if kind is not Kind.TIMESTAMP),
    *(Form(Kind.TIMESTAMP, unit=unit) for unit in Unit),
    Form(Kind.PHONE, region="GB"),
    Form(Kind.PHONE, region="US"),
    Form(Kind.PHONE, msisdn=True),
    Form(Kind.ID, pattern="u-[0-9]{5}"),
]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_value_has_its_form(form: Form) -> None:
    for number in range(3_000):
        assert has_form(form, make_value([form], number))


def test_nothing_of_it_could_be_anybodys() -> None:
    kept = [ipaddress.ip_network(n) for n in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]
    kept6 = ipaddress.ip_network("2001:db8::/32")
    for number in range(3_000):
        address = ipaddress.ip_address(str(make_value([Form(Kind.IP)], number)))
        assert address in kept6 or any(address in each for each in kept)
        assert str(make_value([Form(Kind.PHONE)], number)).startswith("+44 20 7946 0")
        assert str(make_value([Form(Kind.EMAIL)], number)).endswith("@example.test")


def test_instants_are_within_the_period() -> None:
    for number in range(10_000):
        second = make_value([Form(Kind.TIMESTAMP, unit=Unit.SECONDS)], number)
        assert isinstance(second, int)
        assert PERIOD.since.second <= second < PERIOD.until.second
    first = make_value([Form(Kind.TIMESTAMP, unit=Unit.RFC3339)], 0)
    assert datetime.fromisoformat(str(first)) == datetime(2026, 3, 1, tzinfo=UTC)


def test_a_person_has_one_identity_however_it_is_written() -> None:
    plain, digits = Form(Kind.PHONE, region="GB"), Form(Kind.PHONE, msisdn=True)
    assert identity_of(plain, make_person([plain])) == identity_of(digits, make_person([digits]))
    patterned = Form(Kind.ID, pattern="u-[0-9]{5}")
    assert make_person([Form(Kind.ID), patterned]) == "u-00000"


def test_keys_are_texts_and_differ() -> None:
    made = {make_key(Form(Kind.TIMESTAMP, unit=Unit.MILLISECONDS), number) for number in range(99)}
    assert len(made) == 99
    assert make_key(None, 3) == "key-3"


def test_what_has_no_value_says_of_which_kind() -> None:
    with pytest.raises(NoExample, match=r"of kind id and text$"):
        make_value([Form(Kind.ID, pattern="(?=b)a"), Form(Kind.TEXT)], 0)
