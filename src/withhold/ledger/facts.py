"""Facts: what the entries of an exhibit say, and whether they can be of one disclosure. Pure.

Every member that is read is looked at here once, so whoever prints facts need not look again. That
the log holds these entries is not asked here: see `court`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from withhold.canonical import write_canonical
from withhold.errors import Unproven
from withhold.ledger.checkpoint import Checkpoint, parse_checkpoint
from withhold.ledger.entry import BEGINNINGS, EntryType, Json, leaf_of, read_public
from withhold.ledger.exhibit import Exhibit, Shown
from withhold.ledger.note import NoteSignature, parse_note
from withhold.ledger.proof import Proof, parse_proof
from withhold.ledger.receipt import (
    DISCLOSED,
    Ending,
    ReceiptId,
    handle_of,
    is_handle,
    is_receipt_id,
)
from withhold.names import State

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Proved:
    """One entry with what its proof is made of."""

    index: int
    public: Mapping[str, Json]
    leaf: bytes  # what the log holds of it
    proof: Proof

    @property
    def at(self) -> str:
        """When, by the clock of who made it: RFC 3339 in UTC."""
        return str(self.public["at"])

    @property
    def type(self) -> str:
        """Its type."""
        return str(self.public["type"])


@dataclass(frozen=True, slots=True)
class Facts:
    """One disclosure, as its entries tell it.

    `released`: what it says of fields, records and bytes: the release, or a stream's closing;
    `signatures`: those of the statement; `unknown`: names of members that this version does not
    know, by index.
    """

    origin: str
    receipt: ReceiptId | None
    note: bytes  # the checkpoint of all the proofs
    checkpoint: Checkpoint
    first: Proved
    closing: Proved | None
    orders: tuple[Proved, ...]
    signatures: tuple[NoteSignature, ...]
    unknown: Mapping[int, Sequence[str]]

    @property
    def entries(self) -> tuple[Proved, ...]:
        """All entries that are shown."""
        ending = () if self.closing is None else (self.closing,)
        return (self.first, *ending, *self.orders)

    @property
    def released(self) -> Mapping[str, Json]:
        """The public part that says what left; of a stream under way, or a failure, nothing did."""
        if self.closing is not None and "body" in self.closing.public:
            return self.closing.public
        return self.first.public


def facts_of(exhibit: Exhibit) -> Facts:
    """Read what the entries say. Raises: Unproven if they are not what one disclosure leaves."""
    disclosure = tuple(map(_proved, exhibit.entries))
    orders = tuple(map(_proved, exhibit.warrant))
    for row in (disclosure, orders):
        indices = [each.index for each in row]
        if indices != sorted(set(indices)):
            raise Unproven("the entries are not in the order of the log, each once")
    first, closing = _disclosure(disclosure)
    unknown = {each.index: _check_members(each) for each in (*disclosure, *orders)}
    notes = {each.proof.checkpoint for each in (*disclosure, *orders)}
    if len(notes) > 1:
        raise Unproven("the proofs are not of one checkpoint")
    note = notes.pop()
    _check_receipt(exhibit.receipt, first, closing)
    _check_orders(first, orders)
    return Facts(
        origin=exhibit.origin,
        receipt=exhibit.receipt,
        note=note,
        checkpoint=parse_checkpoint(parse_note(note).text),
        first=first,
        closing=closing,
        orders=orders,
        signatures=exhibit.signatures,
        unknown={index: names for index, names in unknown.items() if names},
    )


def is_before(one: str, other: str) -> bool:
    """Tell whether an instant is before another, both as `at` is written."""
    # Without the `Z` that ends them, they stand in the order of time.
    return one.removesuffix("Z") < other.removesuffix("Z")


def _proved(shown: Shown) -> Proved:
    public = write_canonical(dict(shown.public))
    members = read_public(public)
    if not _INSTANT.fullmatch(members["at"]):
        raise Unproven("an entry's `at` is no instant in UTC")
    proof = parse_proof(shown.proof.encode())
    if proof.index != shown.index:
        raise Unproven("an entry's proof is of another index than the entry's")
    if proof.extra:
        raise Unproven("an entry's proof holds extra data, which nothing proves")
    return Proved(shown.index, members, leaf_of(public), proof)


def _disclosure(entries: Sequence[Proved]) -> tuple[Proved, Proved | None]:
    if not entries or entries[0].type not in BEGINNINGS:
        raise Unproven("the entries do not begin with an opening, a release, a failure or a reveal")
    first, *rest = entries
    if not rest:
        return first, None
    if len(rest) > 1 or rest[0].type != EntryType.CLOSING:
        raise Unproven("the entries of a disclosure are more than its first one and its closing")
    return first, rest[0]


def _check_receipt(receipt: ReceiptId | None, first: Proved, closing: Proved | None) -> None:
    handle, warrant = first.public["receipt"], first.public["warrant"]
    if receipt is not None and (not is_receipt_id(receipt) or handle_of(receipt) != handle):
        raise Unproven("the receipt's id is not the one that the entries are of")
    if closing is None:
        return
    if (closing.public["receipt"], closing.public["warrant"]) != (handle, warrant):
        raise Unproven("the closing is of another disclosure")
    ending, is_stream = closing.public["outcome"], "body" in closing.public
    left = closing.public["size_bytes"] or 0
    if is_stream and first.type != EntryType.OPENING:
        raise Unproven("the closing is a stream's, and the first entry opens none")
    if first.public["outcome"] != DISCLOSED and left:
        raise Unproven("the closing says that bytes left, and the first entry that none would")
    if first.type == EntryType.OPENING:  # it could not know
        return
    if left > first.public["size_bytes"]:
        raise Unproven("the closing says that more left than was released")
    if ending == Ending.COMPLETE and left != first.public["size_bytes"]:
        raise Unproven("the closing says that all left, and less than was released")


def _check_orders(first: Proved, orders: Sequence[Proved]) -> None:
    """Check that the warrant's entries are this warrant's and that it was in force."""
    for each in orders:
        if each.type != EntryType.WARRANT or each.public["warrant"] != first.public["warrant"]:
            raise Unproven("an entry about the warrant is about something else")
        for name, as_first in (("digest", "warrant_digest"), ("instrument", "instrument")):
            if name in each.public and each.public[name] != first.public[as_first]:
                raise Unproven(f"the warrant's `{name}` is not the one that was disclosed under")
    before = [each for each in orders if each.index < first.index]
    if (
        before
        and first.public["outcome"] == DISCLOSED
        and before[-1].public["state"] != State.ACTIVE
    ):
        raise Unproven("the log says that the warrant was not active when this was disclosed")


# --- Members, and what each must be ---


def _is_text(found: Json) -> bool:
    return isinstance(found, str)


def _is_count(found: Json) -> bool:
    return type(found) is int and found >= 0


def _is_counts(found: Json) -> bool:
    return isinstance(found, dict) and all(map(_is_count, found.values()))


def _is_texts(found: Json) -> bool:
    return isinstance(found, list) and all(map(_is_text, found))


def _is_instant(found: Json) -> bool:
    return isinstance(found, str) and _INSTANT.fullmatch(found) is not None


def _is_handle(found: Json) -> bool:
    return isinstance(found, str) and is_handle(found)


def _is_ending(found: Json) -> bool:
    return isinstance(found, str) and found in set(Ending)


def _or_none(check: Callable[[Json], bool]) -> Callable[[Json], bool]:
    return lambda found: found is None or check(found)


_Checks = Mapping[str, Callable[[Json], bool]]
_ALL: Final[_Checks] = {"type": _is_text, "at": _is_text, "sealed": _is_text, "warrant": _is_text}
_RELEASED: Final[_Checks] = {
    "disclosed": _is_counts,
    "tokenized": _is_counts,
    "generalized": _is_counts,
    "records_disclosed": _is_count,
    "size_bytes": _is_count,
    "body": _or_none(_is_text),
}
_RECEIPT_MEMBERS: Final[_Checks] = {
    **_RELEASED,
    "receipt": _is_handle,
    "outcome": _is_text,
    "warrant_digest": _is_text,
    "instrument": _is_text,
    "resource": _is_text,
    "bundle": _is_text,
    "allowlist": _is_text,
    "software": _is_text,
    "authorised": _is_counts,
}
_CLOSING: Final[_Checks] = {
    "receipt": _is_handle,
    "outcome": _is_ending,
    "size_bytes": _or_none(_is_count),
}
_MOVED: Final[_Checks] = {"event": _is_text, "state": _is_text}
_SIGNED: Final[_Checks] = {
    "digest": _is_text,
    "instrument": _is_text,
    "jurisdiction": _is_text,
    "categories": _is_texts,
    "fields": _is_count,
    "targets": _is_count,
    "valid_from": _is_instant,
    "valid_until": _is_instant,
    "served_at": _or_none(_is_instant),
    "secrecy_until": _or_none(_is_instant),
}
# What must be there, and what may be there all together, by type.
_MEMBERS: Final[Mapping[str, tuple[_Checks, _Checks]]] = {
    EntryType.OPENING: (_RECEIPT_MEMBERS, {}),
    EntryType.RELEASE: (_RECEIPT_MEMBERS, {}),
    EntryType.FAILURE: (_RECEIPT_MEMBERS, {}),
    EntryType.REVEAL: ({**_RECEIPT_MEMBERS, "field": _is_text}, {}),
    EntryType.CLOSING: (_CLOSING, _RELEASED),
    EntryType.WARRANT: (_MOVED, _SIGNED),
}


def _check_members(entry: Proved) -> Sequence[str]:
    """Check the members of a public part; gives the names of those that are not known here."""
    if entry.type not in _MEMBERS:
        raise Unproven("an entry is of a type that is no part of a receipt")
    needed, together = _MEMBERS[entry.type]
    checks = {**_ALL, **needed}
    if (together.keys() - needed.keys()) & entry.public.keys():
        checks |= {name: check for name, check in together.items() if name not in needed}
    for name, check in checks.items():
        if name not in entry.public or not check(entry.public[name]):
            raise Unproven(f"an entry of type `{entry.type}` has no `{name}` as it must be")
    return sorted(entry.public.keys() - checks.keys())
