"""Diff is exact: compared here with every warrant that could be, compiled under both bundles."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.allowlist.bundles import (
    IP,
    SUBPOENA,
    WHOIS,
    change_bundle,
    field,
    instrument,
    make_bundle,
    policy,
    resource,
    rule,
    subsets,
    warrant,
)
from withhold.allowlist.canonical import allowlist_bytes
from withhold.allowlist.compile import compile_allowlist
from withhold.allowlist.diff import Change, Verdict, diff, verdict_of
from withhold.allowlist.model import Allowlist
from withhold.catalogue.model import Catalogue, Resource
from withhold.names import Category, InstrumentName, Kind, ResourceName, Treatment
from withhold.paths import parse_path, print_path
from withhold.policy.model import Instrument, Policy, Rule
from withhold.warrant.model import Warrant

Bundle = tuple[Catalogue, Policy]
Json = Any  # parsed canonical bytes
Place = tuple[str, str, str]  # instrument, resource, label

DISCLOSE, TOKENIZE, GENERALIZE, WITHHOLD = Treatment
EQUAL, NARROWER, WIDER, INCOMPARABLE = Verdict
RANK = {DISCLOSE: 2, TOKENIZE: 1, GENERALIZE: 1, WITHHOLD: 0}


# --- the brute force ----------------------------------------------------------------------------


def compiled(bundle: Bundle, name: InstrumentName, order: Warrant, of: ResourceName) -> Json:
    """Give what an allowlist's bytes say; a bundle without the resource lets out nothing of it."""
    ceiling, made = bundle[1].instruments.get(name), bundle[0].resources.get(of)
    if ceiling is None or made is None:
        return {"fields": []}
    found: Allowlist = compile_allowlist(order, ceiling, bundle[1], made)
    return json.loads(allowlist_bytes(made, ((e.field, e.treatment) for e in found.covered)))


def warrants(old: Bundle, new: Bundle, of: ResourceName) -> Iterator[Warrant]:
    """Give a warrant for every choice of categories and of fields of a resource."""
    made = [bundle[0].resources[of] for bundle in (old, new) if of in bundle[0].resources]
    paths = sorted({print_path(each.path) for one in made for each in one.fields})
    for categories, named in product(subsets(Category), subsets(paths)):
        yield warrant(categories, named, of)


def by_brute_force(old: Bundle, new: Bundle) -> tuple[Verdict, dict[Place, set[Verdict]], bool]:
    """Give the verdict, what became of each field, and whether all compiled bytes are equal."""
    fields: dict[Place, set[Verdict]] = {}
    verdicts: set[Verdict] = set()
    same = True
    names = sorted({*old[1].instruments, *new[1].instruments})
    for name in names:
        one, two = (bundle[1].instruments.get(name) for bundle in (old, new))
        if one and two and (one.approvals, one.jurisdiction) != (two.approvals, two.jurisdiction):
            verdicts.add(INCOMPARABLE)
    for name, of in product(names, sorted({*old[0].resources, *new[0].resources})):
        for order in warrants(old, new, of):
            before, after = (compiled(bundle, name, order, of) for bundle in (old, new))
            is_covered = before["fields"] and after["fields"]
            same &= (before == after) if is_covered else before["fields"] == after["fields"]
            if is_covered and {**before, "fields": 0} != {**after, "fields": 0}:
                verdicts.add(INCOMPARABLE)
            for label, found in compare(before["fields"], after["fields"]):
                fields.setdefault((name, of, label), set()).update(found)
    for found in fields.values():
        verdicts |= found
    return verdict_of_all(verdicts), fields, same


def verdict_of_all(verdicts: set[Verdict]) -> Verdict:
    """Sum up, as contract §9 says it."""
    if len(verdicts) > 1:
        return INCOMPARABLE
    return next(iter(verdicts), EQUAL)


def compare(before: list[Json], after: list[Json]) -> Iterator[tuple[str, set[Verdict]]]:
    """Compare two lists of covered fields, one by one."""
    was, now = ({place_of(one): one for one in fields} for fields in (before, after))
    for place in {*was, *now}:
        treated = [
            Treatment(side[place]["treatment"]) if place in side else WITHHOLD
            for side in (was, now)
        ]
        found: set[Verdict] = set()
        if treated[0] is not treated[1]:
            change = RANK[treated[1]] - RANK[treated[0]]
            found.add(INCOMPARABLE if change == 0 else WIDER if change > 0 else NARROWER)
        is_covered = place in was and place in now
        if is_covered and {**was[place], "treatment": 0} != {**now[place], "treatment": 0}:
            found.add(INCOMPARABLE)
        if found:
            yield place, found


