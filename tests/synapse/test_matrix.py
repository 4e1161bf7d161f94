"""Every instrument by every resource: what comes through is what is covered, and nothing else."""

import pytest

from tests.synapse.canaries import canaries_in
from tests.synapse.client import Client, path_of
from tests.synapse.office import Office, Raw
from tests.synapse.oracle import Tokens, agree
from tests.synapse.relay import Relay
from tests.synapse.service import Service, by_reason, commitment_to
from tests.synapse.tables import ORDERS
from tests.synapse.world import PHONE, World

pytestmark = pytest.mark.synapse

RESOURCES = (
    "user",
    "whois",
    "devices",
    "joined-rooms",
    "room-members",
    "room-messages",
    "threepid-msisdn",
    "threepid-email",
)


def subject_of(resource: str, world: World) -> str:
    """Whom or what a resource is asked about."""
    if resource.startswith("room-"):
        return world.den
    return {"threepid-msisdn": PHONE, "threepid-email": world.email}.get(resource, world.alice)


@pytest.mark.parametrize("resource", RESOURCES)
@pytest.mark.parametrize("instrument", ORDERS)
def test_exactly_what_is_covered_comes_through(
    instrument: str,
    resource: str,
    *,
    client: Client,
    office: Office,
    raw: Raw,
    relay: Relay,
    service: Service,
    tokens: Tokens,
    warrants: dict[str, str],
    world: World,
) -> None:
    warrant, subject = warrants[instrument], subject_of(resource, world)
    known = raw(resource, subject)
    expected = office.oracle(instrument).expect(resource, known)

    with relay.watching() as asked:
        answer = client.get(path_of(resource, subject), warrant)

    assert answer.status == 200
    assert agree(expected.body, answer.json, warrant, tokens)
    # Every canary of Synapse's answer that is not covered, in no byte of ours.
    assert canaries_in(answer.seen) == canaries_in(repr(expected.body))
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-digest"] == answer.digest
    pages = len(known) if resource == "room-messages" else 1
    covered = office.oracle(instrument).reaches(resource)
    assert len(asked) == (pages if covered else 0)

    number = answer.headers["withhold-receipt"]
    receipt, closing = service.entries_of(number)
    assert receipt["allowlist"] == answer.headers["withhold-allowlist"]
    assert receipt["body"] == commitment_to(number, answer.headers["content-digest"])
    assert receipt["warrant"] == warrant
    assert receipt["resource"] == f"synapse/{resource}"
    assert receipt["outcome"] == "disclosed"
    assert receipt["size_bytes"] == len(answer.body)
    assert receipt["records_seen"] == expected.records_seen
    assert receipt["records_disclosed"] == expected.records_disclosed
    assert by_reason(receipt) == dict(expected.withheld)
    assert (closing["outcome"], closing["size_bytes"]) == ("complete", len(answer.body))


@pytest.mark.parametrize("resource", ["user", "whois", "devices", "joined-rooms"])
@pytest.mark.parametrize("instrument", ["us-search-warrant", "uk-entity-data", "uk-events-data"])
def test_the_other_target_is_as_much_of_one(
    instrument: str,
    resource: str,
    *,
    client: Client,
    office: Office,
    raw: Raw,
    tokens: Tokens,
    warrants: dict[str, str],
    world: World,
) -> None:
    answer = client.get(path_of(resource, world.carol), warrants[instrument])
    expected = office.oracle(instrument).expect(resource, raw(resource, world.carol))
    assert agree(expected.body, answer.json, warrants[instrument], tokens)
    assert canaries_in(answer.seen) == canaries_in(repr(expected.body))
