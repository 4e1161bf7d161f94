"""Entries: what the ledger holds. Pure.

An entry has a public part, which says what was disclosed or changed, and a sealed part, which says
who asked and what was withheld. The public part holds a salted commitment to the sealed one; the
log's leaf is the SHA-256 of the public part. So a leaf shows nothing, the public part can be shown
without the sealed one, and neither can be guessed from what stands above it: the salt is 32 random
bytes. No part ever holds a value of a store.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple, NewType, TypeAlias

from withhold.canonical import write_canonical
from withhold.digest import digest_of
from withhold.errors import Unproven
from withhold.names import Digest, WarrantId

Handle = NewType("Handle", str)  # what the ledger calls a receipt: "H-" and 26 base32 characters
Json: TypeAlias = Any  # what RFC 8785 can write: no floats are ever in it

SALT_BYTES: Final = 32
LEAF_BYTES: Final = 32
MAX_PUBLIC_BYTES: Final = 4 * 2**20

_SEALED: Final = b"withhold sealed v1\0"


class EntryType(StrEnum):
    """What an entry is about; `BEGINNINGS` and closings are of a disclosure: `receipt` names it."""

    OPENING = "opening"  # a stream is about to begin
    RELEASE = "release"  # a whole answer is released for sending
    FAILURE = "failure"  # the store was asked and its answer could not be used: nothing leaves
    CLOSING = "closing"  # what became of an opening or a release
    REFUSALS = "refusals"  # of one caller, for one reason, in one minute
    WARRANT = "warrant"
    FREEZE = "freeze"
    BUNDLE = "bundle"
    SIGNER = "signer"
    KEY = "key"
    REVEAL = "reveal"  # of a token
    READING = "reading"  # somebody opened sealed parts
    PRUNE = "prune"
    RESTORE = "restore"  # another log than the one last seen was accepted, by a person


# What lets something out, and so what a closing is owed for.
RELEASES: Final = frozenset({EntryType.OPENING, EntryType.RELEASE, EntryType.REVEAL})
# What the entries of a disclosure begin with.
BEGINNINGS: Final = RELEASES | {EntryType.FAILURE}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, before it is written. `at`: RFC 3339 in UTC, by the clock of who made it.

    `public`, `sealed`: members beside those that are named here; never a store's value.
    """

    type: EntryType
    at: str
    public: Mapping[str, Json] = field(default_factory=dict)
    sealed: Mapping[str, Json] = field(default_factory=dict, repr=False)
    receipt: Handle | None = None
    warrant: WarrantId | None = None


class Written(NamedTuple):
    """An entry as it is kept: canonical bytes (RFC 8785), salt and leaf (32 bytes each)."""

    entry: Entry
    public: bytes
    sealed: bytes
    salt: bytes
    leaf: bytes

    def __repr__(self) -> str:
        """Show what is public alone."""
        return f"Written(entry={self.entry!r}, public={self.public!r}, leaf={self.leaf!r})"


def write_entry(entry: Entry, salt: bytes) -> Written:
    """Write an entry. `salt`: 32 random bytes that are used for nothing else."""
    sealed = write_canonical(dict(entry.sealed))
    members = {"type": entry.type.value, "at": entry.at, **entry.public}
    if entry.receipt is not None:
        members["receipt"] = entry.receipt
    if entry.warrant is not None:
        members["warrant"] = entry.warrant
    members["sealed"] = commit_sealed(sealed, salt)
    public = write_canonical(members)
    return Written(entry, public, sealed, salt, leaf_of(public))


def commit_sealed(sealed: bytes, salt: bytes) -> Digest:
    """Give the commitment to a sealed part. It hides and binds as SHA-256 does."""
    if len(salt) != SALT_BYTES:
        message = f"a salt has {SALT_BYTES} bytes, not {len(salt)}"
        raise ValueError(message)
    return digest_of(_SEALED + salt + sealed)


def leaf_of(public: bytes) -> bytes:
    """Give the log's leaf of a public part; the tree hashes it once more (RFC 6962 §2.1)."""
    return hashlib.sha256(public).digest()


def read_public(public: bytes) -> dict[str, Json]:
    """Read a public part. Raises: Unproven, if these are not its canonical bytes."""
    members = _read(public)
    if members is None:
        message = "the entry is not canonical JSON (RFC 8785)"
        raise Unproven(message)
    if not all(isinstance(members.get(name), str) for name in ("type", "at", "sealed")):
        message = "the entry lacks its `type`, its `at` or its `sealed`"
        raise Unproven(message)
    return members


def open_sealed(public: bytes, sealed: bytes, salt: bytes) -> dict[str, Json]:
    """Open a sealed part. Raises: Unproven, if it is not what the public part commits to."""
    meant = read_public(public)["sealed"]
    members = _read(sealed)
    if len(salt) != SALT_BYTES or commit_sealed(sealed, salt) != meant or members is None:
        message = "the sealed part is not the one that the entry commits to"
        raise Unproven(message)
    return members


def _read(data: bytes) -> dict[str, Json] | None:
    """Read a JSON object; None if these are not the bytes that would be written of it."""
    try:
        members = json.loads(data, parse_float=_refuse, parse_constant=_refuse)
        is_same = isinstance(members, dict) and write_canonical(members) == data
    except (ValueError, RecursionError):  # of both: not all that can be read can be written
        return None
    return members if is_same else None


def _refuse(_number: str) -> float:
    raise ValueError
