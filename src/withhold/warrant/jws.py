"""JWS documents: the framing of what people sign, read strictly, and the signing of it.

Source: RFC 7515 §7.2.1 (general JSON serialization), RFC 8037 and RFC 9864 (`Ed25519`).
We are stricter than these: the members of the document, of each signature and of each protected
header are exactly those below, once each, and base64url has one spelling per value (RFC 4648 §3.5).
So there is no unprotected header, no `crit`, no `b64`, and no second way to write a document. `typ`
says what is signed: a signature over one thing is never one over another.
A library would have to be fenced in on every side to refuse as much, and would add only the call
of Ed25519, which `cryptography` has; the tests hold our documents against one all the same.
"""

import base64
import re
from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from withhold.canonical import write_canonical
from withhold.errors import WarrantError
from withhold.kinds.instant import Instant, parse_rfc3339, print_instant
from withhold.names import SignerRole
from withhold.warrant.document import (
    check_members,
    read_object,
    take_array,
    take_object,
    take_text,
)
from withhold.warrant.model import Signature

ALGORITHM: Final = "Ed25519"  # RFC 9864; the older `EdDSA` does not say which curve
MAX_SIGNATURES: Final = 16

_HEADER: Final = ("alg", "kid", "typ", "role", "signed_at", "deployment")
_MAX_HEADER_BYTES: Final = 4_096
_MAX_NAME: Final = 256
_SIGNATURE_BYTES: Final = 64  # RFC 8032 §5.1.6
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)


def parse_jws(
    document: bytes, what: str, kind: str, max_bytes: int
) -> tuple[bytes, tuple[Signature, ...]]:
    """Read a JWS with at least one signature: its payload, and signatures not yet believed.

    `what`: what to call it in a message; `kind`: the `typ` of every signature.
    Raises: WarrantError.
    """
    found = read_object(document, what, max_bytes)
    check_members(found, "$", ("payload", "signatures"))
    payload = _decode(found["payload"], "$.payload")
    entries = take_array(found["signatures"], "$.signatures")
    if not 0 < len(entries) <= MAX_SIGNATURES:
        raise WarrantError(f"`$.signatures` must have 1 to {MAX_SIGNATURES} entries")
    signatures = (_signature(e, kind, f"$.signatures[{i}]") for i, e in enumerate(entries))
    return payload, tuple(signatures)


def print_jws(payload: bytes, signatures: Sequence[Signature]) -> bytes:
    """Give the document. `parse_jws` reads back the same payload and signatures."""
    return write_canonical(
        {
            "payload": _encode(payload),
            "signatures": [
                {"protected": s.protected.decode("ascii"), "signature": _encode(s.value)}
                for s in signatures
            ],
        }
    )


def sign(
    payload: bytes,
    kind: str,
    key: Ed25519PrivateKey,
    *,
    key_id: str,
    role: SignerRole,
    deployment: str,
    signed_at: Instant,
) -> Signature:
    """Sign a payload. `kind`: the `typ`; `key_id`: the signer's name in the deployment file."""
    header = {
        "alg": ALGORITHM,
        "kid": key_id,
        "typ": kind,
        "role": role.value,
        "signed_at": print_instant(signed_at),
        "deployment": deployment,
    }
    protected = _encode(write_canonical(header)).encode("ascii")
    value = key.sign(signing_input(protected, payload))
    return Signature(protected, key_id, role, signed_at, deployment, value)


def signing_input(protected: bytes, payload: bytes) -> bytes:
    """Give the bytes that are signed. Source: RFC 7515 §5.1, step 5 of producing."""
    return protected + b"." + _encode(payload).encode("ascii")


def _signature(found: object, kind: str, where: str) -> Signature:
    entry = take_object(found, where)
    # RFC 7515 §7.2.1 has `header` here, which nobody signs: refused.
    check_members(entry, where, ("protected", "signature"))
    text = take_text(entry["protected"], f"{where}.protected")
    header = read_object(
        _decode(text, f"{where}.protected"), f"`{where}.protected`", _MAX_HEADER_BYTES
    )
    check_members(header, f"{where}.protected", _HEADER)
    taken = {name: take_text(header[name], f"{where}.protected.{name}") for name in _HEADER}
    for name, expected in (("alg", ALGORITHM), ("typ", kind)):
        if taken[name] != expected:
            raise WarrantError(f"`{where}.protected.{name}` must be `{expected}`")
    if taken["role"] not in list(SignerRole):
        raise WarrantError(f"`{where}.protected.role` must be `intake` or `approve`")
    signed_at = parse_rfc3339(taken["signed_at"])
    if signed_at is None:
        raise WarrantError(f"`{where}.protected.signed_at` is not a time with an offset")
    for name in ("kid", "deployment"):
        if not 0 < len(taken[name]) <= _MAX_NAME:
            raise WarrantError(f"`{where}.protected.{name}` is empty or too long")
    value = _decode(entry["signature"], f"{where}.signature")
    if len(value) != _SIGNATURE_BYTES:
        raise WarrantError(f"`{where}.signature` must have {_SIGNATURE_BYTES} bytes")
    return Signature(
        protected=text.encode("ascii"),
        key_id=taken["kid"],
        role=SignerRole(taken["role"]),
        signed_at=signed_at,
        deployment=taken["deployment"],
        value=value,
    )


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decode(found: object, where: str) -> bytes:
    """Decode base64url without padding, in its one spelling: unused bits are zero."""
    text = take_text(found, where)
    if _BASE64URL.fullmatch(text) and len(text) % 4 != 1:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        if _encode(data) == text:
            return data
    raise WarrantError(f"`{where}` is not base64url without padding")
