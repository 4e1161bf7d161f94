"""Court: what a stranger may believe of an exhibit, with nothing but keys. Pure.

The log's keys come from elsewhere: what is in the file vouches for nothing. Each entry is hashed
anew and led up to the one checkpoint that the log signed; the whole file is what the log's keys
signed, so that nothing was left out; and what the entries say must be possible of one disclosure.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from withhold.errors import Unproven
from withhold.ledger.checkpoint import Checkpoint, verify_checkpoint
from withhold.ledger.exhibit import Exhibit, parse_exhibit, statement_of
from withhold.ledger.facts import Facts, facts_of, is_before
from withhold.ledger.note import Signed, VerifierKey, verify_signatures
from withhold.ledger.proof import verify_proof
from withhold.ledger.receipt import DISCLOSED, Ending, commit_body
from withhold.names import Digest

NO_ENTRY: Final = "the file shows no entry about the warrant: under which order is not proved"


@dataclass(frozen=True, slots=True)
class Verified:
    """What holds of an exhibit; `remarks`: what can't be told from it, or should be looked at."""

    facts: Facts
    checkpoint: Checkpoint
    signed: tuple[Signed, ...]  # by whom, the whole file
    remarks: tuple[str, ...]


def verify_exhibit(
    data: bytes,
    origin: str,
    log_keys: Collection[VerifierKey],
    *,
    witness_keys: Collection[VerifierKey] = (),
    trusted: Iterable[bytes] = (),
) -> Verified:
    """Check everything that a file says of itself.

    `origin`, `log_keys`: the log's name, and its keys, the retired ones too; `witness_keys`: each
    of them must have signed the checkpoint; `trusted`: notes of checkpoints that came another way.
    Raises: Unproven.
    """
    exhibit = parse_exhibit(data)
    if exhibit.origin != origin:
        raise Unproven("the file is of another log: its origin is not the one expected")
    # What is read of it, and printed, is what was signed: nothing is read before this.
    signed = _verify_statement(exhibit, log_keys)
    facts = facts_of(exhibit)
    for each in facts.entries:
        verify_proof(
            each.proof,
            each.leaf,
            origin,
            log_keys,
            witness_keys=witness_keys,
            quorum=len({key.public_key for key in witness_keys}),
        )
    remarks = [*_remarks(facts)]
    for note in trusted:
        remarks += _compare(facts, verify_checkpoint(note, origin, log_keys))
    return Verified(facts, facts.checkpoint, signed, tuple(remarks))


def verify_body(facts: Facts, body: Digest, size_bytes: int) -> None:
    """Check that this is the body that was released. `body`: its digest. Raises: Unproven."""
    released = facts.released
    if facts.receipt is None:
        raise Unproven(
            "the file does not hold the receipt's id, so its commitment to the body is not opened",
            "the recipient has the id (`Withhold-Receipt`); prove the receipt by it",
        )
    if released.get("body") is None:
        raise Unproven("the log commits to no body: nothing left, or the stream's end is missing")
    if commit_body(facts.receipt, body) != released["body"]:
        is_part = facts.closing is None or facts.closing.public["outcome"] != Ending.COMPLETE
        raise Unproven(
            f"the body of {size_bytes} bytes is not the one that was released",
            "what broke off can't be compared: the commitment is to the whole" if is_part else "",
        )


def _verify_statement(exhibit: Exhibit, keys: Collection[VerifierKey]) -> tuple[Signed, ...]:
    try:
        return verify_signatures(statement_of(exhibit), exhibit.signatures, keys)
    except Unproven as error:
        message = f"the file is not as the log signed it: {error.message}"
    raise Unproven(message)


def _compare(facts: Facts, trusted: Checkpoint) -> Iterator[str]:
    """Say how the file's checkpoint stands to a trusted one. Raises: Unproven."""
    ours = facts.checkpoint
    if ours.size == trusted.size:
        if ours.root != trusted.root:
            raise Unproven(
                "the log has shown two histories: the trusted checkpoint has its size "
                "and another root"
            )
        return
    one, other = ("larger", "holds") if ours.size > trusted.size else ("smaller", "still holds")
    yield (
        f"the file's checkpoint ({ours.size} entries) is {one} than the trusted one "
        f"({trusted.size}): that one log {other} both can't be told from this file; verify an "
        "export of the log, or have the receipt proved again at a checkpoint that is trusted"
    )


def _remarks(facts: Facts) -> Iterator[str]:
    first = facts.first
    for index, names in facts.unknown.items():
        listed = ", ".join(f"`{name}`" for name in names)
        yield f"entry {index} has members that this version does not know: {listed}"
    if facts.closing is None and first.public["outcome"] == DISCLOSED:
        yield (
            f"when the log had {facts.checkpoint.size} entries none of them said what became of "
            "it: whether it was delivered is not known"
        )
    if not any(each.index < first.index for each in facts.orders):
        yield NO_ENTRY
        return
    for each in facts.orders:
        if each.index < first.index and "valid_from" in each.public:
            since, until = each.public["valid_from"], each.public["valid_until"]
            if is_before(first.at, since) or not is_before(first.at, until):
                yield "by the clock of who wrote it, it was made outside the warrant's validity"
                return
