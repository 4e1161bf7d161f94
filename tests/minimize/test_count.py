"""What the tally says was disclosed, counted by hand, and asked of both engines."""

import json

import pytest
from msgspec import UNSET

from tests.documents import PERIOD
from tests.minimize.resources import (
    ALICE,
    BOOLEAN,
    EMAIL,
    ID,
    IP,
    MILLISECONDS,
    NUMBER,
    PHONE,
    PORT,
    SCOPE,
    SECONDS,
    TEXT,
    TOKEN_KEY,
    about,
    allow,
    counted,
    disclosed,
    keys,
    leaf,
    record,
    run_both,
)
from withhold.allowlist.model import Allowlist
from withhold.errors import Malformed, Mismatch
from withhold.kinds.form import Form
from withhold.minimize import fast
from withhold.minimize.minimizer import Minimizer
from withhold.minimize.run import Run, bounds_of
from withhold.names import Treatment

A = "@alice:example.test"
B = "@bob:example.test"
ADDRESS = '$.threepids[*].address when medium is "{}"'


class TestValues:
    def test_each_value_counts_at_the_label_of_its_field(self) -> None:
        allowlist = allow(leaf("$.a"), leaf("$.o.b"), leaf("$.o.c"), leaf("$.z"))
        assert counted(allowlist, '{"a":"1","o":{"b":"2","c":"3"},"d":"4"}') == {
            "$.a": 1,
            "$.o.b": 1,
            "$.o.c": 1,
        }

    @pytest.mark.parametrize("body", ["{}", "null", "[]", '{"b":"x"}', '{"a":1}', '{"a":["x"]}'])
    def test_where_nothing_is_disclosed_nothing_is_counted(self, body: str) -> None:
        assert counted(allow(leaf("$.a")), body) == {}

    def test_nor_where_nothing_is_covered(self) -> None:
        assert counted(allow(), '{"a":"x"}') == {}
        withheld = allow(leaf("$.a"), treatments={"$.a": Treatment.WITHHOLD})
        assert counted(withheld, '{"a":"x"}') == {}

    @pytest.mark.parametrize(
        ("form", "value"),
        [
            (TEXT, '""'),
            (ID, "0"),
            (ID, "-0"),
            (ID, '""'),
            (NUMBER, "0"),
            (PORT, "0"),
            (BOOLEAN, "false"),
            (TEXT, "null"),
            (PHONE, "null"),
            (SECONDS, "null"),
        ],
    )
    def test_what_is_empty_or_null_is_a_value(self, form: Form, value: str) -> None:
        assert counted(allow(leaf("$.a", form)), f'{{"a":{value}}}') == {"$.a": 1}
        body = f'[{{"a":{value}}},{{}},{{"a":{value}}},{{"a":[]}}]'
        assert counted(allow(leaf("$[*].a", form)), body) == {"$[*].a": 2}
        assert counted(allow(leaf("$[*]", form)), f"[{value},{value},[]]") == {"$[*]": 2}

    def test_what_is_malformed_is_not_counted(self) -> None:
        allowlist = allow(leaf("$[*].i", IP), leaf("$[*].e", EMAIL), leaf("$[*].t", MILLISECONDS))
        body = (
            '[{"i":"192.0.2.1","e":"x","t":1},{"i":"x","e":"a@b.test","t":1780272000000},'
            '{"i":"x","e":"x","t":"x"},{"i":null,"t":"1780272000000"}]'
        )
        assert counted(allowlist, body) == {"$[*].i": 2, "$[*].e": 1, "$[*].t": 2}

    def test_treated_values_count_at_their_label(self) -> None:
        allowlist = allow(
            leaf("$[*].i", IP),
            leaf("$[*].n", IP),
            leaf("$[*].t", SECONDS),
            treatments={
                "$[*].i": Treatment.TOKENIZE,
                "$[*].n": Treatment.GENERALIZE,
                "$[*].t": Treatment.GENERALIZE,
            },
        )
        row = '{"i":"192.0.2.1","n":"192.0.2.1","t":1780272000}'
        body = f'[{row},{{"i":"x","n":"x","t":null}},{{"i":null}},{row}]'
        assert counted(allowlist, body) == {"$[*].i": 3, "$[*].n": 2, "$[*].t": 3}

    def test_elements_of_arrays_count_one_by_one(self) -> None:
        allowlist = allow(leaf("$.l[*]"), leaf("$.n[*][*]", NUMBER), leaf("$.f[*]", BOOLEAN))
        body = '{"l":["a","b",null,"c"],"n":[[1,2],[],[3],null],"f":[false,true]}'
        assert counted(allowlist, body) == {"$.l[*]": 4, "$.n[*][*]": 3, "$.f[*]": 2}

    def test_of_a_repeated_name_the_last_one_counts(self) -> None:
        allowlist = allow(leaf("$.a"), leaf("$.o.b"))
        assert counted(allowlist, '{"a":"1","a":"2","o":{"b":"1"},"o":{}}') == {"$.a": 1}
        assert counted(allowlist, '{"a":"1","a":2}') == {}


