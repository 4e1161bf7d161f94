"""What is refused, and that the store never hears of it."""

from urllib.parse import quote

import pytest

from tests.synapse.client import Answer, Client, path_of
from tests.synapse.office import Office
from tests.synapse.relay import Relay
from tests.synapse.service import Service
from tests.synapse.world import World

pytestmark = pytest.mark.synapse


@pytest.mark.parametrize(
    "resource", ["user", "whois", "devices", "joined-rooms", "threepid-msisdn", "threepid-email"]
)
def test_whom_the_warrant_does_not_name_the_store_is_not_asked_about(
    resource: str, client: Client, relay: Relay, warrants: dict[str, str], world: World
) -> None:
    somebody = {"threepid-msisdn": world.bob_phone, "threepid-email": world.bob_email}
    subject = somebody.get(resource, world.bob)
    with relay.watching() as asked:
        for instrument in ("us-search-warrant", "us-sca-subpoena", "us-sca-preservation"):
            answer = client.get(path_of(resource, subject), warrants[instrument])
            assert (answer.status, answer.code) == (403, "not-a-target")
    assert asked == []


@pytest.mark.parametrize("spelling", ["upper", "space", "server", "no-at"])
def test_what_only_resembles_a_target_is_none(
    spelling: str, client: Client, relay: Relay, warrants: dict[str, str], world: World
) -> None:
    spelled = {
        "upper": world.alice.upper(),
        "space": f" {world.alice}",
        "server": f"{world.alice}.elsewhere.test",
        "no-at": world.alice.removeprefix("@"),
    }[spelling]
    with relay.watching() as asked:
        answer = client.get(path_of("user", spelled), warrants["us-search-warrant"])
    assert (answer.status, answer.code) == (403, "not-a-target")
    assert asked == []


def test_for_another_caller_a_warrant_does_not_exist(
    answers: list[Answer],
    relay: Relay,
    service: Service,
    warrants: dict[str, str],
    world: World,
) -> None:
    other = Client(service.data, service.token("other-service"), answers)
    with relay.watching() as asked:
        theirs = other.get(path_of("user", world.alice), warrants["us-search-warrant"])
        nobodys = other.get(path_of("user", world.alice), "W-2026-0001-never")
    assert (theirs.status, theirs.code) == (403, "warrant-unknown")
    assert theirs.body == nobodys.body
    assert asked == []


def test_who_may_not_ask_is_refused(
    answers: list[Answer],
    relay: Relay,
    service: Service,
    warrants: dict[str, str],
    world: World,
) -> None:
    path, warrant = path_of("user", world.alice), warrants["us-search-warrant"]
    with relay.watching() as asked:
        for caller in ("operator", "auditor", "sample-service"):
            client = Client(service.data, service.token(caller), answers)
            refused = client.get(path, warrant)
            assert (refused.status, refused.code) == (403, "caller-not-allowed")
        for credentials in ("Bearer no-such-token", "Basic YTpi", ""):
            nobody = Client(service.data, "", answers).get(path, warrant, Authorization=credentials)
            assert (nobody.status, nobody.code) == (401, "unauthenticated")
        # Synapse's own administrator is nobody here.
        admin = Client(service.data, world.server.admin_token, answers).get(path, warrant)
        assert admin.code == "unauthenticated"
    assert asked == []


def test_a_warrant_that_lacks_a_signature_discloses_nothing(
    client: Client, office: Office, relay: Relay, service: Service, world: World
) -> None:
    path, claims = path_of("user", world.alice), office.claims("us-search-warrant")
    warrant = str(claims["id"])
    service.register((claims, []))
    with relay.watching() as asked:
        assert client.get(path, warrant).code == "warrant-not-active"
        service.approve(warrant, "approver-1")  # of two
        assert client.get(path, warrant).code == "warrant-not-active"
    assert asked == []
    service.approve(warrant, "approver-2")
    assert client.get(path, warrant).json["name"] == world.alice


@pytest.mark.parametrize(
    "valid",
    [
        {"from": "2124-01-01T00:00:00Z", "until": "2124-02-01T00:00:00Z"},
        {"from": "2024-01-01T00:00:00Z", "until": "2124-02-01T00:00:00Z"},
    ],
)
def test_a_warrant_holds_only_while_it_is_valid(
    valid: dict[str, str], client: Client, office: Office, relay: Relay, world: World
) -> None:
    warrant = office.issue("us-sca-subpoena", valid=valid)
    with relay.watching() as asked:
        answer = client.get(path_of("user", world.alice), warrant)
    now_is_in = valid["from"].startswith("2024")
    assert answer.status == (200 if now_is_in else 403)
    assert len(asked) == now_is_in


