"""When Synapse fails: a clear error, or a stream that is seen to be broken."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.synapse.client import NDJSON, Client, path_of
from tests.synapse.homeserver import Homeserver
from tests.synapse.office import Office, Raw
from tests.synapse.oracle import Tokens, agree
from tests.synapse.relay import Relay
from tests.synapse.service import Service, commitment_to
from tests.synapse.world import World

pytestmark = pytest.mark.synapse

INSTRUMENT = "us-search-warrant"


@contextmanager
def killed_before(server: Homeserver, relay: Relay, nth: int) -> Iterator[list[str]]:
    """Kill Synapse before the n-th request reaches it; bring it back at the end."""
    seen: list[str] = []

    def kill(head: str) -> None:
        seen.append(head)
        if len(seen) == nth:
            server.process.kill()

    try:
        with relay.watching(kill) as asked:
            yield asked
    finally:
        server.process.stop()
        server.process.start()


def test_synapse_killed_between_pages_is_an_error_and_no_shorter_answer(
    *,
    client: Client,
    relay: Relay,
    server: Homeserver,
    service: Service,
    warrants: dict[str, str],
    world: World,
) -> None:
    path = path_of("room-messages", world.den)
    whole = client.get(path, warrants[INSTRUMENT])
    with killed_before(server, relay, 4):
        answer = client.get(path, warrants[INSTRUMENT])
        assert (answer.status, answer.code) == (502, "store-failed")
        receipt = service.failure()
        assert receipt["outcome"] == "store-failed"
        assert receipt["body"] is None
        assert receipt["size_bytes"] == 0
        # And it is still gone.
        again = client.get(path_of("user", world.alice), warrants[INSTRUMENT])
        assert (again.status, again.code) == (502, "store-failed")
        assert service.failure()["outcome"] == "store-failed"
        # Where the store is not asked, nothing changes.
        nothing = client.get(path_of("user", world.alice), warrants["eu-epoc-pr"])
        assert (nothing.status, nothing.json) == (200, {})
    assert client.get(path, warrants[INSTRUMENT]).body == whole.body


def test_synapse_killed_in_a_stream_breaks_it(
    *,
    client: Client,
    office: Office,
    raw: Raw,
    relay: Relay,
    server: Homeserver,
    service: Service,
    tokens: Tokens,
    warrants: dict[str, str],
    world: World,
) -> None:
    with killed_before(server, relay, 6):
        answer = client.get(
            path_of("room-messages", world.den), warrants[INSTRUMENT], Accept=NDJSON
        )
    assert answer.status == 200
    assert not answer.whole
    oracle, pages = office.oracle(INSTRUMENT), raw("room-messages", world.den)[:5]
    lines = [body for page in pages if (body := oracle.expect("room-messages", [page]).body)]
    assert agree(lines, answer.lines, warrants[INSTRUMENT], tokens)
    number = answer.headers["withhold-receipt"]
    closing = service.entries_of(number)[-1]
    assert (closing["type"], closing["outcome"]) == ("closing", "incomplete")
    assert closing["size_bytes"] == len(answer.body)
    assert closing["body"] == commitment_to(number, answer.digest)


def test_a_stream_of_a_store_that_fails_at_once_is_a_clear_error(
    *,
    client: Client,
    relay: Relay,
    server: Homeserver,
    service: Service,
    warrants: dict[str, str],
    world: World,
) -> None:
    with killed_before(server, relay, 1):
        answer = client.get(
            path_of("room-messages", world.den), warrants[INSTRUMENT], Accept=NDJSON
        )
    assert (answer.status, answer.code) == (502, "store-failed")
    assert service.failure()["outcome"] == "store-failed"


def test_synapse_that_hangs_is_a_timeout(
    client: Client, server: Homeserver, service: Service, warrants: dict[str, str], world: World
) -> None:
    path, warrant = path_of("user", world.alice), warrants[INSTRUMENT]
    before = client.get(path, warrant)
    server.process.pause()
    try:
        answer = client.get(path, warrant)
    finally:
        server.process.resume()
    assert (answer.status, answer.code) == (504, "store-timeout")
    assert service.failure()["outcome"] == "store-timeout"
    assert client.get(path, warrant).body == before.body


def test_a_connection_cut_in_the_middle_of_an_answer_is_an_error(
    client: Client, relay: Relay, warrants: dict[str, str], world: World
) -> None:
    path, warrant = path_of("room-messages", world.den), warrants[INSTRUMENT]
    seen: list[str] = []

    def cut(head: str) -> None:
        seen.append(head)
        if len(seen) >= 3:  # and once more: that a used connection ends is no fault
            relay.cut()

    with relay.watching(cut):
        answer = client.get(path, warrant)
    assert (answer.status, answer.code) == (502, "store-failed")
    assert client.get(path, warrant).status == 200