def place_of(one: Json) -> str:
    """Give a field's label again, from what its bytes say."""
    when = one["when"]
    if one["part"] == "key":
        return f"{one['path']} key"
    told = "" if when is None else f" when {when['field']} is {json.dumps(when['is'])}"
    return f"{one['path']}{told}"


@given(st.integers(0, 2**64), st.integers(0, 3))
def test_diff_says_what_every_possible_warrant_says(seed: int, changes: int) -> None:
    rng = Random(seed)
    old = make_bundle(rng)
    new = old
    for _ in range(changes):
        new = change_bundle(rng, new)
    if changes == 3:
        new = make_bundle(rng)
    verdict, fields, same = by_brute_force(old, new)
    found = diff(old, new)
    assert verdict_of(found) is verdict
    assert same or found
    told: dict[Place, set[Verdict]] = {}
    labels = {each.label for b in (old, new) for r in b[0].resources.values() for each in r.fields}
    for change in found:
        label = change.label if change.label in labels else change.label.rpartition(": ")[0]
        if label:
            told.setdefault((change.instrument, change.resource, label), set()).add(change.verdict)
    assert {place: verdict_of_all(v) for place, v in told.items()} == {
        place: verdict_of_all(v) for place, v in fields.items()
    }


def test_generated_bundles_differ_in_every_way() -> None:
    seen = dict.fromkeys(Verdict, 0)
    for seed in range(200):
        rng = Random(seed)
        old = make_bundle(rng)
        seen[verdict_of(diff(old, change_bundle(rng, old)))] += 1
    assert min(seen.values()) >= 10


@given(st.integers(0, 2**64))
def test_a_bundle_equals_itself_and_a_diff_turned_round_is_its_opposite(seed: int) -> None:
    rng = Random(seed)
    one = make_bundle(rng)
    two = change_bundle(rng, one)
    assert diff(one, one) == ()
    opposite = {WIDER: NARROWER, NARROWER: WIDER}
    verdict = verdict_of(diff(one, two))
    assert verdict_of(diff(two, one)) is opposite.get(verdict, verdict)
    turned = {
        (
            c.instrument,
            c.resource,
            c.label,
            c.new,
            c.old,
            opposite.get(c.verdict, c.verdict),
            c.named,
        )
        for c in diff(two, one)
    }
    assert turned == {
        (c.instrument, c.resource, c.label, c.old, c.new, c.verdict, c.named)
        for c in diff(one, two)
    }


# --- by hand ------------------------------------------------------------------------------------


def bundle(
    *rules: Rule, of: Resource | None = None, instruments: Sequence[Instrument] = (instrument(),)
) -> Bundle:
    made = of or resource(field("$.a"), field("$.ip", IP, Category.IDENTIFYING))
    return Catalogue({made.name: made}), policy(*rules, instruments=instruments)


OLD = bundle()
TREATED = {t: bundle(rule(t, "r", kind=Kind.IP)) for t in Treatment}


@pytest.mark.parametrize(("old", "new"), list(product(Treatment, Treatment)))
def test_a_change_of_treatment(old: Treatment, new: Treatment) -> None:
    changes = diff(TREATED[old], TREATED[new])
    if old is new:
        assert changes == ()
        return
    verdict = (
        INCOMPARABLE if RANK[old] == RANK[new] else WIDER if RANK[new] > RANK[old] else NARROWER
    )
    assert changes == (Change(SUBPOENA, WHOIS, "$.ip", old, new, verdict),)
    assert verdict_of(changes) is verdict


def test_a_change_for_warrants_that_name_the_field_only() -> None:
    sparing = bundle(rule(TOKENIZE, "r", kind=Kind.IP, unless_named=True))
    assert diff(TREATED[TOKENIZE], sparing) == (
        Change(SUBPOENA, WHOIS, "$.ip", TOKENIZE, DISCLOSE, WIDER, named=True),
    )
    assert diff(OLD, sparing) == (Change(SUBPOENA, WHOIS, "$.ip", DISCLOSE, TOKENIZE, NARROWER),)


