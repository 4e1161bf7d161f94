import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.documents import PERIOD
from tests.minimize.resources import (
    EMAIL,
    ID,
    IP,
    MILLISECONDS,
    NUMBER,
    PHONE,
    PORT,
    RFC3339,
    SCOPE,
    SECONDS,
    TEXT,
    allow,
    leaf,
    run_both,
    run_fast,
)
from withhold.catalogue.model import Param, RequestSubject
from withhold.kinds.form import Form
from withhold.kinds.memo import Memo
from withhold.minimize.minimizer import Minimizer, subject_of
from withhold.names import Kind, Treatment
from withhold.warrant.model import Target

WORD = Form(Kind.ID, pattern="[a-z]*")
NATIONAL = Form(Kind.PHONE, region="GB")
MSISDN = Form(Kind.PHONE, msisdn=True)

MOMENTS = ["2026-06-01T00:00:00.50Z", "2026-06-01T00:30:00+01:00"]
GOOD: dict[str, tuple[Form, Treatment, Sequence[object]]] = {
    "phone": (PHONE, Treatment.DISCLOSE, ["+442079460220", "+44 (0)20 7946 0221"]),
    "national": (NATIONAL, Treatment.DISCLOSE, ["020 7946 0220", "+16502530000"]),
    "msisdn": (MSISDN, Treatment.DISCLOSE, ["442079460220", "+442079460221"]),
    "email": (EMAIL, Treatment.DISCLOSE, ["a@EXAMPLE.test", " b@example.test"]),
    "ip": (IP, Treatment.DISCLOSE, ["192.0.2.1", "2001:DB8::0:1", "::ffff:192.0.2.1", "::1"]),
    "network": (IP, Treatment.GENERALIZE, ["192.0.2.1", "2001:DB8::0:1", "::ffff:192.0.2.1", "::"]),
    "token": (IP, Treatment.TOKENIZE, ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1"]),
    "word": (WORD, Treatment.DISCLOSE, ["abc", ""]),
    "id": (ID, Treatment.DISCLOSE, ["abc", "", 7, -7]),
    "port": (PORT, Treatment.DISCLOSE, [1, 65_535]),
    "seconds": (SECONDS, Treatment.DISCLOSE, [1_780_272_000, "1780272000"]),
    "day": (MILLISECONDS, Treatment.GENERALIZE, [1_780_272_000_123, "1780272000123"]),
    "moment": (RFC3339, Treatment.DISCLOSE, MOMENTS),
    "date": (RFC3339, Treatment.GENERALIZE, MOMENTS),
}  # fmt: skip
BAD = [
    "", "x y", "Abc", "anonymous", "7946 0220", "+44 20", "a@", "192.0.2.01", "fe80::1%eth0",
    "a" * 300, "0" * 5_000, "+" + "4" * 5_000, "1" * 5_000, "2026-02-30T00:00:00Z",
    "1999-12-31T23:59:59Z",
    "2100-01-01T00:00:00Z", 0, -1, 65_536, 10**18, 10**40, True, None, [], {}, 1.5,
]  # fmt: skip


def rows(values: Sequence[object]) -> str:
    return json.dumps([{"a": value} for value in values] + [{}])


@pytest.mark.parametrize("name", GOOD)
def test_a_column_is_what_the_kind_makes_of_each_value(name: str) -> None:
    form, treatment, values = GOOD[name]
    allowlist = allow(leaf("$[*].a", form), treatments={"$[*].a": treatment})
    for column in (list(values), [*values, None, *values], [*values, *BAD], *([v] for v in values)):
        run_both(allowlist, rows(column))
    for bad in BAD:
        run_both(allowlist, rows([bad]))
        run_both(allowlist, rows([*values, bad]))


ANY = [value for _, _, values in GOOD.values() for value in values] + BAD


def test_the_sign_of_a_zero_is_not_lost() -> None:
    for form in (PORT, ID, SECONDS, NUMBER):
        for body in ('[{"a":-0}]', '[{"a":0},{"a":-0}]', '[{"a":0}]'):
            run_both(allow(leaf("$[*].a", form)), body)


@given(
    st.sampled_from(sorted(GOOD)),
    st.lists(
        st.one_of(st.sampled_from(ANY), st.text("0123456789+.:afz@ T-", max_size=12)), max_size=6
    ),
)
def test_whatever_stands_in_a_column(name: str, values: list[object]) -> None:
    form, treatment, _ = GOOD[name]
    allowlist = allow(leaf("$[*].a", form), treatments={"$[*].a": treatment})
    run_both(allowlist, rows(values))


def test_a_treatment_that_no_kind_has_lets_nothing_out() -> None:
    """The compiler makes such a field `withhold`; nothing here relies on it."""
    for form in (TEXT, ID, PHONE, EMAIL, PORT):
        allowlist = allow(leaf("$.a", form), treatments={"$.a": Treatment.GENERALIZE})
        for value in ("x", "+442079460220", "a@example.test", 7):
            outcome = run_both(allowlist, json.dumps({"a": value}))
            assert isinstance(outcome, tuple)
            assert outcome[0] is None


def test_phones_are_read_by_the_memo_of_the_scope() -> None:
    memo = Memo()
    scope = replace(SCOPE, memo=memo)
    allowlist = allow(leaf("$[*].a", NATIONAL))
    body = rows(["020 7946 0220", "+442079460220", "x"]).encode()
    first = run_fast(allowlist, scope, body)
    assert memo._found == {("GB", False, "020 7946 0220"): "+442079460220"}
    assert run_fast(allowlist, scope, body) == first
    memo._found["GB", False, "020 7946 0220"] = "+440000000000"
    remembered = run_fast(allowlist, scope, body)
    assert isinstance(remembered, tuple)
    assert remembered[0] == b'[{"a":"+440000000000"},{"a":"+442079460220"}]'


def test_minimizers_of_one_warrant_share_its_memo_and_others_do_not() -> None:
    memo, targets = Memo(), frozenset({Target(Kind.PHONE, "+442079460220")})
    allowlist = allow(leaf("$.a", NATIONAL))
    shared, alone = (
        Minimizer(allowlist, targets, PERIOD, None, None, memo=each) for each in (memo, None)
    )
    alone.minimize(b'{"a":"020 7946 0220"}')
    assert memo._found == {}
    shared.minimize(b'{"a":"020 7946 0220"}')
    assert memo._found == {("GB", False, "020 7946 0220"): "+442079460220"}
    subject = RequestSubject("who", NATIONAL, None)
    resource = replace(allowlist.resource, template=("v1", Param("who")), subject=subject)
    for each in (memo, None):
        asked = subject_of(resource, targets, {"who": "(020) 7946 0220"}, each)
        assert asked == "+442079460220"
    assert len(memo._found) == 2
