from dataclasses import replace
from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.allowlist.bundles import (
    ID,
    IP,
    SUBPOENA,
    TEXT,
    TIME,
    field,
    instrument,
    make_bundle,
    policy,
    resource,
    rule,
    subsets,
    warrant,
)
from withhold.allowlist.compile import (
    compile_allowlist,
    compile_widest,
    count_asked,
    covers_keys,
    matches,
    narrow,
)
from withhold.allowlist.model import Allowlist
from withhold.catalogue.model import Record, RecordSubject, RecordTime, When
from withhold.kinds.form import Form
from withhold.names import Category, Kind, Part, Treatment
from withhold.paths import parse_path, print_path
from withhold.policy.model import Rule

DISCLOSE, TOKENIZE, GENERALIZE, WITHHOLD = Treatment
SUBSCRIBER, IDENTIFYING, TRAFFIC, CONTENT = Category
RANK = {DISCLOSE: 0, TOKENIZE: 1, GENERALIZE: 1, WITHHOLD: 2}


def decisions(allowlist: Allowlist) -> dict[str, tuple[Treatment, str]]:
    return {entry.field.label: (entry.treatment, str(entry.reason)) for entry in allowlist.entries}


def decide(*rules: Rule, form: Form = IP, named: bool = False) -> tuple[Treatment, str]:
    """Give what the rules make of one field that is covered."""
    one = resource(field("$.a", form))
    order = warrant(fields=["$.a"]) if named else warrant()
    allowlist = compile_allowlist(order, instrument(), policy(*rules), one)
    return decisions(allowlist)["$.a"]


class TestCeiling:
    FIELDS = tuple(field(f"$.{each}", category=each) for each in Category)

    def test_an_instrument_covers_its_categories_and_no_other(self) -> None:
        for covers in subsets(Category):
            if covers:
                allowlist = compile_allowlist(
                    warrant(), instrument(*covers), policy(), resource(*self.FIELDS)
                )
                assert decisions(allowlist) == {
                    f"$.{each}": (DISCLOSE, "covered")
                    if each in covers
                    else (WITHHOLD, "not-in-instrument")
                    for each in Category
                }

    def test_an_instrument_that_covers_nothing_lets_nothing_out(self) -> None:
        preservation = replace(instrument(), covers=frozenset())
        allowlist = compile_allowlist(
            warrant(), preservation, policy(rule(DISCLOSE)), resource(*self.FIELDS)
        )
        assert allowlist.covered == ()

    def test_no_rule_widens_past_the_ceiling(self) -> None:
        allowlist = compile_allowlist(
            warrant(fields=["$.content"]),
            instrument(SUBSCRIBER),
            policy(rule(DISCLOSE)),
            resource(*self.FIELDS),
        )
        assert decisions(allowlist)["$.content"] == (WITHHOLD, "not-in-instrument")


class TestWarrant:
    FIELDS = (field("$.a", category=SUBSCRIBER), field("$.b", category=TRAFFIC))

    @pytest.mark.parametrize(
        ("categories", "fields", "expected"),
        [
            ([], [], {"$.a", "$.b"}),
            ([SUBSCRIBER], [], {"$.a"}),
            ([TRAFFIC, SUBSCRIBER], [], {"$.a", "$.b"}),
            ([CONTENT], [], set()),
            ([], ["$.a"], {"$.a"}),
            ([], ["$.a", "$.b"], {"$.a", "$.b"}),
            ([], ["$.c"], set()),
            ([SUBSCRIBER], ["$.a", "$.b"], {"$.a"}),
            ([SUBSCRIBER], ["$.b"], set()),
        ],
    )
    def test_categories_and_fields_narrow_and_both_mean_their_intersection(
        self, categories: list[Category], fields: list[str], expected: set[str]
    ) -> None:
        allowlist = compile_allowlist(
            warrant(categories, fields), instrument(), policy(), resource(*self.FIELDS)
        )
        for label, decision in decisions(allowlist).items():
            assert decision == (
                (DISCLOSE, "covered") if label in expected else (WITHHOLD, "not-in-warrant")
            )

    def test_a_warrant_cannot_widen_its_instrument(self) -> None:
        allowlist = compile_allowlist(
            warrant([TRAFFIC], ["$.b"]), instrument(SUBSCRIBER), policy(), resource(*self.FIELDS)
        )
        assert decisions(allowlist) == {
            "$.a": (WITHHOLD, "not-in-warrant"),
            "$.b": (WITHHOLD, "not-in-instrument"),
        }

    def test_fields_of_another_resource_name_nothing_here(self) -> None:
        order = warrant(fields=["$.a"], name="synapse/other")
        allowlist = compile_allowlist(order, instrument(), policy(), resource(*self.FIELDS))
        assert allowlist.covered == ()

    def test_a_field_is_named_whole(self) -> None:
        deep = resource(field("$.l[*].a"), field("$.l[*].ab"))
        for path in ("$", "$.l", "$.l[*]", "$.l.*.a", "$.l[*].a.b"):
            allowlist = compile_allowlist(warrant(fields=[path]), instrument(), policy(), deep)
            assert allowlist.covered == ()

    def test_a_bare_path_names_all_that_is_declared_at_it(self) -> None:
        many = resource(
            field("$.m.*"),
            field("$.m.*", ID, part=Part.KEY),
            field("$.l[*].a", when=When(("k",), "x")),
            field("$.l[*].a", when=When(("k",), "y")),
        )
        order = warrant(fields=["$.m.*", "$.l[*].a"])
        allowlist = compile_allowlist(order, instrument(), policy(), many)
        assert len(allowlist.covered) == 4


