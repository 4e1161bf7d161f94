"""What is said to a witness and what it answers. Source: c2sp.org/tlog-witness.

A log posts its checkpoint to `add-checkpoint`, with the proof that it only grew since the one that
the witness saw last; the witness answers with its cosignature, or with the size that it knows.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from withhold.errors import Unproven
from withhold.ledger.checkpoint import verify_cosignatures
from withhold.ledger.lines import decode_text, parse_decimal, print_base64
from withhold.ledger.note import (
    MAX_NOTE_BYTES,
    NoteSignature,
    VerifierKey,
    add_signatures,
    parse_note,
    parse_signatures,
)
from withhold.ledger.proof import parse_hashes

PATH: Final = "add-checkpoint"
SIZE_TYPE: Final = "text/x.tlog.size"  # of the answer 409, which `parse_size` reads
MAX_REQUEST_BYTES: Final = MAX_NOTE_BYTES + 4_096  # 63 hashes in base64, and the old size

_MAX_SIZE_BYTES: Final = 20  # 19 digits and a line feed
_OLD: Final = "old "


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """What a log asks of a witness."""

    old: int  # the size that the witness saw last; 0: none
    proof: tuple[bytes, ...]  # that the log only grew; empty if `old` is 0, or the new size
    checkpoint: bytes  # the new one's note


def parse_request(data: bytes) -> AddCheckpoint:
    """Read the body of a request; nothing is believed yet. Raises: Unproven."""
    text = decode_text(data, "the request", MAX_REQUEST_BYTES)
    head, blank, note = text.partition("\n\n")
    old, *hashes = head.split("\n")
    if not blank or not old.startswith(_OLD):
        raise Unproven("the request is not an old size, hashes, a blank line and a checkpoint")
    size = parse_decimal(old.removeprefix(_OLD), "the request's old size")
    checkpoint = note.encode()
    parse_note(checkpoint)
    return AddCheckpoint(size, parse_hashes(hashes), checkpoint)


def print_request(request: AddCheckpoint) -> bytes:
    """Give what `parse_request` reads. Raises: ValueError if it would read something else."""
    lines = [f"{_OLD}{request.old}", *map(print_base64, request.proof), "", ""]
    data = "\n".join(lines).encode() + request.checkpoint
    try:
        good = parse_request(data) == request
    except Unproven:
        good = False
    if not good:
        raise ValueError("the request could not be read: its old size, proof or checkpoint")
    return data


def parse_cosignatures(body: bytes) -> tuple[NoteSignature, ...]:
    """Read the lines of an answer 200; nothing is believed yet. Raises: Unproven."""
    return parse_signatures(decode_text(body, "the witness's answer", MAX_NOTE_BYTES))


def add_cosignatures(note: bytes, body: bytes, keys: Collection[VerifierKey]) -> bytes:
    """Give the note with what these witnesses answered, verified; strangers' lines are left out.

    Of each witness one signature: of many, as with many times, a note has no room for others'.
    Raises: Unproven if there is none of them, or one is bad.
    """
    known = {(key.name, key.id) for key in keys}
    given: dict[tuple[str, bytes], NoteSignature] = {}
    for each in parse_cosignatures(body):
        if (each.name, each.key_id) in known:
            given.setdefault((each.name, each.key_id), each)
    if not given:
        raise Unproven("the witness's answer has no signature of a known witness")
    cosigned = add_signatures(note, given.values())
    verify_cosignatures(cosigned, keys)
    return cosigned


def parse_size(body: bytes) -> int:
    """Read an answer 409: the size that the witness knows. Raises: Unproven."""
    text = decode_text(body, "the witness's size", _MAX_SIZE_BYTES)
    if not text.endswith("\n"):
        raise Unproven("the witness's size is not a whole line")
    return parse_decimal(text.removesuffix("\n"), "the witness's size")


def print_size(size: int) -> bytes:
    """Give what `parse_size` reads."""
    return f"{size}\n".encode()
