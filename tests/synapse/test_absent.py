"""What Synapse does not have: an order for it is answered, and not with an error of Synapse's."""

from typing import Any

import pytest

from tests.synapse.client import NDJSON, Client, path_of
from tests.synapse.office import Office
from tests.synapse.relay import Relay
from tests.synapse.service import Service
from tests.synapse.world import World

pytestmark = pytest.mark.synapse


@pytest.fixture(scope="module")
def warrant(office: Office, world: World) -> str:
    """A search warrant about people whom this Synapse does not know."""
    targets = [
        {"kind": "id", "value": world.absent},
        {"kind": "id", "value": world.elsewhere},
        {"kind": "phone", "value": "+447700900999"},
        {"kind": "email", "value": "nobody@example.test"},
    ]
    return office.issue("us-search-warrant", targets=targets)


@pytest.mark.parametrize(
    ("resource", "subject", "expected"),
    [
        ("user", "absent", {}),
        ("devices", "absent", {}),
        ("whois", "absent", {"user_id": "absent"}),
        ("joined-rooms", "absent", {"total": 0}),
        ("joined-rooms", "elsewhere", {"total": 0}),
        ("threepid-msisdn", "+447700900999", {}),
        ("threepid-email", "nobody@example.test", {}),
        ("room-members", "!nowhere:example.test", {}),
        ("room-messages", "!nowhere:example.test", {}),
    ],
)
def test_what_is_not_there_is_an_answer_without_it(
    resource: str,
    subject: str,
    expected: dict[str, Any],
    *,
    client: Client,
    relay: Relay,
    service: Service,
    warrant: str,
    world: World,
) -> None:
    people = {"absent": world.absent, "elsewhere": world.elsewhere}
    with relay.watching() as asked:
        answer = client.get(path_of(resource, people.get(subject, subject)), warrant)
    assert answer.status == 200
    assert answer.json == {name: people.get(each, each) for name, each in expected.items()}
    assert len(asked) == 1
    release, closing = service.entries_of(answer.headers["withhold-receipt"])
    assert (release["outcome"], closing["outcome"]) == ("disclosed", "complete")


@pytest.mark.parametrize("resource", ["user", "devices", "whois"])
def test_a_status_that_the_catalogue_does_not_know_is_a_failure_of_the_store(
    resource: str, client: Client, service: Service, warrant: str, world: World
) -> None:
    answer = client.get(path_of(resource, world.elsewhere), warrant)
    # Synapse says 400 of an account of another server: it does not know, which is not "none".
    assert (answer.status, answer.code) == (502, "store-failed")
    assert b"M_UNKNOWN" not in answer.seen
    assert service.failure()["outcome"] == "store-failed"


def test_a_stream_of_nothing_has_no_line(client: Client, warrant: str) -> None:
    answer = client.get(path_of("room-messages", "!nowhere:example.test"), warrant, Accept=NDJSON)
    assert answer.whole
    assert (answer.status, answer.body) == (200, b"")
