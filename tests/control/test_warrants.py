"""Warrants through HTTP: registered, approved, suspended, resumed, ended."""

import json
from collections.abc import Callable

import pytest

from tests.control.plane import ID, KEY_ID, VALID, Plane, W, ago, resumption
from tests.durable import change
from tests.warrants import APPROVER, INTAKE, SECOND, approved, payload, pen
from withhold.control.warrants import CLOCKS_DIFFER_S, RESUME_WITHIN_S
from withhold.errors import KeyUnavailable
from withhold.names import SignerRole, WarrantId
from withhold.warrant.signed import MAX_DOCUMENT_BYTES

NOBODY = pen("nobody", SignerRole.APPROVE, 9)

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
        await plane.registry.amend(old, old, change())


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
    closed = {"id": ID, "state": "closed", "key_destroyed": KEY_ID}
    assert await plane.post(f"{W}/close") == (200, closed)
    assert plane.destroyed == [ID]


async def test_closing_again_finishes_what_failed(plane: Plane) -> None:
    await plane.post("/warrants", approved(valid=VALID))
    plane.key_fault = KeyUnavailable("no key")
    assert await plane.post(f"{W}/close") == (503, "key-unavailable")
    assert await plane.state() == "closed"
    plane.key_fault = None
    assert (await plane.post(f"{W}/close"))[0] == 200
    assert plane.destroyed == [ID]