TRICKS = [
    # What an administrator could do, had the proxy let it: none is in the catalogue.
    "/_synapse/admin/v1/reset_password/{alice}",
    "/_synapse/admin/v1/users/{alice}/login",
    "/_synapse/admin/v1/deactivate/{alice}",
    "/_synapse/admin/v2/users",
    "/_synapse/admin/v1/register",
    "/_synapse/admin/v1/rooms",
    "/_synapse/admin/v1/rooms/{den}",
    "/_synapse/admin/v1/users/{alice}/media",
    "/_matrix/client/v3/account/whoami",
    "/_synapse/metrics",
    "/health",
    "/",
    "",
    # Ways out of a path that is.
    "/_synapse/admin/v2/users/{alice}/",
    "/_synapse/admin/v2/users/{alice}/devices/",
    "/_synapse/admin/v2/users//devices",
    "/_synapse/admin/v2//users/{alice}",
    "//_synapse/admin/v2/users/{alice}",
    "/_synapse/admin/v2/users/{alice}/../{bob}",
    "/_synapse/admin/v2/users/../../v1/reset_password/{alice}",
    "/_synapse/admin/v2/users/./{alice}",
    "/_synapse/admin/v2/users/..",
    "/_synapse/admin/v2/users/%2e%2e",
    "/_synapse/admin/v2/users/%2E%2E/devices",
    "/_synapse/admin/v2/users/%252e%252e",
    "/_synapse/admin/v2/users/%2e%2e%2f%2e%2e%2fv1%2freset_password%2f{alice}",
    "/_synapse/admin/v2/users/{alice}%2fdevices",
    "/_synapse/admin/v2/users/{alice}%2Fdevices",
    "/_synapse/admin/v2/users/{alice}%5cdevices",
    "/_synapse/admin/v2/users/{alice}\\devices",
    "/_synapse/admin/v2/users/{alice}%00",
    "/_synapse/admin/v2/users/{alice}%0d%0aX-Header:%20x",
    "/_synapse/admin/v2/users/{alice}%3fdir=b",
    "/_synapse/admin/v2/users/{alice};x=y",
    "/_synapse/admin/v2/users/{alice}%",
    "/_synapse/admin/v2/users/{alice}%zz",
    "/_synapse/admin/v2/users/%ff{alice}",
    "/_synapse/admin/v2/users/%c0%ae%c0%ae",
    "/%5fsynapse/admin/v1/reset_password/{alice}",
    "/_SYNAPSE/admin/v2/users/{alice}",
]


@pytest.mark.parametrize("trick", TRICKS)
def test_no_path_leads_past_the_catalogue(
    trick: str, client: Client, relay: Relay, warrants: dict[str, str], world: World
) -> None:
    people = {"alice": world.alice, "bob": world.bob, "den": world.den}
    quoted = {name: quote(each, safe="") for name, each in people.items()}
    path = trick.format(**quoted)
    with relay.watching() as asked:
        answer = client.get(path, warrants["us-search-warrant"])
    assert answer.status in {400, 403, 404}
    assert answer.code in {"bad-request", "not-a-target", "no-such-resource"}
    assert asked == []


@pytest.mark.parametrize("target", ["http://127.0.0.1/stores/synapse", "/stores/nowhere", "", "/."])
def test_no_target_leads_past_the_prefix(
    target: str, client: Client, relay: Relay, warrants: dict[str, str], world: World
) -> None:
    path = target + path_of("user", world.alice)
    with relay.watching() as asked:
        answer = client.send("GET", path, warrants["us-search-warrant"])
    assert answer.status in {400, 404}
    assert asked == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "get"])
def test_only_get_is_answered(
    method: str, client: Client, relay: Relay, warrants: dict[str, str], world: World
) -> None:
    target = f"/stores/synapse{path_of('user', world.alice)}"
    with relay.watching() as asked:
        answer = client.send(method, target, warrants["us-search-warrant"])
    assert answer.status == (400 if method == "get" else 405)  # methods are told apart by case
    assert asked == []


def test_nothing_of_the_caller_reaches_the_store_but_whom_it_asks_about(
    client: Client, relay: Relay, warrants: dict[str, str], world: World
) -> None:
    path, warrant = path_of("room-messages", world.den), warrants["us-search-warrant"]
    headers = {
        "X-Forwarded-For": "203.0.113.1",
        "X-HTTP-Method-Override": "DELETE",
        "Cookie": "a=b",
        "Accept-Encoding": "x-odd",
        "User-Agent": "a caller",
        "Connection": "close, Authorization",
    }
    since = len(relay.heads)

    answer = client.get(f"{path}?from=t9&dir=b&limit=1&user_id=x#y", warrant, **headers)

    assert answer.json == client.get(path, warrant).json
    for head in relay.heads[since:]:
        request, *lines = head.rstrip().split("\r\n")
        sent = dict(line.lower().split(": ", 1) for line in lines)
        assert request.startswith(f"GET {path}?dir=f&from=t")
        assert sent.keys() == {
            *("host", "accept", "accept-encoding", "user-agent", "authorization")
        }
        assert sent["user-agent"] == "withhold"
        assert sent["authorization"] == f"bearer {world.server.admin_token}".lower()
