"""The contract's sentences (§3, §4), one a test, each asked of both engines."""

import json
from dataclasses import replace

import pytest

from tests.documents import EVER
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
    RFC3339,
    SCOPE,
    SECONDS,
    TEXT,
    TOKEN_KEY,
    about,
    allow,
    disclosed,
    keys,
    leaf,
    record,
    run_both,
    withheld,
)
from withhold.catalogue.model import RequestSubject
from withhold.errors import Mismatch
from withhold.kinds.form import Form
from withhold.kinds.ip import pack_ip, parse_ip
from withhold.kinds.token import Tokenizer
from withhold.names import Kind, Treatment, Unit
from withhold.paths import parse_path
from withhold.warrant.model import Target

A = "@alice:example.test"
B = "@bob:example.test"
MSISDN = Form(Kind.PHONE, msisdn=True)


class TestFields:
    def test_what_is_declared_and_covered_leaves_and_nothing_else(self) -> None:
        allowlist = allow(leaf("$.a"), leaf("$.b"), treatments={"$.b": Treatment.WITHHOLD})
        assert disclosed(allowlist, '{"a":"1","b":"2","c":"3"}') == '{"a":"1"}'

    def test_a_path_to_an_object_grants_nothing_beneath_it(self) -> None:
        assert disclosed(allow(leaf("$.a"), leaf("$.b")), '{"a":{"b":"x"},"b":"y"}') == '{"b":"y"}'

    @pytest.mark.parametrize("value", ["{}", "[]", '{"a":"x"}', '["x"]', "[[]]"])
    @pytest.mark.parametrize("form", [TEXT, ID, IP, PHONE, EMAIL, PORT, NUMBER, BOOLEAN, SECONDS])
    def test_a_leaf_that_holds_a_container_is_withheld(self, form: Form, value: str) -> None:
        allowlist = allow(leaf("$.a", form))
        assert disclosed(allowlist, f'{{"a":{value}}}') is None
        assert withheld(allowlist, f'{{"a":{value}}}') == {"malformed $.a": 1}

    def test_array_elements_may_be_scalars(self) -> None:
        body = f'{{"members":["{A}",1,null,[],"{B}"]}}'
        assert disclosed(allow(leaf("$.members[*]", ID)), body) == (
            f'{{"members":["{A}",1,null,"{B}"]}}'
        )

    @pytest.mark.parametrize(
        "form", [TEXT, ID, IP, PHONE, MSISDN, EMAIL, PORT, NUMBER, BOOLEAN, SECONDS, RFC3339],
        ids=repr
    )  # fmt: skip
    def test_null_is_null_whatever_the_kind(self, form: Form) -> None:
        assert disclosed(allow(leaf("$.a", form)), '{"a":null}') == '{"a":null}'

    @pytest.mark.parametrize("treatment", [Treatment.TOKENIZE, Treatment.GENERALIZE])
    def test_null_is_null_whatever_the_treatment(self, treatment: Treatment) -> None:
        allowlist = allow(leaf("$.a", IP), treatments={"$.a": treatment})
        assert disclosed(allowlist, '{"a":null}') == '{"a":null}'

    def test_names_are_compared_as_characters_not_as_bytes(self) -> None:
        allowlist = allow(leaf("$.time"), leaf("$['odd name']"), leaf("$.é"))
        body = '{"\\u0074ime":"1","odd\\u0020name":"2","\\u00e9":"3","TIME":"4","e\\u0301":"5"}'
        assert disclosed(allowlist, body) == '{"odd name":"2","time":"1","é":"3"}'

    @pytest.mark.parametrize(
        "name", ["", " ", '"', "\\", "\n", "\x00", "\x7f", "\u2028", "\u00ad", "'", "$", "*", "🙂"]
    )
    def test_any_name_can_be_declared(self, name: str) -> None:
        quoted = name.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
        field = leaf(f"$['{quoted}']".replace("\x00", "\\u0000"))
        assert field.path == (name,)
        out = disclosed(allow(field), json.dumps({name: "x", "y": "z"}))
        assert out is not None
        assert json.loads(out) == {name: "x"}


class TestEvidence:
    @pytest.mark.parametrize(
        "digits",
        ["0", "-0", "0.1000", "1e400", "1E+2", "-1.5E-7", "1.0", "123456789012345678901234567890",
         "0.1e-0099",
         "9007199254740993", "18446744073709551616", "-9223372036854775809"],
    )  # fmt: skip
    def test_numbers_keep_every_digit(self, digits: str) -> None:
        assert disclosed(allow(leaf("$.a", NUMBER)), f'{{"a": {digits} }}') == f'{{"a":{digits}}}'
        assert disclosed(allow(leaf("$[*]", NUMBER)), f"[{digits},{digits}]") == (
            f"[{digits},{digits}]"
        )

    @pytest.mark.parametrize("digits", ["0", "-0", "1", "-1", "9" * 30, "18446744073709551616"])
    def test_integers_keep_every_digit_as_ids(self, digits: str) -> None:
        assert disclosed(allow(leaf("$.a", ID)), f'{{"a":{digits}}}') == f'{{"a":{digits}}}'

    @pytest.mark.parametrize("text", ["", " x ", "é", "e\u0301", "\x00", "🙂", "\u2028", '"\\/'])
    def test_strings_keep_every_code_point(self, text: str) -> None:
        for body in (json.dumps({"a": text}), json.dumps({"a": text}, ensure_ascii=False)):
            out = disclosed(allow(leaf("$.a")), body)
            assert out is not None
            assert json.loads(out) == {"a": text}

    def test_phone_ip_and_email_leave_in_their_normal_form(self) -> None:

        allowlist = allow(
            leaf("$.e", EMAIL), leaf("$.i", IP), leaf("$.m", MSISDN), leaf("$.p", PHONE)
        )
        body = (
            '{"e":" Alice@EXAMPLE.test","i":"::FFFF:192.0.2.1",'
            '"m":"442079460220","p":"+44 (0)20 7946 0220"}'
        )
        assert disclosed(allowlist, body) == (
            '{"e":"Alice@example.test","i":"192.0.2.1","m":"+442079460220","p":"+442079460220"}'
        )

    @pytest.mark.parametrize(
        ("form", "value"),
        [
            (SECONDS, "1780272000"),
            (SECONDS, '"1780272000"'),
            (MILLISECONDS, "1780272000001"),
            (RFC3339, '"2026-06-01t02:00:00.50+02:00"'),
        ],
    )
    def test_timestamps_leave_as_the_store_gave_them(self, form: Form, value: str) -> None:
        assert disclosed(allow(leaf("$.t", form)), f'{{"t":{value}}}') == f'{{"t":{value}}}'


