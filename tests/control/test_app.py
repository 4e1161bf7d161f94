"""The control plane through HTTP, on a real database."""

import asyncio
import base64
import hashlib
import json
import logging
import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.warrants import (
    APPROVER,
    DEPLOYMENT,
    INTAKE,
    SECOND,
    SIGNERS,
    SUBPOENA,
    Pen,
    approved,
    payload,
    pen,
)
from withhold.adapters.database import Database
from withhold.adapters.freezes import add_freeze, list_freezes, make_folder
from withhold.adapters.registry import SqlRegistry
from withhold.bundle import Bundle
from withhold.catalogue.model import Catalogue
from withhold.control import freezes
from withhold.control.app import MAX_REQUEST_BYTES, ControlParts, control_plane
from withhold.control.warrants import CLOCKS_DIFFER_S, RESUME_WITHIN_S, Office
from withhold.deployment.model import CallerEntry
from withhold.errors import KeyUnavailable
from withhold.kinds.instant import Instant
from withhold.names import CallerName, Digest, Role, SignerRole, State, StoreName, WarrantId
from withhold.policy.model import Policy
from withhold.ports import Freeze, Registered
from withhold.warrant.signed import MAX_DOCUMENT_BYTES, parse_signed

VALID = {"from": "2020-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z"}
ID = "W-2026-0117-k7wqz4"
W = f"/warrants/{ID}"
BUNDLE = Bundle(Catalogue({}), Policy({SUBPOENA.name: SUBPOENA}, (), ()), Digest("sha-256=:AA==:"))
CALLERS = (CallerName("disclosure-service"),)
NOBODY = pen("nobody", SignerRole.APPROVE, 9)
TOKENS = {role: f"token-of-{role}" for role in Role}


def caller(role: Role) -> CallerEntry:
    digest = hashlib.sha256(TOKENS[role].encode()).digest()
    return CallerEntry(CallerName(f"caller-{role}"), digest, frozenset({role}), frozenset())


