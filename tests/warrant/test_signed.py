import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.jwk import OKPKey
from joserfc.registry import HeaderParameter

from tests.warrants import (
    APPROVER,
    DEPLOYMENT,
    INTAKE,
    SECOND,
    SIGNED_AT,
    SIGNERS,
    SUBPOENA,
    approved,
    payload,
    pen,
)
from withhold.errors import WarrantError
from withhold.kinds.instant import Instant, print_instant
from withhold.names import SignerRole
from withhold.warrant.jws import MAX_SIGNATURES
from withhold.warrant.model import ApprovedWarrant
from withhold.warrant.signed import (
    MAX_DOCUMENT_BYTES,
    add_signature,
    is_signed,
    parse_signed,
    print_signed,
)
from withhold.warrant.verify import verify_warrant

HEADER = {
    "alg": "Ed25519",
    "kid": "intake-1",
    "typ": "withhold-warrant+jws",
    "role": "intake",
    "signed_at": "2026-11-01T00:00:00Z",
    "deployment": DEPLOYMENT,
}


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def entry(header: object = HEADER, value: bytes = bytes(64)) -> dict[str, Any]:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return {"protected": encode(raw), "signature": encode(value)}


def document(*entries: object, **changed: object) -> bytes:
    members = {"payload": encode(payload()), "signatures": list(entries) or [entry()], **changed}
    return json.dumps({k: v for k, v in members.items() if v is not ...}).encode()


def fault(data: bytes) -> str:
    with pytest.raises(WarrantError) as caught:
        parse_signed(data)
    return str(caught.value)


def test_reads_payload_and_signatures_and_prints_them_again() -> None:
    signed = parse_signed(approved())
    assert signed.payload == payload()
    assert [s.key_id for s in signed.signatures] == ["intake-1", "approver-1"]
    assert [s.role for s in signed.signatures] == [SignerRole.INTAKE, SignerRole.APPROVE]
    assert {s.deployment for s in signed.signatures} == {DEPLOYMENT}
    assert {s.signed_at for s in signed.signatures} == {SIGNED_AT}
    assert print_signed(signed.payload, signed.signatures) == approved()


def test_the_protected_header_is_exactly_the_contracts() -> None:
    protected = parse_signed(INTAKE.sign(payload())).signatures[0].protected
    header = json.loads(decode(protected.decode()))
    assert header == {**HEADER, "signed_at": print_instant(SIGNED_AT)}


@pytest.fixture
def registry() -> jws.JWSRegistry:
    ours = {n: HeaderParameter(n, "str") for n in ("role", "signed_at", "deployment")}
    return jws.JWSRegistry(ours, ["Ed25519"])


def test_another_implementation_verifies_what_we_sign(registry: jws.JWSRegistry) -> None:
    found = json.loads(approved())
    by_name = {p.signer.name: OKPKey.import_key(p.key.public_key()) for p in (INTAKE, APPROVER)}
    seen = jws.deserialize_json(
        found, lambda member: by_name[member.headers()["kid"]], registry=registry
    )
    assert seen.payload == payload()
    assert len(seen.members) == 2


def test_we_verify_what_another_implementation_signs(registry: jws.JWSRegistry) -> None:
    members: list[jws.HeaderDict] = [
        {"protected": {**HEADER, "kid": p.signer.name, "role": p.signer.role.value}}
        for p in (INTAKE, APPROVER)
    ]
    keys = {p.signer.name: OKPKey.import_key(p.key) for p in (INTAKE, APPROVER)}
    made = jws.serialize_json(
        members, payload(), lambda member: keys[member.headers()["kid"]], registry=registry
    )
    found = verify_warrant(parse_signed(json.dumps(made).encode()), SIGNERS, SUBPOENA, DEPLOYMENT)
    assert isinstance(found, ApprovedWarrant)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("alg", "EdDSA", "protected.alg` must be `Ed25519`"),
        ("alg", "none", "protected.alg` must be `Ed25519`"),
        ("alg", "HS256", "protected.alg` must be `Ed25519`"),
        ("alg", "ed25519", "protected.alg` must be `Ed25519`"),
        ("alg", ["Ed25519"], "protected.alg` must be a string"),
        ("typ", "JWT", "protected.typ` must be `withhold-warrant+jws`"),
        ("role", "owner", "protected.role` must be `intake` or `approve`"),
        ("signed_at", "2026-11-01T00:00:00", "protected.signed_at` is not a time"),
        ("signed_at", 1_793_491_200, "protected.signed_at` must be a string"),
        ("kid", "", "protected.kid` is empty or too long"),
        ("kid", "x" * 257, "protected.kid` is empty or too long"),
        ("deployment", "", "protected.deployment` is empty or too long"),
        ("crit", ["b64"], "protected.crit` is unknown"),
        ("b64", False, "a key in `$.signatures[0].protected` is unknown"),
        ("jwk", {"kty": "OKP"}, "protected.jwk` is unknown"),
        ("cty", "json", "protected.cty` is unknown"),
    ],
)
def test_a_header_that_is_not_ours_is_refused(name: str, value: object, message: str) -> None:
    assert message in fault(document(entry({**HEADER, name: value})))