class TestMalformed:
    @pytest.mark.parametrize(
        ("form", "value"),
        [
            (TEXT, "1"), (TEXT, "true"), (TEXT, '"\\ud800"'), (TEXT, '"a\\udc00\\ud800b"'),
            (ID, "1.0"), (ID, "1e3"), (ID, "true"), (ID, '"\\ud800"'),
            (Form(Kind.ID, pattern="[0-9]+"), '"4 2"'), (Form(Kind.ID, pattern="[0-9]{3}"), "42"),
            (IP, '"192.0.2.01"'), (IP, '"fe80::1%eth0"'), (IP, "3221225985"), (IP,
            '"192.0.2.1/32"'), (IP, '""'),
            (PHONE, '"442079460220"'), (PHONE, '"+442079460220 x1"'), (PHONE, "442079460220"),
            (MSISDN, '"x"'),
            (EMAIL, '"alice"'), (EMAIL, "false"),
            (PORT, "65536"), (PORT, "-1"), (PORT, "-0"), (PORT, "443.0"), (PORT, '"443"'), (PORT,
            "9" * 50),
            (NUMBER, '"1"'), (NUMBER, "false"), (BOOLEAN, "0"), (BOOLEAN, '"true"'),
            (SECONDS, "946684799"), (SECONDS, "4102444800"), (SECONDS, "1780272000.0"), (SECONDS,
            '"2026-06-01T00:00:00Z"'),
            (RFC3339, '"2026-06-01"'), (RFC3339, '"2026-12-31T23:59:60Z"'), (RFC3339, "1780272000"),
        ],
    )  # fmt: skip
    def test_what_has_not_the_form_that_its_kind_promises_is_withheld_and_counted(
        self, form: Form, value: str
    ) -> None:
        allowlist = allow(leaf("$.a", form), leaf("$.b"))
        body = f'{{"a":{value},"b":"x"}}'
        assert disclosed(allowlist, body) == '{"b":"x"}'
        assert withheld(allowlist, body) == {"malformed $.a": 1}

    @pytest.mark.parametrize("value", ["1", '"x"', "true", "[]", '["x"]'])
    def test_an_object_that_is_another_type_is_absent(self, value: str) -> None:
        allowlist = allow(leaf("$.o.a"), leaf("$.b"))
        assert disclosed(allowlist, f'{{"o":{value},"b":"x"}}') == '{"b":"x"}'
        assert withheld(allowlist, f'{{"o":{value},"b":"x"}}') == {"malformed $.o": 1}

    @pytest.mark.parametrize("value", ["1", '"x"', "true", "{}", '{"0":"x"}'])
    def test_an_array_that_is_another_type_is_absent(self, value: str) -> None:
        allowlist = allow(leaf("$.l[*]"), leaf("$.b"))
        assert disclosed(allowlist, f'{{"l":{value},"b":"x"}}') == '{"b":"x"}'
        assert withheld(allowlist, f'{{"l":{value},"b":"x"}}') == {"malformed $.l": 1}

    @pytest.mark.parametrize("value", ["1", '"x"', "[]", '["x"]'])
    def test_a_map_that_is_another_type_is_absent(self, value: str) -> None:
        allowlist = allow(leaf("$.m.*"), leaf("$.b"))
        assert disclosed(allowlist, f'{{"m":{value},"b":"x"}}') == '{"b":"x"}'
        assert withheld(allowlist, f'{{"m":{value},"b":"x"}}') == {"malformed $.m": 1}

    @pytest.mark.parametrize("body", ["1", '"x"', "true", "[]", '["x"]', '[{"a":"x"}]'])
    def test_a_root_that_is_another_type_is_empty(self, body: str) -> None:
        assert disclosed(allow(leaf("$.a")), body) is None
        assert withheld(allow(leaf("$.a")), body) == {"malformed $": 1}

    @pytest.mark.parametrize("place", ["$.o.a", "$.o[*]", "$.o.*", "$.o[*].a", "$.o.*.a"])
    def test_null_where_a_container_should_be_is_absent_and_no_fault(self, place: str) -> None:
        allowlist = allow(leaf(place), leaf("$.b"))
        assert disclosed(allowlist, '{"o":null,"b":"x"}') == '{"b":"x"}'
        assert withheld(allowlist, '{"o":null,"b":"x"}') == {}

    def test_a_null_answer_is_empty(self) -> None:
        assert disclosed(allow(leaf("$.a")), "null") is None


