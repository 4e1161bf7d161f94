import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.documents import FORMS
from withhold.errors import KeyUnavailable
from withhold.kinds.form import Form
from withhold.kinds.instant import Instant
from withhold.kinds.scalar import (
    MALFORMED,
    Absent,
    Number,
    Scalar,
    identity,
    instant,
    normal_form,
    treat,
)
from withhold.kinds.token import Tokenizer
from withhold.names import Kind, Treatment, Unit

TEXT, ID, IP, PHONE, EMAIL, PORT, NUMBER, BOOLEAN = (
    Form(kind)
    for kind in (
        Kind.TEXT,
        Kind.ID,
        Kind.IP,
        Kind.PHONE,
        Kind.EMAIL,
        Kind.PORT,
        Kind.NUMBER,
        Kind.BOOLEAN,
    )
)
SECONDS, MILLISECONDS, MICROSECONDS, RFC3339 = (Form(Kind.TIMESTAMP, unit=unit) for unit in Unit)
BLNS = json.loads(Path("tests/vectors/blns.json").read_text())
DIGITS = ["0", "-0", "0.1000", "1e400", "1E+2", "-1.5E-7", "123456789012345678901234567890"]
# One value that each form takes, and what it becomes.
FITTING: list[tuple[Form, Scalar, Scalar]] = [
    (TEXT, "", ""),
    (TEXT, "é\u0000日🙂", "é\u0000日🙂"),
    (ID, "@alice:example.test", "@alice:example.test"),
    (ID, "", ""),
    (ID, Number("42"), Number("42")),
    (ID, Number("-0"), Number("-0")),
    (ID, Number("9" * 40), Number("9" * 40)),
    (Form(Kind.ID, pattern="[0-9]+"), Number("42"), Number("42")),
    (Form(Kind.ID, pattern="@.*"), "@a", "@a"),
    (IP, "2001:DB8::0:1", "2001:db8::1"),
    (IP, "::ffff:192.0.2.1", "192.0.2.1"),
    (PHONE, "+44 (0)20 7946 0220", "+442079460220"),
    (Form(Kind.PHONE, msisdn=True), "442079460220", "+442079460220"),
    (Form(Kind.PHONE, region="GB"), "020 7946 0220", "+442079460220"),
    (EMAIL, " alice@EXAMPLE.test", "alice@example.test"),
    (PORT, Number("0"), Number("0")),
    (PORT, Number("65535"), Number("65535")),
    (BOOLEAN, False, False),
    (BOOLEAN, True, True),
    (SECONDS, Number("1780272000"), Number("1780272000")),
    (SECONDS, "1780272000", "1780272000"),
    (MILLISECONDS, Number("1780272000001"), Number("1780272000001")),
    (MICROSECONDS, "1780272000000001", "1780272000000001"),
    (RFC3339, "2026-06-01t02:00:00.50+02:00", "2026-06-01t02:00:00.50+02:00"),
    *((NUMBER, Number(text), Number(text)) for text in DIGITS),
]
UNFITTING: list[tuple[Form, Scalar]] = [
    *((form, True) for form in FORMS if form.kind is not Kind.BOOLEAN),
    *((form, "\ud800") for form in FORMS),
    *((form, Number("1.5")) for form in FORMS if form.kind is not Kind.NUMBER),
    *((form, "x") for form in FORMS if form.kind not in {Kind.TEXT, Kind.ID}),
    (TEXT, Number("1")),
    (TEXT, "a\udc00b"),
    (ID, Number("1e3")),
    (ID, Number("1.0")),
    (ID, "\udfff"),
    (Form(Kind.ID, pattern="[0-9]+"), "42 "),
    (Form(Kind.ID, pattern="[0-9]+"), "42\n"),
    (Form(Kind.ID, pattern="[0-9]+"), "x42"),
    (Form(Kind.ID, pattern="a|ab"), "abc"),
    (Form(Kind.ID, pattern="[0-9]{3}"), Number("42")),
    (Form(Kind.ID, pattern="[0-9]{3}"), Number("4242")),
    (Form(Kind.ID, pattern="42"), Number("-42")),
    (Form(Kind.ID, pattern="[0-9]+"), "1" * 257),
    (IP, Number("1")),
    (IP, "fe80::1%eth0"),
    (PHONE, Number("442079460220")),
    (PHONE, "020 7946 0220"),
    (PHONE, "442079460220"),
    (PORT, "443"),
    (PORT, Number("65536")),
    (PORT, Number("-1")),
    (PORT, Number("-0")),
    (PORT, Number("443.0")),
    (PORT, Number("4e2")),
    (PORT, Number("9" * 10_000)),
    (NUMBER, "1"),
    (BOOLEAN, Number("0")),
    (BOOLEAN, "true"),
    (SECONDS, "1780272000.0"),
    (SECONDS, Number("1.780272e9")),
    (SECONDS, "2026-06-01T00:00:00Z"),
    (RFC3339, Number("1780272000")),
    (RFC3339, "1780272000"),
    (RFC3339, "2026-06-01T00:00:00"),
]


@pytest.mark.parametrize(("form", "value", "out"), FITTING, ids=repr)
def test_what_fits_leaves_in_its_normal_form(form: Form, value: Scalar, out: Scalar) -> None:
    found = normal_form(form, value)
    assert (type(found), found) == (type(out), out)
    assert treat(form, Treatment.DISCLOSE, value, None) == out


