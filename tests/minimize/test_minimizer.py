import json
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.documents import PERIOD
from tests.minimize.resources import (
    ALICE,
    EMAIL,
    ID,
    IP,
    PHONE,
    SECONDS,
    TOKEN_KEY,
    about,
    allow,
    keys,
    leaf,
    record,
)
from withhold.allowlist.model import Allowlist
from withhold.catalogue.model import Param, RequestSubject, Resource
from withhold.errors import BadRequest, Denied, KeyUnavailable, Malformed, Mismatch, WithholdError
from withhold.kinds.form import Form
from withhold.minimize import minimizer as module
from withhold.minimize import reference
from withhold.minimize.fast import Plan
from withhold.minimize.minimizer import Minimized, Minimizer, subject_of
from withhold.minimize.run import Run, bounds_of
from withhold.minimize.scope import Scope
from withhold.minimize.tally import Tally
from withhold.names import Kind, StoreName, Treatment
from withhold.warrant.model import Target

A = "@alice:example.test"
CANARY = "CANARY-7f3a"
BLNS = json.loads(Path("tests/vectors/blns.json").read_text())
EVENTS = allow(leaf("$[*].a"), records=[record("$[*]", ["who"], time=("t", SECONDS))])


def minimizer_of(
    allowlist: Allowlist, subject: str | None = None, key: bytes | None = TOKEN_KEY
) -> Minimizer:
    return Minimizer(allowlist, frozenset({ALICE}), PERIOD, subject, key)