def test_a_change_that_is_the_same_for_all_warrants_is_told_once() -> None:
    assert len(diff(OLD, TREATED[WITHHOLD])) == 1


def test_wider_here_and_narrower_there_is_incomparable() -> None:
    one = bundle(rule(WITHHOLD, "r", kind=Kind.IP))
    two = bundle(rule(WITHHOLD, "r", kind=Kind.TEXT))
    changes = diff(one, two)
    assert [(c.label, c.verdict) for c in changes] == [("$.a", NARROWER), ("$.ip", WIDER)]
    assert verdict_of(changes) is INCOMPARABLE


def test_a_new_or_a_lost_instrument_or_resource() -> None:
    nothing = (Catalogue({}), Policy({}, (), ()))
    no_instrument = (OLD[0], Policy({}, (), ()))
    no_resource = (Catalogue({}), OLD[1])
    for empty in (nothing, no_instrument, no_resource):
        gained = diff(empty, OLD)
        assert [(c.label, c.old, c.new) for c in gained] == [
            ("$.a", WITHHOLD, DISCLOSE),
            ("$.ip", WITHHOLD, DISCLOSE),
        ]
        assert verdict_of(gained) is WIDER
        assert verdict_of(diff(OLD, empty)) is NARROWER
        assert diff(empty, nothing) == ()


def test_a_field_of_another_category_is_incomparable() -> None:
    # A warrant for the one category loses it, a warrant for the other gains it.
    told = diff(
        bundle(of=resource(field("$.a"))),
        bundle(of=resource(field("$.a", category=Category.TRAFFIC))),
    )
    assert told == (
        Change(SUBPOENA, WHOIS, "$.a: category", "subscriber", "traffic", INCOMPARABLE),
    )


def test_a_category_is_a_matter_of_coverage() -> None:
    narrow = bundle(instruments=[instrument(Category.SUBSCRIBER)])
    assert [(c.label, c.verdict) for c in diff(OLD, narrow)] == [("$.ip", NARROWER)]


@pytest.mark.parametrize(
    ("other", "label", "old", "new"),
    [
        (instrument(approvals=2), "approvals", "1", "2"),
        (instrument(jurisdiction="EU"), "jurisdiction", "US", "EU"),
    ],
    ids=["approvals", "jurisdiction"],
)
def test_which_warrants_count_is_told(other: Instrument, label: str, old: str, new: str) -> None:
    changed = bundle(instruments=[other])
    assert diff(OLD, changed) == (
        Change(SUBPOENA, ResourceName("*"), label, old, new, INCOMPARABLE),
    )
    no_instrument = (OLD[0], Policy({}, (), ()))
    assert all(c.label != label for c in diff(no_instrument, changed))


def test_whatever_else_decides_is_incomparable() -> None:
    base = resource(field("$.a"))
    for other, label in (
        (replace(base, snapshot=False), "$.a"),  # undated now: a matter of coverage
        (replace(base, query=(("dir", "f"),)), "query"),
        (replace(base, absent=frozenset({404})), "absent"),
        (replace(base, template=("v2", "x")), "path"),
        (replace(base, fields=(field("$.a", IP),)), "$.a: form"),
    ):
        told = diff(bundle(of=base), bundle(of=other))
        assert [c.label for c in told] == [label]
        assert verdict_of(told) is (NARROWER if label == "$.a" else INCOMPARABLE)


def test_what_is_withheld_under_both_is_never_told() -> None:
    hidden = rule(WITHHOLD, "r", path=parse_path("$.a"))
    one = bundle(hidden, of=resource(field("$.a")))
    two = bundle(hidden, of=resource(field("$.a", IP), query=(("x", "y"),)))
    assert diff(one, two) == ()


def test_texts_for_readers_are_never_told() -> None:
    one = resource(replace(field("$.a"), means="this"))
    two = resource(replace(field("$.a"), means="that"))
    assert diff(bundle(of=one), bundle(of=two)) == ()


@pytest.mark.parametrize("some", list(subsets([NARROWER, WIDER, INCOMPARABLE])), ids="+".join)
def test_verdicts_add_up(some: tuple[Verdict, ...]) -> None:
    changes = [Change(SUBPOENA, WHOIS, "$.a", "", "", each) for each in some]
    expected = EQUAL if not some else some[0] if len(some) == 1 else INCOMPARABLE
    assert verdict_of(changes + changes) is expected
    assert verdict_of(reversed(changes)) is expected
