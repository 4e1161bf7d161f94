"""When a warrant stops: suspended, revoked, closed or frozen, in the middle of what goes on."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.servers import RedisServer
from tests.synapse.client import NDJSON, Answer, Client, path_of
from tests.synapse.office import Office, Raw
from tests.synapse.relay import Relay
from tests.synapse.service import CommandError, Service, commitment_to
from tests.synapse.world import World

pytestmark = pytest.mark.synapse

NO_LATER_THAN_S = 1.0  # after a revocation, suspension or freeze (contract §6)
HOLD_S = 30.0


@pytest.fixture
def warrant(office: Office) -> str:
    """A warrant that lives no longer than its test."""
    return office.issue("us-sca-2703d")


@contextmanager
def thawed(service: Service, *words: str) -> Iterator[None]:
    """Lift a freeze at the end, whatever became of the test."""
    try:
        yield
    finally:
        service.command("thaw", *words)


def test_a_suspended_warrant_waits_for_an_approver(
    client: Client, service: Service, warrant: str, world: World
) -> None:
    path = path_of("user", world.alice)
    before = client.get(path, warrant)
    service.command("warrant", "suspend", warrant)
    refused = client.get(path, warrant)
    assert (refused.status, refused.code) == (403, "warrant-not-active")
    service.approve(warrant, "approver-2", "resume")
    _until(lambda: client.get(path, warrant), 200)
    assert client.get(path, warrant).body == before.body


@pytest.mark.parametrize("redis_is", ["up", "down"])
def test_a_revoked_warrant_is_dead_within_a_second(
    redis_is: str,
    *,
    client: Client,
    redis: RedisServer,
    service: Service,
    warrant: str,
    world: World,
) -> None:
    path = path_of("user", world.alice)
    assert client.get(path, warrant).status == 200
    if redis_is == "down":
        redis.kill()
    try:
        # With the cache gone, answers are the same: this one was in nobody's cache.
        whois = client.get(path_of("whois", world.alice), warrant)
        assert whois.json["user_id"] == world.alice
        with _asking(client, path, warrant) as (seen, ended):
            service.command("warrant", "revoke", warrant)
            revoked_at = time.monotonic()
            ended(revoked_at + NO_LATER_THAN_S + 0.2)
        assert any(at < revoked_at and answer.status == 200 for at, answer in seen)
        late = [answer for at, answer in seen if at > revoked_at + NO_LATER_THAN_S]
        assert late
        assert {answer.status for answer in late} == {403}
        # The ledger asks the database in the same transaction: not even the first one gets through.
        assert {answer.status for at, answer in seen if at > revoked_at} == {403}
    finally:
        if redis_is == "down":
            redis.start()
    with pytest.raises(CommandError, match="wrong-state"):
        service.approve(warrant, "approver-2", "resume")


def test_a_closed_warrant_stays_closed(
    client: Client, office: Office, service: Service, warrant: str, world: World
) -> None:
    path = path_of("whois", world.alice)
    assert b"tok_ip_" in client.get(path, warrant).body
    service.command("warrant", "close", warrant)
    # A node that has not heard of it yet finds the token key destroyed.
    assert client.get(path, warrant).code in {"warrant-not-active", "key-unavailable"}
    _until(lambda: client.get(path, warrant), 403)
    with pytest.raises(CommandError, match="id-in-use"):
        service.register(({**office.claims("us-sca-2703d"), "id": warrant}, []))


@pytest.mark.parametrize(
    ("words", "holds"),
    [
        ((), True),
        (("--store", "synapse"), True),
        (("--instrument", "us-sca-2703d"), True),
        (("--store", "synapse", "--instrument", "us-sca-2703d"), True),
        (("--store", "sample"), False),
        (("--instrument", "us-sca-subpoena"), False),
    ],
)
def test_a_freeze_stops_what_it_names_and_nothing_else(
    words: tuple[str, ...],
    holds: bool,
    *,
    client: Client,
    service: Service,
    warrants: dict[str, str],
    world: World,
) -> None:
    path, warrant = path_of("user", world.alice), warrants["us-sca-2703d"]
    with thawed(service, *words):
        service.command("freeze", *words)
        answer = client.get(path, warrant)
        assert answer.status == (503 if holds else 200)
        assert not holds or answer.code == "frozen"
    _until(lambda: client.get(path, warrant), 200)


def test_a_freeze_by_file_needs_neither_redis_nor_the_control_plane(
    client: Client,
    redis: RedisServer,
    service: Service,
    warrants: dict[str, str],
    world: World,
) -> None:
    path, warrant = path_of("user", world.alice), warrants["us-sca-2703d"]
    here = ("-c", str(service.folder / "withhold.toml"))
    redis.kill()
    try:
        with thawed(service, *here):
            service.command("freeze", *here, caller="auditor")
            frozen_at = time.monotonic()
            _until(lambda: client.get(path, warrant), 503)
            assert time.monotonic() - frozen_at < NO_LATER_THAN_S
    finally:
        redis.start()
    _until(lambda: client.get(path, warrant), 200)


@pytest.mark.parametrize("how", ["revoked", "suspended", "frozen"])
def test_a_stream_breaks_within_a_second_though_the_store_hangs(
    how: str,
    *,
    client: Client,
    raw: Raw,
    relay: Relay,
    service: Service,
    warrant: str,
    world: World,
) -> None:
    stopped_at = float("inf")
    stopped, broken = threading.Event(), threading.Event()
    words = {
        "revoked": ("warrant", "revoke", warrant),
        "suspended": ("warrant", "suspend", warrant),
        "frozen": ("freeze", "--instrument", "us-sca-2703d"),
    }[how]
    asked: list[str] = []

    def stop_at_the_fifth_page(head: str) -> None:
        nonlocal stopped_at
        asked.append(head)
        if len(asked) == 5:
            service.command(*words)
            stopped_at = time.monotonic()
            stopped.set()
            broken.wait(HOLD_S)  # the page never comes

    try:
        with relay.watching(stop_at_the_fifth_page):
            answer = client.get(path_of("room-messages", world.den), warrant, Accept=NDJSON)
            broken_at = time.monotonic()
            stopped.wait(HOLD_S)  # a stream may hear of it before the command has ended
    finally:
        broken.set()
        if how == "frozen":
            service.command("thaw", "--instrument", "us-sca-2703d")
    assert answer.status == 200
    assert not answer.whole
    assert broken_at - stopped_at < NO_LATER_THAN_S
    assert len(asked) == 5 < len(raw("room-messages", world.den))
    number = answer.headers["withhold-receipt"]
    opening, closing = service.entries_of(number)
    assert (opening["type"], closing["type"]) == ("opening", "closing")
    assert closing["outcome"] == "incomplete"
    assert closing["size_bytes"] == len(answer.body) > 0
    assert closing["body"] == commitment_to(number, answer.digest)


@contextmanager
def _asking(
    client: Client, path: str, warrant: str
) -> Iterator[tuple[list[tuple[float, Answer]], Callable[[float], None]]]:
    """Ask over and over, from two threads; give when each was asked, and how to say until when."""
    seen: list[tuple[float, Answer]] = []
    until = [float("inf")]

    def ask() -> None:
        while time.monotonic() < until[0]:
            at = time.monotonic()
            seen.append((at, client.get(path, warrant)))

    def ended(at: float) -> None:
        until[0] = at
        for each in threads:
            each.join()

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for each in threads:
        each.start()
    try:
        yield seen, ended
    finally:
        ended(0.0)


def _until(ask: Callable[[], Answer], status: int) -> None:
    """Ask until a node has heard of it: it looks five times a second."""
    deadline = time.monotonic() + HOLD_S
    while ask().status != status:
        assert time.monotonic() < deadline