class TestShape:
    def test_a_container_stands_only_where_a_disclosed_leaf_is_beneath_it(self) -> None:
        allowlist = allow(leaf("$.o.p.a"), leaf("$.l[*][*].a"), leaf("$.b"))
        assert disclosed(allowlist, '{"o":{"p":{}},"l":[[],[{}],[{"z":1}]],"b":"x"}') == '{"b":"x"}'
        assert disclosed(allowlist, '{"o":{"p":{"a":null}},"l":[[],[{"a":null},{}]]}') == (
            '{"l":[[{"a":null}]],"o":{"p":{"a":null}}}'
        )

    def test_elements_under_which_nothing_is_disclosed_are_absent(self) -> None:
        body = '{"l":[{"a":"1"},{"a":2},{},null,[],{"a":"3"}]}'
        assert disclosed(allow(leaf("$.l[*].a")), body) == '{"l":[{"a":"1"},{"a":"3"}]}'

    def test_arrays_keep_their_order(self) -> None:
        assert disclosed(allow(leaf("$[*]", NUMBER)), "[3,1,2,1]") == "[3,1,2,1]"

    def test_nothing_at_all_is_none(self) -> None:
        for body in ("{}", '{"b":"x"}', '{"a":1}'):
            assert disclosed(allow(leaf("$.a")), body) is None
        for body in ("[]", "[1]", "[null]"):
            assert disclosed(allow(leaf("$[*].a")), body) is None

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ('{"a":"1","a":"2"}', '{"a":"2"}'),
            ('{"a":1,"a":"2"}', '{"a":"2"}'),
            ('{"a":"1","a":2}', None),
            ('{"a":"1","\\u0061":null}', '{"a":null}'),
            ('{"a":"1","a":{}}', None),
        ],
    )
    def test_of_a_repeated_name_the_last_one_counts(self, body: str, expected: str | None) -> None:
        assert disclosed(allow(leaf("$.a")), body) == expected

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ('{"o":{"a":"1"},"o":{"b":"2"}}', '{"o":{"b":"2"}}'),
            ('{"o":{"a":"1"},"o":null}', None),
            ('{"o":{"a":"1"},"o":{}}', None),
        ],
    )
    def test_repeated_containers_are_not_merged(self, body: str, expected: str | None) -> None:
        assert disclosed(allow(leaf("$.o.a"), leaf("$.o.b")), body) == expected

    def test_of_a_repeated_name_the_last_one_counts_for_scope_too(self) -> None:
        allowlist = allow(leaf("$[*].a"), records=[record("$[*]", ["who"])])
        body = f'[{{"who":"{A}","who":"{B}","a":"1"}},{{"who":"{B}","who":"{A}","a":"2"}}]'
        assert disclosed(allowlist, body) == '[{"a":"2"}]'

    def test_of_a_repeated_key_the_last_one_counts(self) -> None:
        allowlist = allow(leaf("$.*"), keys("$.*", TEXT))
        assert disclosed(allowlist, '{"k":"1","l":"2","k":"3"}') == '{"k":"3","l":"2"}'
        assert disclosed(allowlist, '{"k":"1","l":"2","k":3}') == '{"l":"2"}'

    def test_the_answer_is_compact_whatever_the_store_wrote(self) -> None:
        body = ' { "l" : [ { "a" : "\\u0078" } , { } ] ,\r\n\t"n" : 1.50 } '
        assert disclosed(allow(leaf("$.l[*].a"), leaf("$.n", NUMBER)), body) == (
            '{"l":[{"a":"x"}],"n":1.50}'
        )


class TestKeys:
    BODY = f'{{"devices":{{"{A}":{{"n":"1"}},"{B}":{{"n":2}},"x":{{"n":"3"}}}}}}'

    def test_keys_are_disclosed_if_covered(self) -> None:
        allowlist = allow(leaf("$.devices.*.n"), keys("$.devices.*"))

        assert (
            disclosed(allowlist, self.BODY)
            == f'{{"devices":{{"{A}":{{"n":"1"}},"x":{{"n":"3"}}}}}}'
        )

    @pytest.mark.parametrize("treatment", [t for t in Treatment if t is not Treatment.DISCLOSE])
    def test_else_they_are_ordinals_that_number_what_remains(self, treatment: Treatment) -> None:
        expected = '{"devices":{"1":{"n":"1"},"2":{"n":"3"}}}'
        allowlist = allow(
            leaf("$.devices.*.n"),
            keys("$.devices.*", IP),
            treatments={"$.devices.* key": treatment},
        )
        assert disclosed(allowlist, self.BODY) == expected
        assert disclosed(allow(leaf("$.devices.*.n")), self.BODY) == expected

    def test_keys_alone_let_nothing_stand(self) -> None:
        allowlist = allow(
            leaf("$.m.*.a"), keys("$.m.*"), treatments={"$.m.*.a": Treatment.WITHHOLD}
        )
        assert disclosed(allowlist, '{"m":{"k":{"a":"x"}}}') is None

    def test_a_key_without_its_form_makes_all_of_them_ordinals(self) -> None:
        allowlist = allow(leaf("$.*"), keys("$.*", IP))
        assert disclosed(allowlist, '{"192.0.2.1":"a","::ffff:192.0.2.2":"b"}') == (
            '{"192.0.2.1":"a","192.0.2.2":"b"}'
        )
        body = '{"192.0.2.1":"a","x":"b","y":"c"}'
        assert disclosed(allowlist, body) == '{"1":"a","2":"b","3":"c"}'
        assert withheld(allowlist, body) == {"malformed $.* key": 2}

    def test_a_key_of_what_does_not_remain_makes_no_difference(self) -> None:
        allowlist = allow(leaf("$.*"), keys("$.*", IP))
        assert disclosed(allowlist, '{"192.0.2.1":"a","x":1}') == '{"192.0.2.1":"a"}'
        assert withheld(allowlist, '{"192.0.2.1":"a","x":1}') == {"malformed $.*": 1}

    def test_no_key_takes_the_place_of_another(self) -> None:
        allowlist = allow(leaf("$.*"), keys("$.*", IP))
        body = '{"192.0.2.1":"a","::ffff:192.0.2.1":"b"}'
        assert disclosed(allowlist, body) == '{"1":"a","2":"b"}'
        assert withheld(allowlist, body) == {}

    def test_a_key_that_utf_8_cannot_carry_has_not_its_form(self) -> None:
        assert disclosed(allow(leaf("$.*"), keys("$.*", TEXT)), '{"\\ud800":"a"}') == '{"1":"a"}'

    def test_maps_within_maps_are_numbered_each_for_itself(self) -> None:
        body = '{"p":{"q":"1","r":"2"},"s":{"t":"3"}}'
        assert disclosed(allow(leaf("$.*.*")), body) == '{"1":{"1":"1","2":"2"},"2":{"1":"3"}}'
        assert disclosed(allow(leaf("$.*.*"), keys("$.*.*")), body) == (
            '{"1":{"q":"1","r":"2"},"2":{"t":"3"}}'
        )


