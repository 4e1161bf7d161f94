"""What is JSON: JSONTestSuite, where y_ must parse, n_ must be refused and i_ may be either."""

from pathlib import Path

import pytest

from tests.documents import FORMS
from tests.minimize.resources import (
    SCOPE,
    allow,
    disclosed,
    leaf,
    outcome_of,
    run_both,
    run_reference,
)
from withhold.errors import Malformed
from withhold.kinds.form import Form
from withhold.kinds.scalar import Number
from withhold.minimize.document import parse_document
from withhold.minimize.fast import Plan

SUITE = Path("tests/vectors/JSONTestSuite")
# Left out of the vectors, since they are easier made than kept.
MADE = {
    "n_structure_100000_opening_arrays.json": b"[" * 100_000,
    "n_structure_open_array_object.json": b'[{"":' * 50_000 + b"\n",
}
TEXTS = {path.name: path.read_bytes() for path in sorted(SUITE.glob("test_*/*.json"))} | MADE
YES = {name: text for name, text in TEXTS.items() if name.startswith("y_")}
NO = {name: text for name, text in TEXTS.items() if name.startswith("n_")}


def around(text: bytes) -> list[tuple[str, bytes]]:
    """Give documents that hold a text: whole, skipped, covered, at the side of what is covered."""
    return [
        ("$.a", text),
        ("$[*].a", text),
        ("$.a", b'{"u":' + text + b',"a":"x"}'),
        ("$.a", b'{"a":' + text + b"}"),
        ("$.*", b'{"a":' + text + b"}"),
        ("$[*]", b"[" + text + b"]"),
        ("$[*].a", b'[{"a":"x"},' + text + b"]"),
        ("$.o.a", b'{"o":' + text + b"}"),
    ]


def test_the_suite_is_there() -> None:
    assert (len(YES), len(NO)) == (95, 188)
    assert len(TEXTS) == 318 + 22


@pytest.mark.parametrize("form", FORMS, ids=repr)
def test_both_engines_agree_on_every_text_wherever_it_stands(form: Form) -> None:
    allowlists = {path: allow(leaf(path, form)) for path, _ in around(b"")}
    plans = {path: Plan(allowlist) for path, allowlist in allowlists.items()}
    for text in TEXTS.values():
        for path, body in around(text):
            said = outcome_of(plans[path], SCOPE, body)
            assert said == run_reference(allowlists[path], SCOPE, body)


@pytest.mark.parametrize("name", YES)
def test_what_is_json_is_read(name: str) -> None:
    for path, body in around(YES[name]):
        assert run_both(allow(leaf(path)), body) is not Malformed


@pytest.mark.parametrize("name", NO)
def test_what_is_not_json_is_malformed(name: str) -> None:
    for path, body in around(NO[name]):
        if body.replace(b" ", b"") != b"[]":  # nothing between brackets is an empty array
            assert run_both(allow(leaf(path)), body) is Malformed


@pytest.mark.parametrize("name", NO)
def test_it_is_malformed_though_nothing_is_covered(name: str) -> None:
    assert run_both(allow(), NO[name]) is Malformed


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf{}",
        b'\xef\xbb\xbf{"a":"x"}',
        b'{"a":"x"}\x00',
        b'{"a":"x"}{}',
        b'{"a":"x"},',
        b'{"a":"x"}\n{"a":"y"}',
        '{"a":"x"}'.encode("utf-16"),
        '{"a":"x"}'.encode("utf-32-le"),
        b'{"u":NaN,"a":"x"}',
        b'{"u":[-Infinity],"a":"x"}',
        b'{"u":"\xff","a":"x"}',
        b'{"u":"\xed\xa0\x80","a":"x"}',
        b'{"\xc0\xaf":1,"a":"x"}',
        b'{"u":"\t","a":"x"}',
        b'{"u":"\\x","a":"x"}',
        b'{"u":"\\u12","a":"x"}',
        b'{"u":01,"a":"x"}',
        b'{"u":1.,"a":"x"}',
        b'{"u":.5,"a":"x"}',
        b'{"u":[1,],"a":"x"}',
        b'{"u":{"v":1,},"a":"x"}',
        b"{'a':'x'}",
        b'{"a":"x"} // y',
        b"",
        b" ",
    ],
)
def test_these_are_not_json_in_utf_8(body: bytes) -> None:
    assert run_both(allow(leaf("$.a")), body) is Malformed


@pytest.mark.parametrize(
    "body",
    [
        b'{"u":"\\ud800","a":"x"}',
        b'{"\\udc00":"\\ud800\\ud800","a":"x"}',
        b'{"u":1e999999,"a":"x"}',
        b'{"u":-0.0e-0,"a":"x"}',
        b'{"u":' + b"9" * 100_000 + b',"a":"x"}',
        b'{"u":"' + b"u" * 100_000 + b'","a":"x"}',
        b'{"u":"\\u0000\xf4\x8f\xbf\xbf\x7f","a":"x"}',
        b'{"u":' + b"[" * 128 + b"]" * 128 + b',"a":"x"}',
        b'{"u":' + b'{"u":' * 128 + b"1" + b"}" * 128 + b',"a":"x"}',
    ],
    ids=lambda body: body[:20].decode("ascii", "replace"),
)
def test_what_is_odd_and_skipped_changes_nothing(body: bytes) -> None:
    assert disclosed(allow(leaf("$.a")), body) == '{"a":"x"}'


@pytest.mark.parametrize("depth", [2_000, 100_000])
def test_a_document_that_is_too_deep_is_malformed(depth: int) -> None:
    body = b'{"u":' + b"[" * depth + b"]" * depth + b',"a":"x"}'
    assert run_both(allow(leaf("$.a")), body) is Malformed


def test_a_document_keeps_its_digits() -> None:
    assert parse_document(b"[1.50,-0,1e400]") == [Number("1.50"), Number("-0"), Number("1e400")]
