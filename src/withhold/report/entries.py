"""Entries of the ledger as the report reads them: only what it counts. Pure.

Whatever a later version adds is not looked at, and an entry that cannot be read is counted as one
that was not counted. The parts come from the ledger itself, so they are not verified here.
"""

from typing import Final, TypeAlias

import msgspec

Counts: TypeAlias = dict[str, int]


class WarrantEntry(msgspec.Struct, tag="warrant", frozen=True):
    """A change of an order. One that ends access says no more than that: it must not wait."""

    at: str
    warrant: str
    event: str
    state: str
    instrument: str | None = None  # None: nor is anything said of what follows
    jurisdiction: str = ""
    categories: list[str] = []
    targets: int = 0
    secrecy_until: str | None = None


class ReleaseEntry(msgspec.Struct, tag="release", frozen=True):
    """A whole answer, released for sending."""

    at: str
    warrant: str
    receipt: str
    authorised: Counts
    disclosed: Counts
    tokenized: Counts
    generalized: Counts
    records_disclosed: int


class OpeningEntry(ReleaseEntry, tag="opening", frozen=True):
    """A stream, about to begin; its closing says what it disclosed."""


class FailureEntry(msgspec.Struct, tag="failure", frozen=True):
    """A store whose answer could not be used."""

    at: str
    warrant: str
    outcome: str


class ClosingEntry(msgspec.Struct, tag="closing", frozen=True):
    """What became of a release or an opening; of a stream also what it disclosed."""

    receipt: str
    outcome: str
    disclosed: Counts = {}
    tokenized: Counts = {}
    generalized: Counts = {}
    records_disclosed: int = 0


class RefusalsEntry(msgspec.Struct, tag="refusals", frozen=True):
    """Refusals of one caller, for one reason, in one minute, which is over when it is entered."""

    minute: str  # "2026-11-24T14:05Z"
    code: str
    count: int


class FreezeEntry(msgspec.Struct, tag="freeze", frozen=True):
    """A freeze, put in force or lifted."""

    at: str
    event: str


class RevealEntry(msgspec.Struct, tag="reveal", frozen=True):
    """A token's value, released for sending; a closing says what became of it."""

    at: str
    warrant: str
    receipt: str
    outcome: str


class OtherEntry(msgspec.Struct, frozen=True):
    """An entry of which nothing is counted."""

    type: str


Public: TypeAlias = (
    WarrantEntry
    | ReleaseEntry
    | OpeningEntry
    | FailureEntry
    | ClosingEntry
    | RefusalsEntry
    | FreezeEntry
    | RevealEntry
)


class Sealed(msgspec.Struct, frozen=True):
    """The sealed members that are counted.

    `requested`: how many fields of the resource the order itself asks for; None where the receipt
    does not say it.
    """

    unauthorised: Counts = {}
    withheld: dict[str, Counts] = {}
    requested: int | None = None


NOTHING_SEALED: Final = Sealed()

_COUNTED: Final[msgspec.json.Decoder[Public]] = msgspec.json.Decoder(Public)
_OTHER: Final = msgspec.json.Decoder(OtherEntry)
_SEALED: Final = msgspec.json.Decoder(Sealed)
_TYPES: Final = frozenset(
    ("warrant", "release", "opening", "failure", "closing", "refusals", "freeze", "reveal")
)


def read_entry(public: bytes) -> Public | OtherEntry | None:
    """Read a public part; None if it is not in the form of its type."""
    try:
        return _COUNTED.decode(public)
    except msgspec.MsgspecError:
        pass
    try:
        other = _OTHER.decode(public)
    except msgspec.MsgspecError:
        return None
    return None if other.type in _TYPES else other


def read_sealed(sealed: bytes | None) -> Sealed | None:
    """Read a sealed part; empty where there is none, None if it cannot be read."""
    if sealed is None:
        return NOTHING_SEALED
    try:
        return _SEALED.decode(sealed)
    except msgspec.MsgspecError:
        return None
