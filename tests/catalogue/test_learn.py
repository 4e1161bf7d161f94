import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from withhold.catalogue.learn import Undeclared, guess_forms, learn, looks_like_data
from withhold.catalogue.model import Field, Resource
from withhold.kinds.form import Form
from withhold.kinds.scalar import Number
from withhold.minimize.document import parse_document
from withhold.names import Category, Kind, Part, StoreName, Unit
from withhold.paths import MAX_SEGMENTS, parse_path, print_path

TEXT = Form(Kind.TEXT)


def field(path: str, part: Part = Part.VALUE) -> Field:
    return Field(parse_path(path), Category.SUBSCRIBER, TEXT, "user", "a thing", part)


def resource(*fields: Field) -> Resource:
    return Resource(
        store=StoreName("sample"),
        short_name="thing",
        template=("thing",),
        subject=None,
        query=(),
        page=None,
        absent=frozenset(),
        snapshot=True,
        resolves=None,
        fields=fields,
        records=(),
    )


def learned(
    document: object, *fields: Field, known: bool = True
) -> dict[tuple[str, Part], Undeclared]:
    body = json.dumps(document).encode()
    found = learn([parse_document(body)], resource(*fields) if known else None)
    return {(print_path(each.path), each.part): each for each in found}


def paths(document: object, *fields: Field) -> list[str]:
    return [
        path if part is Part.VALUE else f"{path} key" for path, part in learned(document, *fields)
    ]


def test_lists_what_no_catalogue_declares() -> None:
    assert paths({"a": 1, "b": [{"c": "x"}]}) == ["$.a", "$.b[*].c"]


def test_leaves_out_what_is_declared() -> None:
    assert paths({"a": 1, "b": [{"c": "x", "d": None}]}, field("$.a"), field("$.b[*].c")) == [
        "$.b[*].d"
    ]


def test_a_new_resource_declares_nothing() -> None:
    assert list(learned({"a": 1}, known=False)) == [("$.a", Part.VALUE)]


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (True, Form(Kind.BOOLEAN)),
        (443, Form(Kind.NUMBER)),
        (1.5, Form(Kind.NUMBER)),
        (1_767_225_600, Form(Kind.TIMESTAMP, unit=Unit.SECONDS)),
        (1_767_225_600_000, Form(Kind.TIMESTAMP, unit=Unit.MILLISECONDS)),
        (1_767_225_600_000_000, Form(Kind.TIMESTAMP, unit=Unit.MICROSECONDS)),
        ("2026-01-01T00:00:00Z", Form(Kind.TIMESTAMP, unit=Unit.RFC3339)),
        ("1767225600", Form(Kind.ID)),
        ("192.0.2.1", Form(Kind.IP)),
        ("2001:db8::1", Form(Kind.IP)),
        ("alice@example.test", Form(Kind.EMAIL)),
        ("+44 20 7946 0220", Form(Kind.PHONE)),
        ("@alice:example.test", Form(Kind.ID)),
        ("hello", TEXT),
        ("two words 2", TEXT),
        ("", TEXT),
        (None, None),
    ],
)
def test_guesses_a_kind_from_the_form_of_a_value(value: object, form: Form | None) -> None:
    assert learned({"x": value})["$.x", Part.VALUE].guess == form


def test_a_guess_fits_every_value() -> None:
    assert learned([{"x": "192.0.2.1"}, {"x": None}, {"x": "host-1"}])[
        "$[*].x", Part.VALUE
    ].guess == Form(Kind.ID)
    assert learned([{"x": 1}, {"x": "one"}])["$[*].x", Part.VALUE].guess == TEXT


@pytest.mark.parametrize(
    "key",
    [
        *("", "@alice:example.test", "QBUAZIFURK", "+442079460220", "192.0.2.1", "é", "x" * 41),
        *("Alice Archer", "alice-archer", "alice.archer", "content-type"),
    ],
)
def test_a_key_that_looks_like_data_makes_a_map(key: str) -> None:
    assert looks_like_data(key)
    assert paths({"devices": {key: {"ip": "192.0.2.1"}}}) == ["$.devices.* key", "$.devices.*.ip"]


