"""Approvals of a reveal: a second person signs that one token may be turned back into an address.

An approver signs on a machine of their own, as for a warrant and in the same framing (`jws`); the
`typ` keeps the two apart. It is about one token, one field of one warrant, one caller and one
reason, lasts an hour at most, and whoever takes it sees to it that it serves once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from withhold.canonical import write_canonical
from withhold.digest import digest_of
from withhold.errors import WarrantError
from withhold.kinds.instant import Instant, print_instant
from withhold.kinds.token import key_id_of
from withhold.names import CallerName, Digest, SignerRole, WarrantId
from withhold.paths import print_path
from withhold.warrant.claims import parse_field, take_id, take_instant, take_line
from withhold.warrant.document import check_members, read_object, take_text
from withhold.warrant.jws import parse_jws, print_jws, sign, signing_input
from withhold.warrant.model import NamedField, Signature, Signer
from withhold.warrant.verify import Denial, person_of, verify_signature

TYPE: Final = "withhold-reveal+jws"
LASTS_S: Final = 3_600  # from signing, at most
CLOCKS_DIFFER_S: Final = 60  # that much a signer's clock may be ahead of the database's
MAX_DOCUMENT_BYTES: Final = 16 * 2**10

NOT_APPROVED: Final = "not-approved"
EXPIRED: Final = "approval-expired"

_MAX_PAYLOAD_BYTES: Final = 8 * 2**10
_MEMBERS: Final = ("warrant", "token", "resource", "path", "reason", "caller", "expires")
_WHAT: Final = "the approval"


@dataclass(frozen=True, slots=True)
class Approval:
    """What is approved: that `caller` learns what `token` stands for, for `reason`."""

    warrant: WarrantId  # the one that names the field
    token: str = field(repr=False)
    named: NamedField
    reason: str = field(repr=False)  # one line, for the ledger's sealed part
    caller: CallerName
    expires: Instant


@dataclass(frozen=True, slots=True)
class SignedApproval:
    """An approval under one signature, not yet believed."""

    approval: Approval
    payload: bytes = field(repr=False)
    signature: Signature


@dataclass(frozen=True, slots=True)
class Approved:
    """An approval by an approver in force. Only `verify_approval` makes one."""

    approval: Approval
    approver: str  # the signer's name
    digest: Digest  # of what was signed, header included: the same for no other signature


def sign_approval(
    approval: Approval,
    key: Ed25519PrivateKey,
    *,
    key_id: str,
    deployment: str,
    signed_at: Instant,
) -> bytes:
    """Give the JWS document of an approval. Raises: WarrantError, for what nobody would take."""
    payload = _print(approval)
    signature = sign(
        payload,
        TYPE,
        key,
        key_id=key_id,
        role=SignerRole.APPROVE,
        deployment=deployment,
        signed_at=signed_at,
    )
    document = print_jws(payload, (signature,))
    parse_approval(document)  # what we write, we can read
    return document


def parse_approval(document: bytes) -> SignedApproval:
    """Read an approval with its one signature; nothing is believed yet. Raises: WarrantError."""
    payload, signatures = parse_jws(document, _WHAT, TYPE, MAX_DOCUMENT_BYTES)
    if len(signatures) != 1:
        raise WarrantError(f"{_WHAT} has more than one signature: one approver signs it")
    found = read_object(payload, _WHAT, _MAX_PAYLOAD_BYTES)
    check_members(found, "$", _MEMBERS)
    token = take_text(found["token"], "$.token")
    if key_id_of(token) is None:
        raise WarrantError("`$.token` is no token of an address")
    approval = Approval(
        warrant=WarrantId(take_id(found["warrant"], "$.warrant")),
        token=token,
        named=parse_field({name: found[name] for name in ("resource", "path")}, "$"),
        reason=take_line(found["reason"], "$.reason"),
        caller=CallerName(take_line(found["caller"], "$.caller")),
        expires=take_instant(found["expires"], "$.expires"),
    )
    if _print(approval) != payload:
        raise WarrantError(f"{_WHAT} is not canonical JSON (RFC 8785)")
    return SignedApproval(approval, payload, signatures[0])


def verify_approval(
    signed: SignedApproval,
    signers: Sequence[Signer],
    deployment: str,
    caller: CallerName,
    now: Instant,
) -> Approved | Denial:
    """Believe an approval, if an approver in force signed it for this caller, not long ago.

    `now`: by the database's clock. A caller is a token and no person, so whether the two are
    different people is checked by name alone: neither the signer's nor the person's is the
    caller's. Whether it was used before is for the ledger to say.
    """
    signature = signed.signature
    found = verify_signature(signed.payload, signature, signers, deployment, "the signature")
    if isinstance(found, Denial):
        return Denial(NOT_APPROVED, found.message, found.hint)
    if found.role is not SignerRole.APPROVE:
        return Denial(NOT_APPROVED, f"`{found.name}` is no approver")
    if signed.approval.caller != caller:
        return Denial(NOT_APPROVED, "the approval is for another caller")
    if caller == found.name or _folded(found, caller) == person_of(found):
        return Denial(NOT_APPROVED, f"`{found.name}` approves what it asks for itself")
    made, expires = signature.signed_at, signed.approval.expires
    if made.second - now.second > CLOCKS_DIFFER_S:
        return Denial(NOT_APPROVED, "the signature is of a time that is still to come")
    lasts = Instant(made.second + LASTS_S, made.fraction)
    if now >= expires or now >= lasts:
        return Denial(EXPIRED, "the approval is no longer valid")
    if expires > lasts:
        return Denial(NOT_APPROVED, f"the approval is for longer than {LASTS_S} seconds")
    digest = digest_of(signing_input(signature.protected, signed.payload))
    return Approved(signed.approval, found.name, digest)


def _print(approval: Approval) -> bytes:
    return write_canonical(
        {
            "warrant": approval.warrant,
            "token": approval.token,
            "resource": approval.named.resource,
            "path": print_path(approval.named.path),
            "reason": approval.reason,
            "caller": approval.caller,
            "expires": print_instant(approval.expires),
        }
    )


def _folded(signer: Signer, caller: CallerName) -> str:
    """Give a caller's name in the spelling in which persons are compared."""
    return person_of(Signer(signer.name, caller, signer.role, signer.public_key))
