"""Keys: what they are, what is wrapped, signed and committed with them. Pure.

A token key rests in the database under AES key wrap (RFC 3394), by a key that HKDF (RFC 5869)
derives from the key-encryption key for this warrant alone: a wrapped key that was moved to another
warrant does not open. Both need no nonce, so there is none to repeat, and every build of
`cryptography` has them, which is not so for AES-SIV and AES-GCM-SIV.

The ledger names a target by a keyed commitment: a phone number's plain digest is found by trying
all numbers, and one that were the same under every warrant would tell which warrants name whom.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from withhold.errors import KeyUnavailable
from withhold.kinds.token import KEY_SIZE_BYTES
from withhold.ledger.note import Signer, VerifierKey, print_verifier_key
from withhold.names import WarrantId

SECRET_BYTES: Final = 32  # of every key in a ring, and of a caller's token
TOKEN_PREFIX: Final = "wh_"  # noqa: S105 - lets a secret scanner know a caller's token by sight
PUBLIC_KEY_BYTES: Final = 32  # RFC 8032 §5.1.5

_INFO: Final = b"withhold token key wrap v1\0"
_TARGET: Final = b"withhold target commitment v1\0"
_COMMITMENT: Final = re.compile(r"([1-9][0-9]{0,8})\.[A-Za-z0-9_-]{43}", re.ASCII)


class KeyKind(StrEnum):
    """What a deployment's own keys are for."""

    ENCRYPTION = "encryption"  # wraps the token keys of warrants
    CACHE = "cache"  # authenticates what the cache holds
    LEDGER = "ledger"  # signs the ledger's checkpoints: an Ed25519 seed (RFC 8032 §5.1.5)
    COMMITMENT = "commitment"  # commits to the targets that the ledger names


class KeyEvent(StrEnum):
    """What happens to a key, as the ledger says it."""

    MADE = "made"
    ROTATED = "rotated"  # made, where there was an older version
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True)
class KeyRing:
    """A deployment's own keys, 32 bytes each, by version: at least one of every kind.

    Of each kind the highest version is used and all can be read with; with every version of the
    ledger's key a checkpoint is signed, so that who verifies can change over in between.
    """

    encryption: Mapping[int, bytes] = field(repr=False)
    cache: Mapping[int, bytes] = field(repr=False)
    ledger: Mapping[int, bytes] = field(repr=False)
    commitment: Mapping[int, bytes] = field(repr=False)

    def of(self, kind: KeyKind) -> Mapping[int, bytes]:
        """Give the keys of a kind, by version."""
        keys: Mapping[int, bytes] = getattr(self, kind.value)
        return keys

    @property
    def encryption_version(self) -> int:
        """The version that new keys are wrapped by."""
        return max(self.encryption)

    @property
    def cache_key(self) -> bytes:
        """The key that authenticates cache entries."""
        return self.cache[max(self.cache)]


def wrap_key(ring: KeyRing, warrant: WarrantId, key: bytes) -> tuple[int, bytes]:
    """Wrap a token key for one warrant; gives the version of the key it is wrapped by, too."""
    if len(key) != KEY_SIZE_BYTES:
        message = f"a token key has {KEY_SIZE_BYTES} bytes, not {len(key)}"
        raise ValueError(message)
    version = ring.encryption_version
    return version, aes_key_wrap(_derive(ring.encryption[version], warrant), key)


def unwrap_key(ring: KeyRing, warrant: WarrantId, version: int, wrapped: bytes) -> bytes:
    """Unwrap the token key of this warrant. Raises: KeyUnavailable if it is any other's."""
    encryption = ring.encryption.get(version)
    if encryption is None:
        message = f"version {version} of the key-encryption key is missing"
        raise KeyUnavailable(message, "token keys are still wrapped by it")
    try:
        key = aes_key_unwrap(_derive(encryption, warrant), wrapped)
    except InvalidUnwrap:
        key = b""
    if len(key) != KEY_SIZE_BYTES:
        message = f"the token key of `{warrant}` does not open: it is another's, or damaged"
        raise KeyUnavailable(message)
    return key


