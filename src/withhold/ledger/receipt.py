"""Receipts: the statement of one disclosure, and of what became of it. Pure.

A receipt says what was released, under which warrant, allowlist and bundle: catalogued paths,
digests and counts, never a value. Its id is known to whoever got the answer, and to nobody else:
the ledger holds a *handle* that is made of it, and a commitment to the body that the id opens. So
who has the ledger cannot try short bodies until one fits (contract law 6), and who has the answer
can show which one it was.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product
from typing import Final, NewType

from msgspec import Struct
from msgspec.structs import asdict

from withhold.digest import digest_of
from withhold.ledger.entry import Entry, EntryType, Handle, Json
from withhold.names import CallerName, Digest, InstrumentName, ResourceName, WarrantId

ReceiptId = NewType("ReceiptId", str)  # "R-" and 26 characters of lower-case base32: 128 bits

DISCLOSED: Final = "disclosed"

_HANDLE: Final = b"withhold handle v1\0"
_BODY: Final = b"withhold body v1\0"
_BYTES: Final = 16  # 26 characters of base32
_PAIRS: Final = tuple(map("".join, product("abcdefghijklmnopqrstuvwxyz234567", repeat=2)))
_PAIRS_AT: Final = range(120, -1, -10)
_ID_FORM: Final = re.compile(r"R-[a-z2-7]{26}", re.ASCII)
_HANDLE_FORM: Final = re.compile(r"H-[a-z2-7]{26}", re.ASCII)


class Ending(StrEnum):
    """What became of what was released."""

    COMPLETE = "complete"  # every byte was handed over to the connection
    INCOMPLETE = "incomplete"  # it broke off
    NOT_SENT = "not-sent"  # held back at the last moment, or the append was believed to have failed
    UNKNOWN = "unknown"  # the node ended before it could say


# Of an encoder's own kind of class: one is made in a tenth of a frozen dataclass's time (0.3 us).
class Released(Struct, frozen=True):
    """What left, or is about to: counts by the label of each field, and the body's digest."""

    disclosed: Mapping[str, int] = {}
    tokenized: Mapping[str, int] = {}
    generalized: Mapping[str, int] = {}
    records_disclosed: int = 0
    size_bytes: int = 0
    digest: Digest | None = None  # of the body as sent, if one was; never shown
    records_seen: int = 0  # sealed, as is what follows
    withheld: Mapping[str, Mapping[str, int]] = {}  # reason → place → n

    def __repr__(self) -> str:
        """Show all but the digest, which tells a body that somebody guesses."""
        return _show(self, but="digest")

    def public(self, receipt: ReceiptId) -> dict[str, Json]:
        """Give what is a function of what was disclosed."""
        return {
            "disclosed": dict(self.disclosed),
            "tokenized": dict(self.tokenized),
            "generalized": dict(self.generalized),
            "records_disclosed": self.records_disclosed,
            "size_bytes": self.size_bytes,
            "body": None if self.digest is None else commit_body(receipt, self.digest),
        }

    def sealed(self) -> dict[str, Json]:
        """Give what tells of more than was disclosed."""
        withheld = {reason: dict(places) for reason, places in self.withheld.items()}
        return {"records_seen": self.records_seen, "withheld": withheld}


NOTHING: Final = Released()


class Receipt(Struct, frozen=True):
    """An opening, a release or a failure. `outcome`: `disclosed`, or the code that was sent."""

    id: ReceiptId  # never shown: it opens the commitment to the body
    type: EntryType
    outcome: str
    at: str
    warrant: WarrantId
    warrant_digest: Digest  # of the payload, as it was signed
    instrument: InstrumentName
    bundle: Digest
    allowlist: Digest
    resource: ResourceName
    software: str
    authorised: Mapping[str, int]  # treatment → how many fields of the resource have it
    released: Released = NOTHING
    caller: CallerName | None = None  # sealed, as is what follows
    targets: tuple[str, ...] = ()  # keyed commitments; see `keyring.commit_target`
    unauthorised: Mapping[str, int] = {}  # reason → how many fields
    requested: int = 0  # how many fields of the resource the order itself asks for
    store_status: int | None = None  # None: the store was not asked, or did not answer

    def __repr__(self) -> str:
        """Show all but the id."""
        return _show(self, but="id")

    def entry(self) -> Entry:
        """Give the ledger's entry."""
        return Entry(
            type=self.type,
            at=self.at,
            public={
                "outcome": self.outcome,
                "warrant_digest": self.warrant_digest,
                "instrument": self.instrument,
                "bundle": self.bundle,
                "allowlist": self.allowlist,
                "resource": self.resource,
                "software": self.software,
                "authorised": dict(self.authorised),
                **self.released.public(self.id),
            },
            sealed={
                "caller": self.caller,
                "targets": list(self.targets),
                "unauthorised": dict(self.unauthorised),
                "requested": self.requested,
                "store_status": self.store_status,
                **self.released.sealed(),
            },
            receipt=handle_of(self.id),
            warrant=self.warrant,
        )


@dataclass(frozen=True, slots=True)
class Closing:
    """What became of an opening or a release. `size_bytes`: handed over to the connection.

    A stream's says what it disclosed, too: its opening could not.
    """

    receipt: Handle
    at: str
    warrant: WarrantId
    ending: Ending
    size_bytes: int | None = None  # None: nobody knows
    stream: tuple[ReceiptId, Released] | None = field(default=None, repr=False)

    def entry(self) -> Entry:
        """Give the ledger's entry."""
        public: dict[str, Json] = {}
        sealed: dict[str, Json] = {}
        if self.stream is not None:
            receipt, released = self.stream
            public, sealed = released.public(receipt), released.sealed()
        return Entry(
            type=EntryType.CLOSING,
            at=self.at,
            public={**public, "outcome": self.ending.value, "size_bytes": self.size_bytes},
            sealed=sealed,
            receipt=self.receipt,
            warrant=self.warrant,
        )


def print_receipt_id(secret: bytes) -> ReceiptId:
    """Give the id that is made of 16 random bytes."""
    if len(secret) != _BYTES:
        message = f"a receipt's id is made of {_BYTES} bytes, not {len(secret)}"
        raise ValueError(message)
    return ReceiptId(f"R-{_base32(secret)}")


def is_receipt_id(text: str) -> bool:
    """Tell whether a text has the form of a receipt's id."""
    return _ID_FORM.fullmatch(text) is not None


def is_handle(text: str) -> bool:
    """Tell whether a text has the form of a handle."""
    return _HANDLE_FORM.fullmatch(text) is not None


def handle_of(receipt: ReceiptId) -> Handle:
    """Give what the ledger calls a receipt. Nobody gets from a handle to the id."""
    digest = hashlib.sha256(_HANDLE + receipt.encode()).digest()
    return Handle(f"H-{_base32(digest[:_BYTES])}")


def commit_body(receipt: ReceiptId, body: Digest) -> Digest:
    """Give the commitment to a body, which the receipt's id opens. `body`: its digest."""
    return digest_of(_BODY + receipt.encode() + b"\0" + body.encode())


def _base32(data: bytes) -> str:
    """Write _BYTES bytes, two characters at a time (1.1 us; with `base64`, 4.3). RFC 4648 §6."""
    bits = int.from_bytes(data) << 2  # 26 characters hold 130
    return "".join([_PAIRS[bits >> at & 1023] for at in _PAIRS_AT])


def _show(struct: Struct, but: str) -> str:
    shown = (f"{name}={value!r}" for name, value in asdict(struct).items() if name != but)
    return f"{type(struct).__name__}({', '.join(shown)})"