class TestRules:
    @pytest.mark.parametrize(
        "treatments", [pair for pair in subsets(Treatment) if pair], ids="+".join
    )
    def test_the_most_restrictive_wins_in_any_order(
        self, treatments: tuple[Treatment, ...]
    ) -> None:
        worst = max(treatments, key=lambda t: RANK[t])
        if {TOKENIZE, GENERALIZE} <= set(treatments):
            worst = WITHHOLD
        found = {decide(*order) for order in permutations(map(rule, treatments))}
        assert len(found) == 1
        assert found.pop()[0] is worst

    def test_the_deciding_rule_is_the_reason(self) -> None:
        assert decide() == (DISCLOSE, "covered")
        assert decide(rule(DISCLOSE)) == (DISCLOSE, "covered")
        assert decide(rule(TOKENIZE, "t"), rule(DISCLOSE, "d")) == (TOKENIZE, "rule:t")
        assert decide(rule(TOKENIZE, "t"), rule(WITHHOLD, "w")) == (WITHHOLD, "rule:w")
        assert decide(rule(GENERALIZE, "g"), rule(WITHHOLD, "w")) == (WITHHOLD, "rule:w")

    def test_of_rules_that_ask_for_the_same_the_first_by_name_is_the_reason(self) -> None:
        for order in permutations([rule(WITHHOLD, "b"), rule(WITHHOLD, "a"), rule(WITHHOLD, "c")]):
            assert decide(*order) == (WITHHOLD, "rule:a")
        for order in permutations([rule(TOKENIZE, "b"), rule(TOKENIZE, "a")]):
            assert decide(*order) == (TOKENIZE, "rule:a")

    def test_tokenize_and_generalize_together_withhold(self) -> None:
        for order in permutations([rule(TOKENIZE, "t"), rule(GENERALIZE, "g"), rule(DISCLOSE)]):
            assert decide(*order) == (WITHHOLD, "rule:g")

    @pytest.mark.parametrize("kind", Kind)
    @pytest.mark.parametrize("treatment", Treatment)
    def test_a_treatment_that_a_kind_lacks_withholds(
        self, kind: Kind, treatment: Treatment
    ) -> None:
        has = {
            DISCLOSE: set(Kind),
            TOKENIZE: {Kind.IP},
            GENERALIZE: {Kind.IP, Kind.TIMESTAMP},
            WITHHOLD: set(),
        }[treatment]
        form = TIME if kind is Kind.TIMESTAMP else Form(kind)
        found, _ = decide(rule(treatment), form=form)
        assert found is (treatment if kind in has else WITHHOLD)

    def test_a_timestamp_that_is_to_be_tokenized_and_generalized_is_withheld(self) -> None:
        rules = [rule(TOKENIZE, "t"), rule(GENERALIZE, "g")]
        assert decide(*rules, form=TIME) == (WITHHOLD, "rule:t")

    def test_unless_the_warrant_names_the_field(self) -> None:
        sparing = rule(TOKENIZE, "t", unless_named=True)
        assert decide(sparing) == (TOKENIZE, "rule:t")
        assert decide(sparing, named=True) == (DISCLOSE, "covered")
        assert decide(rule(TOKENIZE, "t"), named=True) == (TOKENIZE, "rule:t")
        assert decide(sparing, rule(WITHHOLD, "w"), named=True) == (WITHHOLD, "rule:w")
        categories = compile_allowlist(
            warrant([SUBSCRIBER]), instrument(), policy(sparing), resource(field("$.a", IP))
        )
        assert decisions(categories)["$.a"] == (TOKENIZE, "rule:t")


