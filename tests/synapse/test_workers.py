"""Two workers behind one address: every one of them answers alike, and stops alike."""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.servers import RedisServer
from tests.synapse.canaries import canaries_in, hidden_in
from tests.synapse.client import NDJSON, Answer, Client, path_of
from tests.synapse.homeserver import Homeserver
from tests.synapse.margins import Margins, metrics
from tests.synapse.office import Office, Raw
from tests.synapse.oracle import Tokens, agree
from tests.synapse.process import poll
from tests.synapse.relay import Relay
from tests.synapse.service import Service, make_folder
from tests.synapse.test_matrix import RESOURCES, subject_of
from tests.synapse.world import World

pytestmark = pytest.mark.synapse

INSTRUMENTS = ("us-search-warrant", "us-sca-subpoena", "eu-epoc-pr")
ROUNDS = 6
NO_LATER_THAN_S = 1.0


@pytest.fixture(scope="module")
def margins_of_two(
    tmp_path_factory: pytest.TempPathFactory,
    server: Homeserver,
    relay: Relay,
    redis: RedisServer,
    world: World,
) -> Iterator[Margins]:
    """Two workers with a folder of their own, and what they write beside their answers."""
    folder = tmp_path_factory.mktemp("two-workers")
    make_folder(folder, store=f"http://127.0.0.1:{relay.port}", redis_url=redis.url)
    with Service(folder, f"Bearer {server.admin_token}", workers=2) as running:
        margins = Margins(running, world, redis, [])
        yield margins
        running.stop()
        margins.check()
        margins.check_receipts()


@pytest.fixture(scope="module")
def two(margins_of_two: Margins) -> Service:
    """Two workers."""
    return margins_of_two.service


@pytest.fixture(scope="module")
def client(margins_of_two: Margins, two: Service) -> Client:
    """The disclosure service: a connection for each request, so that either worker may have it."""
    return Client(two.data, two.token("disclosure-service"), margins_of_two.answers)


@pytest.fixture(scope="module")
def office(two: Service, world: World) -> Office:
    """Whoever takes warrants in for the two."""
    return Office(two, world)


def test_both_answer_exactly_what_is_covered(
    *, client: Client, office: Office, raw: Raw, two: Service, tokens: Tokens, world: World
) -> None:
    warrants = office.issue_all(INSTRUMENTS)
    asked = [(one, other) for one in INSTRUMENTS for other in RESOURCES] * ROUNDS

    before = _disclosed(two)

    def ask(instrument: str, resource: str) -> Answer:
        return client.get(path_of(resource, subject_of(resource, world)), warrants[instrument])

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(ask, *zip(*asked, strict=True)))

    for (instrument, resource), answer in zip(asked, found, strict=True):
        known = raw(resource, subject_of(resource, world))
        expected = office.oracle(instrument).expect(resource, known)
        assert answer.status == 200
        # One token for one address, whoever of the two made it.
        assert agree(expected.body, answer.json, warrants[instrument], tokens)
        assert canaries_in(answer.seen) == canaries_in(repr(expected.body))
    # Of both together; a request is counted once its answer has gone.
    poll(lambda: _disclosed(two) == before + len(asked), within_s=10, what="not counted")


def test_both_stop_within_a_second_of_a_revocation(
    client: Client, office: Office, two: Service, world: World
) -> None:
    warrant, path = office.issue("us-sca-2703d"), path_of("user", world.alice)
    assert {client.get(path, warrant).status for _ in range(ROUNDS)} == {200}
    two.command("warrant", "revoke", warrant)
    revoked_at = time.monotonic()
    statuses = Counter[int]()
    while time.monotonic() < revoked_at + NO_LATER_THAN_S:
        statuses[client.get(path, warrant).status] += 1
    assert statuses.keys() == {403}
    assert statuses.total() > ROUNDS


def test_both_stop_within_a_second_of_a_freeze(
    client: Client, office: Office, two: Service, world: World
) -> None:
    warrant, path = office.issue("us-sca-2703d"), path_of("user", world.alice)
    two.command("freeze", "--store", "synapse")
    try:
        assert {client.get(path, warrant).code for _ in range(ROUNDS)} == {"frozen"}
    finally:
        two.command("thaw", "--store", "synapse")


def test_both_stream(
    *, client: Client, office: Office, raw: Raw, tokens: Tokens, world: World
) -> None:
    warrant, path = office.issue("us-search-warrant"), path_of("room-messages", world.den)
    oracle, pages = office.oracle("us-search-warrant"), raw("room-messages", world.den)
    lines = [body for page in pages if (body := oracle.expect("room-messages", [page]).body)]
    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(client.get, path, warrant, Accept=NDJSON) for _ in range(ROUNDS)]
        for answer in (each.result() for each in asking):
            assert answer.whole
            assert agree(lines, answer.lines, warrant, tokens)


def test_the_margins_of_both_name_nobody(margins_of_two: Margins, two: Service) -> None:
    margins_of_two.check()
    margins_of_two.check_receipts()
    token = two.token("operator")
    exposed = metrics(two.data, token) + metrics(two.control, token)
    assert hidden_in(exposed, margins_of_two.needles()) == []
    requests = [json.loads(line) for line in two.log.splitlines()]
    assert all(line["level"] in {"info", "warning"} for line in requests)


def _disclosed(two: Service) -> float:
    """Give how many requests were answered with a disclosure, as the metrics have it."""
    exposed = metrics(two.data).decode()
    counted = re.search(
        r'^withhold_requests_total\{code="disclosed"\} (\S+)$', exposed, re.MULTILINE
    )
    return float(counted.group(1)) if counted else 0.0