class TestRecords:
    EVENTS = allow(
        leaf("$.chunk[*].body"),
        leaf("$.chunk[*].sender", ID),
        leaf("$.chunk[*].ts", MILLISECONDS),
        records=[record("$.chunk[*]", ["sender"], time=("ts", MILLISECONDS))],
    )

    def test_what_is_in_a_record_that_is_not_there_is_not_counted(self) -> None:
        good, other = f'"sender":"{A}"', f'"sender":"{B}"'
        body = (
            f'{{"chunk":[{{{good},"ts":1780272000000,"body":"x"}},'
            f'{{{other},"ts":1780272000000,"body":"x"}},{{{good},"ts":1,"body":"x"}},'
            f'{{{good},"ts":1700000000000,"body":"x"}},{{"ts":1780272000000,"body":"x"}},'
            f'{{{good},"ts":1780272000000,"body":7}},null]}}'
        )
        assert counted(self.EVENTS, body) == {
            "$.chunk[*].body": 1,
            "$.chunk[*].sender": 2,
            "$.chunk[*].ts": 2,
        }

    def test_nor_is_anything_if_all_are_not_there(self) -> None:
        body = f'{{"chunk":[{{"sender":"{B}","ts":1780272000000,"body":"x"}}]}}'
        assert counted(self.EVENTS, body) == {}
        assert counted(self.EVENTS, '{"chunk":[]}') == {}

    def test_what_admits_a_record_counts_though_nothing_else_in_it_does(self) -> None:
        allowlist = allow(leaf("$[*].who", ID), records=[record("$[*]", ["who"])])
        assert counted(allowlist, f'[{{"who":"{A}"}},{{"who":"{B}"}}]') == {"$[*].who": 1}

    def test_records_within_records(self) -> None:
        allowlist = allow(
            leaf("$[*].name"),
            leaf("$[*].logins[*].ip", IP),
            records=[record("$[*]", ["who"]), record("$[*].logins[*]", time=("t", SECONDS))],
        )
        logins = '[{"t":1780272000,"ip":"192.0.2.1"},{"t":1,"ip":"192.0.2.2"},{"t":1780272000}]'
        body = (
            f'[{{"who":"{A}","name":"a","logins":{logins}}},'
            f'{{"who":"{B}","name":"b","logins":{logins}}},{{"who":"{A}","logins":{logins}}}]'
        )
        assert counted(allowlist, body) == {"$[*].name": 1, "$[*].logins[*].ip": 2}

    def test_scalars_that_are_records(self) -> None:
        allowlist = allow(
            leaf("$.members[*]", ID),
            leaf("$.owner", ID),
            records=[record("$.members[*]", [""]), record("$.owner", [""])],
        )
        body = f'{{"members":["{A}","{B}","{A}",null],"owner":"{B}"}}'
        assert counted(allowlist, body) == {"$.members[*]": 2}
        assert counted(allowlist, f'{{"owner":"{A}"}}') == {"$.owner": 1}

    def test_the_whole_answer_as_one_record(self) -> None:
        allowlist = allow(leaf("$.who", ID), leaf("$.a"), records=[record("$", ["who"])])
        assert counted(allowlist, f'{{"who":"{A}","a":"x"}}') == {"$.who": 1, "$.a": 1}
        assert counted(allowlist, f'{{"who":"{B}","a":"x"}}') == {}


class TestVariants:
    THREEPIDS = allow(
        leaf("$.threepids[*].address", Form(PHONE.kind, msisdn=True), when=("medium", "msisdn")),
        leaf("$.threepids[*].address", EMAIL, when=("medium", "email")),
    )

    def test_each_variant_counts_at_its_own_label(self) -> None:
        body = (
            '{"threepids":[{"medium":"msisdn","address":"442079460220"},'
            '{"medium":"email","address":"a@b.test"},{"medium":"email","address":null},'
            '{"medium":"email","address":"x"},{"medium":"other","address":"a@b.test"},'
            '{"address":"a@b.test"},{"medium":"msisdn"}]}'
        )
        assert counted(self.THREEPIDS, body) == {
            ADDRESS.format("msisdn"): 1,
            ADDRESS.format("email"): 2,
        }

    def test_a_variant_that_does_not_occur_is_not_there(self) -> None:
        body = '{"threepids":[{"medium":"email","address":"a@b.test"}]}'
        assert counted(self.THREEPIDS, body) == {ADDRESS.format("email"): 1}