class TestMatching:
    FIELD = field("$.l[*].address.line", TEXT, SUBSCRIBER, data="user.contact.email")
    HERE = resource(FIELD)

    def matches(self, **conditions: object) -> bool:
        return matches(rule(WITHHOLD, "w", **conditions), self.FIELD, self.HERE, instrument())

    def test_a_rule_without_conditions_matches_all(self) -> None:
        assert self.matches()

    @pytest.mark.parametrize(
        ("condition", "its_own", "another"),
        [
            ("instrument", SUBPOENA, "us-sca-subpoena-2"),
            ("jurisdiction", "US", "EU"),
            ("category", SUBSCRIBER, CONTENT),
            ("kind", Kind.TEXT, Kind.ID),
            ("data", "user.contact.email", "user.device"),
            ("store", "synapse", "synapse2"),
            ("resource", "synapse/whois", "synapse/who"),
            ("path", parse_path("$.l[*].address.line"), ("x",)),
        ],
    )
    def test_each_condition_is_one_of_its_values(
        self, condition: str, its_own: object, another: object
    ) -> None:
        assert self.matches(**{condition: frozenset({its_own})})
        assert self.matches(**{condition: frozenset({its_own, another})})
        assert not self.matches(**{condition: frozenset({another})})

    def test_all_that_a_rule_names_must_match(self) -> None:
        assert self.matches(store="synapse", kind=Kind.TEXT, category=SUBSCRIBER)
        assert not self.matches(store="synapse", kind=Kind.IP, category=SUBSCRIBER)

    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            ("user", True),
            ("user.contact", True),
            ("user.contact.email", True),
            ("user.contact.email.home", False),
            ("user.contacts", False),
            ("user.cont", False),
            ("user.", False),
            ("use", False),
            ("contact", False),
            ("contact.email", False),
            ("", False),
        ],
    )
    def test_data_is_matched_by_whole_segments(self, data: str, expected: bool) -> None:
        assert self.matches(data=data) is expected

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("$", True),
            ("$.l", True),
            ("$.l[*]", True),
            ("$.l[*].address", True),
            ("$.l[*].address.line", True),
            ("$.l[*].address.line.x", False),
            ("$.l[*].addr", False),
            ("$.l[*].address.lines", False),
            ("$.l.*", False),
            ("$[*]", False),
            ("$.address.line", False),
            ("$['l[*]']", False),
        ],
    )
    def test_paths_are_matched_by_whole_segments(self, path: str, expected: bool) -> None:
        assert self.matches(path=frozenset({parse_path(path)})) is expected

    def test_data_does_not_match_what_it_only_begins(self) -> None:
        contacts = field("$.a", data="user.contacts")
        only = rule(WITHHOLD, data="user.contact")
        assert not matches(only, contacts, resource(contacts), instrument())


WHOM = RecordSubject((("who",),), ID)
WHEN = RecordTime(("t",), TIME)


def record(each: str, subject: RecordSubject | None, time: RecordTime | None) -> Record:
    return Record(parse_path(each), subject, time)


