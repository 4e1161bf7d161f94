"""The margins after a day's work: nothing personal in them, and a receipt for every answer."""

import json

import pytest

from tests.synapse.canaries import canaries_in, hidden_in
from tests.synapse.client import NDJSON, Client, path_of
from tests.synapse.margins import Margins, metrics
from tests.synapse.service import Service
from tests.synapse.world import PHONE, World

pytestmark = pytest.mark.synapse


@pytest.fixture(scope="module")
def worked(client: Client, warrants: dict[str, str], world: World) -> None:
    """A day's work: of everything something, and of every refusal one."""
    for instrument in ("us-search-warrant", "us-sca-2703d", "platform-phone-and-ip"):
        warrant = warrants[instrument]
        for resource in ("user", "whois", "devices", "joined-rooms"):
            for user in (world.alice, world.carol, world.bob):
                client.get(path_of(resource, user), warrant)
        for resource in ("room-members", "room-messages"):
            for room in (world.den, world.attic):
                client.get(path_of(resource, room), warrant)
                client.get(path_of(resource, room), warrant, Accept=NDJSON)
        for phone in (PHONE, world.bob_phone, world.named("word")):
            client.get(path_of("threepid-msisdn", phone), warrant)
        for email in (world.email, world.bob_email):
            client.get(path_of("threepid-email", email), warrant)
    client.get(path_of("user", f"{world.alice}/x"), warrants["us-search-warrant"])
    client.get(path_of("user", world.alice), world.named("alicename"))
    client.get(path_of("user", world.alice), None)
    client.get(path_of("user", world.alice), warrants["eu-epoc-pr"], Authorization=world.alice)
    client.get(f"/_synapse/{world.named('alicename')}", warrants["eu-epoc-pr"])
    fields = f'"$.{world.named("alicename")}"'
    client.get(path_of("user", world.alice), warrants["us-sca-2703d"], Withhold_Fields=fields)
    client.get(path_of("user", world.alice), warrants["us-sca-2703d"], Withhold_Fields=fields[1:])


@pytest.mark.usefixtures("worked")
def test_nothing_personal_is_in_the_margins(margins: Margins) -> None:
    margins.check()


@pytest.mark.usefixtures("worked")
def test_every_answer_has_its_receipt_and_no_receipt_is_without_one(margins: Margins) -> None:
    margins.check_receipts()


@pytest.mark.usefixtures("worked")
def test_the_metrics_name_nobody(margins: Margins, service: Service) -> None:
    token = service.token("operator")
    exposed = metrics(service.data, token), metrics(service.control, token)
    for place in exposed:
        assert hidden_in(place, margins.needles()) == []
    # What a value was not: by its place in the catalogue.
    assert b'withhold_withheld_total{place="$.devices[*].last_seen_ip"' in exposed[0]
    # Which is nobody else's to know.
    for other in ("", service.token("disclosure-service")):
        assert b"withhold_withheld" not in metrics(service.data, other)


@pytest.mark.usefixtures("worked")
def test_the_log_says_what_was_done_and_by_what(service: Service, warrants: dict[str, str]) -> None:
    lines = [json.loads(line) for line in service.log.splitlines()]  # and is JSON throughout
    assert {"debug", "info"} <= {line["level"] for line in lines}  # as verbose as it can be
    requests = [line for line in lines if line["event"] == "request"]
    disclosed = [line for line in requests if line["code"] == "disclosed"]
    assert {line["caller"] for line in disclosed} == {"disclosure-service"}
    assert warrants["us-search-warrant"] in {line["warrant"] for line in disclosed}
    assert {"not-a-target", "bad-request", "unauthenticated", "warrant-unknown"} <= {
        line["code"] for line in requests
    }


@pytest.mark.usefixtures("worked")
def test_what_is_looked_for_would_be_found(margins: Margins, service: Service) -> None:
    """A search that finds nothing anywhere proves nothing."""
    haystacks = margins.haystacks()
    assert hidden_in(haystacks["the log"], {"disclosure-service"})
    kept = b"".join(each for name, each in haystacks.items() if name.startswith("var/withhold.db"))
    assert hidden_in(kept, {"us-search-warrant"})
    # In base64, as a JWS has it: the warrants' own targets are there, and only there.
    (target,) = canaries_in(margins.world.alice)
    assert target.encode() not in kept
    assert hidden_in(kept, {target})
    assert any(name.startswith("redis ") for name in haystacks)
    assert any(hidden_in(each, {"not-in-instrument"}) for each in haystacks.values())
    assert any(name.startswith("error ") for name in haystacks)
    assert service.token("operator") in margins.needles()
