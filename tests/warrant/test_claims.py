import json
from typing import Any

import pytest

from tests.warrants import claims, payload
from withhold.digest import digest_of
from withhold.errors import WarrantError
from withhold.kinds.instant import parse_rfc3339
from withhold.names import Category, Kind
from withhold.paths import Wild
from withhold.warrant.claims import MAX_PAYLOAD_BYTES, parse_claims
from withhold.warrant.model import Interval, NamedField, Target


def fault(**changed: object) -> WarrantError:
    with pytest.raises(WarrantError) as caught:
        parse_claims(payload(**changed))
    return caught.value


def target(kind: str, value: object) -> list[dict[str, object]]:
    return [{"kind": kind, "value": value}]


def test_reads_the_contracts_example() -> None:
    data = payload()
    warrant = parse_claims(data)
    assert warrant.id == "W-2026-0117-k7wqz4"
    assert warrant.instrument == "us-sca-subpoena"
    assert (warrant.jurisdiction, warrant.authority) == ("US", "Superior Court of California")
    assert warrant.reference == "26-SW-70123"
    assert warrant.targets == {
        Target(Kind.PHONE, "+442079460220"),
        Target(Kind.ID, "@alice:example.test"),
    }
    assert warrant.categories == {Category.SUBSCRIBER, Category.IDENTIFYING}
    assert warrant.fields == frozenset()
    since, until = parse_rfc3339("2026-01-01T00:00:00Z"), parse_rfc3339("2026-12-01T00:00:00Z")
    assert since is not None
    assert until is not None
    assert warrant.period == Interval(since, until)
    assert warrant.callers == {"disclosure-service"}
    assert warrant.digest == digest_of(data)
    assert (warrant.served_at, warrant.secrecy_until, warrant.supersedes) == (None, None, None)
    assert warrant.note == ""


def test_reads_what_is_optional() -> None:
    warrant = parse_claims(
        payload(
            served_at="2026-11-02T01:30:00+01:30",
            secrecy_until="2027-11-02T00:00:00.250Z",
            supersedes="W-1",
            note="two\nlines",
        )
    )
    assert warrant.served_at == parse_rfc3339("2026-11-02T00:00:00Z")
    assert warrant.secrecy_until == parse_rfc3339("2027-11-02T00:00:00.25Z")
    assert (warrant.supersedes, warrant.note) == ("W-1", "two\nlines")


@pytest.mark.parametrize("member", claims())
def test_every_member_of_the_example_is_required(member: str) -> None:
    assert str(fault(**{member: ...})) == f"`$` lacks `{member}`"


def test_unknown_members_are_refused_where_they_stand() -> None:
    assert fault(target=[]).hint == "did you mean `targets`?"
    assert str(fault(period={"from": "x", "til": "y"})) == "`$.period.til` is unknown"
    assert str(fault(targets=[{"kind": "id", "val": "x"}])) == "`$.targets[0].val` is unknown"
    named = {"resource": "s/r", "path": "$.a", "category": "content"}
    assert str(fault(fields=[named])) == "`$.fields[0].category` is unknown"


def test_the_digest_is_of_the_bytes_and_not_of_what_they_mean() -> None:
    assert parse_claims(payload()).digest != parse_claims(payload() + b"\n").digest


@pytest.mark.parametrize(
    ("kind", "value", "normal"),
    [
        ("phone", "+44 (20) 7946-0220", "+442079460220"),
        ("email", "alice@EXAMPLE.test", "alice@example.test"),
        ("ip", "2001:DB8:0::1", "2001:db8::1"),
        ("ip", "::ffff:192.0.2.1", "192.0.2.1"),
        ("id", "@Alice:example.test", "@Alice:example.test"),
        ("id", "0042", "0042"),
        ("id", "naïve id", "naïve id"),
    ],
)
def test_targets_are_in_normal_form(kind: str, value: str, normal: str) -> None:
    assert parse_claims(payload(targets=target(kind, value))).targets == {
        Target(Kind(kind), normal)
    }