class TestRecords:
    EVENTS = allow(
        leaf("$.chunk[*].body"),
        records=[record("$.chunk[*]", ["sender"], time=("ts", MILLISECONDS))],
    )

    @staticmethod
    def events(*events: tuple[str, str, str]) -> str:
        items = [f'{{"sender":{s},"ts":{t},"body":"{b}"}}' for s, t, b in events]
        return f'{{"chunk":[{",".join(items)}]}}'

    def test_a_record_about_no_target_is_not_there(self) -> None:
        body = self.events(
            (f'"{A}"', "1780272000000", "x"), (f'"{B}"', "1780272000000", "y"), ("7", "0", "z")
        )
        assert disclosed(self.EVENTS, body) == '{"chunk":[{"body":"x"}]}'
        assert withheld(self.EVENTS, body) == {"not-a-target $.chunk[*]": 2}

    @pytest.mark.parametrize("sender", ["null", "true", "1.5", "[]", "{}", f'["{A}"]', '"\\ud800"'])
    def test_a_record_about_nobody_is_not_there(self, sender: str) -> None:
        body = self.events((sender, "1780272000000", "x"))
        assert disclosed(self.EVENTS, body) is None
        assert withheld(self.EVENTS, body) == {"no-subject $.chunk[*]": 1}

    def test_a_record_that_does_not_say_whom_it_is_about_is_not_there(self) -> None:
        assert withheld(self.EVENTS, '{"chunk":[{"ts":1780272000000,"body":"x"}]}') == {
            "no-subject $.chunk[*]": 1
        }

    @pytest.mark.parametrize(
        "ts", ["null", '"x"', "1780272000000.0", "-1", "0", "[]", '"2026-06-01T00:00:00Z"', "true"]
    )
    def test_an_undated_record_is_not_there(self, ts: str) -> None:
        body = self.events((f'"{A}"', ts, "x"))
        assert disclosed(self.EVENTS, body) is None
        assert withheld(self.EVENTS, body) == {"undated $.chunk[*]": 1}
        missing = f'{{"chunk":[{{"sender":"{A}","body":"x"}}]}}'
        assert withheld(self.EVENTS, missing) == {"undated $.chunk[*]": 1}

    @pytest.mark.parametrize(
        ("form", "ts", "is_in"),
        [
            # The period is [2026-01-01T00:00:00, 2026-12-01T00:00:00.5).
            (SECONDS, "1767225600", True), (SECONDS, "1767225599", False),
            (SECONDS, "1796083200", True), (SECONDS, "1796083201", False), (SECONDS, '"1796083200"',
            True),
            (MILLISECONDS, "1767225600000", True), (MILLISECONDS, "1767225599999", False),
            (MILLISECONDS, "1796083200499", True), (MILLISECONDS, "1796083200500", False),
            (MILLISECONDS, '"1796083200499"', True), (MILLISECONDS, '"1796083200500"', False),
            (Form(Kind.TIMESTAMP, unit=Unit.MICROSECONDS), "1796083200499999", True),
            (Form(Kind.TIMESTAMP, unit=Unit.MICROSECONDS), "1796083200500000", False),
            (RFC3339, '"2026-01-01T00:00:00Z"', True), (RFC3339,
            '"2025-12-31T23:59:59.99999999999999Z"', False),
            (RFC3339, '"2026-12-01T00:00:00.499999999999999Z"', True), (RFC3339,
            '"2026-12-01T00:00:00.5Z"', False),
            (RFC3339, '"2026-12-01T01:00:00.50+01:00"', False), (RFC3339,
            '"2025-12-31T23:00:00-01:00"', True),
        ],
    )  # fmt: skip
    def test_the_period_is_half_open_and_exact(self, form: Form, ts: str, is_in: bool) -> None:
        allowlist = allow(leaf("$[*].a"), records=[record("$[*]", time=("t", form))])
        body = f'[{{"t":{ts},"a":"x"}}]'
        assert disclosed(allowlist, body) == ('[{"a":"x"}]' if is_in else None)
        assert withheld(allowlist, body) == ({} if is_in else {"out-of-period $[*]": 1})

    @pytest.mark.parametrize(
        ("form", "ts", "is_dated"),
        [
            (SECONDS, "946684800", True),
            (SECONDS, "946684799", False),
            (SECONDS, "4102444799", True),
            (SECONDS, "4102444800", False),
            (SECONDS, '"4102444800"', False),
            (MILLISECONDS, "946684799999", False),
            (MILLISECONDS, "4102444799999", True),
            (MILLISECONDS, "4102444800000", False),
            (RFC3339, '"1999-12-31T23:59:59.9Z"', False),
            (RFC3339, '"2099-12-31T23:59:59.9Z"', True),
        ],
    )
    def test_a_period_of_any_length_takes_in_no_time_that_is_none(
        self, form: Form, ts: str, is_dated: bool
    ) -> None:
        allowlist = allow(leaf("$[*].a"), records=[record("$[*]", time=("t", form))])
        body = f'[{{"t":{ts},"a":"x"}}]'
        scope = replace(SCOPE, period=EVER)
        assert disclosed(allowlist, body, scope) == ('[{"a":"x"}]' if is_dated else None)
        assert withheld(allowlist, body, scope) == ({} if is_dated else {"undated $[*]": 1})

    def test_any_of_several_subjects_will_do(self) -> None:
        allowlist = allow(leaf("$[*].a"), records=[record("$[*]", ["sender", "to.who"])])
        body = (
            f'[{{"sender":"{A}","to":{{"who":"{B}"}},"a":"1"}},'
            f'{{"sender":"{B}","to":{{"who":"{A}"}},"a":"2"}},'
            f'{{"sender":"{B}","to":{{"who":"{B}"}},"a":"3"}},'
            f'{{"sender":null,"to":{{"who":"{A}"}},"a":"4"}},'
            f'{{"to":{{"who":7}},"a":"5"}},{{"sender":"{A}","to":null,"a":"6"}},{{"to":{{}},"a":"7"}}]'
        )
        assert disclosed(allowlist, body) == '[{"a":"1"},{"a":"2"},{"a":"4"},{"a":"6"}]'
        assert withheld(allowlist, body) == {"not-a-target $[*]": 2, "no-subject $[*]": 1}

    def test_a_scalar_element_may_be_the_subject_itself(self) -> None:
        allowlist = allow(leaf("$.members[*]", ID), records=[record("$.members[*]", [""])])
        body = f'{{"members":["{A}","{B}",42,null,["{A}"],"{A}"]}}'
        assert disclosed(allowlist, body) == f'{{"members":["{A}","{A}"]}}'
        assert withheld(allowlist, body) == {
            "not-a-target $.members[*]": 2,
            "no-subject $.members[*]": 2,
        }

    def test_a_member_may_be_a_record_of_its_own(self) -> None:
        allowlist = allow(leaf("$.owner", ID), leaf("$.a"), records=[record("$.owner", [""])])
        assert disclosed(allowlist, f'{{"owner":"{A}","a":"x"}}') == f'{{"a":"x","owner":"{A}"}}'
        assert disclosed(allowlist, f'{{"owner":"{B}","a":"x"}}') == '{"a":"x"}'
        missing = run_both(allowlist, '{"a":"x"}')
        assert isinstance(missing, tuple)
        assert (missing[1].records_seen, missing[1].by_reason()) == (0, {})

    def test_a_member_that_is_a_record_may_be_a_variant(self) -> None:
        allowlist = allow(
            leaf("$[*].v", ID, when=("k", "m")),
            leaf("$[*].v", EMAIL, when=("k", "e")),
            records=[record("$[*].v", [""])],
        )
        body = f'[{{"k":"m","v":"{B}"}},{{"k":"m","v":"{A}"}},{{"k":"x","v":"{A}"}},{{"k":"m"}}]'
        assert disclosed(allowlist, body) == f'[{{"v":"{A}"}}]'

    def test_the_whole_answer_may_be_one_record(self) -> None:
        allowlist = allow(leaf("$.a"), records=[record("$", ["who"], time=("t", SECONDS))])
        assert disclosed(allowlist, f'{{"who":"{A}","t":1780272000,"a":"x"}}') == '{"a":"x"}'
        assert disclosed(allowlist, f'{{"who":"{B}","t":1780272000,"a":"x"}}') is None
        assert withheld(allowlist, f'{{"who":"{A}","t":1,"a":"x"}}') == {"undated $": 1}

    def test_members_of_a_map_may_be_records(self) -> None:
        allowlist = allow(leaf("$.*.a"), keys("$.*"), records=[record("$.*", ["who"])])
        body = f'{{"p":{{"who":"{B}","a":"1"}},"q":{{"who":"{A}","a":"2"}}}}'
        assert disclosed(allowlist, body) == '{"q":{"a":"2"}}'

    def test_a_record_must_satisfy_every_scope_above_it(self) -> None:
        allowlist = allow(
            leaf("$[*].logins[*].ip", IP),
            leaf("$[*].name"),
            records=[record("$[*]", ["who"]), record("$[*].logins[*]", time=("t", SECONDS))],
        )
        logins = '[{"t":1780272000,"ip":"192.0.2.1"},{"t":1,"ip":"192.0.2.2"}]'
        body = (
            f'[{{"who":"{A}","name":"a","logins":{logins}}},'
            f'{{"who":"{B}","name":"b","logins":{logins}}}]'
        )
        assert disclosed(allowlist, body) == '[{"logins":[{"ip":"192.0.2.1"}],"name":"a"}]'
        assert withheld(allowlist, body) == {"not-a-target $[*]": 1, "undated $[*].logins[*]": 1}

    def test_what_decides_need_not_be_covered(self) -> None:
        allowlist = allow(
            leaf("$[*].who", ID),
            leaf("$[*].t", SECONDS),
            leaf("$[*].a"),
            records=[record("$[*]", ["who"], time=("t", SECONDS))],
            treatments={"$[*].who": Treatment.WITHHOLD, "$[*].t": Treatment.WITHHOLD},
        )
        assert disclosed(allowlist, f'[{{"who":"{A}","t":1780272000,"a":"x"}}]') == '[{"a":"x"}]'

    @pytest.mark.parametrize(
        ("form", "target", "value"),
        [
            (PHONE, "+442079460220", '"+44 (0)20 7946-0220"'),
            (MSISDN, "+442079460220", '"442079460220"'),
            (Form(Kind.PHONE, region="GB"), "+442079460220", '"020 7946 0220"'),
            (IP, "192.0.2.1", '"::ffff:192.0.2.1"'),
            (IP, "2001:db8::1", '"2001:DB8:0::1"'),
            (EMAIL, "alice@example.test", '" alice@EXAMPLE.test"'),
            (ID, "42", "42"),
            (ID, "42", '"42"'),
            (ID, "0", "0"),
            (ID, "-0", "-0"),
            (ID, "9" * 40, "9" * 40),
            (ID, "9" * 5_000, '"' + "9" * 5_000 + '"'),
            (ID, "9" * 6_000, "9" * 6_000),
        ],
        ids=lambda each: f"{len(each)} characters" if len(str(each)) > 99 else repr(each),
    )
    def test_targets_are_compared_in_normal_form(self, form: Form, target: str, value: str) -> None:
        allowlist = allow(leaf("$[*].a"), records=[record("$[*]", ["who"], form)])
        scope = about(None, Target(form.kind, target))
        assert disclosed(allowlist, f'[{{"who":{value},"a":"x"}}]', scope) == '[{"a":"x"}]'
        assert disclosed(allowlist, f'[{{"who":{value},"a":"x"}}]') is None

    @pytest.mark.parametrize(
        ("form", "target", "value"),
        [
            (ID, Target(Kind.ID, "0"), "-0"),
            (ID, Target(Kind.ID, "-0"), "0"),
            (ID, Target(Kind.ID, "1"), "true"),
            (ID, Target(Kind.ID, "42"), "42.0"),
            (ID, Target(Kind.ID, "42"), '"042"'),
            (ID, Target(Kind.ID, "\u0664\u0662"), "42"),
            (ID, Target(Kind.EMAIL, "alice@example.test"), '"alice@example.test"'),
            (ID, Target(Kind.PHONE, "42"), "42"),
            (EMAIL, Target(Kind.ID, "alice@example.test"), '"alice@example.test"'),
            (EMAIL, Target(Kind.EMAIL, "alice@example.test"), '"Alice@example.test"'),
            (Form(Kind.ID, pattern="[a-z]+"), Target(Kind.ID, "42"), "42"),
            (Form(Kind.ID, pattern="[a-z]+"), Target(Kind.ID, "42"), '"42"'),
        ],
        ids=repr,
    )
    def test_another_identifier_is_another_person(
        self, form: Form, target: Target, value: str
    ) -> None:
        allowlist = allow(leaf("$[*].a"), records=[record("$[*]", ["who"], form)])
        scope = about(None, target)
        assert disclosed(allowlist, f'[{{"who":{value},"a":"x"}}]', scope) is None

    def test_records_are_counted(self) -> None:
        body = self.events(
            (f'"{A}"', "1780272000000", "x"),
            (f'"{B}"', "1780272000000", "x"),
            (f'"{A}"', "1", "x"),
        )
        outcome = run_both(self.EVENTS, body[:-2] + f',{{"sender":"{A}","ts":1780272000000}},7]}}')
        assert isinstance(outcome, tuple)
        tally = outcome[1]
        # The fourth is in scope and holds nothing that leaves; what is no object is no record.
        assert (tally.records_seen, tally.records_disclosed) == (4, 1)
        assert tally.by_reason() == {"malformed": 1, "not-a-target": 1, "undated": 1}