@dataclass
class Plane:
    """A control plane, and what a test may look at or break."""

    client: httpx.AsyncClient
    registry: SqlRegistry
    database: Database
    freezes: Path
    destroyed: list[str]
    key_fault: KeyUnavailable | None = None
    redis: str = "ok"

    async def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        role: Role | None = Role.OPERATE,
        **params: str,
    ) -> tuple[int, Any]:
        headers = {} if role is None else {"Authorization": f"Bearer {TOKENS[role]}"}
        answer = await self.client.request(
            method, path, content=body, headers=headers, params=params
        )
        assert answer.headers["cache-control"] == "no-store"
        found = answer.json()
        if answer.is_error:
            assert answer.headers["content-type"] == "application/problem+json"
            assert found["status"] == answer.status_code
            return answer.status_code, found["code"]
        return answer.status_code, found

    async def post(self, path: str, body: bytes | None = None) -> tuple[int, Any]:
        return await self.call("POST", path, body)

    async def state(self) -> str:
        status, found = await self.call("GET", W)
        assert status == 200
        return str(found["state"])


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    database = Database(f"sqlite:///{tmp_path}/withhold.db")
    make_folder(tmp_path / "freezes")
    registry = SqlRegistry(database)
    destroyed: list[str] = []

    async def destroy(warrant: WarrantId) -> None:
        if made.key_fault is not None:
            raise made.key_fault
        destroyed.append(warrant)

    async def ask_redis() -> str:
        return made.redis

    parts = ControlParts(
        office=Office(registry, BUNDLE, SIGNERS, CALLERS, DEPLOYMENT),
        callers=tuple(map(caller, Role)),
        files={"policy/a.toml": b"x"},
        stores=frozenset({StoreName("synapse")}),
        software="withhold/test",
        probes={"redis": ask_redis},
        destroy_key=destroy,
        freezes=tmp_path / "freezes",
        metrics=lambda: (b"up 1\n", "text/plain; version=0.0.4"),
    )
    transport = httpx.ASGITransport(control_plane(parts), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://control") as client:
        made = Plane(client, registry, database, tmp_path / "freezes", destroyed)
        yield made
    database.close()


def ago(seconds: int) -> Instant:
    return Instant(int(time.time()) - seconds)


def resumption(by: Pen = APPROVER, signed_at: Instant | None = None) -> bytes:
    return by.sign(payload(valid=VALID), signed_at=signed_at or ago(0))


# --- Registering and approving ---


async def test_a_warrant_with_all_its_signatures_is_active_at_once(plane: Plane) -> None:
    status, found = await plane.post("/warrants", approved(valid=VALID))
    assert status == 201
    assert (found["id"], found["state"], found["waits_for"]) == (ID, "active", None)
    assert [each["signer"] for each in found["signatures"]] == ["intake-1", "approver-1"]
    assert await plane.state() == "active"


async def test_a_warrant_waits_for_its_approval(plane: Plane) -> None:
    document = INTAKE.sign(payload(valid=VALID))
    status, found = await plane.post("/warrants", document)
    assert (status, found["state"]) == (201, "pending")
    assert found["waits_for"] == "needs 1 more approval"
    status, found = await plane.post(f"{W}/signatures", APPROVER.sign(document))
    assert (status, found["state"], found["waits_for"]) == (200, "active", None)


async def test_a_signature_may_come_alone(plane: Plane) -> None:
    await plane.post("/warrants", INTAKE.sign(payload(valid=VALID)))
    _, found = await plane.post(f"{W}/signatures", APPROVER.sign(payload(valid=VALID)))
    assert found["state"] == "active"
    _, shown = await plane.call("GET", W)
    assert len(shown["document"]["signatures"]) == 2


async def test_intake_may_sign_last(plane: Plane) -> None:
    _, found = await plane.post("/warrants", APPROVER.sign(payload(valid=VALID)))
    assert (found["state"], found["waits_for"]) == ("pending", "needs the signature of intake")
    _, found = await plane.post(f"{W}/signatures", INTAKE.sign(payload(valid=VALID)))
    assert found["state"] == "active"


@pytest.mark.parametrize(
    ("document", "status", "code"),
    [
        (b"", 400, "bad-warrant"),
        (payload(valid=VALID), 400, "bad-warrant"),
        (pen("nobody", SignerRole.INTAKE, 9).sign(payload(valid=VALID)), 422, "unknown-signer"),
        (INTAKE.sign(payload(valid=VALID), deployment="other"), 422, "wrong-deployment"),
        (INTAKE.sign(payload(valid=VALID), role=SignerRole.APPROVE), 422, "wrong-role"),
        (INTAKE.sign(payload(valid=VALID, instrument="x")), 422, "no-such-instrument"),
        (INTAKE.sign(payload(valid=VALID, jurisdiction="EU")), 422, "wrong-jurisdiction"),
        (approved(valid={**VALID, "until": "2021-01-01T00:00:00Z"}), 422, "expired"),
        (b"x" * (MAX_DOCUMENT_BYTES + 1), 413, "too-large"),
    ],
)
async def test_what_is_not_as_it_must_be_is_not_registered(
    plane: Plane, document: bytes, status: int, code: str
) -> None:
    assert await plane.post("/warrants", document) == (status, code)
    assert await plane.registry.list() == ()


async def test_one_bad_signature_refuses_the_warrant(plane: Plane) -> None:
    document = json.loads(approved(valid=VALID))
    document["signatures"][1]["signature"] = document["signatures"][0]["signature"]
    body = json.dumps(document).encode()
    assert await plane.post("/warrants", body) == (422, "bad-signature")


async def test_an_id_is_never_reused(plane: Plane) -> None:
    await plane.post("/warrants", approved(valid=VALID))
    assert await plane.post("/warrants", approved(valid=VALID)) == (409, "id-in-use")
    await plane.post(f"{W}/revoke")
    assert await plane.post("/warrants", approved(valid=VALID)) == (409, "id-in-use")


async def test_a_signature_over_another_payload_is_refused(plane: Plane) -> None:
    await plane.post("/warrants", INTAKE.sign(payload(valid=VALID)))
    other = APPROVER.sign(payload(valid=VALID, note="another"))
    assert await plane.post(f"{W}/signatures", other) == (400, "bad-warrant")
    again = INTAKE.sign(payload(valid=VALID))
    assert await plane.post(f"{W}/signatures", again) == (422, "no-new-signature")
    assert await plane.state() == "pending"


async def test_intake_cannot_approve_as_well(plane: Plane) -> None:
    await plane.post("/warrants", INTAKE.sign(payload(valid=VALID)))
    later = INTAKE.sign(payload(valid=VALID), signed_at=ago(0))
    assert await plane.post(f"{W}/signatures", later) == (422, "same-signer")


async def test_an_active_warrant_takes_no_signature(plane: Plane) -> None:
    await plane.post("/warrants", approved(valid=VALID))
    body = SECOND.sign(payload(valid=VALID))
    assert await plane.post(f"{W}/signatures", body) == (409, "wrong-state")


async def test_of_two_who_approve_at_once_both_count(plane: Plane) -> None:
    await plane.post("/warrants", INTAKE.sign(payload(valid=VALID)))
    old = await plane.registry.find(WarrantId(ID))
    assert old is not None
    await plane.post(f"{W}/signatures", APPROVER.sign(payload(valid=VALID)))
    # What was read before the first approval can't be written over it.
    with pytest.raises(Exception, match="changed meanwhile"):
        await plane.registry.amend(old, old)


async def test_what_is_asked_in_vain_is_said_and_no_fault(plane: Plane) -> None:
    document = approved(
        valid=VALID,
        categories=["content"],
        fields=[{"resource": "synapse/whois", "path": "$.x"}],
        callers=["disclosure-service", "nobody"],
    )
    status, found = await plane.post("/warrants", document)
    assert (status, found["state"]) == (201, "active")
    assert found["remarks"] == [
        "`content` is not covered by `us-sca-subpoena`",
        "`synapse/whois` is no resource of the catalogue",
        "`nobody` is no caller of this deployment",
    ]


# --- Suspending and resuming ---


async def test_resuming_takes_an_approvers_signature_of_now(plane: Plane) -> None:
    await plane.post("/warrants", approved(valid=VALID))
    assert await plane.post(f"{W}/suspend") == (200, {"id": ID, "state": "suspended"})
    status, found = await plane.post(f"{W}/resume", resumption())
    assert (status, found["state"]) == (200, "active")
    assert [each["signer"] for each in found["signatures"]] == ["intake-1", "approver-1"]
    assert await plane.state() == "active"


async def test_another_approver_may_resume(plane: Plane) -> None:
    await plane.post("/warrants", approved(valid=VALID))
    await plane.post(f"{W}/suspend")
    _, found = await plane.post(f"{W}/resume", resumption(SECOND))
    signers = [each["signer"] for each in found["signatures"]]
    assert signers == ["intake-1", "approver-1", "approver-2"]


async def test_a_resumption_serves_once(plane: Plane) -> None:
    await plane.post("/warrants", approved(valid=VALID))
    await plane.post(f"{W}/suspend")
    statement = resumption()
    await plane.post(f"{W}/resume", statement)
    await plane.post(f"{W}/suspend")
    assert await plane.post(f"{W}/resume", statement) == (422, "stale-signature")
    assert await plane.state() == "suspended"


@pytest.mark.parametrize(
    "seconds", [RESUME_WITHIN_S + 60, -CLOCKS_DIFFER_S - 60, 50 * 365 * 86_400]
)
async def test_a_resumption_is_of_now(plane: Plane, seconds: int) -> None:
    await plane.post("/warrants", approved(valid=VALID))
    await plane.post(f"{W}/suspend")
    statement = resumption(signed_at=ago(seconds))
    assert await plane.post(f"{W}/resume", statement) == (422, "stale-signature")


@pytest.mark.parametrize(
    ("sign", "code"),
    [
        (lambda: INTAKE.sign(payload(valid=VALID), signed_at=ago(0)), "wrong-role"),
        (lambda: approved(valid=VALID), "wrong-role"),
        (lambda: NOBODY.sign(payload(valid=VALID), signed_at=ago(0)), "unknown-signer"),
        (
            lambda: INTAKE.sign(payload(valid=VALID), SignerRole.APPROVE, signed_at=ago(0)),
            "wrong-role",
        ),
    ],
    ids=["intake", "everybody", "a stranger", "intake as approver"],
)
async def test_only_an_approver_resumes(plane: Plane, sign: Callable[[], bytes], code: str) -> None:
    statement = sign()
    await plane.post("/warrants", approved(valid=VALID))
    await plane.post(f"{W}/suspend")
    status, found = await plane.post(f"{W}/resume", statement)
    assert (status, found) == (422, code)
    assert await plane.state() == "suspended"


async def test_only_what_is_suspended_resumes(plane: Plane) -> None:
    await plane.post("/warrants", approved(valid=VALID))
    assert await plane.post(f"{W}/resume", resumption()) == (409, "wrong-state")
    await plane.post(f"{W}/revoke")
    assert await plane.post(f"{W}/resume", resumption()) == (409, "wrong-state")


# --- Ending ---


async def test_revoking_is_final(plane: Plane) -> None:
    await plane.post("/warrants", approved(valid=VALID))
    assert (await plane.post(f"{W}/revoke"))[0] == 200
    for verb in ("suspend", "close", "revoke"):
        assert await plane.post(f"{W}/{verb}") == (409, "wrong-state")
    assert plane.destroyed == []


async def test_closing_destroys_the_token_key(plane: Plane) -> None:
    await plane.post("/warrants", approved(valid=VALID))
    assert await plane.post(f"{W}/close") == (200, {"id": ID, "state": "closed"})
    assert plane.destroyed == [ID]


async def test_closing_again_finishes_what_failed(plane: Plane) -> None:
    await plane.post("/warrants", approved(valid=VALID))
    plane.key_fault = KeyUnavailable("no key")
    assert await plane.post(f"{W}/close") == (503, "key-unavailable")
    assert await plane.state() == "closed"
    plane.key_fault = None
    assert (await plane.post(f"{W}/close"))[0] == 200
    assert plane.destroyed == [ID]


async def test_what_is_not_there_is_said_so(plane: Plane) -> None:
    for method, path, body in (
        ("GET", W, None),
        ("POST", f"{W}/suspend", None),
        ("POST", f"{W}/close", None),
        ("POST", f"{W}/signatures", approved()),
        ("POST", f"{W}/resume", approved()),
    ):
        assert await plane.call(method, path, body) == (404, "warrant-unknown")
    assert await plane.call("GET", "/warrants/") == (404, "no-such-resource")
    assert await plane.call("GET", "/nothing") == (404, "no-such-resource")
    assert await plane.call("DELETE", W) == (405, "method-not-allowed")


# --- Freezes ---


async def test_freezes_and_thaws(plane: Plane) -> None:
    both = b'{"store": "synapse", "instrument": "us-sca-subpoena"}'
    everything = {"store": None, "instrument": None}
    assert await plane.post("/freezes", b"{}") == (201, {"freezes": [everything]})
    status, found = await plane.post("/freezes", both)
    assert (status, len(found["freezes"])) == (201, 2)
    _, found = await plane.call("DELETE", "/freezes")
    assert found["freezes"] == [{"store": "synapse", "instrument": "us-sca-subpoena"}]
    _, found = await plane.call("DELETE", "/freezes", store="synapse", instrument="us-sca-subpoena")
    assert found == {"freezes": []}


@pytest.mark.parametrize(
    "body",
    [
        b'{"store": "no-such"}',
        b'{"instrument": "no-such"}',
        b'{"stores": "synapse"}',
        b'{"store": 1}',
        b'{"store": "synapse", "store": "synapse"}',
        b"[]",
        b"",
        b" " * (MAX_REQUEST_BYTES + 1),
    ],
)
async def test_a_freeze_that_would_hold_nothing_is_refused(plane: Plane, body: bytes) -> None:
    status, _ = await plane.post("/freezes", body)
    assert status in {400, 413}
    assert (await plane.registry.changes(0)).freezes == frozenset()
    assert list_freezes(plane.freezes) == frozenset()


async def test_freezes_this_node_with_the_database_down(plane: Plane) -> None:
    plane.database.close()
    assert await plane.post("/freezes", b"{}") == (503, "database-unavailable")
    assert list_freezes(plane.freezes) == {Freeze()}


async def test_freezing_waits_for_nobodys_thread(plane: Plane) -> None:
    done = threading.Event()
    others = [asyncio.ensure_future(asyncio.to_thread(done.wait)) for _ in range(64)]
    try:
        async with asyncio.timeout(5):
            assert (await plane.post("/freezes", b"{}"))[0] == 201
            assert (await plane.call("DELETE", "/freezes"))[0] == 200
    finally:
        done.set()
        await asyncio.gather(*others)


async def test_freezes_all_nodes_while_the_folder_hangs(plane: Plane) -> None:
    done = threading.Event()
    for _ in range(8):
        freezes._threads.submit(done.wait)  # as a folder on a dead disk has them do
    freezing = asyncio.ensure_future(plane.post("/freezes", b"{}"))
    try:
        async with asyncio.timeout(5):
            while (await plane.registry.changes(0)).freezes != {Freeze()}:
                pass
    finally:
        done.set()
    assert (await freezing)[0] == 201


async def test_freezes_all_nodes_with_the_folder_gone(plane: Plane) -> None:
    shutil.rmtree(plane.freezes)
    assert await plane.post("/freezes", b"{}") == (503, "database-unavailable")
    assert (await plane.registry.changes(0)).freezes == {Freeze()}


async def test_freezing_with_neither_is_said_so(plane: Plane) -> None:
    shutil.rmtree(plane.freezes)
    plane.database.close()
    assert await plane.post("/freezes", b"{}") == (503, "database-unavailable")


async def test_lists_and_lifts_a_freeze_by_file(plane: Plane) -> None:
    add_freeze(plane.freezes, Freeze())
    _, found = await plane.call("GET", "/status")
    assert found["freezes"] == [{"store": None, "instrument": None}]
    assert await plane.call("DELETE", "/freezes") == (200, {"freezes": []})
    assert list_freezes(plane.freezes) == frozenset()


async def test_a_thaw_names_what_there_is(plane: Plane) -> None:
    assert await plane.call("DELETE", "/freezes", stores="x") == (400, "bad-request")
    assert await plane.call("DELETE", "/freezes", store="x") == (400, "bad-request")


# --- Who may ---

OPERATES = [
    ("POST", "/warrants"),
    ("POST", f"{W}/signatures"),
    ("POST", f"{W}/suspend"),
    ("POST", f"{W}/resume"),
    ("POST", f"{W}/revoke"),
    ("POST", f"{W}/close"),
    ("POST", "/freezes"),
    ("DELETE", "/freezes"),
]
LOOKS = [("GET", "/warrants"), ("GET", W), ("GET", "/status")]


@pytest.mark.parametrize(("method", "path"), [*OPERATES, *LOOKS, ("GET", "/bundle")])
async def test_nobody_without_a_token(plane: Plane, method: str, path: str) -> None:
    assert await plane.call(method, path, role=None) == (401, "unauthenticated")


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(("method", "path"), [*OPERATES, *LOOKS, ("GET", "/bundle")])
async def test_each_role_does_its_own(plane: Plane, role: Role, method: str, path: str) -> None:
    status, found = await plane.call(method, path, role=role)
    allowed = role is Role.OPERATE or (
        role is (Role.TUNE if path == "/bundle" else Role.AUDIT) and (method, path) not in OPERATES
    )
    assert ((status, found) != (403, "role-not-allowed")) == allowed


# --- Looking ---


async def test_shows_a_warrant_with_its_document(plane: Plane) -> None:
    document = approved(valid=VALID)
    await plane.post("/warrants", document)
    _, found = await plane.call("GET", W)
    assert found["document"] == json.loads(document)
    assert found["deployment"] == DEPLOYMENT


async def test_a_list_names_no_target(plane: Plane) -> None:
    await plane.post("/warrants", approved(valid=VALID))
    _, found = await plane.call("GET", "/warrants", role=Role.AUDIT)
    assert [each["id"] for each in found["warrants"]] == [ID]
    assert "alice" not in json.dumps(found)
    assert "+44" not in json.dumps(found)


async def test_an_active_warrant_past_its_time_is_shown_expired(plane: Plane) -> None:
    valid = {"from": "2020-01-01T00:00:00Z", "until": "2020-02-01T00:00:00Z"}
    document = approved(valid=valid)
    digest = parse_signed(document).warrant.digest
    await plane.registry.register(Registered(WarrantId(ID), document, digest, State.ACTIVE))
    assert await plane.state() == "expired"


async def test_gives_the_bundle_that_is_served(plane: Plane) -> None:
    _, found = await plane.call("GET", "/bundle", role=Role.TUNE)
    assert found["digest"] == BUNDLE.digest
    assert base64.b64decode(found["files"]["policy/a.toml"]) == b"x"


async def test_says_how_things_stand(plane: Plane) -> None:
    await plane.post("/warrants", INTAKE.sign(payload(valid=VALID)))
    plane.redis = "does not answer"
    _, found = await plane.call("GET", "/status", role=Role.AUDIT)
    assert found["health"] == {"redis": "does not answer", "database": "ok"}
    assert found["warrants"]["pending"] == 1
    assert found["waiting"] == [{"id": ID, "for": "needs 1 more approval"}]
    assert found["freezes"] == []


async def test_says_how_things_stand_without_a_database(plane: Plane) -> None:
    plane.database.close()
    status, found = await plane.call("GET", "/status", role=Role.AUDIT)
    assert (status, found["health"]["database"]) == (200, "the database is closed")


async def test_is_ready_while_the_database_answers(plane: Plane) -> None:
    assert await plane.call("GET", "/healthz", role=None) == (200, {"status": "ok"})
    assert await plane.call("GET", "/readyz", role=None) == (200, {"status": "ok"})
    plane.database.close()
    assert await plane.call("GET", "/healthz", role=None) == (200, {"status": "ok"})
    assert await plane.call("GET", "/readyz", role=None) == (503, "database-unavailable")


async def test_gives_metrics_without_a_token(plane: Plane) -> None:
    answer = await plane.client.get("/metrics")
    assert answer.text == "up 1\n"


async def test_a_request_that_takes_no_body_takes_none(plane: Plane) -> None:
    assert await plane.call("GET", "/status", b'{"a": 1}') == (400, "bad-request")


async def test_what_nobody_foresaw_is_500_and_tells_nothing(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_: object) -> None:
        message = "canary"
        raise RuntimeError(message)

    monkeypatch.setattr(plane.registry, "list", breaks)
    answer = await plane.client.get(
        "/warrants", headers={"Authorization": f"Bearer {TOKENS[Role.AUDIT]}"}
    )
    assert answer.status_code == 500
    assert "canary" not in answer.text


async def test_logs_who_changed_what_and_no_target(
    plane: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "withhold"):
        await plane.post("/warrants", approved(valid=VALID))
        await plane.post(f"{W}/suspend")
        await plane.post("/freezes", b"{}")
    events = [(each.message, vars(each)["caller"]) for each in caplog.records]
    assert events == [
        ("warrant-registered", "caller-operate"),
        ("warrant-moved", "caller-operate"),
        ("frozen", "caller-operate"),
    ]
    assert "alice" not in json.dumps([vars(each) for each in caplog.records], default=str)