def ledger_keys(ring: KeyRing) -> dict[int, Ed25519PrivateKey]:
    """Give the keys that sign checkpoints, by version, oldest first; all of them do."""
    seeds = sorted(ring.ledger.items())
    return {version: Ed25519PrivateKey.from_private_bytes(seed) for version, seed in seeds}


def verifier_keys(ring: KeyRing, origin: str) -> dict[int, VerifierKey]:
    """Give what others verify checkpoints with. `origin`: the log's name, and so the keys'."""
    return {v: Signer(origin, key).verifier_key for v, key in ledger_keys(ring).items()}


def known_keys(ring: KeyRing, origin: str) -> dict[tuple[KeyKind, int], str | None]:
    """Give what anybody may know of a ring: which keys there are, and the public ones (vkeys)."""
    public = verifier_keys(ring, origin)
    known: dict[tuple[KeyKind, int], str | None] = {}
    for kind in KeyKind:
        for version in sorted(ring.of(kind)):
            is_public = kind is KeyKind.LEDGER
            known[kind, version] = print_verifier_key(public[version]) if is_public else None
    return known


def commit_target(ring: KeyRing, warrant: WarrantId, kind: str, value: str) -> str:
    """Commit to a target: `<version>.<HMAC-SHA-256 in unpadded base64url>`.

    `value`: its normal form. Equal targets have equal commitments within a warrant and unrelated
    ones across warrants; without the key nobody can try values until one fits.
    """
    version = max(ring.commitment)
    return _commitment(version, ring.commitment[version], warrant, kind, value)


def opens_target(ring: KeyRing, commitment: str, warrant: WarrantId, kind: str, value: str) -> bool:
    """Tell whether a commitment is to this target, in a time that tells nothing.

    Raises: KeyUnavailable if the key that made it is missing: then nobody can tell.
    """
    matched = _COMMITMENT.fullmatch(commitment)
    if matched is None:
        return False
    version = int(matched.group(1))
    key = ring.commitment.get(version)
    if key is None:
        message = f"version {version} of the commitment key is missing"
        raise KeyUnavailable(message, "without it nobody can tell what it commits to")
    return hmac.compare_digest(commitment, _commitment(version, key, warrant, kind, value))


def print_private_key(key: Ed25519PrivateKey) -> bytes:
    """Give PKCS #8 in PEM, unencrypted. Source: RFC 8410 §7."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def parse_private_key(data: bytes) -> Ed25519PrivateKey:
    """Read what `print_private_key` gave. Raises: KeyUnavailable."""
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyUnavailable("the private key is not unencrypted PKCS #8 in PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnavailable("the private key is not one for Ed25519")
    return key


def print_public_key(key: Ed25519PrivateKey) -> str:
    """Give a signer's `public_key` as `withhold.toml` has it: 32 bytes in base64."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode("ascii")


def parse_public_key(text: str) -> bytes | None:
    """Read a signer's `public_key`: 32 bytes in base64; None if it isn't one."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == PUBLIC_KEY_BYTES else None


def print_token(secret: bytes) -> str:
    """Give a caller's token of 32 random bytes."""
    if len(secret) != SECRET_BYTES:
        message = f"a token has {SECRET_BYTES} bytes, not {len(secret)}"
        raise ValueError(message)
    return TOKEN_PREFIX + base64.urlsafe_b64encode(secret).rstrip(b"=").decode("ascii")


def token_digest(token: str) -> str:
    """Give a caller's `token_sha256`: SHA-256 of the token as it is sent, in hexadecimal.

    No salt and no stretching: 256 random bits are not guessed, and every request looks this up.
    """
    return hashlib.sha256(token.encode()).hexdigest()


def _derive(encryption: bytes, warrant: WarrantId) -> bytes:
    info = _INFO + warrant.encode()
    return HKDF(hashes.SHA256(), SECRET_BYTES, salt=None, info=info).derive(encryption)


def _commitment(version: int, key: bytes, *parts: str) -> str:
    # Each part after its length, so that no other parts read the same.
    encoded = [part.encode() for part in parts]
    data = _TARGET + b"".join(len(part).to_bytes(8, "big") + part for part in encoded)
    mac = base64.urlsafe_b64encode(hmac.digest(key, data, "sha256")).rstrip(b"=")
    return f"{version}.{mac.decode('ascii')}"