class TestVariants:
    ADDRESS = allow(
        leaf("$.threepids[*].address", MSISDN, when=("medium", "msisdn")),
        leaf("$.threepids[*].address", EMAIL, when=("medium", "email")),
    )

    def test_a_neighbour_tells_what_a_value_is(self) -> None:
        body = (
            '{"threepids":[{"medium":"msisdn","address":"442079460220"},'
            '{"medium":"email","address":"alice@EXAMPLE.test"}]}'
        )
        assert disclosed(self.ADDRESS, body) == (
            '{"threepids":[{"address":"+442079460220"},{"address":"alice@example.test"}]}'
        )

    @pytest.mark.parametrize(
        "medium", ['"x"', "null", "1", '["email"]', "{}", '"EMAIL"', '"email "', '"\\ud800"']
    )
    def test_no_variant_that_fits_withholds(self, medium: str) -> None:
        body = f'{{"threepids":[{{"medium":{medium},"address":"alice@example.test"}}]}}'
        assert disclosed(self.ADDRESS, body) is None
        assert withheld(self.ADDRESS, body) == {}

    def test_a_missing_neighbour_withholds(self) -> None:
        assert disclosed(self.ADDRESS, '{"threepids":[{"address":"alice@example.test"}]}') is None

    def test_a_variant_that_is_not_covered_is_withheld(self) -> None:
        labels = [entry.field.label for entry in self.ADDRESS.entries]
        assert labels[0] == '$.threepids[*].address when medium is "msisdn"'
        allowlist = allow(
            *(entry.field for entry in self.ADDRESS.entries),
            treatments={labels[1]: Treatment.WITHHOLD},
        )
        body = (
            '{"threepids":[{"medium":"email","address":"+442079460220"},'
            '{"medium":"msisdn","address":"+442079460220"}]}'
        )
        assert disclosed(allowlist, body) == '{"threepids":[{"address":"+442079460220"}]}'

    def test_a_malformed_variant_is_counted_under_its_own_name(self) -> None:
        assert withheld(self.ADDRESS, '{"threepids":[{"medium":"email","address":"x"}]}') == {
            'malformed $.threepids[*].address when medium is "email"': 1
        }

    @pytest.mark.parametrize(
        ("told", "value", "fits"),
        [
            ("1", 1, True), ('"1"', 1, False), ("1.0", 1, False), ("1e0", 1, False), ("true", 1,
            False),
            ("true", True, True), ("1", True, False), ('"true"', True, False), ("false", False,
            True), ("0", False, False),
            ("null", False, False), ("0", 0, True), ("-0", 0, False), ("false", 0, False), ('"0"',
            "0", True), ("0", "0", False),
            ('"\\u006d"', "m", True), ("-5", -5, True), ("123456789012345678901",
            123456789012345678901, True),
        ],
    )  # fmt: skip
    def test_it_is_compared_as_exact_json(
        self, told: str, value: str | int | bool, fits: bool
    ) -> None:
        allowlist = allow(leaf("$[*].a", when=("k", value)))
        expected = '[{"a":"x"}]' if fits else None
        assert disclosed(allowlist, f'[{{"k":{told},"a":"x"}}]') == expected

    def test_a_variant_looks_from_the_innermost_element(self) -> None:
        allowlist = allow(leaf("$.l[*].o.a", when=("k", "m")))
        assert disclosed(allowlist, '{"k":"m","l":[{"o":{"k":"m","a":"x"}}]}') is None
        assert disclosed(allowlist, '{"l":[{"k":"m","o":{"a":"x"}}]}') == '{"l":[{"o":{"a":"x"}}]}'

    def test_or_from_the_map_member(self) -> None:
        allowlist = allow(leaf("$.*.a", when=("k", "m")))
        body = '{"p":{"k":"m","a":"x"},"q":{"k":"n","a":"y"}}'
        assert disclosed(allowlist, body) == '{"1":{"a":"x"}}'

    def test_or_else_from_the_root(self) -> None:
        allowlist = allow(leaf("$.o.a", when=("meta.k", "m")))
        assert disclosed(allowlist, '{"meta":{"k":"m"},"o":{"a":"x"}}') == '{"o":{"a":"x"}}'
        for meta in ("null", "{}", "[]", '"m"'):
            assert disclosed(allowlist, f'{{"meta":{meta},"o":{{"a":"x"}}}}') is None

    def test_a_neighbour_may_itself_be_covered(self) -> None:
        allowlist = allow(leaf("$[*].k"), leaf("$[*].a", NUMBER, when=("k", "n")))
        assert disclosed(allowlist, '[{"k":"n","a":1.50},{"k":"x","a":2}]') == (
            '[{"a":1.50,"k":"n"},{"k":"x"}]'
        )

    def test_variants_keep_step_with_their_neighbours_past_other_records(self) -> None:
        allowlist = allow(
            leaf("$[*].o.a", when=("k", "m")),
            leaf("$[*].o.b"),
            records=[record("$[*].o", ["who"])],
        )
        body = (
            f'[{{"k":"x","o":{{"who":"{A}","a":"1","b":"1"}}}},{{"k":"m","o":{{"who":"{B}","a":"2"}}}},'
            f'{{"k":"m","o":null}},{{"k":"m"}},{{"k":"m","o":{{"who":"{A}","a":"3"}}}}]'
        )
        assert disclosed(allowlist, body) == '[{"o":{"b":"1"}},{"o":{"a":"3"}}]'


