import pytest

from tests.policy.written import CATALOGUE, FAULTY, ORDER, faults_of, hints_of, policy_of, read
from withhold.names import Category, InstrumentName, Kind, ResourceName, StoreName, Treatment
from withhold.paths import Wild
from withhold.policy.model import Instrument, PolicyTest, Rule
from withhold.policy.parse import MAX_RULES

RULE = '[[rule]]\nname = "x"\ntreatment = "withhold"\n'
TEST = '[[test]]\nname = "a test"\ninstrument = "order"\nresource = "s/r"\n'


def test_instruments_rules_and_tests_are_read() -> None:
    policy = policy_of(
        ORDER
        + """[[rule]]
name = "ip-is-tokenized-unless-named"
kind = "ip"
treatment = "tokenize"
unless = { warrant_names_field = true }

[[rule]]
name = "all"
instrument = "order"
jurisdiction = ["US"]
category = ["subscriber", "content"]
kind = ["text"]
data = ["user.name", "user"]
store = "s"
resource = ["s/r"]
path = ["$.a", "$.b"]
treatment = "withhold"

[[test]]
name = "what an order shows"
instrument = "order"
resource = "s/r"
discloses = ["$['a']", '$.c when d is "x"']
tokenizes = ["$.b[*].ip"]
"""
    )
    assert policy.instruments == {
        "order": Instrument(
            InstrumentName("order"),
            "An order",
            "US",
            frozenset({Category.SUBSCRIBER, Category.IDENTIFYING}),
            1,
        )
    }
    assert policy.rules == (
        Rule(
            "ip-is-tokenized-unless-named",
            Treatment.TOKENIZE,
            kind=frozenset({Kind.IP}),
            unless_named=True,
        ),
        Rule(
            "all",
            Treatment.WITHHOLD,
            instrument=frozenset({InstrumentName("order")}),
            jurisdiction=frozenset({"US"}),
            category=frozenset({Category.SUBSCRIBER, Category.CONTENT}),
            kind=frozenset({Kind.TEXT}),
            data=frozenset({"user", "user.name"}),
            store=frozenset({StoreName("s")}),
            resource=frozenset({ResourceName("s/r")}),
            path=frozenset({("a",), ("b",)}),
        ),
    )
    assert policy.tests == (
        PolicyTest(
            "what an order shows",
            InstrumentName("order"),
            ResourceName("s/r"),
            ("$.a", '$.c when d is "x"'),
            ("$.b[*].ip",),
            (),
            "0.toml",
            25,
        ),
    )


def test_what_covers_nothing_is_an_instrument() -> None:
    policy = policy_of(ORDER.replace('["subscriber", "identifying"]', "[]"))
    assert policy.instruments[InstrumentName("order")].covers == frozenset()


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("instrument = 1", ["1: `instrument` is an integer, not a table"]),
        ("[instrument]\norder = 1", ["2: `order` is an integer, not a table"]),
        ("[instrument.Order]", ["1: `Order` can't be a name"]),
        (
            "[instrument.order]",
            [f"1: `{key}` is missing" for key in ("title", "jurisdiction", "covers", "approvals")],
        ),
        (ORDER.replace("1\n", "0\n"), ["5: `approvals` is out of range"]),
        (ORDER.replace("1\n", "true\n"), ["5: `approvals` is true or false, not an integer"]),
        (
            ORDER.replace('"An order"', "1979-05-27"),
            ["2: `title` is a date or a time, not a string"],
        ),
        (ORDER.replace("subscriber", "subscribers"), ["4: `subscribers` is no category"]),
        (ORDER.replace("identifying", "subscriber"), ["4: `subscriber` stands twice in `covers`"]),
        (
            ORDER.replace("covers", "cover"),
            ["4: `cover` is unknown here"],
        ),
        (ORDER + "[[rules]]\n", ["7: `rules` is unknown here"]),
    ],
)
def test_what_is_wrong_with_an_instrument_is_said(text: str, faults: list[str]) -> None:
    assert faults_of(text) == faults


def test_a_name_stands_once_in_all_files() -> None:
    rule = RULE + TEST
    _, faults = read(ORDER + rule, ORDER + rule)
    assert faults == [
        "1.toml:1: the instrument `order` is written twice: first in 0.toml:1",
        "1.toml:8: the rule `x` is written twice: first in 0.toml:8",
        "1.toml:11: the test `a test` is written twice: first in 0.toml:11",
    ]


def test_a_policy_may_be_split() -> None:
    policy, faults = read(TEST, RULE, ORDER)
    assert faults == []
    assert len(policy.tests) == len(policy.rules) == len(policy.instruments) == 1


