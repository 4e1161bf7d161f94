import json
from dataclasses import replace
from typing import Any

import pytest
import rfc8785

from tests.warrants import APPROVER, DEPLOYMENT, INTAKE, SIGNERS, Pen, approved, pen
from withhold.errors import WarrantError
from withhold.kinds.instant import Instant
from withhold.names import CallerName, ResourceName, SignerRole, WarrantId
from withhold.paths import parse_path
from withhold.warrant.jws import MAX_SIGNATURES, print_jws, sign
from withhold.warrant.model import NamedField
from withhold.warrant.reveal import (
    CLOCKS_DIFFER_S,
    EXPIRED,
    LASTS_S,
    MAX_DOCUMENT_BYTES,
    NOT_APPROVED,
    TYPE,
    Approval,
    Approved,
    parse_approval,
    sign_approval,
    verify_approval,
)
from withhold.warrant.signed import parse_signed
from withhold.warrant.verify import Denial

NOW = Instant(1_795_000_000, "25")
TOKEN = f"tok_ip_{'a' * 8}_{'b' * 25}a"
ANALYST = CallerName("analyst-1")
APPROVAL = Approval(
    warrant=WarrantId("W-2"),
    token=TOKEN,
    named=NamedField(ResourceName("synapse/whois"), parse_path("$.devices.*.ip")),
    reason="attributed in 26-SW-70123",
    caller=ANALYST,
    expires=Instant(NOW.second + 900),
)
MEMBERS: dict[str, Any] = {
    "warrant": "W-2",
    "token": TOKEN,
    "resource": "synapse/whois",
    "path": "$.devices.*.ip",
    "reason": "attributed in 26-SW-70123",
    "caller": "analyst-1",
    "expires": "2026-11-18T11:21:40Z",
}


def signed(
    approval: Approval = APPROVAL,
    by: Pen = APPROVER,
    at: Instant = NOW,
    deployment: str = DEPLOYMENT,
) -> bytes:
    """An approval as an approver writes it."""
    name = by.signer.name
    return sign_approval(approval, by.key, key_id=name, deployment=deployment, signed_at=at)


def document(payload: bytes, kind: str = TYPE, signatures: int = 1) -> bytes:
    """Any payload under an approver's signature."""
    signature = sign(
        payload,
        kind,
        APPROVER.key,
        key_id=APPROVER.signer.name,
        role=SignerRole.APPROVE,
        deployment=DEPLOYMENT,
        signed_at=NOW,
    )
    return print_jws(payload, [signature] * signatures)


def verified(of: bytes, **changed: Any) -> Approved | Denial:  # noqa: ANN401 - arguments
    arguments = {"signers": SIGNERS, "deployment": DEPLOYMENT, "caller": ANALYST, "now": NOW}
    return verify_approval(parse_approval(of), **{**arguments, **changed})


def refusal(of: bytes, **changed: Any) -> tuple[str, str]:  # noqa: ANN401 - arguments
    found = verified(of, **changed)
    assert isinstance(found, Denial)
    return found.reason, found.message


def test_an_approval_by_an_approver_in_force_is_believed() -> None:
    found = verified(signed())
    assert isinstance(found, Approved)
    assert found.approval == APPROVAL
    assert found.approver == "approver-1"


def test_the_payload_is_canonical_and_closed() -> None:
    assert parse_approval(signed()).payload == rfc8785.dumps(MEMBERS)


def test_what_is_signed_has_one_digest_and_another_signature_another() -> None:
    one, same, other = (
        verified(signed(at=at)) for at in (NOW, NOW, replace_second(NOW.second - 1))
    )
    assert isinstance(one, Approved)
    assert isinstance(same, Approved)
    assert isinstance(other, Approved)
    assert one.digest == same.digest != other.digest
    # However the document around it is written, it is the same approval.
    spaced = json.dumps(json.loads(signed()), indent=1).encode()
    assert verified(spaced) == one


def replace_second(second: int) -> Instant:
    return Instant(second, NOW.fraction)


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"[]", "not a JSON object"),
        (rfc8785.dumps({**MEMBERS, "note": "x"}), "`$.note` is unknown"),
        (rfc8785.dumps({n: m for n, m in MEMBERS.items() if n != "reason"}), "lacks `reason`"),
        (json.dumps(MEMBERS).encode(), "not canonical"),
        (rfc8785.dumps({**MEMBERS, "path": "$['devices'].*.ip"}), "not canonical"),
        (rfc8785.dumps({**MEMBERS, "expires": "2026-11-18T12:21:40+01:00"}), "not canonical"),
        (rfc8785.dumps({**MEMBERS, "token": "192.0.2.7"}), "`$.token` is no token"),
        (rfc8785.dumps({**MEMBERS, "token": TOKEN[:-1] + "b"}), "`$.token` is no token"),
        (rfc8785.dumps({**MEMBERS, "reason": "two\nlines"}), "`$.reason` holds a control"),
        (rfc8785.dumps({**MEMBERS, "reason": ""}), "`$.reason` is empty"),
        (rfc8785.dumps({**MEMBERS, "reason": "x" * 1_025}), "`$.reason` is too long"),
        (rfc8785.dumps({**MEMBERS, "warrant": "W 2"}), "`$.warrant` is not an id"),
        (rfc8785.dumps({**MEMBERS, "resource": "whois"}), "`$.resource` is not a resource"),
        (rfc8785.dumps({**MEMBERS, "expires": "soon"}), "`$.expires` is not a time"),
        (rfc8785.dumps({**MEMBERS, "caller": 1}), "`$.caller` must be a string"),
    ],
    ids=range(15),
)
def test_nothing_else_is_an_approval(payload: bytes, message: str) -> None:
    with pytest.raises(WarrantError) as caught:
        parse_approval(document(payload))
    assert message in caught.value.message
    assert TOKEN not in caught.value.message


