"""The period's edges, pages and streams: each event once, in its order, and none from outside."""

from dataclasses import replace

import pytest

from tests.synapse.client import NDJSON, Client, path_of
from tests.synapse.office import Office, Raw
from tests.synapse.oracle import Tokens, agree
from tests.synapse.relay import Relay
from tests.synapse.service import PAGE, Service, by_reason, commitment_to
from tests.synapse.world import SINCE_MS, UNTIL_MS, WITHIN_MS, World

pytestmark = pytest.mark.synapse


def test_a_message_of_the_first_millisecond_is_in_and_one_of_the_end_is_not(
    client: Client, warrants: dict[str, str], world: World
) -> None:
    answer = client.get(path_of("room-messages", world.den), warrants["us-search-warrant"])

    said = answer.body.decode()
    inside = {"alicesfirst", "aliceslast", "carolsfirst", "carolslast"}
    outside = {"alicesearly", "aliceslate", "carolsearly", "carolslate"}
    of_others = {"bobsearly", "bobsfirst", "bobslast", "bobslate"}
    for name in inside | outside | of_others:
        assert (world.named(name) in said) == (name in inside), name
    times = [event["origin_server_ts"] for event in answer.json["chunk"]]
    assert min(times) == SINCE_MS
    assert max(times) == UNTIL_MS - 1


def test_a_connection_of_the_first_millisecond_is_in_and_one_of_the_end_is_not(
    client: Client, warrants: dict[str, str], world: World
) -> None:
    warrant = warrants["us-search-warrant"]
    whois = client.get(path_of("whois", world.alice), warrant)
    devices = client.get(path_of("devices", world.alice), warrant)

    times = [SINCE_MS, WITHIN_MS, WITHIN_MS + 1, UNTIL_MS - 1]
    connections = whois.json["devices"][""]["sessions"][0]["connections"]
    assert sorted(each["last_seen"] for each in connections) == times
    assert sorted(each["last_seen_ts"] for each in devices.json["devices"]) == times


@pytest.mark.parametrize(
    ("since", "until", "since_ms", "until_ms"),
    [
        # One millisecond wide, and wide by a hair that lies between two of them.
        ("16:00:00.001", "16:00:00.002", WITHIN_MS + 1, WITHIN_MS + 2),
        ("16:00:00.0000001", "16:00:00.0010001", WITHIN_MS + 1, WITHIN_MS + 2),
        ("16:00:00.0000001", "16:00:00.001", WITHIN_MS + 1, WITHIN_MS + 1),
        ("16:00:00", "16:00:00.0000001", WITHIN_MS, WITHIN_MS + 1),
    ],
)
def test_a_period_is_exact_below_the_millisecond(
    since: str,
    until: str,
    since_ms: int,
    until_ms: int,
    *,
    client: Client,
    office: Office,
    raw: Raw,
    tokens: Tokens,
    world: World,
) -> None:
    period = {"from": f"2024-03-09T{since}Z", "until": f"2024-03-09T{until}Z"}
    warrant = office.issue("us-search-warrant", period=period)
    oracle = replace(office.oracle("us-search-warrant"), since_ms=since_ms, until_ms=until_ms)

    for resource, subject in (("whois", world.alice), ("room-messages", world.den)):
        answer = client.get(path_of(resource, subject), warrant)
        expected = oracle.expect(resource, raw(resource, subject))
        assert agree(expected.body, answer.json, warrant, tokens)


def test_every_page_is_walked_and_each_event_comes_once_and_in_its_order(
    client: Client, raw: Raw, relay: Relay, warrants: dict[str, str], world: World
) -> None:
    with relay.watching() as asked:
        answer = client.get(path_of("room-messages", world.den), warrants["us-sca-2703d"])

    pages = raw("room-messages", world.den)
    assert len(pages) > 10
    ids = [
        event["event_id"]
        for page in pages
        for event in page["chunk"]
        if event["sender"] in world.target_ids and SINCE_MS <= event["origin_server_ts"] < UNTIL_MS
    ]
    assert len(ids) == len(set(ids)) > 3 * PAGE
    assert [event["event_id"] for event in answer.json["chunk"]] == ids
    # No cursor leaves, and the walk is Synapse's own: from one page to the one it names.
    assert answer.json.keys() == {"chunk"}
    assert len(asked) == len(pages)
    for request, page in zip(asked[1:], pages[:-1], strict=True):
        assert f"from={page['end']}&limit={PAGE} HTTP/1.1" in request
        assert page["end"] not in answer.seen.decode()


def test_pages_are_streamed_as_lines_and_the_receipt_closes_the_stream(
    *,
    client: Client,
    office: Office,
    raw: Raw,
    service: Service,
    tokens: Tokens,
    warrants: dict[str, str],
    world: World,
) -> None:
    warrant = warrants["us-search-warrant"]

    answer = client.get(path_of("room-messages", world.den), warrant, Accept=NDJSON)

    assert answer.whole
    assert answer.headers["content-type"] == NDJSON
    assert "content-digest" not in answer.headers
    oracle, pages = office.oracle("us-search-warrant"), raw("room-messages", world.den)
    lines = [body for page in pages if (body := oracle.expect("room-messages", [page]).body)]
    assert len(lines) < len(pages)  # a page without anything covered is no line
    assert agree(lines, answer.lines, warrant, tokens)
    events = [event for line in answer.lines for event in line["chunk"]]
    whole = client.get(path_of("room-messages", world.den), warrant)
    assert events == whole.json["chunk"]

    number = answer.headers["withhold-receipt"]
    opening, closing = service.entries_of(number)
    expected = oracle.expect("room-messages", pages)
    assert (opening["type"], closing["type"]) == ("opening", "closing")
    assert opening["size_bytes"] == opening["records_seen"] == 0
    assert closing["outcome"] == "complete"
    assert closing["size_bytes"] == len(answer.body)
    assert closing["body"] == commitment_to(number, answer.digest)
    assert closing["records_seen"] == expected.records_seen
    assert closing["records_disclosed"] == expected.records_disclosed == len(events)
    assert by_reason(closing) == dict(expected.withheld)


def test_what_is_no_pages_answers_once_even_to_who_takes_lines(
    client: Client, warrants: dict[str, str], world: World
) -> None:
    warrant = warrants["us-search-warrant"]
    answer = client.get(path_of("user", world.alice), warrant, Accept=NDJSON)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == client.get(path_of("user", world.alice), warrant).json