@pytest.mark.parametrize(("form", "value"), dict.fromkeys(UNFITTING), ids=repr)
def test_what_does_not_fit_is_malformed(form: Form, value: Scalar) -> None:
    assert normal_form(form, value) is MALFORMED
    assert treat(form, Treatment.DISCLOSE, value, None) is MALFORMED
    assert identity(form, value) is None


@pytest.mark.parametrize("form", FORMS, ids=repr)
@pytest.mark.parametrize("treatment", [t for t in Treatment if t is not Treatment.WITHHOLD])
def test_null_is_null_whatever_the_kind(form: Form, treatment: Treatment) -> None:
    assert treat(form, treatment, None, None) is None
    assert identity(form, None) is None
    assert instant(form, None) is None


@pytest.mark.parametrize(
    ("form", "first", "end"),
    [
        (SECONDS, Number("946684800"), Number("4102444800")),
        (SECONDS, "946684800", "4102444800"),
        (MILLISECONDS, Number("946684800000"), Number("4102444800000")),
        (MICROSECONDS, Number("946684800000000"), Number("4102444800000000")),
        (RFC3339, "2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z"),
        (RFC3339, "1999-12-31T23:00:00-01:00", "2099-12-31T23:00:00-01:00"),
    ],
)
def test_a_timestamp_is_from_2000_on_and_before_2100(
    form: Form, first: Scalar, end: Scalar
) -> None:
    assert normal_form(form, first) == first
    assert normal_form(form, end) is MALFORMED


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        (SECONDS, Number("946684799"), None),
        (MILLISECONDS, Number("946684799999"), None),
        (MICROSECONDS, Number("946684799999999"), None),
        (RFC3339, "1999-12-31T23:59:59.99999999999Z", None),
        (SECONDS, Number("4102444799"), Instant(4_102_444_799)),
        (MICROSECONDS, Number("4102444799999999"), Instant(4_102_444_799, "999999")),
        (RFC3339, "2099-12-31T23:59:59.9999Z", Instant(4_102_444_799, "9999")),
        (TEXT, "946684800", None),
    ],
)
def test_the_range_of_a_timestamp_is_exact(
    form: Form, value: Scalar, expected: Instant | None
) -> None:
    assert instant(form, value) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [("x", "x"), (Number("42"), "42"), (Number("-0"), "-0"), ("42", "42")]
)
def test_an_id_is_the_same_as_integer_and_as_text(value: Scalar, expected: str) -> None:
    assert identity(ID, value) == expected


@pytest.mark.parametrize("form", [TEXT, PORT, NUMBER, BOOLEAN, SECONDS, RFC3339], ids=repr)
def test_other_kinds_identify_nobody(form: Form) -> None:
    for value in ("x", "1780272000", Number("1"), True, "2026-06-01T00:00:00Z"):
        assert identity(form, value) is None


@pytest.mark.parametrize(
    ("form", "value", "out"),
    [
        (IP, "192.0.2.77", "192.0.2.0/24"),
        (IP, "::ffff:192.0.2.77", "192.0.2.0/24"),
        (IP, "2001:db8:1:2::1", "2001:db8:1::/48"),
        (IP, "fe80::1%eth0", MALFORMED),
        (IP, Number("1"), MALFORMED),
        (SECONDS, Number("1780272000"), "2026-06-01"),
        (SECONDS, "1780271999", "2026-05-31"),
        (MILLISECONDS, Number("1780271999999"), "2026-05-31"),
        (RFC3339, "2026-06-01T00:30:00+01:00", "2026-05-31"),
        (RFC3339, "2100-01-01T00:00:00Z", MALFORMED),
        (SECONDS, Number("1.5"), MALFORMED),
    ],
)
def test_generalizing(form: Form, value: Scalar, out: Scalar | Absent) -> None:
    assert treat(form, Treatment.GENERALIZE, value, None) == out


def test_tokenizing() -> None:
    tokenizer = Tokenizer(bytes(16))
    token = treat(IP, Treatment.TOKENIZE, "192.0.2.1", tokenizer)
    assert isinstance(token, str)
    assert token.startswith("tok_ip_")
    assert treat(IP, Treatment.TOKENIZE, "::ffff:192.0.2.1", tokenizer) == token
    assert treat(IP, Treatment.TOKENIZE, "x", tokenizer) is MALFORMED
    assert treat(IP, Treatment.TOKENIZE, True, tokenizer) is MALFORMED
    with pytest.raises(KeyUnavailable, match="no token key"):
        treat(IP, Treatment.TOKENIZE, "192.0.2.1", None)


@given(st.text(), st.sampled_from(FORMS))
def test_no_text_is_altered_but_to_its_normal_form(text: str, form: Form) -> None:
    found = normal_form(form, text)
    if form.kind in {Kind.PHONE, Kind.IP, Kind.EMAIL}:
        assert found is MALFORMED or found == identity(form, text)
    else:
        assert found is MALFORMED or found == text


def test_naughty_strings_are_kept_to_the_code_point_or_withheld() -> None:
    assert len(BLNS) > 500
    for text in BLNS:
        assert normal_form(TEXT, text) == text
        assert normal_form(ID, text) == text
        for form in FORMS:
            if form.kind in {Kind.NUMBER, Kind.BOOLEAN, Kind.PORT}:
                assert normal_form(form, text) is MALFORMED