def test_a_warrant_is_no_approval_and_an_approval_no_warrant() -> None:
    with pytest.raises(WarrantError, match="typ` must be `withhold-reveal"):
        parse_approval(approved())
    with pytest.raises(WarrantError, match="typ` must be `withhold-warrant"):
        parse_signed(signed())


def test_one_person_signs() -> None:
    with pytest.raises(WarrantError, match="more than one signature"):
        parse_approval(document(rfc8785.dumps(MEMBERS), signatures=MAX_SIGNATURES))


def test_it_is_small() -> None:
    with pytest.raises(WarrantError, match="too large"):
        parse_approval(b" " * MAX_DOCUMENT_BYTES + signed())


def test_nobody_signs_what_nobody_would_take() -> None:
    with pytest.raises(WarrantError, match="is empty"):
        signed(replace(APPROVAL, reason=" "))


@pytest.mark.parametrize(
    ("of", "changed", "message"),
    [
        (signed(by=pen("stranger", SignerRole.APPROVE, 9)), {}, "no signer in force"),
        (signed(by=pen("approver-1", SignerRole.APPROVE, 9)), {}, "not valid for the key"),
        (signed(), {"signers": SIGNERS[:1]}, "no signer in force"),
        (signed(), {"deployment": "another"}, "another deployment"),
        (signed(by=INTAKE), {}, "may sign as `intake`"),
        (signed(), {"caller": CallerName("analyst-2")}, "for another caller"),
        (signed(at=replace_second(NOW.second + CLOCKS_DIFFER_S + 1)), {}, "still to come"),
        (
            signed(replace(APPROVAL, expires=Instant(NOW.second + LASTS_S + 1))),
            {},
            "longer than 3600",
        ),
    ],
    ids=range(8),
)
def test_an_approval_that_is_not_for_this_is_refused(
    of: bytes, changed: dict[str, Any], message: str
) -> None:
    reason, said = refusal(of, **changed)
    assert reason == NOT_APPROVED
    assert message in said


def test_intake_is_no_approver_whatever_it_signs_as() -> None:
    payload = rfc8785.dumps(MEMBERS)
    signature = sign(
        payload,
        TYPE,
        INTAKE.key,
        key_id="intake-1",
        role=SignerRole.INTAKE,
        deployment=DEPLOYMENT,
        signed_at=NOW,
    )
    reason, said = refusal(print_jws(payload, [signature]))
    assert (reason, said) == (NOT_APPROVED, "`intake-1` is no approver")


@pytest.mark.parametrize("name", ["approver-1", "PERSON of  approver-1"])
def test_nobody_approves_for_themselves_under_one_name(name: str) -> None:
    approval = replace(APPROVAL, caller=CallerName(name))
    reason, said = refusal(signed(approval), caller=CallerName(name))
    assert (reason, said) == (NOT_APPROVED, "`approver-1` approves what it asks for itself")


def test_a_clock_may_be_a_little_ahead() -> None:
    assert isinstance(verified(signed(at=replace_second(NOW.second + CLOCKS_DIFFER_S))), Approved)


@pytest.mark.parametrize(
    ("now", "holds"),
    [
        (Instant(NOW.second + 899, "999"), True),
        (Instant(NOW.second + 900), False),
        (Instant(NOW.second + LASTS_S), False),
    ],
    ids=["before", "at its end", "long after"],
)
def test_it_expires(now: Instant, holds: bool) -> None:
    found = verified(signed(), now=now)
    assert isinstance(found, Approved) is holds
    assert holds or (isinstance(found, Denial) and found.reason == EXPIRED)


def test_an_hour_after_it_was_signed_it_has_expired_whatever_it_says() -> None:
    long = signed(replace(APPROVAL, expires=Instant(NOW.second + 10 * LASTS_S)))
    assert refusal(long, now=replace_second(NOW.second + LASTS_S))[0] == EXPIRED


def test_no_text_of_it_holds_the_token_or_the_reason() -> None:
    for each in (APPROVAL, parse_approval(signed()), verified(signed())):
        assert TOKEN not in repr(each)
        assert "attributed" not in repr(each)
