"""Copies of the log, verified offline: nothing is asked of whoever made them. Pure.

A copy is a folder in the layout of c2sp.org/tlog-tiles: `checkpoint`, tiles, entry bundles. Beside
these there may be the public parts (`entries/`) and what witnesses signed last (`witnessed`). What
a copy says of its own end is proven by a checkpoint from elsewhere alone: whoever holds the log's
key can sign a shorter log.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from withhold.errors import Unproven
from withhold.ledger.checkpoint import (
    Checkpoint,
    parse_checkpoint,
    verify_checkpoint,
    verify_cosignatures,
)
from withhold.ledger.course import Course
from withhold.ledger.findings import Finding, Findings
from withhold.ledger.note import Signed, VerifierKey, parse_note, verify_note
from withhold.ledger.statements import statements_path
from withhold.ledger.tiles import CHECKPOINT_PATH
from withhold.ledger.walk import (
    WITNESSED_PATH,
    Files,
    Walk,
    bundle_at,
    check_files,
    root_of,
    walk_copy,
)

WITNESSES: Final = "witnesses"  # the place of a fault that none of the files has


@dataclass(frozen=True, slots=True)
class Keys:
    """Whom the auditor believes. `log`: keys of the log, retired ones too; plain Ed25519."""

    origin: str
    log: tuple[VerifierKey, ...]
    witnesses: tuple[VerifierKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Trusted:
    """A checkpoint that did not come with the copy. `place`: what findings call it."""

    place: str
    note: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A witness saw the log at this size, at this time in seconds since 1970."""

    witness: str
    size: int
    time_s: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a copy was found to be: whole, if there are no faults."""

    checkpoint: Checkpoint | None  # as the copy has it; None: it can't be read
    whole: int  # entries, from the first on, with which nothing is wrong
    statements: int | None  # public parts that are there; None: the copy has hashes only
    proven: int  # entries that a trusted checkpoint or a witness's confirms
    sightings: tuple[Sighting, ...]
    faults: tuple[Finding, ...]
    warnings: tuple[Finding, ...]


def verify_copy(files: Files, keys: Keys, trusted: Sequence[Trusted] = ()) -> Verdict:
    """Verify a copy, and compare it with every checkpoint that is trusted."""
    found = Findings()
    checkpoint = _check_head(files, keys, found)
    if checkpoint is None:
        return Verdict(None, 0, None, 0, (), tuple(found.faults), tuple(found.warnings))
    check_files(files, checkpoint.size, found)
    course = Course() if files.has_statements else None
    walk = Walk(files, checkpoint.size, found, course)
    walk_copy(walk)
    root = root_of(walk, checkpoint.size)
    is_other = root is not None and root != checkpoint.root
    if is_other:
        found.fault(CHECKPOINT_PATH, "the entries make another root than the one that was signed")
    if course is not None and checkpoint.size:
        _remark(course, files, keys, checkpoint, found)
    proven, sightings = _compare(walk, keys, trusted, checkpoint)
    whole = walk.seen if found.first is None else found.first
    return Verdict(
        checkpoint,
        # Where nothing is wrong but the root, nobody can tell which entry is.
        proven if is_other and found.first is None else whole,
        None if course is None else walk.statements,
        proven,
        sightings,
        tuple(found.faults),
        tuple(found.warnings),
    )


def _check_head(files: Files, keys: Keys, found: Findings) -> Checkpoint | None:
    """Verify the copy's own checkpoint; what can be read is gone on with, signed or not."""
    note = files.get(CHECKPOINT_PATH)
    if note is None:
        found.fault(CHECKPOINT_PATH, "it is missing, so this is no copy of a log")
        return None
    try:
        return verify_checkpoint(note, keys.origin, keys.log)
    except Unproven as error:
        found.fault(CHECKPOINT_PATH, error.message)
    try:
        return parse_checkpoint(parse_note(note).text)
    except Unproven:
        return None


def _remark(
    course: Course, files: Files, keys: Keys, checkpoint: Checkpoint, found: Findings
) -> None:
    """Tell what the entries say that can't be so."""
    try:
        _, signed = verify_note(files.read(CHECKPOINT_PATH), keys.log)
    except Unproven:  # which is told already
        signed = ()
    course.see_signers([each.key for each in signed], checkpoint.size - 1)
    for each in course.remarks:
        place = statements_path(bundle_at(each.index, checkpoint.size))
        message = f"entry {each.index}: {each.message}"
        (found.fault if each.is_fault else found.warn)(place, message, each.index)


def _compare(
    walk: Walk, keys: Keys, trusted: Sequence[Trusted], checkpoint: Checkpoint
) -> tuple[int, tuple[Sighting, ...]]:
    """Compare with every checkpoint there is; gives how far the log is proven, and who saw it.

    What came with the copy proves something only if a witness signed it.
    """
    proven, sightings = 0, list[Sighting]()
    named = {CHECKPOINT_PATH, WITNESSED_PATH} & walk.files.paths
    own = [Trusted(path, walk.files.read(path)) for path in sorted(named)]
    for each in (*trusted, *own):
        try:
            seen = _check_witnesses(each, keys, walk.found)
            known = verify_checkpoint(each.note, keys.origin, keys.log)
        except Unproven as error:
            _once(walk.found, each.place, error.message)
            continue
        sightings += [Sighting(one.key.name, known.size, one.time_s or 0) for one in seen]
        is_same = _check_same(walk, each.place, known, checkpoint)
        if is_same and (seen or each not in own):
            proven = max(proven, known.size)
    if keys.witnesses and not sightings:
        walk.found.fault(WITNESSES, "no checkpoint is signed by any of the witnesses given")
    return proven, tuple(sightings)


def _check_witnesses(each: Trusted, keys: Keys, found: Findings) -> Sequence[Signed]:
    """Give the given witnesses' signatures. Raises: Unproven, if one is bad."""
    signatures = {(s.name, s.key_id) for s in parse_note(each.note).signatures}
    witnesses = {(key.name, key.id) for key in keys.witnesses}
    strangers = len(signatures - witnesses - {(key.name, key.id) for key in keys.log})
    if strangers:
        found.warn(each.place, f"{strangers} of its signatures are by keys that were not given")
    if not signatures & witnesses:
        return ()
    return verify_cosignatures(each.note, keys.witnesses)[1]


def _check_same(walk: Walk, place: str, known: Checkpoint, checkpoint: Checkpoint) -> bool:
    """Check that the copy's log and the checkpoint's are one, as far as both go."""
    if known.size > checkpoint.size:
        message = f"the copy ends early: it has {checkpoint.size} entries of {known.size}"
        walk.found.fault(place, message, checkpoint.size)
        return False
    root = root_of(walk, known.size)
    if root is None or (place == CHECKPOINT_PATH and root != known.root):
        return False  # which is told already
    if root != known.root:
        message = f"the copy's first {known.size} entries are not those of this checkpoint"
        walk.found.fault(place, message)
        return False
    return True


def _once(found: Findings, place: str, message: str) -> None:
    if not any((each.place, each.message) == (place, message) for each in found.faults):
        found.fault(place, message)