class TestConfirm:
    ONE = allow(leaf("$.user.id", ID), leaf("$.a"), confirm="$.user.id")
    ALL = allow(leaf("$[*].id", ID), leaf("$[*].a"), confirm="$[*].id")
    MAP = allow(leaf("$.m.*.id", ID), leaf("$.a"), confirm="$.m.*.id")

    def test_an_answer_that_repeats_its_subject_is_answered(self) -> None:
        body = f'{{"user":{{"id":"{A}"}},"a":"x"}}'
        assert disclosed(self.ONE, body, about(A)) == f'{{"a":"x","user":{{"id":"{A}"}}}}'

    @pytest.mark.parametrize(
        "user",
        [f'{{"id":"{B}"}}', '{"id":null}', '{"id":1}', f'{{"id":["{A}"]}}', "{}", "null", "[]",
         f'"{A}"', '{"id":"\\ud800"}'],
    )  # fmt: skip
    def test_absent_or_different_is_a_mismatch(self, user: str) -> None:
        assert run_both(self.ONE, f'{{"user":{user},"a":"x"}}', about(A)) is Mismatch

    @pytest.mark.parametrize("body", ['{"a":"x"}', "{}", "[]", "null", "1", f'"{A}"'])
    def test_so_is_an_answer_without_the_place(self, body: str) -> None:
        assert run_both(self.ONE, body, about(A)) is Mismatch

    def test_every_element_must_agree(self) -> None:
        one, other = f'{{"id":"{A}","a":"x"}}', f'{{"id":"{B}","a":"y"}}'
        assert disclosed(self.ALL, f"[{one},{one}]", about(A)) is not None
        assert disclosed(self.ALL, "[]", about(A)) is None

        for body in (
            f"[{one},{other}]",
            f"[{other},{one}]",
            f"[{one},{{}}]",
            f"[{one},null]",
            "{}",
        ):
            assert run_both(self.ALL, body, about(A)) is Mismatch

    def test_every_member_must_agree(self) -> None:
        assert disclosed(self.MAP, f'{{"m":{{"k":{{"id":"{A}"}}}},"a":"x"}}', about(A)) is not None
        assert disclosed(self.MAP, '{"m":{},"a":"x"}', about(A)) == '{"a":"x"}'
        for members in (f'{{"k":{{"id":"{A}"}},"l":{{"id":"{B}"}}}}', '{"k":{}}', "[]", "null"):
            assert run_both(self.MAP, f'{{"m":{members},"a":"x"}}', about(A)) is Mismatch

    def test_it_need_not_be_covered(self) -> None:
        allowlist = allow(leaf("$.a"), confirm="$.id")
        assert disclosed(allowlist, f'{{"id":"{A}","a":"x"}}', about(A)) == '{"a":"x"}'
        assert run_both(allowlist, f'{{"id":"{B}","a":"x"}}', about(A)) is Mismatch

    def test_another_target_is_a_mismatch_too(self) -> None:
        scope = about(A, Target(Kind.ID, B))
        assert run_both(self.ONE, f'{{"user":{{"id":"{B}"}},"a":"x"}}', scope) is Mismatch

    def test_the_last_of_a_repeated_name_is_what_the_answer_says(self) -> None:
        body = f'{{"user":{{"id":"{A}","id":"{B}"}},"a":"x"}}'
        assert run_both(self.ONE, body, about(A)) is Mismatch

    @pytest.mark.parametrize("value", ["42", '"42"'])
    def test_it_is_compared_in_normal_form(self, value: str) -> None:
        scope = about("42", Target(Kind.ID, "42"))
        assert disclosed(self.ONE, f'{{"user":{{"id":{value}}}}}', scope) is not None
        assert run_both(self.ONE, '{"user":{"id":42.0}}', scope) is Mismatch

    @pytest.mark.parametrize(
        ("form", "subject", "value", "agrees"),
        [
            (PHONE, "+442079460220", '"+44 20 7946 0220"', True),
            (MSISDN, "+442079460220", '"442079460220"', True),
            (PHONE, "+442079460220", '"442079460220"', False),
            (EMAIL, "alice@example.test", '"alice@EXAMPLE.TEST"', True),
            (IP, "192.0.2.1", '"::ffff:192.0.2.1"', True),
            # A number whose normal form is another number's: only what is read decides.
            (PHONE, "+950641622083", '"+9500641622083"', True),
            (PHONE, "+950641622083", '"+950641622083"', False),
            (Form(Kind.ID, pattern="[a-z]+"), "42", '"42"', False),
        ],
    )
    def test_it_is_read_as_its_kind(
        self, form: Form, subject: str, value: str, agrees: bool
    ) -> None:
        request = RequestSubject("who", form, parse_path("$.who"))
        allowlist = allow(leaf("$.a"), subject=request)
        outcome = run_both(allowlist, f'{{"who":{value},"a":"x"}}', about(subject))
        assert (outcome is not Mismatch) is agrees

    def test_nothing_is_confirmed_where_the_answer_repeats_nothing(self) -> None:
        allowlist = allow(leaf("$.a"), subject=RequestSubject("who", ID, None))
        assert disclosed(allowlist, '{"a":"x"}', about(A)) == '{"a":"x"}'

    def test_without_a_subject_nothing_agrees(self) -> None:
        assert run_both(self.ONE, '{"user":{"id":null},"a":"x"}') is Mismatch
        assert run_both(self.ONE, f'{{"user":{{"id":"{A}"}},"a":"x"}}') is Mismatch


