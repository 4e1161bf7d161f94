"""Signed notes: a text, a blank line, and a line for each signature. Source: c2sp.org/signed-note.

Keys are of two types: plain Ed25519, for logs, and timestamped cosignatures, for witnesses
(c2sp.org/tlog-cosignature). A key is known by its name and id together. Signatures of unknown keys
are ignored; one of a known key that is bad refuses the whole note; one good one there must be.
We are stricter than the specification: base64 has one spelling, and names are short.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from withhold.errors import Unproven
from withhold.ledger.lines import MAX_SIZE, decode_text, parse_base64, print_base64

MAX_NOTE_BYTES: Final = 262_144  # 16 signatures must do, and post-quantum ones are of 5 kB
MAX_SIGNATURES: Final = 64
MAX_NAME: Final = 256  # characters
KEY_ID_BYTES: Final = 4

_PUBLIC_KEY_BYTES: Final = 32  # RFC 8032 §5.1.5
_SIGNATURE_BYTES: Final = 64  # RFC 8032 §5.1.6
_TIME_BYTES: Final = 8
_DASH: Final = "\N{EM DASH} "
_VERIFIER_KEY: Final = re.compile(r"([^+]+)\+([0-9a-f]{8})\+(.+)", re.ASCII | re.DOTALL)


class KeyType(IntEnum):
    """What a key signs. Source: c2sp.org/signed-note, Signature types."""

    ED25519 = 0x01  # the text
    COSIGNATURE = 0x04  # the text of a checkpoint, and when: a witness's


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """Whose signature is believed: a name, a type and 32 bytes."""

    name: str
    type: KeyType
    public_key: bytes

    def __post_init__(self) -> None:
        """Raises: ValueError."""
        if not is_key_name(self.name):
            raise ValueError("a key's name is empty, too long or holds a space, control or plus")
        if len(self.public_key) != _PUBLIC_KEY_BYTES:
            raise ValueError(f"a public key has {_PUBLIC_KEY_BYTES} bytes")

    @property
    def id(self) -> bytes:
        """Its id in signature lines."""
        return key_id(self.name, self.type, self.public_key)


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs: a name and a private key."""

    name: str
    private_key: Ed25519PrivateKey = field(repr=False)
    type: KeyType = KeyType.ED25519

    @property
    def verifier_key(self) -> VerifierKey:
        """What others verify with."""
        return VerifierKey(self.name, self.type, self.private_key.public_key().public_bytes_raw())


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line; `value` is what follows the key's id."""

    name: str
    key_id: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A text and its signatures, none of them verified."""

    text: bytes
    signatures: tuple[NoteSignature, ...]


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature that verified; `time_s`: when, in seconds since 1970, if it is a witness's."""

    key: VerifierKey
    time_s: int | None


def key_id(name: str, key_type: int, public_key: bytes) -> bytes:
    """Give the 4 bytes that, with the name, tell a key from others; they are no commitment."""
    data = name.encode() + b"\n" + bytes([key_type]) + public_key
    return hashlib.sha256(data).digest()[:KEY_ID_BYTES]


def parse_verifier_key(text: str) -> VerifierKey:
    """Read a vkey: `<name>+<key id in hexadecimal>+<base64 of type and key>`. Raises: Unproven."""
    found = _VERIFIER_KEY.fullmatch(text)
    if found is None:
        raise Unproven("a verifier key is not `name+id+key`")
    name, identifier, encoded = found.groups()
    data = parse_base64(encoded, "the key of a verifier key", 1 + _PUBLIC_KEY_BYTES)
    try:
        key = VerifierKey(name, KeyType(data[0]), data[1:])
    except ValueError:
        raise Unproven(
            "a verifier key has a name or a type that is not known here",
            "the types are 1 (Ed25519) and 4 (cosignature/v1)",
        ) from None
    if key.id.hex() != identifier:
        raise Unproven("a verifier key's id is not that of its name and key")
    return key


def print_verifier_key(key: VerifierKey) -> str:
    """Give what `parse_verifier_key` reads."""
    return f"{key.name}+{key.id.hex()}+{print_base64(bytes([key.type]) + key.public_key)}"


def sign(text: bytes, signer: Signer) -> NoteSignature:
    """Sign a text as a log does. The text ends in a line feed."""
    key = signer.verifier_key
    if key.type is not KeyType.ED25519:
        raise ValueError("a key for cosignatures signs with a time")
    return NoteSignature(key.name, key.id, signer.private_key.sign(text))


def cosign(text: bytes, signer: Signer, time_s: int) -> NoteSignature:
    """Sign the text of a checkpoint as a witness does, who saw it at `time_s` (since 1970)."""
    key = signer.verifier_key
    if key.type is not KeyType.COSIGNATURE:
        raise ValueError("a key for notes signs without a time")
    if not 0 < time_s <= MAX_SIZE:
        raise ValueError("the time of a cosignature is out of range")
    signature = signer.private_key.sign(_cosigned(text, time_s))
    return NoteSignature(key.name, key.id, time_s.to_bytes(_TIME_BYTES, "big") + signature)


