"""Verification: a `SignedWarrant` becomes an `ApprovedWarrant`, or a `Denial` that says why not.

The only place that makes an `ApprovedWarrant`. All signatures must be valid: one bad one refuses
the warrant, since a document that somebody has tampered with is evidence, not a formality. Which
signers are in force, and the instrument, are arguments; state, validity and callers are looked at
for each request, elsewhere.
"""

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from withhold.names import Category, InstrumentName, SignerRole
from withhold.warrant.jws import signing_input
from withhold.warrant.model import ApprovedWarrant, Signature, SignedWarrant, Signer, Warrant

WRONG_INSTRUMENT: Final = "wrong-instrument"
WRONG_JURISDICTION: Final = "wrong-jurisdiction"
WRONG_DEPLOYMENT: Final = "wrong-deployment"
UNKNOWN_SIGNER: Final = "unknown-signer"
WRONG_ROLE: Final = "wrong-role"
BAD_SIGNATURE: Final = "bad-signature"
SAME_SIGNER: Final = "same-signer"
NEEDS_INTAKE: Final = "needs-intake"
NEEDS_APPROVAL: Final = "needs-approval"

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", re.ASCII)


class Instrument(Protocol):
    """What a policy's instrument says that decides here; a warrant is read without any policy."""

    @property
    def name(self) -> InstrumentName:
        """The instrument's name."""

    @property
    def jurisdiction(self) -> str:
        """Whose law it is."""

    @property
    def covers(self) -> Collection[Category]:
        """The ceiling."""

    @property
    def approvals(self) -> int:
        """Signatures by persons other than intake's."""


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a warrant is not believed: `reason` is a word of this module, `message` all of it."""

    reason: str
    message: str
    hint: str = ""


def verify_warrant(
    signed: SignedWarrant, signers: Sequence[Signer], instrument: Instrument, deployment: str
) -> ApprovedWarrant | Denial:
    """Believe a warrant if intake and enough approvers have signed it, all by signers in force.

    `signers`: those of the deployment file as it is now, so that a key that was taken out no
    longer counts. A warrant that waits for signatures is denied `needs-intake` or `needs-approval`.
    """
    warrant = signed.warrant
    if warrant.instrument != instrument.name:
        return Denial(WRONG_INSTRUMENT, f"the warrant's instrument is not `{instrument.name}`")
    if warrant.jurisdiction != instrument.jurisdiction:
        message = f"`{instrument.name}` is an instrument of `{instrument.jurisdiction}`"
        return Denial(WRONG_JURISDICTION, f"the warrant's jurisdiction is another: {message}")
    believed: list[Signer] = []
    for i, signature in enumerate(signed.signatures):
        which = f"signature {i + 1}"
        found = verify_signature(signed.payload, signature, signers, deployment, which)
        if isinstance(found, Denial):
            return found
        if any(_is_same(found, other) for other in believed):
            message = f"`{found.name}` signs for a key or a person that has signed already"
            return Denial(SAME_SIGNER, message)
        believed.append(found)
    intake = [signer.name for signer in believed if signer.role is SignerRole.INTAKE]
    approvers = [signer.name for signer in believed if signer.role is SignerRole.APPROVE]
    if len(intake) > 1:
        return Denial(SAME_SIGNER, "intake has signed twice: one signature is asked for")
    missing = instrument.approvals - len(approvers)
    if not intake:
        return Denial(NEEDS_INTAKE, "needs the signature of intake")
    if missing > 0:
        return Denial(NEEDS_APPROVAL, f"needs {missing} more approval{'s' if missing > 1 else ''}")
    return ApprovedWarrant(warrant, intake[0], tuple(approvers))


def remarks_on(warrant: Warrant, instrument: Instrument) -> tuple[str, ...]:
    """Say what a warrant asks for in vain: no fault, since it can only narrow its instrument."""
    extra = sorted(warrant.categories - set(instrument.covers))
    return tuple(f"`{category}` is not covered by `{instrument.name}`" for category in extra)


def verify_signature(
    payload: bytes,
    signature: Signature,
    signers: Sequence[Signer],
    deployment: str,
    which: str,
) -> Signer | Denial:
    """Believe one signature over a payload. `which`: what to call it in a message."""
    # Two signers of one name are a fault of the deployment file, and nobody guesses who was meant.
    named = [signer for signer in signers if signer.name == signature.key_id]
    if len(named) != 1:
        # The name is the document's and may be anything: repeated only where it looks like one.
        name = f"`{signature.key_id}`, " if _NAME.fullmatch(signature.key_id) else ""
        return Denial(UNKNOWN_SIGNER, f"{which} is by {name}no signer in force")
    signer = named[0]
    try:
        key = Ed25519PublicKey.from_public_bytes(signer.public_key)
        key.verify(signature.value, signing_input(signature.protected, payload))
    except (InvalidSignature, ValueError):
        return Denial(BAD_SIGNATURE, f"{which} is not valid for the key of `{signer.name}`")
    if signature.deployment != deployment:
        hint = f"sign with `--deployment {deployment}`"
        return Denial(WRONG_DEPLOYMENT, f"{which} was made for another deployment", hint)
    if signature.role is not signer.role:
        message = f"`{signer.name}` may sign as `{signer.role}`, not as `{signature.role}`"
        return Denial(WRONG_ROLE, f"{which} has a role that is not its signer's: {message}")
    return signer


def _is_same(one: Signer, other: Signer) -> bool:
    """Tell whether two signers are one: by name, by key, or by person however it is written."""
    return (
        one.name == other.name
        or one.public_key == other.public_key
        or person_of(one) == person_of(other)
    )


def person_of(signer: Signer) -> str:
    """Give a person's name in one spelling: of letters, of case, of space, of what is not seen."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", signer.person).casefold())
    return " ".join("".join(c for c in folded if unicodedata.category(c) != "Cf").split())