class TestMinimizer:
    def test_it_takes_bytes_and_gives_bytes(self) -> None:
        minimizer = minimizer_of(EVENTS)
        body = f'[{{"who":"{A}","t":1780272000,"a":"x"}},{{"who":"b","a":"y"}}]'.encode()
        assert minimizer.minimize(body) == b'[{"a":"x"}]'
        assert minimizer.run(body).body == b'[{"a":"x"}]'

    def test_it_counts_what_it_minimized_and_not_what_it_only_ran(self) -> None:
        minimizer = minimizer_of(EVENTS)
        body = f'[{{"who":"{A}","t":1780272000,"a":"x"}},{{"who":"b"}},{{"a":1}}]'.encode()
        assert minimizer.run(body).tally.records_seen == 3
        assert minimizer.tally == Tally()
        minimizer.minimize(body)
        minimizer.minimize(body)
        assert minimizer.tally.records_seen == 6
        assert minimizer.tally.records_disclosed == 2
        assert minimizer.tally.by_reason() == {"no-subject": 2, "not-a-target": 2}

    def test_what_fails_is_not_counted(self) -> None:
        minimizer = minimizer_of(EVENTS)
        with pytest.raises(Malformed):
            minimizer.minimize(b"[")
        assert minimizer.tally == Tally()

    @pytest.mark.parametrize(
        ("path", "root"), [("$.a", b"{}"), ("$[*]", b"[]"), ("$[*].a", b"[]"), ("$.*", b"{}")]
    )
    def test_if_nothing_remains_the_root_is_empty(self, path: str, root: bytes) -> None:
        minimizer = minimizer_of(allow(leaf(path)))
        assert minimizer.empty_root == root
        for body in (b"{}", b"[]", b"null", b'{"z":{"z":1}}', b"[{}]"):
            assert minimizer.minimize(body) == root
            assert minimizer.run(body).body is None

    def test_a_resource_without_fields_is_an_empty_object(self) -> None:
        assert minimizer_of(allow()).minimize(b'{"a":1}') == b"{}"

    def test_nothing_covered_gives_the_empty_root(self) -> None:
        allowlist = allow(leaf("$[*].a"), treatments={"$[*].a": Treatment.WITHHOLD})
        assert minimizer_of(allowlist).minimize(b'[{"a":"x"}]') == b"[]"

    def test_a_tokenizing_allowlist_needs_a_key(self) -> None:
        tokenizes = allow(leaf("$.a", IP), treatments={"$.a": Treatment.TOKENIZE})
        with pytest.raises(KeyUnavailable, match="no token key"):
            minimizer_of(tokenizes, key=None)
        minimizer_of(allow(leaf("$.a", IP)), key=None)
        only_keys = allow(leaf("$.*"), keys("$.*", IP), treatments={"$.* key": Treatment.TOKENIZE})
        assert minimizer_of(only_keys, key=None).minimize(b'{"192.0.2.1":"x"}') == b'{"1":"x"}'

    def test_the_warrants_key_makes_the_tokens(self) -> None:
        tokenizes = allow(leaf("$.a", IP), treatments={"$.a": Treatment.TOKENIZE})
        body = b'{"a":"192.0.2.1"}'
        one, same, other = (
            minimizer_of(tokenizes, key=key).minimize(body)
            for key in (bytes(16), bytes(16), TOKEN_KEY)
        )
        assert one == same != other
        assert b"192" not in one

    def test_plans_that_run_without_a_key_stop_where_a_token_is_due(self) -> None:
        tokenizes = allow(leaf("$.a", IP), treatments={"$.a": Treatment.TOKENIZE})
        scope = Scope(frozenset(), PERIOD, None, None)
        assert Plan(tokenizes).run(bounds_of(scope), b'{"a":null}')[0] == b'{"a":null}'
        with pytest.raises(KeyUnavailable):
            Plan(tokenizes).run(bounds_of(scope), b'{"a":"192.0.2.1"}')

    @pytest.mark.parametrize("subject", [None, A])
    def test_subject_and_resource_must_agree(self, subject: str | None) -> None:
        with_subject = allow(leaf("$.a"), confirm="$.id")
        without = allow(leaf("$.a"))
        with pytest.raises(BadRequest, match="`synapse/made-up` and the request do not agree"):
            minimizer_of(with_subject if subject is None else without, subject)

    def test_targets_and_period_are_each_minimizers_own(self) -> None:
        body = f'[{{"who":"{A}","t":1780272000,"a":"x"}}]'.encode()
        assert minimizer_of(EVENTS).minimize(body) == b'[{"a":"x"}]'
        nobody = Minimizer(EVENTS, frozenset(), PERIOD, None, None)
        assert nobody.minimize(body) == b"[]"

    def test_allowlists_that_differ_in_anything_that_decides_have_plans_of_their_own(self) -> None:
        body = b'{"who":"b","a":"2001:DB8::1","b":"y"}'
        outs = [
            minimizer_of(allowlist, A if allowlist.resource.subject else None).run(body).body
            for allowlist in (
                allow(leaf("$.a")),
                allow(leaf("$.a", IP)),
                allow(leaf("$.b")),
                allow(leaf("$.a"), leaf("$.b")),
                allow(leaf("$.a", IP), treatments={"$.a": Treatment.GENERALIZE}),
                allow(leaf("$.a"), records=[record("$", ["who"])]),
                allow(leaf("$.a", when=("b", "y"))),
                allow(leaf("$.a", when=("b", "z"))),
                allow(leaf("$.a", Form(Kind.ID, pattern="x"))),
            )
        ]
        assert outs == [
            b'{"a":"2001:DB8::1"}',
            b'{"a":"2001:db8::1"}',
            b'{"b":"y"}',
            b'{"a":"2001:DB8::1","b":"y"}',
            b'{"a":"2001:db8::/48"}',
            None,
            b'{"a":"2001:DB8::1"}',
            None,
            None,
        ]

    def test_plans_are_kept_while_they_are_in_use_and_no_longer(self) -> None:
        first = minimizer_of(allow(leaf("$.first")))
        again = minimizer_of(allow(leaf("$.first")))
        assert first._plan is again._plan
        for i in range(module._MAX_PLANS + 5):
            minimizer_of(allow(leaf(f"$.f{i}")))
            minimizer_of(allow(leaf("$.first")))
        assert len(module._plans) <= module._MAX_PLANS
        assert minimizer_of(allow(leaf("$.first")))._plan is first._plan

    def test_where_nothing_is_covered_the_digest_says_too_little_to_share_a_plan(self) -> None:
        """Nothing decides then; where the answer repeats its subject still tells."""
        elsewhere = allow(confirm="$.who")
        assert minimizer_of(allow(confirm="$.id"), A).minimize(f'{{"id":"{A}"}}'.encode()) == b"{}"
        assert elsewhere.digest == allow(confirm="$.id").digest
        assert minimizer_of(elsewhere, A).minimize(f'{{"who":"{A}"}}'.encode()) == b"{}"

    def test_the_oldest_plan_goes_first(self) -> None:
        old = minimizer_of(allow(leaf("$.old")))
        for i in range(module._MAX_PLANS):
            minimizer_of(allow(leaf(f"$.f{i}")))
        assert old.allowlist.digest not in module._plans
        assert old.minimize(b'{"old":"x"}') == b'{"old":"x"}'


def lookup(form: Form) -> Resource:
    """Make a resource about the person in its path."""
    subject = RequestSubject("who", form, None)
    made_up = allow(leaf("$.a"), subject=subject).resource
    return Resource(
        StoreName("synapse"),
        "lookup",
        ("v1", Param("medium"), Param("who")),
        subject,
        made_up.query,
        made_up.page,
        made_up.absent,
        made_up.snapshot,
        made_up.resolves,
        made_up.fields,
        made_up.records,
    )


