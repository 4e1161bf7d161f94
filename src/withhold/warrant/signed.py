"""Signed warrants: a warrant's JSON under the signatures of intake and approvers (see `jws`)."""

from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from withhold.errors import WarrantError
from withhold.kinds.instant import Instant
from withhold.names import SignerRole
from withhold.warrant.claims import MAX_PAYLOAD_BYTES, parse_claims
from withhold.warrant.document import read_object
from withhold.warrant.jws import MAX_SIGNATURES, parse_jws, print_jws, sign
from withhold.warrant.model import Signature, SignedWarrant

TYPE: Final = "withhold-warrant+jws"
MAX_DOCUMENT_BYTES: Final = 2 * MAX_PAYLOAD_BYTES  # base64 is 4/3, and signatures are small

_LONGEST_NAME: Final = 256


def is_signed(data: bytes) -> bool:
    """Tell whether this is meant as a JWS and not as a plain warrant. Raises: WarrantError."""
    found = read_object(data, "the warrant", MAX_DOCUMENT_BYTES)
    return "payload" in found or "signatures" in found


def parse_signed(document: bytes) -> SignedWarrant:
    """Read a JWS with at least one signature; nothing is believed yet. Raises: WarrantError."""
    payload, signatures = parse_jws(document, "the signed warrant", TYPE, MAX_DOCUMENT_BYTES)
    return SignedWarrant(parse_claims(payload), payload, signatures)


def print_signed(payload: bytes, signatures: Sequence[Signature]) -> bytes:
    """Give the JWS document. `parse_signed` reads back the same payload and signatures."""
    return print_jws(payload, signatures)


def add_signature(
    data: bytes,
    key: Ed25519PrivateKey,
    *,
    key_id: str,
    role: SignerRole,
    deployment: str,
    signed_at: Instant,
) -> bytes:
    """Sign a warrant, or add a signature to one that others have signed; gives the JWS document.

    `data`: a warrant's JSON, which is signed byte for byte, or a JWS. `key_id`: the signer's name
    in the deployment file. The signatures that stand are kept as they are, and not verified here.
    Raises: WarrantError, also where this signer has signed already.
    """
    payload = data
    signatures: tuple[Signature, ...] = ()
    if is_signed(data):
        signed = parse_signed(data)
        payload, signatures = signed.payload, signed.signatures
        if any(signature.key_id == key_id for signature in signatures):
            raise WarrantError(f"`{_shown(key_id)}` has signed already")
        if len(signatures) == MAX_SIGNATURES:
            raise WarrantError(f"the warrant has {MAX_SIGNATURES} signatures already")
    else:
        parse_claims(payload)  # nobody is to sign what could never be registered
    added = sign(
        payload,
        TYPE,
        key,
        key_id=key_id,
        role=role,
        deployment=deployment,
        signed_at=signed_at,
    )
    document = print_signed(payload, (*signatures, added))
    parse_signed(document)  # what we write, we can read: a name of 5,000 characters ends here
    return document


def _shown(key_id: str) -> str:
    """Give a signer's name for a message; it came with our own key, so it is no stranger's text."""
    return key_id[:_LONGEST_NAME]
