"""The laws (contract §3), on generated documents: deny by default, non-interference, build."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.documents import CANARY, Case, make_case, make_document, make_lines
from tests.minimize.oracle import MISSING, Steps, build, column, leaves, parse, repeats_subject
from tests.minimize.resources import TOKEN_KEY, outcome_of
from tests.minimize.scramble import scramble
from withhold.allowlist.model import Allowlist, Entry
from withhold.errors import Malformed, Mismatch
from withhold.kinds.scalar import MALFORMED, normal_form
from withhold.minimize.fast import Plan
from withhold.minimize.minimizer import Minimizer
from withhold.minimize.tally import Tally
from withhold.names import Part, Treatment

seeds = st.integers(0, 2**64)


def tallies(
    seed: int, documents: int = 10
) -> Iterator[tuple[Random, Case, bytes, bytes | None, Tally]]:
    """Give well-formed documents of one resource, each with what leaves of it and the counts."""
    rng = Random(seed)
    case = make_case(rng)
    plan = Plan(case.allowlist)
    for _ in range(documents):
        body = make_document(rng, case.root)
        outcome = outcome_of(plan, case.scope, body)
        if isinstance(outcome, tuple):
            yield rng, case, body, *outcome


def answers(seed: int, documents: int = 10) -> Iterator[tuple[Random, Case, bytes, bytes | None]]:
    """Give the same without the counts."""
    for rng, case, body, output, _tally in tallies(seed, documents):
        yield rng, case, body, output


@given(seeds)
def test_the_output_is_built_from_the_leaves_that_may_leave(seed: int) -> None:
    for _, case, body, output in answers(seed):
        expected = build(case, leaves(case, parse(body)))
        assert (MISSING if output is None else parse(output)) == expected


def _size(output: object) -> int:
    """Count the leaves of an output."""
    if isinstance(output, dict):
        return sum(map(_size, output.values()))
    return sum(map(_size, output)) if isinstance(output, list) else 1


@given(seeds)
def test_every_leaf_of_the_output_is_counted_once_at_its_label(seed: int) -> None:
    for _, case, body, output, tally in tallies(seed):
        parts = {entry.field.label: entry.field.part for entry in case.allowlist.covered}
        values = Counter({k: n for k, n in tally.disclosed.items() if parts[k] is Part.VALUE})
        assert values.total() == (0 if output is None else _size(parse(output)))
        assert values == Counter(leaf.entry.field.label for leaf in leaves(case, parse(body)))


@given(seeds)
def test_every_key_of_the_output_is_counted_unless_it_is_an_ordinal(seed: int) -> None:
    for _, case, body, _output, tally in tallies(seed):
        found = leaves(case, parse(body))
        for entry in case.allowlist.entries:
            path = entry.field.path
            if entry.field.part is not Part.KEY:
                continue
            beneath = {
                f.steps[: len(path)] for f in found if f.entry.field.path[: len(path)] == path
            }
            maps: dict[Steps, list[str]] = {}
            for *place, key in beneath:
                maps.setdefault(tuple(place), []).append(str(key))
            forms = [[normal_form(entry.field.form, key) for key in keys] for keys in maps.values()]
            disclosed = [f for f in forms if MALFORMED not in f and len(set(f)) == len(f)]
            is_covered = entry.treatment is Treatment.DISCLOSE
            assert tally.disclosed[entry.field.label] == sum(map(len, disclosed)) * is_covered


@given(seeds)
def test_an_answer_about_somebody_else_is_a_mismatch_and_no_other_is(seed: int) -> None:
    rng = Random(seed)
    case = make_case(rng)
    for _ in range(10):
        body = make_document(rng, case.root)
        outcome = outcome_of(Plan(case.allowlist), case.scope, body)
        if outcome is not Malformed:
            assert (outcome is Mismatch) is not repeats_subject(case, parse(body))


@given(seeds)
def test_what_does_not_decide_changes_nothing(seed: int) -> None:
    for rng, case, body, output in answers(seed, documents=5):
        other = scramble(rng, case, parse(body)).encode()
        outcome = outcome_of(Plan(case.allowlist), case.scope, other)
        assert isinstance(outcome, tuple)
        assert outcome[0] == output


def test_scrambling_does_change_documents() -> None:
    pairs = [
        (body, scramble(rng, case, parse(body)).encode())
        for seed in range(100)
        for rng, case, body, output in answers(seed)
        if output is not None
    ]
    assert len(pairs) > 300
    assert sum(body != other for body, other in pairs) > 0.95 * len(pairs)
    assert sum(b"CANARY" in other for _, other in pairs) > 0.8 * len(pairs)


@given(seeds)
def test_what_no_path_names_is_never_in_the_output(seed: int) -> None:
    for rng, case, body, output in answers(seed):
        assert output is None or CANARY.encode() not in output
        other = scramble(rng, case, parse(body)).encode()
        outcome = outcome_of(Plan(case.allowlist), case.scope, other)
        assert isinstance(outcome, tuple)
        assert outcome[0] is None or CANARY.encode() not in outcome[0]


@given(seeds)
def test_a_narrower_allowlist_lets_out_a_part_of_the_same(seed: int) -> None:
    for rng, case, body, output in answers(seed, documents=4):
        entries = case.allowlist.entries
        dropped = {entry.field.path for entry in entries if rng.random() < 0.4}
        narrower = Allowlist(
            case.allowlist.resource,
            tuple(
                Entry(e.field, Treatment.WITHHOLD, "x") if e.field.path in dropped else e
                for e in entries
            ),
        )
        outcome = outcome_of(Plan(narrower), case.scope, body)
        assert isinstance(outcome, tuple)
        wide = {} if output is None else parse(output)
        narrow = {} if outcome[0] is None else parse(outcome[0])
        for path in {entry.field.path for entry in entries if entry.field.part is Part.VALUE}:
            kept = [] if path in dropped else column(wide, path)
            assert column(narrow, path) == kept


def _covers_what_decides(case: Case) -> bool:
    """Tell whether all that decides is covered as what it is, so that it is in the output, too."""
    resource = case.allowlist.resource
    fields = {field.path: field for field in resource.fields if field.part is Part.VALUE}
    decide = []
    for record in resource.records:
        places = []
        if record.subject is not None:
            form = record.subject.form
            places = [((*record.each, *names), form) for names in record.subject.fields]
        if record.time is not None:
            places.append(((*record.each, *record.time.field), record.time.form))
        if any(resource.records_around(path)[-1] != record for path, _ in places):
            return False  # what decides about this record may stay behind with one within it
        decide += places
    return (
        (resource.subject is None or resource.subject.confirm is None)
        and all(field.when is None for field in fields.values())
        and all(path in fields and fields[path].form == form for path, form in decide)
    )


def test_minimizing_twice_is_minimizing_once() -> None:
    tried = 0
    for seed in range(1_500):
        rng = Random(seed)
        case = make_case(rng)
        if not _covers_what_decides(case):
            continue
        entries = tuple(
            replace(entry, treatment=Treatment.DISCLOSE) for entry in case.allowlist.entries
        )
        plan = Plan(Allowlist(case.allowlist.resource, entries))
        for _ in range(5):
            outcome = outcome_of(plan, case.scope, make_document(rng, case.root))
            if isinstance(outcome, tuple) and outcome[0] is not None:
                again = outcome_of(plan, case.scope, outcome[0])
                assert isinstance(again, tuple)
                assert again[0] == outcome[0]
                tried += 1
    assert tried > 500


@given(seeds)
def test_lines_are_documents_of_their_own(seed: int) -> None:
    rng = Random(seed)
    case = make_case(rng)
    scope = case.scope
    minimizer = Minimizer(case.allowlist, scope.targets, scope.period, scope.subject, TOKEN_KEY)
    total = Tally()
    for line in make_lines(rng, case.root).split(b"\n"):
        outcome = outcome_of(Plan(case.allowlist), scope, line)
        if not isinstance(outcome, tuple):
            continue
        minimized = minimizer.run(line)
        assert (minimized.body, minimized.tally) == outcome
        assert minimizer.minimize(line) == (outcome[0] or minimizer.empty_root)
        total.add(outcome[1])
    assert minimizer.tally == total
