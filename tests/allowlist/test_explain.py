from tests.allowlist.bundles import (
    IP,
    TIME,
    field,
    instrument,
    policy,
    resource,
    rule,
    warrant,
)
from withhold.allowlist.compile import compile_allowlist, narrow
from withhold.allowlist.explain import Explanation, explain
from withhold.names import Category, Kind, Part, Treatment
from withhold.paths import parse_path

RESOURCE = resource(
    field("$.a"),
    field("$.b", category=Category.CONTENT),
    field("$.c", TIME),
    field("$.d.*", IP),
    field("$.d.*", IP, part=Part.KEY),
)
ALLOWLIST = compile_allowlist(
    warrant(),
    instrument(Category.SUBSCRIBER),
    policy(
        rule(Treatment.TOKENIZE, "ip-is-tokenized", kind=Kind.IP),
        rule(Treatment.WITHHOLD, "rule:odd", kind=Kind.TIMESTAMP),
    ),
    RESOURCE,
)


def test_each_field_is_explained_with_its_reason_and_the_deciding_rule() -> None:
    found = [(e.label, e.treatment, e.reason, e.rule) for e in explain(ALLOWLIST)]
    assert found == [
        ("$.a", Treatment.DISCLOSE, "covered", ""),
        ("$.b", Treatment.WITHHOLD, "not-in-instrument", ""),
        ("$.c", Treatment.WITHHOLD, "rule:rule:odd", "rule:odd"),
        ("$.d.*", Treatment.TOKENIZE, "rule:ip-is-tokenized", "ip-is-tokenized"),
        ("$.d.* key", Treatment.WITHHOLD, "rule:ip-is-tokenized", "ip-is-tokenized"),
    ]


def test_what_the_catalogue_says_is_repeated() -> None:
    assert explain(ALLOWLIST)[4] == Explanation(
        label="$.d.* key",
        path="$.d.*",
        category="subscriber",
        kind="ip",
        means="what it is",
        treatment=Treatment.WITHHOLD,
        reason="rule:ip-is-tokenized",
        rule="ip-is-tokenized",
        malformed=None,
    )


def test_what_was_not_asked_for_is_explained_so() -> None:
    asked = narrow(ALLOWLIST, frozenset({parse_path("$.b")}))
    assert [e.reason for e in explain(asked)] == [
        "not-requested",
        "not-in-instrument",
        "rule:rule:odd",
        "not-requested",
        "rule:ip-is-tokenized",
    ]


def test_an_answer_tells_what_was_malformed() -> None:
    withheld = {("malformed", "$.d.*"): 3, ("malformed", "$.d"): 1, ("undated", "$.a"): 2}
    assert [e.malformed for e in explain(ALLOWLIST, withheld)] == [0, 0, 0, 3, 0]
    assert {e.malformed for e in explain(ALLOWLIST, {})} == {0}
