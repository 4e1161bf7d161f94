import json
from dataclasses import replace
from itertools import combinations_with_replacement

import pytest

from tests.minimize.resources import (
    EMAIL,
    ID,
    IP,
    MILLISECONDS,
    PHONE,
    RFC3339,
    SCOPE,
    SECONDS,
    allow,
    leaf,
    record,
    run_both,
    run_fast,
    withheld,
)
from withhold.kinds.form import Form
from withhold.kinds.memo import Memo
from withhold.names import Kind
from withhold.warrant.model import Target

NATIONAL = Form(Kind.PHONE, region="GB")
WORD = Form(Kind.ID, pattern="[@a-z:.0-9]+")
TARGETS = frozenset(
    {
        Target(Kind.ID, "@alice:example.test"),
        Target(Kind.ID, "42"),
        Target(Kind.ID, "9" * 25),
        Target(Kind.PHONE, "+442079460220"),
        Target(Kind.IP, "192.0.2.1"),
        Target(Kind.IP, "2001:db8::1"),
        Target(Kind.EMAIL, "alice@example.test"),
    }
)
WHO = [
    "@alice:example.test", "42", 42, int("9" * 25), "bob", "", 0, -0.0, 43, None, [], {}, True, 1.5,
    "+442079460220", "020 7946 0220", "+442079460221", "anonymous", "::ffff:192.0.2.1", "192.0.2.1",
    "2001:DB8::1", "192.0.2.2", "alice@EXAMPLE.test", "bob@example.test", "\u00e9", "9" * 25,
]  # fmt: skip
WHEN = [
    1_780_272_000, 1_780_272_000_000, "1780272000", "1780272000000", "2026-06-01T00:00:00Z",
    "2026-06-01T02:00:00+02:00", 946_684_799, 946_684_800, 4_102_444_799, 4_102_444_800,
    946_684_800_000, 4_102_444_799_999, 4_102_444_800_000, 10**30, 0, -1, None, "x", True, 1.5, [],
    "2001-01-01T00:00:00Z", "1999-01-01T00:00:00Z", "9" * 5_000,
]  # fmt: skip
SCOPE_OF_ALL = replace(SCOPE, targets=TARGETS)


@pytest.mark.parametrize(
    "form", [ID, WORD, PHONE, NATIONAL, IP, EMAIL], ids=lambda f: f"{f.kind} {f.region} {f.pattern}"
)
def test_a_record_is_admitted_by_who_it_is_about_as_the_kinds_tell(form: Form) -> None:
    one = allow(leaf("$[*].a"), records=[record("$[*]", ["w"], form)])
    two = allow(leaf("$[*].a"), records=[record("$[*]", ["w", "v"], form)])
    for who, other in combinations_with_replacement(WHO, 2):
        rows = [{"a": "x", "w": who, "v": other}, {"a": "y", "v": who, "w": other}, {"a": "z"}]
        for document in (rows, rows[:2], rows[:1]):
            run_both(one, json.dumps(document), SCOPE_OF_ALL)
            run_both(two, json.dumps(document), SCOPE_OF_ALL)


@pytest.mark.parametrize("form", [SECONDS, MILLISECONDS, RFC3339], ids=lambda f: f.unit)
def test_a_record_is_admitted_by_when_it_was_as_the_kinds_tell(form: Form) -> None:
    timed = allow(leaf("$[*].a"), records=[record("$[*]", time=("t", form))])
    both = allow(leaf("$[*].a"), records=[record("$[*]", ["w"], time=("t", form))])
    for stamp, other in combinations_with_replacement(WHEN, 2):
        rows = [
            {"a": "x", "t": stamp, "w": "bob"},
            {"a": "y", "t": other, "w": "@alice:example.test"},
            {"a": "z", "w": "@alice:example.test"},
        ]
        for document in (rows, rows[:2], rows[1:2]):
            run_both(timed, json.dumps(document), SCOPE_OF_ALL)
            run_both(both, json.dumps(document), SCOPE_OF_ALL)


def test_a_record_has_one_reason_and_every_record_is_counted() -> None:
    both = allow(leaf("$[*].a"), records=[record("$[*]", ["w"], time=("t", SECONDS))])
    alice, now, then = "@alice:example.test", 1_780_272_000, 1_000_000_000
    rows = [(alice, now), ("bob", then), ("eve", now), (alice, then), (alice, None), (None, then)]
    body = json.dumps([{"a": "x", "w": who, "t": stamp} for who, stamp in rows])
    assert withheld(both, body, SCOPE_OF_ALL) == {
        "not-a-target $[*]": 2,
        "no-subject $[*]": 1,
        "out-of-period $[*]": 1,
        "undated $[*]": 1,
    }


def test_phones_that_decide_are_read_by_the_memo_of_the_scope() -> None:
    memo = Memo()
    scope = replace(SCOPE_OF_ALL, memo=memo)
    allowlist = allow(leaf("$[*].a"), records=[record("$[*]", ["w"], NATIONAL)])
    body = b'[{"a":"x","w":"020 7946 0220"},{"a":"y","w":"020 7946 0221"}]'
    outcome = run_fast(allowlist, scope, body)
    assert isinstance(outcome, tuple)
    assert outcome[0] == b'[{"a":"x"}]'
    assert set(memo._found.values()) == {"+442079460220", "+442079460221"}