class TestSubjectOf:
    @pytest.mark.parametrize(
        ("form", "target", "value"),
        [
            (ID, ALICE, A),
            (ID, Target(Kind.ID, "42"), "42"),
            (PHONE, Target(Kind.PHONE, "+442079460220"), "+44 (0)20 7946 0220"),
            (Form(Kind.PHONE, msisdn=True), Target(Kind.PHONE, "+442079460220"), "442079460220"),
            (EMAIL, Target(Kind.EMAIL, "alice@example.test"), "alice@EXAMPLE.test"),
            (IP, Target(Kind.IP, "192.0.2.1"), "::ffff:192.0.2.1"),
        ],
    )
    def test_a_target_is_given_in_normal_form(self, form: Form, target: Target, value: str) -> None:
        params = {"medium": "email", "who": value}
        assert subject_of(lookup(form), frozenset({target}), params) == target.value

    @pytest.mark.parametrize(
        ("form", "value"),
        [
            (ID, "@bob:example.test"),
            (ID, ""),
            (ID, "@ALICE:example.test"),
            (ID, f"{A} "),
            (EMAIL, A),
            (PHONE, A),
            (Form(Kind.ID, pattern="[a-z]+"), A),
        ],
    )
    def test_nobody_else_is_asked_about(self, form: Form, value: str) -> None:
        with pytest.raises(Denied) as denied:
            subject_of(lookup(form), frozenset({ALICE}), {"medium": "m", "who": value})
        assert denied.value.reason == "not-a-target"
        assert denied.value.message == "`who` is not a target of the warrant"

    def test_a_target_of_another_kind_is_none(self) -> None:
        for form, target in ((EMAIL, Target(Kind.ID, "a@b")), (ID, Target(Kind.EMAIL, "a@b"))):
            with pytest.raises(Denied):
                subject_of(lookup(form), frozenset({target}), {"medium": "m", "who": "a@b"})

    @pytest.mark.parametrize(
        "params", [{}, {"who": A}, {"medium": "m"}, {"medium": "m", "who": A, "x": "y"}]
    )
    def test_the_parameters_are_those_of_the_resource(self, params: dict[str, str]) -> None:
        with pytest.raises(BadRequest, match="takes other parameters: `medium`, `who`"):
            subject_of(lookup(ID), frozenset({ALICE}), params)

    def test_a_resource_that_nobody_is_asked_about_has_no_subject(self) -> None:
        resource = allow(leaf("$.a")).resource
        assert subject_of(resource, frozenset(), {}) is None
        with pytest.raises(BadRequest, match="takes other parameters: none"):
            subject_of(resource, frozenset(), {"x": CANARY})


# --- nothing personal in the margins (law 6) ----------------------------------------------------

CONFIRMED = allow(leaf("$.a", IP), leaf("$.id", ID), confirm="$.id")
REFUSED = [
    f'{{"id":"{CANARY}","a":"192.0.2.1"}}'.encode(),
    f'{{"id":"{CANARY}","a":1}}'.encode(),
    f'{{"id":["{CANARY}"]}}'.encode(),
    f'{{"id":"{CANARY}"'.encode(),
    f'{{"{CANARY}":"\\x"}}'.encode(),
    f'{{"a":"{CANARY}\n"}}'.encode(),
    f'{{"a":{CANARY}}}'.encode(),
    f'"{CANARY}'.encode(),
    f"[{'1' * 5_000},{CANARY}]".encode(),
    f'{{"id":"{CANARY}'.encode() + b"\xff" + b'"}',
    f'{{"{CANARY}":'.encode() + b"[" * 10_000,
]


def all_texts(error: BaseException) -> str:
    """Give all that anybody could print of an exception; the frames' locals are not printed."""
    return (
        "".join(traceback.format_exception(error))
        + repr(error)
        + str(error.args)
        + repr(vars(error))
    )


@pytest.mark.parametrize("body", REFUSED, ids=lambda body: body[:40].decode("latin-1"))
def test_no_exception_tells_what_it_was_about(body: bytes) -> None:
    scope = about(A)
    engines: list[Callable[[], object]] = [
        lambda: minimizer_of(CONFIRMED, A).minimize(body),
        lambda: Plan(CONFIRMED).run(bounds_of(scope), body),
        lambda: reference.minimize(CONFIRMED, scope, body),
    ]
    for engine in engines:
        with pytest.raises((Malformed, Mismatch)) as caught:
            engine()
        error = caught.value
        assert (error.__cause__, error.__context__) == (None, None)
        assert CANARY not in all_texts(error)
        assert A not in all_texts(error)


