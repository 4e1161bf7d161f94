"""What narrows an order: the warrant's own categories, fields and targets, and who asks."""

import re
from dataclasses import replace
from typing import Any

import pytest

from tests.synapse.canaries import canaries_in
from tests.synapse.client import Client, path_of
from tests.synapse.office import Office, Raw
from tests.synapse.oracle import TOKEN, Tokens, agree
from tests.synapse.relay import Relay
from tests.synapse.tables import ORDERS
from tests.synapse.world import PHONE, World

pytestmark = pytest.mark.synapse

IP = "$.devices.*.sessions[*].connections[*].ip"


def named(path: str, resource: str = "synapse/whois") -> dict[str, str]:
    """A field, as a warrant names it."""
    return {"resource": resource, "path": path}


@pytest.mark.parametrize("categories", [["subscriber"], ["traffic", "content"], ["identifying"]])
def test_the_categories_of_a_warrant_narrow_its_instrument(
    categories: list[str],
    *,
    client: Client,
    office: Office,
    raw: Raw,
    tokens: Tokens,
    world: World,
) -> None:
    warrant = office.issue("us-search-warrant", categories=categories)
    narrowed = replace(ORDERS["us-search-warrant"], covers=frozenset(categories))
    oracle = replace(office.oracle("us-search-warrant"), order=narrowed)

    for resource, subject in (
        ("user", world.alice),
        ("whois", world.carol),
        ("devices", world.carol),
        ("room-messages", world.den),
    ):
        expected = oracle.expect(resource, raw(resource, subject))
        answer = client.get(path_of(resource, subject), warrant)
        assert agree(expected.body, answer.json, warrant, tokens)
        assert canaries_in(answer.seen) == canaries_in(repr(expected.body))


def test_categories_beyond_the_instrument_reach_nothing(
    client: Client, office: Office, relay: Relay, world: World
) -> None:
    warrant = office.issue("us-sca-subpoena", categories=["content", "traffic"])
    with relay.watching() as asked:
        for resource, subject in (("user", world.alice), ("room-messages", world.den)):
            assert client.get(path_of(resource, subject), warrant).json == {}
    assert asked == []


def test_a_warrant_that_names_the_address_gets_it_in_clear_and_in_its_normal_form(
    client: Client, office: Office, relay: Relay, world: World
) -> None:
    warrant = office.issue("us-sca-subpoena", fields=[named(IP)])

    answer = client.get(path_of("whois", world.alice), warrant)

    addresses = ["2001:db8::7", "198.51.100.7", "192.0.2.33"]  # and one that was `unknown`
    connections = [{"ip": ip} for ip in addresses]
    assert answer.json == {"devices": {"1": {"sessions": [{"connections": connections}]}}}
    with relay.watching() as asked:
        assert client.get(path_of("user", world.alice), warrant).json == {}
    assert asked == []


def test_fields_and_categories_are_their_intersection(
    client: Client, office: Office, world: World
) -> None:
    fields = [named(IP), named("$.user_id")]
    warrant = office.issue("us-sca-subpoena", fields=fields, categories=["subscriber"])
    answer = client.get(path_of("whois", world.alice), warrant)
    assert answer.json == {"user_id": world.alice}


def test_a_field_beyond_the_instrument_is_withheld_though_it_is_named(
    client: Client, office: Office, world: World
) -> None:
    fields = [named("$.avatar_url", "synapse/user"), named("$.name", "synapse/user")]
    warrant = office.issue("us-sca-subpoena", fields=fields)
    assert client.get(path_of("user", world.alice), warrant).json == {"name": world.alice}