class TestTreatments:
    def test_tokenized_addresses_are_tokens(self) -> None:
        address = parse_ip("192.0.2.1")
        assert address is not None
        token = Tokenizer(TOKEN_KEY).tokens([pack_ip(address)])[0]
        allowlist = allow(leaf("$[*]", IP), treatments={"$[*]": Treatment.TOKENIZE})
        body = '["192.0.2.1","x",null,"::ffff:192.0.2.1",1,"192.0.2.01"]'
        assert disclosed(allowlist, body) == f'["{token}",null,"{token}"]'
        assert disclosed(allowlist, '["192.0.2.1","x",null,"::ffff:c000:201"]') == (
            f'["{token}",null,"{token}"]'
        )
        assert withheld(allowlist, body) == {"malformed $[*]": 3}

    def test_generalized_addresses_are_networks(self) -> None:
        allowlist = allow(leaf("$[*]", IP), treatments={"$[*]": Treatment.GENERALIZE})
        assert disclosed(allowlist, '["192.0.2.77","2001:db8:1:2::3","x"]') == (
            '["192.0.2.0/24","2001:db8:1::/48"]'
        )

    def test_generalized_timestamps_are_days(self) -> None:
        allowlist = allow(leaf("$[*]", RFC3339), treatments={"$[*]": Treatment.GENERALIZE})
        assert disclosed(allowlist, '["2026-06-01T00:30:00+01:00","x"]') == '["2026-05-31"]'
        allowlist = allow(leaf("$[*]", SECONDS), treatments={"$[*]": Treatment.GENERALIZE})

        assert (
            disclosed(allowlist, '[1780272000,"1780271999",1.5]') == '["2026-06-01","2026-05-31"]'
        )

    def test_a_treated_time_still_decides_exactly(self) -> None:
        allowlist = allow(
            leaf("$[*].t", SECONDS),
            records=[record("$[*]", time=("t", SECONDS))],
            treatments={"$[*].t": Treatment.GENERALIZE},
        )
        assert disclosed(allowlist, '[{"t":1767225599},{"t":1767225600}]') == '[{"t":"2026-01-01"}]'

    def test_a_tokenized_subject_still_decides(self) -> None:
        allowlist = allow(
            leaf("$[*].ip", IP),
            records=[record("$[*]", ["ip"], IP)],
            treatments={"$[*].ip": Treatment.GENERALIZE},
        )
        scope = about(None, Target(Kind.IP, "192.0.2.1"))
        body = '[{"ip":"192.0.2.1"},{"ip":"192.0.2.2"}]'
        assert disclosed(allowlist, body, scope) == '[{"ip":"192.0.2.0/24"}]'


def test_the_scope_of_these_tests_is_alice() -> None:
    assert SCOPE.targets == {ALICE}