def test_two_spellings_of_one_target_are_one() -> None:
    twice = target("phone", "+442079460220") + target("phone", "+44 20 7946 0220")
    assert len(parse_claims(payload(targets=twice)).targets) == 1


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([], "`$.targets` is empty"),
        ({}, "`$.targets` must be an array"),
        (["@alice"], "`$.targets[0]` must be an object"),
        (target("phone", "020 7946 0220"), "`$.targets[0].value` is not a phone number in inter"),
        (target("phone", "442079460220"), "`$.targets[0].value` is not a phone number in inter"),
        (target("ip", "192.0.2.256"), "`$.targets[0].value` is not an IP address"),
        (target("ip", "fe80::1%eth0"), "`$.targets[0].value` is not an IP address"),
        (target("email", "alice"), "`$.targets[0].value` is not an email address"),
        (target("id", ""), "`$.targets[0].value` is empty, or has space around it"),
        (target("id", "@alice "), "`$.targets[0].value` is empty, or has space around it"),
        (target("id", "a\x00b"), "`$.targets[0].value` holds a control character"),
        (target("id", "a" * 1_025), "`$.targets[0].value` is too long"),
        (target("id", 42), "`$.targets[0].value` must be a string"),
        (target("text", "alice"), "`$.targets[0].kind` is not the kind of a target"),
        (target("Phone", "+442079460220"), "`$.targets[0].kind` is not the kind of a target"),
        (target("id", "x") * 1_001, "`$.targets` has more than 1000 entries"),
    ],
)
def test_a_target_that_could_be_nobody_or_somebody_else_is_refused(
    targets: object, message: str
) -> None:
    assert str(fault(targets=targets)).startswith(message)


def test_half_a_surrogate_pair_is_nobodys_id() -> None:
    data = payload(targets=target("id", "HALF")).replace(b"HALF", b"\\ud800")
    with pytest.raises(WarrantError, match="surrogate"):
        parse_claims(data)


def test_a_thousand_targets_are_read() -> None:
    many = [{"kind": "id", "value": f"u{i}"} for i in range(1_000)]
    assert len(parse_claims(payload(targets=many)).targets) == 1_000


@pytest.mark.parametrize("name", ["period", "valid"])
@pytest.mark.parametrize(
    ("since", "until", "message"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "is empty"),
        ("2026-01-01T00:00:00Z", "2025-12-31T23:59:59.9Z", "is empty"),
        ("2026-01-01T01:00:00+02:00", "2025-12-31T23:00:00Z", "is empty"),
        ("2026-01-01T00:00:00", "2026-02-01T00:00:00Z", ".from` is not a time with an offset"),
        ("2026-01-01", "2026-02-01T00:00:00Z", ".from` is not a time with an offset"),
        ("2026-01-01T00:00:00Z", "2026-02-30T00:00:00Z", ".until` is not a time with an offset"),
        ("2026-01-01T00:00:00Z", 1_800_000_000, ".until` must be a string"),
        ("1969-12-31T23:59:59Z", "2026-02-01T00:00:00Z", ".from` is not between the years"),
        ("2026-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00", ".until` is not between the years"),
    ],
)
def test_an_interval_is_two_instants_in_order(
    name: str, since: str, until: object, message: str
) -> None:
    text = str(fault(**{name: {"from": since, "until": until}}))
    assert text.startswith(f"`$.{name}")
    assert message in text


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"id": "-W"}, "`$.id` is not an id of a warrant"),
        ({"id": "W/1"}, "`$.id` is not an id of a warrant"),
        ({"id": "W\n"}, "`$.id` is not an id of a warrant"),
        ({"id": "W" * 129}, "`$.id` is not an id of a warrant"),
        ({"id": "Wé"}, "`$.id` is not an id of a warrant"),
        ({"id": 1}, "`$.id` must be a string"),
        ({"supersedes": "W 1"}, "`$.supersedes` is not an id of a warrant"),
        ({"supersedes": "W-2026-0117-k7wqz4"}, "`$.supersedes` names the warrant itself"),
        ({"instrument": ""}, "`$.instrument` is empty"),
        ({"jurisdiction": " "}, "`$.jurisdiction` is empty"),
        ({"authority": "a\tb"}, "`$.authority` holds a control character"),
        ({"reference": None}, "`$.reference` must be a string"),
        ({"callers": []}, "`$.callers` is empty"),
        ({"callers": [""]}, "`$.callers[0]` is empty"),
        ({"callers": "disclosure-service"}, "`$.callers` must be an array"),
        ({"categories": ["subscriber", "everything"]}, "`$.categories[1]` is not a category"),
        ({"categories": None}, "`$.categories` must be an array"),
        ({"categories": ["content"] * 1_001}, "`$.categories` has more than 1000 entries"),
        ({"served_at": "yesterday"}, "`$.served_at` is not a time with an offset"),
        ({"secrecy_until": None}, "`$.secrecy_until` must be a string"),
        ({"note": ["x"]}, "`$.note` must be a string"),
    ],
)
def test_what_a_member_must_be(changed: dict[str, object], message: str) -> None:
    assert str(fault(**changed)).startswith(message)