class TestKeys:
    DEVICES = allow(leaf("$.devices.*.n"), keys("$.devices.*"))

    def test_keys_that_are_disclosed_count(self) -> None:
        body = '{"devices":{"p":{"n":"1"},"q":{"n":2},"r":{"n":null}}}'
        assert counted(self.DEVICES, body) == {"$.devices.*.n": 2, "$.devices.* key": 2}

    def test_keys_that_are_ordinals_in_fact_count_too(self) -> None:
        body = '{"devices":{"1":{"n":"1"},"2":{"n":"2"}}}'
        assert disclosed(self.DEVICES, body) == body
        assert counted(self.DEVICES, body) == {"$.devices.*.n": 2, "$.devices.* key": 2}

    def test_keys_replaced_by_ordinals_do_not(self) -> None:
        body = '{"devices":{"p":{"n":"1"},"q":{"n":"2"}}}'
        assert counted(allow(leaf("$.devices.*.n")), body) == {"$.devices.*.n": 2}
        withheld = allow(
            leaf("$.devices.*.n"),
            keys("$.devices.*"),
            treatments={"$.devices.* key": Treatment.WITHHOLD},
        )
        assert counted(withheld, body) == {"$.devices.*.n": 2}

    def test_one_malformed_key_or_two_alike_and_none_counts(self) -> None:
        allowlist = allow(leaf("$.*"), keys("$.*", IP))
        assert counted(allowlist, '{"192.0.2.1":"a","x":"b"}') == {"$.*": 2}
        assert counted(allowlist, '{"192.0.2.1":"a","::ffff:192.0.2.1":"b"}') == {"$.*": 2}
        assert counted(allowlist, '{"192.0.2.1":"a","x":1}') == {"$.*": 1, "$.* key": 1}

    def test_maps_count_each_for_itself(self) -> None:
        allowlist = allow(leaf("$.l[*].*"), keys("$.l[*].*", IP))
        body = '{"l":[{"192.0.2.1":"a","192.0.2.2":"b"},{"x":"c","192.0.2.3":"d"},{},null]}'
        assert counted(allowlist, body) == {"$.l[*].*": 4, "$.l[*].* key": 2}

    def test_maps_within_maps(self) -> None:
        allowlist = allow(leaf("$.*.*"), keys("$.*"), keys("$.*.*"))
        body = '{"p":{"q":"1","r":2},"s":{"t":3},"u":{"v":"4","w":"5"}}'
        assert counted(allowlist, body) == {"$.*.*": 3, "$.* key": 2, "$.*.* key": 3}


def test_columns_of_many_arrays_and_maps_come_back_to_their_own() -> None:
    allowlist = allow(leaf("$.m.*.l[*].a"), leaf("$.m.*.l[*].b[*]", NUMBER), keys("$.m.*"))
    body = (
        '{"m":{"p":{"l":[{"a":"1","b":[1,2]},{"a":2},{"b":[3]}]},"q":{"l":null},"r":{},'
        '"s":{"l":[]},"t":{"l":[{"a":"3","b":[]},{"b":[4,5]}]},"u":null}}'
    )
    assert json.loads(disclosed(allowlist, body) or "") == {
        "m": {
            "p": {"l": [{"a": "1", "b": [1, 2]}, {"b": [3]}]},
            "t": {"l": [{"a": "3"}, {"b": [4, 5]}]},
        }
    }
    assert counted(allowlist, body) == {"$.m.*.l[*].a": 2, "$.m.*.l[*].b[*]": 5, "$.m.* key": 2}


def test_a_refused_answer_counts_nothing() -> None:
    allowlist = allow(leaf("$.id", ID), leaf("$.a"), confirm="$.id")
    minimizer = Minimizer(allowlist, frozenset({ALICE}), PERIOD, A, TOKEN_KEY)
    minimizer.minimize(f'{{"id":"{A}","a":"x"}}'.encode())
    for body in (f'{{"id":"{B}","a":"x"}}', f'{{"id":"{A}","a":"x"'):
        assert not isinstance(run_both(allowlist, body, about(A)), tuple)
        with pytest.raises((Mismatch, Malformed)):
            minimizer.minimize(body.encode())
    assert dict(minimizer.tally.disclosed) == {"$.id": 1, "$.a": 1}


@pytest.mark.parametrize(
    "allowlist",
    [allow(leaf("$[*].a", ID), leaf("$[*].b")), allow(leaf("$[*].b"), leaf("$[*].a", NUMBER))],
    ids=["read by the plan", "read otherwise"],
)
def test_what_the_plan_gives_up_on_is_counted_once(allowlist: Allowlist) -> None:
    """The plan counts `b` of what it has read before it finds that `0` may have been `-0`."""
    assert counted(allowlist, '[{"b":"x","a":1},{"b":"y","a":0},{"b":null}]') == {
        "$[*].a": 2,
        "$[*].b": 3,
    }


def test_a_place_that_is_only_looked_at_lets_nothing_out() -> None:
    """Nothing asks it to: what is built has covered members only."""
    assert fast._nothing(["x", 1], (), Run(bounds_of(SCOPE))) == [UNSET] * 2
