"""Checkpoints: the log's size and root under its name, signed. Source: c2sp.org/tlog-checkpoint."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from withhold.errors import Unproven
from withhold.ledger.lines import decode_text, parse_base64, parse_decimal, print_base64
from withhold.ledger.note import KeyType, Signed, Signer, VerifierKey, sign_note, verify_note
from withhold.ledger.tree import EMPTY_ROOT, HASH_BYTES

MAX_CHECKPOINT_BYTES: Final = 65_536  # of its text

_LINES: Final = 3  # origin, size, root; what follows are extensions


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log at one moment. `extensions`: lines that nobody else can check; we write none."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()


def parse_checkpoint(text: bytes) -> Checkpoint:
    """Read the text of a checkpoint's note. Raises: Unproven.

    Stricter than the specification: a log without entries has the root of the empty tree, as
    c2sp.org/tlog-witness asks.
    """
    decoded = decode_text(text, "the checkpoint", MAX_CHECKPOINT_BYTES)
    *lines, rest = decoded.split("\n")
    if rest or len(lines) < _LINES or not all(lines):
        raise Unproven("the checkpoint is not three or more whole lines, none of them empty")
    origin, size, root, *extensions = lines
    checkpoint = Checkpoint(
        origin,
        parse_decimal(size, "the checkpoint's size"),
        parse_base64(root, "the checkpoint's root", HASH_BYTES),
        tuple(extensions),
    )
    if not checkpoint.size and checkpoint.root != EMPTY_ROOT:
        raise Unproven("the checkpoint is of an empty log and has another root")
    return checkpoint


def print_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Give what `parse_checkpoint` reads. Raises: ValueError if it would read something else."""
    root = print_base64(checkpoint.root)
    lines = (checkpoint.origin, str(checkpoint.size), root, *checkpoint.extensions)
    text = "".join(f"{line}\n" for line in lines).encode()
    try:
        good = parse_checkpoint(text) == checkpoint
    except Unproven:
        good = False
    if not good:
        raise ValueError("the checkpoint could not be read: its origin, size, root or extensions")
    return text


def sign_checkpoint(checkpoint: Checkpoint, signers: Sequence[Signer]) -> bytes:
    """Give the checkpoint as a note that each has signed.

    INVARIANT: the caller never signs two checkpoints of one origin that are not consistent.
    """
    return sign_note(print_checkpoint(checkpoint), signers)


def verify_checkpoint(data: bytes, origin: str, log_keys: Iterable[VerifierKey]) -> Checkpoint:
    """Check that the log signed this note, and give what it says. Raises: Unproven.

    `log_keys`: those that may sign for this origin, the retired ones too where old notes are read.
    """
    text, _ = verify_note(data, _of_type(log_keys, KeyType.ED25519))
    checkpoint = parse_checkpoint(text)
    if checkpoint.origin != origin:
        raise Unproven("the checkpoint is of another log: its origin is not the one expected")
    return checkpoint


def verify_cosignatures(
    data: bytes, witness_keys: Iterable[VerifierKey]
) -> tuple[Checkpoint, tuple[Signed, ...]]:
    """Give the checkpoint and which of these witnesses saw it, when. Raises: Unproven if none did.

    It says nothing of the log's own signature. Source: c2sp.org/tlog-cosignature.
    """
    text, signed = verify_note(data, _of_type(witness_keys, KeyType.COSIGNATURE))
    return parse_checkpoint(text), signed


def verify_cosignature(data: bytes, witness_key: VerifierKey) -> tuple[Checkpoint, int]:
    """Give the checkpoint and when this witness saw it, in seconds since 1970. Raises: Unproven."""
    checkpoint, (signed,) = verify_cosignatures(data, [witness_key])
    return checkpoint, signed.time_s or 0


def _of_type(keys: Iterable[VerifierKey], expected: KeyType) -> tuple[VerifierKey, ...]:
    found = tuple(keys)
    if any(key.type is not expected for key in found):
        raise ValueError("a log's key was given for a witness's, or the other way round")
    return found