def test_no_refusal_tells_who_was_asked_about() -> None:
    calls: list[Callable[[], object]] = [
        lambda: subject_of(lookup(ID), frozenset({ALICE}), {"medium": "m", "who": CANARY}),
        lambda: subject_of(lookup(PHONE), frozenset({ALICE}), {"medium": "m", "who": CANARY}),
        lambda: subject_of(lookup(ID), frozenset({ALICE}), {CANARY: CANARY}),
        lambda: minimizer_of(EVENTS, CANARY),
    ]
    for call in calls:
        with pytest.raises(WithholdError) as caught:
            call()
        assert CANARY not in all_texts(caught.value)
        assert A not in all_texts(caught.value)


def test_no_repr_tells_of_anybody() -> None:
    scope = about(CANARY, Target(Kind.ID, CANARY), Target(Kind.ID, "4242424242"))
    minimizer = Minimizer(CONFIRMED, scope.targets, scope.period, CANARY, TOKEN_KEY)
    run = Run(bounds_of(scope))
    minimized = minimizer.run(f'{{"id":"{CANARY}","a":"{CANARY}"}}'.encode())
    assert minimized.body == f'{{"id":"{CANARY}"}}'.encode()
    values = [scope, run, run.bounds, minimizer, minimized, minimizer.tally, minimized.tally]

    values += [
        Target(Kind.ID, CANARY),
        scope.targets,
        scope.tokenizer,
        Minimized(b"CANARY", Tally()),
        minimizer.run_lines(f'{{"id":"{CANARY}"}}\n'.encode()),
    ]
    for value in values:
        text = f"{value!r} {value!s}"
        assert CANARY not in text
        assert "4242424242" not in text
        assert TOKEN_KEY.hex() not in text


def test_a_tally_holds_counts_and_catalogued_places_only() -> None:
    minimizer = minimizer_of(allow(leaf("$.m.*", IP), keys("$.m.*", IP)))
    minimizer.minimize(f'{{"m":{{"{CANARY}":"{CANARY}","x":null}},"{CANARY}":1}}'.encode())
    assert dict(minimizer.tally.withheld) == {
        ("malformed", "$.m.*"): 1,
        ("malformed", "$.m.* key"): 1,
    }


def test_naughty_strings_are_kept_where_covered_and_gone_where_not() -> None:
    minimizer = minimizer_of(allow(leaf("$.a"), leaf("$.m.*"), keys("$.m.*", ID)))
    for text in BLNS:
        for ensure_ascii in (True, False):
            body = json.dumps(
                {"a": text, "b": text, text or "c": [text], "m": {text: text}},
                ensure_ascii=ensure_ascii,
            )
            out = json.loads(minimizer.minimize(body.encode()))
            # A naughty string may itself be `a` or `m`.
            assert out == {"a": json.loads(body)["a"], "m": {text: text}} or text in {"a", "m"}


def test_lines_are_minimized_at_one_go() -> None:
    minimizer = minimizer_of(allow(leaf("$.a")))
    lines = minimizer.run_lines(b'{"a":"1","b":2}\n\n{"b":3}\n{"a":null}')
    assert lines.body == b'{"a":"1"}\n{"a":null}\n'
    assert dict(lines.tally.disclosed) == {"$.a": 2}
    assert minimizer.run_lines(b"{}\n") == Minimized(None, Tally())


def test_several_threads_may_run_at_once() -> None:
    """A large document has a thread beside the event loop's, and both may be of one warrant."""
    allowlist = allow(
        leaf("$.rows[*].ip", IP),
        leaf("$.rows[*].phone", PHONE),
        treatments={"$.rows[*].ip": Treatment.TOKENIZE},
    )
    minimizer = minimizer_of(allowlist)

    def body(n: int) -> bytes:
        rows = [{"ip": f"192.0.{n}.{i}", "phone": f"+4420794{n:02}{i:03}"} for i in range(100)]
        return json.dumps({"rows": rows}).encode() + b"\n"

    bodies = [body(n) for n in range(40)]
    alone = [(minimizer.run(each), minimizer.run_lines(each)) for each in bodies]
    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            shared = minimizer_of(allowlist)
            found = pool.map(lambda each: (shared.run(each), shared.run_lines(each)), bodies * 4)
            assert list(found) == alone * 4
    finally:
        sys.setswitchinterval(switch_s)
