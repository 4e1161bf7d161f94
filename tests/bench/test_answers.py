import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.documents import make_case
from tests.minimize.resources import ALICE, ID, MILLISECONDS, PHONE, TOKEN_KEY, keys, leaf, record
from withhold import config
from withhold.allowlist.compile import compile_widest
from withhold.bench.answers import Sketch, path_of, sketch, write_answer
from withhold.bench.values import PERIOD
from withhold.catalogue.model import Field, Page, Param, Record, RequestSubject, Resolves, Resource
from withhold.minimize.minimizer import Minimizer, subject_of
from withhold.minimize.tally import Tally
from withhold.names import Category, InstrumentName, StoreName
from withhold.paths import parse_path
from withhold.policy.model import Instrument, Policy

SHIPPED = config.load(Path(__file__).parents[2] / "config").bundle.catalogue.resources
ALL = Instrument(InstrumentName("all"), "", "", frozenset(Category), 1)
POLICY = Policy({ALL.name: ALL}, (), ())


def resource_of(*fields: Field, records: tuple[Record, ...] = (), **other: Any) -> Resource:  # noqa: ANN401 - as Resource has them
    given: dict[str, Any] = {
        "subject": None,
        "page": None,
        "resolves": None,
        "template": ("r", Param("who")),
        **other,
    }
    return Resource(
        store=StoreName("s"),
        short_name="r",
        query=(),
        absent=frozenset(),
        snapshot=True,
        fields=fields,
        records=records,
        **given,
    )


def about(confirm: str | None) -> RequestSubject:
    return RequestSubject("who", ID, None if confirm is None else parse_path(confirm))


def minimizer_of(shape: Sketch) -> Minimizer:
    allowlist = compile_widest(ALL, POLICY, shape.resource, named=True)
    subject = subject_of(shape.resource, shape.targets, shape.params)
    return Minimizer(allowlist, shape.targets, PERIOD, subject, TOKEN_KEY)


def tally_of(shape: Sketch, body: bytes) -> Tally:
    minimizer, total = minimizer_of(shape), Tally()
    for document in body.splitlines() if shape.is_lines else [body]:
        total.add(minimizer.run(document).tally)
    return total


def is_disclosed_completely(shape: Sketch, body: bytes) -> None:
    tally = tally_of(shape, body)
    covered = {entry.field.label for entry in minimizer_of(shape).allowlist.covered}
    assert covered - set(tally.disclosed) == set()
    assert dict(tally.withheld) == {}


@pytest.mark.parametrize("name", sorted(SHIPPED))
@pytest.mark.parametrize("asked", [{}, {"records": 3}, {"size_bytes": 100_000}], ids=str)
def test_all_of_a_shipped_resource_is_disclosed(name: str, asked: dict[str, int]) -> None:
    shape = sketch(next(each for each in SHIPPED.values() if each.name == name))
    answer = write_answer(shape, **asked)
    is_disclosed_completely(shape, answer.body)
    assert answer == write_answer(shape, **asked)
    assert len(answer.body) == asked.get("size_bytes", len(answer.body))


@given(st.integers(0, 2**64))
def test_all_of_any_resource_is_disclosed(seed: int) -> None:
    shape = sketch(sound(make_case(Random(seed)).allowlist.resource))
    is_disclosed_completely(shape, write_answer(shape).body)


def sound(resource: Resource) -> Resource:
    """Leave out what contradicts itself, as no store could: one place that is two things."""
    forms = {field.path: field.form for field in resource.fields if field.when is None}
    taken = {field.base + field.when.field for field in resource.fields if field.when is not None}
    taken |= {field.path for field in resource.fields if field.when is not None}
    subject = resource.subject
    params: tuple[Param, ...] = ()
    if subject is not None:
        params = (Param(subject.param),)
        if subject.confirm is not None and forms.get(subject.confirm) != subject.form:
            subject = replace(subject, confirm=None)
    records = []
    for each in resource.records:
        whom, when = each.subject, each.time
        if whom is not None:
            places = [each.each + names for names in whom.fields]
            taken_up = {place for place in places if forms.get(place) != whom.form} | taken
            if taken_up & set(places):
                whom = None
        if when is not None and forms.get(each.each + when.field) != when.form:
            when = None
        records.append(replace(each, subject=whom, time=when))
    return replace(resource, subject=subject, template=("r", *params), records=tuple(records))


def test_half_of_an_answer_is_undeclared_unless_a_size_is_asked_for() -> None:
    shape = sketch(SHIPPED[next(n for n in SHIPPED if n.endswith("sample/sessions"))])
    answer = write_answer(shape)
    document = json.loads(answer.body)
    assert answer.records == len(document["sessions"]) == 20
    for session in document["sessions"]:
        del session["undeclared"]
    declared = len(json.dumps(document, separators=(",", ":")))
    assert len(answer.body) == 2 * declared