class TestScopes:
    @staticmethod
    def reason(*records: Record, snapshot: bool = False, has_subject: bool = False) -> str:
        made = resource(field("$.l[*].p.a"), records=records, snapshot=snapshot)
        asked = made if has_subject else replace(made, subject=None)
        found = decisions(compile_allowlist(warrant(), instrument(), policy(), asked))
        return found["$.l[*].p.a"][1]

    def test_a_leaf_with_no_subject_above_it_is_withheld(self) -> None:
        assert self.reason(snapshot=True) == "no-subject"
        assert self.reason(record("$.l[*]", None, WHEN), snapshot=True) == "no-subject"
        assert self.reason(record("$.l[*].q", WHOM, None), snapshot=True) == "no-subject"
        assert self.reason(record("$.k[*]", WHOM, None), snapshot=True) == "no-subject"
        assert self.reason(snapshot=True, has_subject=True) == "covered"
        for each in ("$", "$.l[*]", "$.l[*].p", "$.l[*].p.a"):
            assert self.reason(record(each, WHOM, None), snapshot=True) == "covered"

    def test_a_leaf_with_no_time_above_it_is_withheld_unless_it_is_as_of_now(self) -> None:
        assert self.reason(has_subject=True) == "undated"
        assert self.reason(record("$.l[*]", WHOM, None)) == "undated"
        assert self.reason(record("$.l[*].q", None, WHEN), has_subject=True) == "undated"
        assert self.reason(has_subject=True, snapshot=True) == "covered"
        for each in ("$", "$.l[*]", "$.l[*].p", "$.l[*].p.a"):
            assert self.reason(record(each, None, WHEN), has_subject=True) == "covered"

    def test_subject_and_time_may_come_from_different_records(self) -> None:
        records = [record("$", WHOM, None), record("$.l[*]", None, WHEN)]
        assert self.reason(*records) == "covered"

    def test_a_leaf_with_neither_lacks_somebody_first(self) -> None:
        assert self.reason() == "no-subject"

    def test_what_is_withheld_already_keeps_its_reason(self) -> None:
        made = resource(field("$.a"), snapshot=False)
        for rules, order, ceiling, reason in (
            ([rule(WITHHOLD, "w")], warrant(), instrument(), "rule:w"),
            ([], warrant([CONTENT]), instrument(), "not-in-warrant"),
            ([], warrant(), instrument(CONTENT), "not-in-instrument"),
            ([rule(GENERALIZE)], warrant(), instrument(), "rule:generalize"),
        ):
            allowlist = compile_allowlist(order, ceiling, policy(*rules), made)
            assert decisions(allowlist)["$.a"] == (WITHHOLD, reason)


class TestNarrow:
    ALL = compile_allowlist(
        warrant(),
        instrument(SUBSCRIBER),
        policy(rule(WITHHOLD, "w", path=parse_path("$.w"))),
        resource(
            field("$.a"),
            field("$.b"),
            field("$.w"),
            field("$.c", category=CONTENT),
            field("$.m.*"),
            field("$.m.*", ID, part=Part.KEY),
        ),
    )

    def narrowed(self, *paths: str) -> dict[str, tuple[Treatment, str]]:
        return decisions(narrow(self.ALL, frozenset(map(parse_path, paths))))

    def test_what_is_not_asked_for_is_withheld(self) -> None:
        assert self.narrowed("$.a") == {
            "$.a": (DISCLOSE, "covered"),
            "$.b": (WITHHOLD, "not-requested"),
            "$.c": (WITHHOLD, "not-in-instrument"),
            "$.m.*": (WITHHOLD, "not-requested"),
            "$.m.* key": (WITHHOLD, "not-requested"),
            "$.w": (WITHHOLD, "rule:w"),
        }

    def test_what_is_asked_for_and_not_covered_stays_withheld(self) -> None:
        found = self.narrowed("$.c", "$.w", "$.unknown", "$")
        assert {treatment for treatment, _ in found.values()} == {WITHHOLD}
        assert found["$.c"][1] == "not-in-instrument"

    def test_a_bare_path_asks_for_keys_and_values(self) -> None:
        found = self.narrowed("$.m.*")
        assert found["$.m.*"] == found["$.m.* key"] == (DISCLOSE, "covered")

    def test_all_that_is_asked_for_is_the_same_allowlist(self) -> None:
        every = frozenset(entry.field.path for entry in self.ALL.entries)
        assert narrow(self.ALL, every) == self.ALL
        assert narrow(self.ALL, every).digest == self.ALL.digest


