"""Proofs that stand alone: one entry, its way to the root, and the checkpoint that has the root.

Source: c2sp.org/tlog-proof. What the extra data means, and which entry is meant, the application
says; neither is trusted for being in the proof.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from withhold.errors import Unproven
from withhold.ledger.checkpoint import Checkpoint, verify_checkpoint, verify_cosignatures
from withhold.ledger.lines import decode_text, parse_base64, parse_decimal, print_base64
from withhold.ledger.note import VerifierKey, parse_note
from withhold.ledger.tree import HASH_BYTES, MAX_PROOF, hash_leaf, verify_inclusion

HEADER: Final = "c2sp.org/tlog-proof@v1"
MAX_PROOF_BYTES: Final = 1_048_576

_EXTRA: Final = "extra "
_INDEX: Final = "index "


@dataclass(frozen=True, slots=True)
class Proof:
    """An entry's index, its inclusion proof, and a checkpoint's note, none of it verified."""

    index: int
    hashes: tuple[bytes, ...]  # from the leaf's sibling up to the root's child
    checkpoint: bytes  # the note as it was signed
    extra: bytes = b""  # opaque; empty: there is none


def parse_proof(data: bytes) -> Proof:
    """Read a proof; nothing is believed yet. Raises: Unproven."""
    text = decode_text(data, "the proof", MAX_PROOF_BYTES)
    head, blank, note = text.partition("\n\n")
    if not blank:
        raise Unproven("the proof has no blank line before its checkpoint")
    lines = head.split("\n")
    if lines.pop(0) != HEADER:
        raise Unproven(f"the proof does not begin with `{HEADER}`")
    extra = b""
    if lines and lines[0].startswith(_EXTRA):
        extra = parse_base64(lines.pop(0).removeprefix(_EXTRA), "the proof's extra data")
        if not extra:
            raise Unproven("the proof has a line for extra data and none in it")
    if not lines or not lines[0].startswith(_INDEX):
        raise Unproven("the proof has no line that gives the entry's index")
    index = parse_decimal(lines.pop(0).removeprefix(_INDEX), "the proof's index")
    checkpoint = note.encode()
    parse_note(checkpoint)
    return Proof(index, parse_hashes(lines), checkpoint, extra)


def print_proof(proof: Proof) -> bytes:
    """Give what `parse_proof` reads. Raises: ValueError if it would read something else."""
    lines = [HEADER]
    if proof.extra:
        lines.append(f"{_EXTRA}{print_base64(proof.extra)}")
    lines += [f"{_INDEX}{proof.index}", *map(print_base64, proof.hashes), "", ""]
    data = "\n".join(lines).encode() + proof.checkpoint
    try:
        good = parse_proof(data) == proof
    except Unproven:
        good = False
    if not good:
        raise ValueError("the proof could not be read: its index, hashes, checkpoint or length")
    return data


def verify_proof(
    proof: Proof,
    entry: bytes,
    origin: str,
    log_keys: Collection[VerifierKey],
    *,
    witness_keys: Collection[VerifierKey] = (),
    quorum: int = 0,
) -> Checkpoint:
    """Check that the log of this origin holds the entry, and give the checkpoint that says so.

    `quorum`: how many of `witness_keys` must have cosigned. A cosignature that is bad refuses the
    proof whatever the quorum. Raises: Unproven.
    """
    if not 0 <= quorum <= len(set(witness_keys)):
        raise ValueError("a quorum cannot be larger than the number of witnesses")
    checkpoint = verify_checkpoint(proof.checkpoint, origin, log_keys)
    seen = _count_witnesses(proof.checkpoint, witness_keys) if witness_keys else 0
    if seen < quorum:
        raise Unproven(f"the checkpoint has {seen} cosignatures of known witnesses, not {quorum}")
    leaf = hash_leaf(entry)
    verify_inclusion(leaf, proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    return checkpoint


def parse_hashes(lines: list[str]) -> tuple[bytes, ...]:
    """Read a proof's hashes, one a line. Raises: Unproven."""
    if len(lines) > MAX_PROOF:
        raise Unproven(f"the proof has more than {MAX_PROOF} hashes")
    return tuple(parse_base64(line, "a hash of the proof", HASH_BYTES) for line in lines)


def _count_witnesses(note: bytes, keys: Collection[VerifierKey]) -> int:
    """Count the distinct public keys: one witness under two names is one."""
    known = {(key.name, key.id) for key in keys}
    if not any((s.name, s.key_id) in known for s in parse_note(note).signatures):
        return 0
    _, signed = verify_cosignatures(note, keys)
    return len({each.key.public_key for each in signed})