@pytest.mark.parametrize("size_bytes", [10_000, 10_001, 10_017, 1_000_003])
def test_an_answer_has_exactly_the_size_and_the_records_asked_for(size_bytes: int) -> None:
    shape = sketch(resource_of(leaf("$.a[*].b"), leaf("$.c"), subject=about(None)))
    answer = write_answer(shape, records=7, size_bytes=size_bytes)
    assert len(answer.body) == size_bytes
    assert answer.records == len(json.loads(answer.body)["a"]) == 7
    is_disclosed_completely(shape, answer.body)


def test_an_answer_too_large_for_the_size_is_as_large_as_it_is() -> None:
    shape = sketch(resource_of(leaf("$.a[*].b"), subject=about(None)))
    answer = write_answer(shape, records=7, size_bytes=10)
    assert b"undeclared" not in answer.body
    assert len(json.loads(answer.body)["a"]) == 7


def test_of_a_size_alone_half_is_declared() -> None:
    shape = sketch(resource_of(leaf("$.a[*].b"), subject=about(None)))
    answer = write_answer(shape, size_bytes=100_000)
    declared = len(write_answer(shape, records=answer.records, size_bytes=0).body)
    assert declared == pytest.approx(50_000, rel=0.1)


def test_an_answer_without_records_is_filled_at_its_root() -> None:
    shape = sketch(resource_of(leaf("$.a"), leaf("$.undeclared"), subject=about("$.who")))
    body = write_answer(shape, size_bytes=500).body
    assert len(body) == 500
    assert set(json.loads(body)) == {"a", "undeclared", "undeclared_", "who"}


def test_scalars_of_an_array_have_no_room() -> None:
    shape = sketch(resource_of(leaf("$[*]", ID), records=(record("$[*]", [""]),)))
    answer = write_answer(shape, records=3, size_bytes=500)
    assert json.loads(answer.body) == ["id-000000"] * 3
    is_disclosed_completely(shape, answer.body)


def test_variants_take_turns_and_nested_arrays_hold_each() -> None:
    shape = sketch(
        resource_of(
            leaf("$.a[*].b[*].c", when=("kind", "x")),
            leaf("$.a[*].b[*].c", PHONE, when=("kind", "y")),
            leaf("$.a[*].b[*].d", when=("kind", True)),
            leaf("$.a[*].b[*].d", PHONE, when=("kind", 1)),
            subject=about(None),
        )
    )
    answer = write_answer(shape, records=1)
    assert [b["kind"] for b in json.loads(answer.body)["a"][0]["b"]] == ["x", "y", True, 1]
    is_disclosed_completely(shape, answer.body)


def test_variants_of_the_whole_answer_are_lines() -> None:
    fields = (leaf("$.c", when=("kind", "x")), leaf("$.c", PHONE, when=("kind", "y")))
    shape = sketch(resource_of(*fields, subject=about("$.who")))
    assert shape.is_lines
    answer = write_answer(shape, records=1, size_bytes=1_000)
    assert (answer.records, len(answer.body), answer.body.count(b"\n")) == (2, 1_000, 2)
    is_disclosed_completely(shape, answer.body)


def test_a_page_is_one_and_the_last() -> None:
    fields = (leaf("$.c", when=("kind", "x")), leaf("$.meta.next"), leaf("$.meta.total"))
    for where in ("meta", "nowhere"):
        page = Page((where, "next"), "after", None, 9)
        shape = sketch(resource_of(*fields, page=page, subject=about(None)))
        assert not shape.is_lines
        document = json.loads(write_answer(shape).body)
        assert ("next" in document["meta"]) == (where == "nowhere")


def test_keys_of_maps_are_of_their_kind() -> None:
    shape = sketch(
        resource_of(
            keys("$.by_time.*", MILLISECONDS),
            leaf("$.by_time.*"),
            leaf("$.plain.*.x"),
            subject=about(None),
        )
    )
    document = json.loads(write_answer(shape, records=2).body)
    assert all(key.isdecimal() for key in document["by_time"])
    assert all(key.startswith("key-") for key in document["plain"])


def test_a_lookup_leads_to_the_same_person_each_time() -> None:
    resolves = Resolves(parse_path("$.account"), ID)
    shape = sketch(resource_of(leaf("$.account", ID), subject=about(None), resolves=resolves))
    assert json.loads(write_answer(shape).body)["account"] == "id-000000"


def test_a_path_names_whom_the_request_is_about() -> None:
    template = ("r", Param("who"), Param("other"))
    shape = sketch(resource_of(leaf("$.a"), subject=about(None), template=template))
    assert path_of(shape) == ("r", "id-000000", "bench-1")
    assert {each.value for each in shape.targets} == {"id-000000"}


def test_a_person_is_written_in_all_forms_that_a_place_promises() -> None:
    patterned = replace(ID, pattern="u-[0-9]{5}")
    fields = (leaf("$.who", patterned), leaf("$.a[*].who", patterned), leaf("$.a[*].x"))
    shape = sketch(
        resource_of(*fields, records=(record("$.a[*]", ["who", "other"]),), subject=about("$.who"))
    )
    assert shape.params == {"who": "u-00000"}
    assert {(t.kind, t.value) for t in shape.targets} == {(ALICE.kind, "u-00000")}
    is_disclosed_completely(shape, write_answer(shape).body)