@pytest.mark.parametrize("name", HEADER)
def test_every_header_parameter_is_required(name: str) -> None:
    header = {n: v for n, v in HEADER.items() if n != name}
    assert fault(document(entry(header))).endswith(f"lacks `{name}`")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (document({**entry(), "header": {"kid": "x"}}), "`$.signatures[0].header` is unknown"),
        (document({"signature": entry()["signature"]}), "`$.signatures[0]` lacks `protected`"),
        (document({"protected": entry()["protected"]}), "`$.signatures[0]` lacks `signature`"),
        (document(["x"]), "`$.signatures[0]` must be an object"),
        (document(signatures=[]), "`$.signatures` must have 1 to 16 entries"),
        (document(*[entry()] * 17), "`$.signatures` must have 1 to 16 entries"),
        (document(signatures={}), "`$.signatures` must be an array"),
        (document(payload=...), "`$` lacks `payload`"),
        (document(extra=1), "`$.extra` is unknown"),
        (document(header={}), "`$.header` is unknown"),
        (document(payload=encode(b"{}")), "`$` lacks `id`"),
        (document(entry(value=bytes(63))), "`$.signatures[0].signature` must have 64 bytes"),
        (document(entry(b"[]")), "`$.signatures[0].protected` is not a JSON object"),
        (document(entry(b"\xff")), "`$.signatures[0].protected` is not UTF-8"),
        (document(entry(b'{"alg":"none","alg":"Ed25519"}')), "occurs twice"),
        (document(entry({**HEADER, "kid": "x" * 5_000})), "is too large"),
        (json.dumps({"payload": encode(payload()), **entry()}).encode(), "is unknown"),  # flattened
        (f"{entry()['protected']}.{encode(payload())}.AA".encode(), "is not JSON"),  # compact
        (document().replace(b"{", b'{"payload": "e30", ', 1), "occurs twice"),
        (b" " * MAX_DOCUMENT_BYTES + document(), "is too large"),
    ],
)
def test_another_frame_is_refused(data: bytes, message: str) -> None:
    assert message in fault(data)


@pytest.mark.parametrize(
    "spelling",
    [
        "AA==",  # padding
        "AB",  # unused bits that are not zero
        "AAAAA",  # a length that no bytes have
        "A+A",  # the other alphabet
        "AA A",
        "AA\n",
        "é",
        1,
    ],
)
def test_base64url_has_one_spelling(spelling: object) -> None:
    assert "`$.payload`" in fault(document(payload=spelling))
    assert "signature`" in fault(document({**entry(), "signature": spelling}))
    assert "protected`" in fault(document({**entry(), "protected": spelling}))


def test_a_signature_is_added_and_those_that_stand_are_kept() -> None:
    one = INTAKE.sign(payload())
    two = APPROVER.sign(one)
    assert parse_signed(two).signatures[:1] == parse_signed(one).signatures
    assert is_signed(one)
    assert not is_signed(payload())


def test_nobody_signs_twice_under_one_name() -> None:
    with pytest.raises(WarrantError, match=r"^`intake-1` has signed already$"):
        INTAKE.sign(INTAKE.sign(payload()))


def test_signatures_have_a_bound() -> None:
    data = payload()
    for i in range(MAX_SIGNATURES):
        data = pen(f"approver-{i}", SignerRole.APPROVE, i + 1).sign(data)
    with pytest.raises(WarrantError, match="has 16 signatures already"):
        pen("one-more", SignerRole.APPROVE, 99).sign(data)


def test_what_could_not_be_registered_is_not_signed() -> None:
    with pytest.raises(WarrantError, match="lacks"):
        INTAKE.sign(b'{"id": "W-1"}')
    with pytest.raises(WarrantError, match="too long"):
        pen("x" * 300, SignerRole.INTAKE, 1).sign(payload())
    with pytest.raises(WarrantError, match="deployment` is empty"):
        SECOND.sign(payload(), deployment="")


def test_the_payload_is_signed_byte_for_byte() -> None:
    data = b"  " + payload().replace(b": ", b" :\n") + b"\n"
    signed = parse_signed(
        add_signature(
            data,
            Ed25519PrivateKey.from_private_bytes(bytes(32)),
            key_id="k",
            role=SignerRole.INTAKE,
            deployment="d",
            signed_at=Instant(1_800_000_000, "25"),
        )
    )
    assert signed.payload == data
    assert signed.signatures[0].signed_at == Instant(1_800_000_000, "25")


def test_a_signed_warrants_repr_holds_no_payload() -> None:
    assert "alice" not in repr(parse_signed(approved()))