class TestKeys:
    M = parse_path("$.m.*")

    @staticmethod
    def keys(*rules: Rule) -> Allowlist:
        made = resource(field("$.m.*"), field("$.m.*", IP, part=Part.KEY))
        return compile_allowlist(warrant(), instrument(), policy(*rules), made)

    def test_keys_are_let_out_if_they_are_disclosed(self) -> None:
        entry = covers_keys(self.keys(), self.M)
        assert entry is not None
        assert entry.field.label == "$.m.* key"
        assert covers_keys(self.keys(), parse_path("$.n.*")) is None

    @pytest.mark.parametrize("treatment", [TOKENIZE, GENERALIZE, WITHHOLD])
    def test_any_other_treatment_keeps_them(self, treatment: Treatment) -> None:
        assert covers_keys(self.keys(rule(treatment, kind=Kind.IP)), self.M) is None

    def test_a_value_at_the_same_place_lets_no_key_out(self) -> None:
        made = resource(field("$.m.*"))
        allowlist = compile_allowlist(warrant(), instrument(), policy(), made)
        assert covers_keys(allowlist, self.M) is None

    def test_only_values_are_leaves(self) -> None:
        assert [entry.field.label for entry in self.keys().leaves] == ["$.m.*"]
        assert len(self.keys().covered) == 2


# --- on generated bundles -----------------------------------------------------------------------


@given(st.integers(0, 2**64))
def test_the_order_of_rules_never_matters(seed: int) -> None:
    rng = Random(seed)
    catalogue, made = make_bundle(rng)
    for each in catalogue.resources.values():
        for ceiling in made.instruments.values():
            shuffled = policy(*rng.sample(made.rules, k=len(made.rules)))
            one = compile_allowlist(warrant(), ceiling, made, each)
            assert compile_allowlist(warrant(), ceiling, shuffled, each) == one


@given(st.integers(0, 2**64))
def test_one_more_rule_never_widens(seed: int) -> None:
    rng = Random(seed)
    catalogue, made = make_bundle(rng)
    fewer = policy(*made.rules[:-1])
    for each in catalogue.resources.values():
        for ceiling in made.instruments.values():
            more = compile_allowlist(warrant(), ceiling, made, each).entries
            less = compile_allowlist(warrant(), ceiling, fewer, each).entries
            for now, before in zip(more, less, strict=True):
                assert now.treatment is before.treatment or (
                    RANK[now.treatment] > RANK[before.treatment]
                )


@given(st.integers(0, 2**64))
def test_the_widest_allowlists_say_all_that_any_warrant_can_get(seed: int) -> None:
    rng = Random(seed)
    catalogue, made = make_bundle(rng)
    for each in catalogue.resources.values():
        paths = sorted({path.path for path in each.fields}, key=str)
        for ceiling in made.instruments.values():
            widest = {
                named: decisions(compile_widest(ceiling, made, each, named=named))
                for named in (False, True)
            }
            for categories in subsets(Category):
                for named in subsets(paths):
                    order = warrant(categories, map(print_path, named), name=each.name)
                    found = decisions(compile_allowlist(order, ceiling, made, each))
                    for one in each.fields:
                        expected = widest[one.path in named][one.label]
                        if expected[1] != "not-in-instrument" and (
                            (categories and one.category not in categories)
                            or (named and one.path not in named)
                        ):
                            expected = (WITHHOLD, "not-in-warrant")
                        assert found[one.label] == expected


class TestAsked:
    """Subscriber and content fields, of which a subpoena reaches the first kind."""

    ONE = resource(
        field("$.a"),
        field("$.b"),
        field("$.c", category=Category.CONTENT),
        field("$.d", category=Category.CONTENT),
    )

    @pytest.mark.parametrize(
        ("categories", "fields", "asked"),
        [
            ([], [], 2),  # all that the instrument covers
            ([Category.SUBSCRIBER], [], 2),
            ([Category.CONTENT], [], 2),  # and gets nothing
            ([Category.SUBSCRIBER, Category.CONTENT], [], 4),
            ([], ["$.a"], 1),
            ([], ["$.a", "$.c"], 2),
            ([Category.CONTENT], ["$.a", "$.c"], 1),
            ([Category.TRAFFIC], [], 0),
        ],
    )
    def test_an_order_asks_for_what_it_names(
        self, categories: list[Category], fields: list[str], asked: int
    ) -> None:
        order = warrant(categories=categories, fields=fields)
        reach = instrument(Category.SUBSCRIBER)
        for made in (policy(), policy(rule(WITHHOLD))):  # who refuses it, makes no difference
            allowlist = compile_allowlist(order, reach, made, self.ONE)
            assert count_asked(allowlist, order) == asked
            assert count_asked(narrow(allowlist, frozenset()), order) == asked