def sign_note(text: bytes, signers: Sequence[Signer]) -> bytes:
    """Give the note of a text, signed by each. Raises: ValueError where it could not be read."""
    return print_note(Note(text, tuple(sign(text, signer) for signer in signers)))


def add_signatures(data: bytes, signatures: Iterable[NoteSignature]) -> bytes:
    """Give the note with these signatures after its own; those it has are not repeated.

    Raises: Unproven, ValueError.
    """
    note = parse_note(data)
    return print_note(Note(note.text, tuple(dict.fromkeys((*note.signatures, *signatures)))))


def verify_note(data: bytes, keys: Iterable[VerifierKey]) -> tuple[bytes, tuple[Signed, ...]]:
    """Give the text, and the keys that signed it: each once, with its first signature.

    Raises: Unproven; ValueError if two keys are not told apart by name and id.
    """
    note = parse_note(data)
    return note.text, verify_signatures(note.text, note.signatures, keys)


def verify_signatures(
    text: bytes, signatures: Iterable[NoteSignature], keys: Iterable[VerifierKey]
) -> tuple[Signed, ...]:
    """Give the keys that signed the text: one at least, and no bad one. Raises: as `verify_note`.

    `text`: of a note, or any that no note can be taken for.
    """
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.id), key) != key:
            raise ValueError("two keys have one name and one id")
    found: dict[VerifierKey, Signed] = {}
    for signature in signatures:
        by = known.get((signature.name, signature.key_id))
        if by is not None:
            signed = _verify(text, signature, by)
            found.setdefault(by, signed)
    if not found:
        raise Unproven("the note has no signature of a known key")
    return tuple(found.values())


def parse_note(data: bytes) -> Note:
    """Take a note apart; nothing is believed yet. Raises: Unproven."""
    text = decode_text(data, "the note", MAX_NOTE_BYTES)
    # The text may hold blank lines, so the last one is where it ends.
    body, blank, lines = text.rpartition("\n\n")
    if not blank:
        raise Unproven("the note has no blank line between text and signatures")
    return Note(f"{body}\n".encode(), parse_signatures(lines))


def print_note(note: Note) -> bytes:
    """Give what `parse_note` reads. Raises: ValueError if it would read something else."""
    data = note.text + b"\n" + print_signatures(note.signatures).encode()
    try:
        good = parse_note(data) == note
    except Unproven:
        good = False
    if not good:
        raise ValueError("the note could not be read: its text, names or number of signatures")
    return data


def parse_signatures(lines: str) -> tuple[NoteSignature, ...]:
    """Read signature lines: one at least, each with its line feed. Raises: Unproven."""
    *each, rest = lines.split("\n")
    if rest or not each:
        raise Unproven("the signatures are not whole lines")
    if len(each) > MAX_SIGNATURES:
        raise Unproven(f"there are more than {MAX_SIGNATURES} signatures")
    return tuple(_parse_signature(line) for line in each)


def print_signatures(signatures: Iterable[NoteSignature]) -> str:
    """Give what `parse_signatures` reads."""
    return "".join(f"{_DASH}{s.name} {print_base64(s.key_id + s.value)}\n" for s in signatures)


def _parse_signature(line: str) -> NoteSignature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space or not is_key_name(name):
        raise Unproven("a signature line is not a dash, a key's name and base64")
    data = parse_base64(encoded, "a signature")
    if len(data) <= KEY_ID_BYTES:
        raise Unproven("a signature is empty")
    return NoteSignature(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])


def _verify(text: bytes, signature: NoteSignature, key: VerifierKey) -> Signed:
    value, message, time_s = signature.value, text, None
    if key.type is KeyType.COSIGNATURE:
        time_s, value = int.from_bytes(value[:_TIME_BYTES], "big"), value[_TIME_BYTES:]
        if not 0 < time_s <= MAX_SIZE:
            raise Unproven(f"the time of the signature of `{key.name}` is out of range")
        message = _cosigned(text, time_s)
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(value, message)
    except InvalidSignature:
        raise Unproven(f"the signature of `{key.name}` is not of this text") from None
    return Signed(key, time_s)


def _cosigned(text: bytes, time_s: int) -> bytes:
    """Give what a witness signs. Source: c2sp.org/tlog-cosignature, Ed25519 signed message."""
    return f"cosignature/v1\ntime {time_s}\n".encode() + text


def is_key_name(name: str) -> bool:
    """Tell whether a key, and so a log, can be called that. Source: c2sp.org/signed-note."""
    return 0 < len(name) <= MAX_NAME and not any(
        character.isspace() or character < " " or character == "+" for character in name
    )