def test_a_caller_may_ask_for_less_and_not_for_more(
    client: Client, warrants: dict[str, str], world: World
) -> None:
    path, warrant = path_of("user", world.alice), warrants["us-sca-subpoena"]
    headers = {"Withhold-Fields": '"$.displayname", "$.avatar_url", "$.last_seen_ts", "$.nothing"'}

    answer = client.get(path, warrant, **headers)

    assert answer.json == {"displayname": world.named("alicename")}
    whole = client.get(path, warrant)
    assert answer.headers["withhold-allowlist"] != whole.headers["withhold-allowlist"]
    assert client.get(path, warrant, Withhold_Fields='"$.avatar_url"').json == {}
    broken = client.get(path, warrant, Withhold_Fields="$.displayname")
    assert (broken.status, broken.code) == (400, "bad-request")


def test_equal_addresses_have_equal_tokens_within_a_warrant_and_others_in_another(
    client: Client, office: Office, world: World
) -> None:
    def tokens_of(warrant: str) -> dict[str, Any]:
        alice = client.get(path_of("whois", world.alice), warrant).json
        carol = client.get(path_of("whois", world.carol), warrant).json
        devices = client.get(path_of("devices", world.alice), warrant).json["devices"]
        return {
            "alice": alice["devices"][""]["sessions"][0]["connections"],
            "carol": carol["devices"][""]["sessions"][0]["connections"],
            "devices": devices,
        }

    one, other = (tokens_of(office.issue("us-sca-subpoena")) for _ in range(2))

    for found in (one, other):
        phone = next(
            each["last_seen_ip"]
            for each in found["devices"]
            if each["device_id"] == world.named("phonedevice")
        )
        # Alice and Carol were at one address: the warrant shows that, and not which it is.
        assert found["carol"][0]["ip"] == phone
        assert phone in [each.get("ip") for each in found["alice"]]
    first, second = (set(re.findall(TOKEN.pattern, repr(each))) for each in (one, other))
    assert len(first) == len(second) == 1  # the key's id, of each
    assert first != second
    all_tokens = [set(re.findall(r"tok_ip_\w+", repr(each))) for each in (one, other)]
    assert len(all_tokens[0]) == len(all_tokens[1]) == 3
    assert not all_tokens[0] & all_tokens[1]


def test_a_warrant_about_a_phone_reaches_the_lookup_and_not_the_account(
    client: Client, office: Office, relay: Relay, world: World
) -> None:
    targets = [{"kind": "phone", "value": "+442079460220"}]
    warrant = office.issue("us-search-warrant", targets=targets)

    for spelling in (PHONE, "+442079460220", "+44 (20) 7946-0220"):
        with relay.watching() as asked:
            answer = client.get(path_of("threepid-msisdn", spelling), warrant)
        assert answer.json == {"user_id": world.alice}
        assert asked == [f"GET /_synapse/admin/v1/threepid/msisdn/users/{PHONE} HTTP/1.1"]
    with relay.watching() as asked:
        assert client.get(path_of("user", world.alice), warrant).code == "not-a-target"
        assert client.get(path_of("threepid-email", world.email), warrant).code == "not-a-target"
    assert asked == []
    # Nobody's messages are a phone's.
    assert client.get(path_of("room-messages", world.den), warrant).json == {}


def test_one_target_does_not_stand_for_the_other(
    client: Client, office: Office, raw: Raw, tokens: Tokens, world: World
) -> None:
    targets = [{"kind": "id", "value": world.carol}]
    warrant = office.issue("us-search-warrant", targets=targets)
    oracle = replace(office.oracle("us-search-warrant"), targets=frozenset({world.carol}))

    answer = client.get(path_of("room-messages", world.den), warrant)

    expected = oracle.expect("room-messages", raw("room-messages", world.den))
    assert agree(expected.body, answer.json, warrant, tokens)
    assert {event["sender"] for event in answer.json["chunk"]} == {world.carol}
    members = client.get(path_of("room-members", world.den), warrant)
    assert members.json == {"members": [world.carol]}
    assert client.get(path_of("room-messages", world.attic), warrant).json == {}
    assert client.get(path_of("room-members", world.attic), warrant).json == {}
