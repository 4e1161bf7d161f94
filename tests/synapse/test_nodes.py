"""Another node on the same database: what it finds there and in Redis, and what it does not."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.servers import RedisServer
from tests.synapse.client import Answer, Client, path_of
from tests.synapse.homeserver import Homeserver
from tests.synapse.margins import metrics
from tests.synapse.office import Office, Raw
from tests.synapse.oracle import Tokens, agree
from tests.synapse.service import Service
from tests.synapse.test_matrix import RESOURCES, subject_of
from tests.synapse.world import World

pytestmark = pytest.mark.synapse

INSTRUMENTS = ("us-search-warrant", "us-sca-subpoena", "eu-epoc-traffic", "eu-epoc-pr")


@contextmanager
def lying(redis: RedisServer) -> Iterator[None]:
    """Make every entry of the cache another one, until the end."""
    keys = sorted(redis.client.scan_iter())
    values = [value for value in redis.client.mget(keys) if value is not None]
    assert len(set(values)) > len(INSTRUMENTS)
    redis.client.mset(dict(zip(keys, values[1:] + values[:1], strict=True)))
    try:
        yield
    finally:
        redis.client.mset(dict(zip(keys, values, strict=True)))


def test_a_node_with_a_lying_cache_answers_the_same(
    *,
    answers: list[Answer],
    client: Client,
    office: Office,
    raw: Raw,
    redis: RedisServer,
    server: Homeserver,
    service: Service,
    tokens: Tokens,
    world: World,
) -> None:
    warrants = office.issue_all(INSTRUMENTS)
    for warrant in warrants.values():
        for resource in RESOURCES:  # so that the cache has all of it
            client.get(path_of(resource, subject_of(resource, world)), warrant)
    with lying(redis), Service(service.folder, f"Bearer {server.admin_token}") as node:
        other = Client(node.data, node.token("disclosure-service"), answers)
        for instrument in INSTRUMENTS:
            for resource in RESOURCES:
                subject = subject_of(resource, world)
                answer = other.get(path_of(resource, subject), warrants[instrument])
                expected = office.oracle(instrument).expect(resource, raw(resource, subject))
                # Tokens too are those of the other node: the key is in the database.
                assert agree(expected.body, answer.json, warrants[instrument], tokens)
        rejected = re.search(rb"\nwithhold_cache_rejected_total (\S+)", metrics(node.data))
        assert rejected is not None
        assert float(rejected.group(1)) == len(INSTRUMENTS) * len(RESOURCES)


def test_a_node_that_synapse_refuses_says_nothing_of_why(
    *,
    answers: list[Answer],
    service: Service,
    warrants: dict[str, str],
    world: World,
) -> None:
    with Service(service.folder, "Bearer no-such-token", verbose=True) as node:
        client = Client(node.data, node.token("disclosure-service"), answers)
        for resource in RESOURCES:
            path = path_of(resource, subject_of(resource, world))
            answer = client.get(path, warrants["us-search-warrant"])
            assert (answer.status, answer.code) == (502, "store-failed")
            assert b"M_UNKNOWN_TOKEN" not in answer.seen
    assert b"M_UNKNOWN_TOKEN" not in node.log
    assert b"no-such-token" not in node.log