def test_fields_are_paths_of_resources_in_one_form() -> None:
    fields = [
        {"resource": "synapse/whois", "path": "$['user_id']"},
        {"resource": "synapse/whois", "path": "$.user_id"},
        {"resource": "synapse/whois", "path": "$.devices.*.sessions[*].ip"},
    ]
    assert parse_claims(payload(fields=fields)).fields == {
        NamedField("synapse/whois", ("user_id",)),  # type: ignore[arg-type]
        NamedField("synapse/whois", ("devices", Wild.MEMBERS, "sessions", Wild.ELEMENTS, "ip")),  # type: ignore[arg-type]
    }


@pytest.mark.parametrize(
    ("resource", "path", "message"),
    [
        ("whois", "$.a", "`$.fields[0].resource` is not a resource"),
        ("/whois", "$.a", "`$.fields[0].resource` is not a resource"),
        ("synapse/", "$.a", "`$.fields[0].resource` is not a resource"),
        ("a/b/c", "$.a", "`$.fields[0].resource` is not a resource"),
        ("a/b", "user_id", "`$.fields[0].path` is not a path"),
        ("a/b", "$..user_id", "`$.fields[0].path` is not a path"),
        ("a/b", "$", "`$.fields[0].path` names the whole answer"),
    ],
)
def test_a_field_that_could_not_be_declared_is_refused(
    resource: str, path: str, message: str
) -> None:
    assert str(fault(fields=[{"resource": resource, "path": path}])).startswith(message)


def test_a_warrant_is_bounded_in_size() -> None:
    room = MAX_PAYLOAD_BYTES - len(payload(note=""))
    assert len(parse_claims(payload(note="x" * room)).note) == room
    assert "too large" in str(fault(note="x" * (room + 1)))


def test_a_name_that_stands_twice_is_refused_wherever_it_is() -> None:
    for one, two in [(b'"kind": "id"', b'"kind": "ip", "kind": "id"'), (b"{", b'{"id": "W-2", ')]:
        with pytest.raises(WarrantError, match="twice"):
            parse_claims(payload().replace(one, two, 1))


def test_no_fault_and_no_repr_says_what_a_warrant_holds() -> None:
    secret = "0207946CANARY"
    places: list[dict[str, Any]] = [
        {"targets": target("phone", secret)},
        {"targets": target("ip", secret)},
        {"targets": target(secret, secret)},
        {"fields": [{"resource": "a/b", "path": secret}]},
        {"fields": [{"resource": secret, "path": "$.a"}]},
        {"categories": [secret]},
        {"id": f" {secret}"},
        {"period": {"from": secret, "until": secret}},
        {secret: 1},
    ]
    for changed in places:
        error = fault(**changed)
        assert "CANARY" not in f"{error} {error.hint} {error!r}"
        assert error.__cause__ is None
        assert error.__context__ is None or error.__suppress_context__
    assert "alice" not in repr(parse_claims(json.dumps(claims()).encode()))


@pytest.mark.parametrize("lacking", ["categories", "fields"])
def test_what_narrows_must_be_said_even_where_it_narrows_nothing(lacking: str) -> None:
    data = claims()
    del data[lacking]
    with pytest.raises(WarrantError, match=f"lacks `{lacking}`") as caught:
        parse_claims(json.dumps(data).encode())
    assert caught.value.hint == "`[]` is all that the instrument covers"


@pytest.mark.parametrize(
    ("changed", "where", "form"),
    [
        ({"fields": ["$.user_id"]}, "$.fields[0]", '"resource": "synapse/whois"'),
        ({"targets": ["@alice:example.test"]}, "$.targets[0]", '"kind": "id"'),
        ({"period": "2026"}, "$.period", '"from": "'),
    ],
)
def test_what_must_be_an_object_is_shown(changed: dict[str, object], where: str, form: str) -> None:
    refused = fault(**changed)
    assert refused.message == f"`{where}` must be an object"
    assert form in refused.hint