@pytest.mark.parametrize(
    ("condition", "fault"),
    [
        ('instrument = "ordre"', "there is no instrument `ordre`"),
        ('jurisdiction = "EU"', "there is no jurisdiction `EU`"),
        ('category = "x"', "`x` is no category"),
        ('kind = ["ip", "x"]', "`x` is no kind"),
        ('data = "name"', "`name` is no data category"),
        ('store = "t"', "there is no store `t`"),
        ('resource = "r"', "there is no resource `r`"),
        ('path = "$.x"', "nothing is declared at `$.x` in the catalogue"),
        ('path = "$.z"\nresource = "s/r"', "nothing is declared at `$.z` in these resources"),
        ('path = "x"', "`x` does not begin with `$`"),
        ("kind = []", "`kind` is empty"),
        ("path = []", "`path` is empty"),
        ("store = 1", "`store` is an integer, not a string or an array of strings"),
        ("when = 1", "`when` is unknown here"),
        ("unless = true", "`unless` is true or false, not a table"),
        ("unless = {}", "`warrant_names_field` is missing"),
        ("unless = { warrant_names_field = false }", "`warrant_names_field` can only be true"),
        ("unless = { warrant_names_field = true, x = 1 }", "`x` is unknown here"),
    ],
)
def test_what_is_wrong_with_a_rule_is_said(condition: str, fault: str) -> None:
    assert faults_of(ORDER + RULE + condition) == [f"10: {fault}"]


@pytest.mark.parametrize(
    ("rule", "faults"),
    [
        ("[[rule]]\n", ["7: `name` is missing", "7: `treatment` is missing"]),
        ("rule = 1\n", ["1: `rule` is an integer, not an array of tables, `[[rule]]`"]),
        (RULE.replace("withhold", "hide"), ["9: `hide` is no treatment"]),
        (RULE.replace('"x"', '"a rule"'), ["8: `a rule` can't be a name"]),
    ],
)
def test_a_rule_has_a_name_and_a_treatment(rule: str, faults: list[str]) -> None:
    assert faults_of(rule + ORDER if rule.startswith("rule") else ORDER + rule) == faults


def test_there_is_a_bound_on_rules() -> None:
    many = "".join(RULE.replace('"x"', f'"x{i}"') for i in range(MAX_RULES + 1))
    assert faults_of(ORDER + many) == [
        f"{7 + 3 * MAX_RULES}: there are more than {MAX_RULES} tables `[[rule]]`"
    ]


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("[[test]]\n", [f"7: `{key}` is missing" for key in ("name", "instrument", "resource")]),
        (TEST.replace("order", "ordre"), ["9: there is no instrument `ordre`"]),
        (TEST.replace("s/r", "s/x"), ["10: there is no resource `s/x`"]),
        (TEST + 'discloses = ["$.x"]\n', ["11: nothing is declared at `$.x` in `s/r`"]),
        (TEST + 'discloses = ["$.b"]\n', ["11: nothing is declared at `$.b` in `s/r`"]),
        (TEST + 'discloses = ["a"]\n', ["11: nothing is declared at `a` in `s/r`"]),
        (TEST + 'discloses = "$.a"\n', ["11: `discloses` is a string, not an array of strings"]),
        (TEST + 'withholds = ["$.a"]\n', ["11: `withholds` is unknown here"]),
        (
            TEST + 'discloses = [\n"$.a",\n"$.a when d is true",\n]\n',
            ["13: nothing is declared at `$.a when d is true` in `s/r`"],
        ),
    ],
)
def test_what_is_wrong_with_a_test_is_said(text: str, faults: list[str]) -> None:
    assert faults_of(ORDER + text) == faults


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (RULE + 'instrument = "ordre"', "did you mean `order`?"),
        (RULE + 'resource = "s/rr"', "did you mean `s/r`?"),
        (RULE + 'path = "$.b[*].pi"', "did you mean `$.b[*].ip`?"),
        (RULE + 'store = "t"', "known: `s`"),
        (TEST + 'discloses = ["$.b[*].pi"]', "did you mean `$.b[*].ip`?"),
        (RULE + "kind = []", "left out, it matches everything"),
    ],
)
def test_what_to_write_instead_is_said(text: str, hint: str) -> None:
    assert hints_of(ORDER + text) == [hint]


def test_a_path_may_be_the_beginning_of_what_is_declared() -> None:
    policy = policy_of(ORDER + RULE + 'path = ["$", "$.b[*]"]\nresource = "s/r"')
    assert policy.rules[0].path == {(), ("b", Wild.ELEMENTS)}


def test_what_a_resource_at_fault_would_say_is_not_another_fault() -> None:
    both = (CATALOGUE, FAULTY)
    text = ORDER + RULE + 'path = "$.unknown"\nresource = "t/bad"\n'
    test = TEST.replace("s/r", "t/bad") + 'discloses = ["$.unknown"]\n'
    policy, faults = read(text + test, catalogues=both)
    assert faults == []
    assert policy.tests == ()


def test_what_an_instrument_at_fault_would_say_is_not_another_fault() -> None:
    text = ORDER.replace("title", "titel") + RULE
    text += 'instrument = "order"\njurisdiction = "EU"\n' + TEST
    policy, faults = read(text)
    assert [fault.partition(" | ")[0] for fault in faults] == [
        "0.toml:2: `titel` is unknown here",
    ]
    assert policy.instruments == {}