@pytest.mark.parametrize("key", ["name", "last_seen_ts", "ip4", "_type"])
def test_a_key_that_looks_like_a_name_stays_one(key: str) -> None:
    assert not looks_like_data(key)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ({"lat": 1.5, "lon": 2.5}, {"lat": 1.5, "lon": "x"}, True),
        ({"lat": 1.5, "lon": 2.5}, {"lat": 1.5}, True),
        ({"lat": 1.5, "lon": 2.5, "at": 1}, {"lat": 1.5, "lon": 2.5, "by": 1}, True),
        ({"a": 1, "b": 2, "c": 3, "d": 4}, {"a": 1, "b": 2, "c": 3, "e": 5}, True),
        ({"id": 1, "name": "x"}, {"id": 1, "topic": "x"}, False),
        ({"lat": 1.5}, {}, False),
        ({"lat": 1.5}, [{"lat": 1.5}], False),
        ({"lat": 1.5}, 1.5, False),
    ],
)
def test_objects_with_nearly_the_same_members_make_a_map(
    one: object, other: object, *, alike: bool
) -> None:
    found = paths({"known": {"alice": one, "bob": other}})
    assert any("alice" in path for path in found) is not alike
    assert ("$.known.* key" in found) is alike


def test_an_object_without_members_is_as_the_others_are() -> None:
    known = {"alice": {"since": 1}, "bob": {"since": 2}, "carol": {}}
    assert paths({"known": known}) == ["$.known.* key", "$.known.*.since"]


def test_one_name_that_is_declared_names_the_others() -> None:
    known = {"sender": {"id": "a-1"}, "recipient": {"id": "a-2"}}
    assert paths(known) == ["$.* key", "$.*.id"]
    assert paths(known, field("$.sender.id")) == ["$.recipient.id"]


def test_several_arrays_of_one_shape_make_a_map() -> None:
    places = {name: [{"lat": 1.5}] for name in ("home", "work", "gym")}
    assert paths({"places": places}) == ["$.places.* key", "$.places.*[*].lat"]
    two = {name: places[name] for name in ("home", "work")}
    assert paths({"places": two})[0] == "$.places.home[*].lat"


def test_many_scalars_of_one_form_make_a_map() -> None:
    words = [a + b for a in "abcd" for b in "xyz"]
    assert paths({"w": dict.fromkeys(words, 1)}) == ["$.w.* key", "$.w.*"]
    assert len(paths({"w": dict.fromkeys(words[:-1], 1)})) == len(words) - 1


def test_the_catalogue_says_what_a_map_is() -> None:
    document = {"by_name": {"a": {"x": 1, "y": 2}}, "fixed": {"@a:b": 1, "c": 2}}
    declared = (field("$.by_name.*.x"), field("$.fixed.c"))
    assert paths(document, *declared) == ["$.by_name.* key", "$.by_name.*.y", "$.fixed['@a:b']"]
    keyed = (*declared, field("$.by_name.*", Part.KEY))
    assert paths(document, *keyed) == ["$.by_name.*.y", "$.fixed['@a:b']"]


def test_members_of_a_map_are_one_place() -> None:
    document = {"m": {"1111": {"a": 1, "l": ["x y"]}, "2222": {"a": "b", "l": [None, "192.0.2.1"]}}}
    found = learned(document)
    assert list(found) == [
        ("$.m.*", Part.KEY),
        ("$.m.*.a", Part.VALUE),
        ("$.m.*.l[*]", Part.VALUE),
    ]
    assert found["$.m.*.a", Part.VALUE].guess == TEXT
    assert found["$.m.*.l[*]", Part.VALUE].guess == TEXT
    assert found["$.m.*", Part.KEY].guess == Form(Kind.ID)


def test_a_scalar_and_a_container_at_one_place_are_told() -> None:
    found = learned([{"x": 1}, {"x": {"y": 2}}], field("$[*].x"))
    assert found["$[*].x", Part.VALUE].mixed
    assert not found["$[*].x.y", Part.VALUE].mixed


def test_what_is_deeper_than_a_path_is_left_out() -> None:
    document: object = 1
    for _ in range(MAX_SEGMENTS + 3):
        document = {"a": document}
    assert paths(document) == []


def test_the_root_itself_is_no_field() -> None:
    assert paths(1) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_what_is_declared_as_proposed_is_learned_no_more(document: object) -> None:
    found = learned(document)
    declared = [
        Field(each.path, Category.SUBSCRIBER, each.guess or TEXT, "user", "x", each.part)
        for each in found.values()
    ]
    again = learned(document, *declared)
    assert all(each.mixed for each in again.values())


@given(st.text())
def test_every_text_is_at_least_text(text: str) -> None:
    assert TEXT in guess_forms(text)
    assert guess_forms(Number("1")) >= {Form(Kind.NUMBER)}
