"""A warrant, its signers and its signatures, for the tests to start from and to spoil."""

import copy
import json
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from withhold.kinds.instant import Instant
from withhold.names import Category, InstrumentName, SignerRole
from withhold.policy.model import Instrument
from withhold.warrant.model import Signer
from withhold.warrant.signed import add_signature

DEPLOYMENT = "example-test"
SIGNED_AT = Instant(1_793_491_200)

SUBPOENA = Instrument(
    name=InstrumentName("us-sca-subpoena"),
    title="Subpoena, 18 U.S.C. 2703(c)(2)",
    jurisdiction="US",
    covers=frozenset({Category.SUBSCRIBER, Category.IDENTIFYING}),
    approvals=1,
)

_CLAIMS: dict[str, Any] = {
    "id": "W-2026-0117-k7wqz4",
    "instrument": "us-sca-subpoena",
    "jurisdiction": "US",
    "authority": "Superior Court of California",
    "reference": "26-SW-70123",
    "targets": [
        {"kind": "phone", "value": "+44 20 7946 0220"},
        {"kind": "id", "value": "@alice:example.test"},
    ],
    "categories": ["subscriber", "identifying"],
    "fields": [],
    "period": {"from": "2026-01-01T00:00:00Z", "until": "2026-12-01T00:00:00Z"},
    "valid": {"from": "2026-11-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"},
    "callers": ["disclosure-service"],
}


def claims(**changed: object) -> dict[str, Any]:
    """The contract's example, with members changed; one that is changed to `...` is left out."""
    members = {**copy.deepcopy(_CLAIMS), **changed}
    return {name: member for name, member in members.items() if member is not ...}


def payload(**changed: object) -> bytes:
    """The bytes of `claims`."""
    return json.dumps(claims(**changed), ensure_ascii=False).encode("utf-8", "surrogatepass")


@dataclass(frozen=True)
class Pen:
    """A signer with the private key that goes with it."""

    signer: Signer
    key: Ed25519PrivateKey

    def sign(
        self,
        data: bytes,
        role: SignerRole | None = None,
        deployment: str = DEPLOYMENT,
        signed_at: Instant = SIGNED_AT,
    ) -> bytes:
        """Sign a payload, or add to a JWS."""
        return add_signature(
            data,
            self.key,
            key_id=self.signer.name,
            role=role or self.signer.role,
            deployment=deployment,
            signed_at=signed_at,
        )


def pen(name: str, role: SignerRole, seed: int, person: str = "") -> Pen:
    """The same pen for the same arguments; a seed is a key, a person is by default the name's."""
    key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    public = key.public_key().public_bytes_raw()
    return Pen(Signer(name, person or f"person of {name}", role, public), key)


INTAKE = pen("intake-1", SignerRole.INTAKE, 1)
APPROVER = pen("approver-1", SignerRole.APPROVE, 2)
SECOND = pen("approver-2", SignerRole.APPROVE, 3)
SIGNERS = (INTAKE.signer, APPROVER.signer, SECOND.signer)


def approved(**changed: object) -> bytes:
    """The JWS of a warrant that intake and one approver have signed."""
    return APPROVER.sign(INTAKE.sign(payload(**changed)))
