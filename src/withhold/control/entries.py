"""Entries: what the ledger is told of changes that people make. Pure.

What names a person, such as who asked, who signed and whom an order is about, goes into the sealed
part; targets there are keyed commitments.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from withhold.kinds.instant import Instant, print_instant
from withhold.ledger.entry import Entry, EntryType
from withhold.names import CallerName, State, WarrantId
from withhold.policy.model import Instrument
from withhold.ports import Freeze
from withhold.warrant.model import SignedWarrant, Target


class Event(StrEnum):
    """What happened to a warrant."""

    REGISTERED = "registered"
    APPROVED = "approved"
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    REVOKED = "revoked"
    CLOSED = "closed"


ENDED: dict[State, Event] = {
    State.SUSPENDED: Event.SUSPENDED,
    State.REVOKED: Event.REVOKED,
    State.CLOSED: Event.CLOSED,
}


@dataclass(frozen=True, slots=True)
class Act:
    """Who does something, and when by this node's clock."""

    by: CallerName
    at: Instant


def entry_of_signed(
    act: Act,
    event: Event,
    signed: SignedWarrant,
    *,
    state: State,
    instrument: Instrument | None,
    commit_target: Callable[[WarrantId, Target], str],
) -> Entry:
    """Tell of a warrant that was registered, approved or resumed: all that the report counts."""
    warrant = signed.warrant
    covered = frozenset() if instrument is None else frozenset(instrument.covers)
    return Entry(
        EntryType.WARRANT,
        print_instant(act.at),
        public={
            "event": event.value,
            "state": state.value,
            "digest": warrant.digest,
            "instrument": warrant.instrument,
            "jurisdiction": warrant.jurisdiction,
            "categories": sorted(each.value for each in warrant.categories or covered),
            "fields": len(warrant.fields),
            "targets": len(warrant.targets),
            "valid_from": print_instant(warrant.valid.since),
            "valid_until": print_instant(warrant.valid.until),
            "served_at": _printed(warrant.served_at),
            "secrecy_until": _printed(warrant.secrecy_until),
        },
        sealed={
            "by": act.by,
            "signers": sorted(each.key_id for each in signed.signatures),
            "targets": sorted(commit_target(warrant.id, each) for each in warrant.targets),
            "authority": warrant.authority,
            "reference": warrant.reference,
        },
        warrant=warrant.id,
    )


def entry_of_move(act: Act, warrant: WarrantId, to: State) -> Entry:
    """Tell that access was ended: nothing is asked of the document for that."""
    public = {"event": ENDED[to].value, "state": to.value}
    return _of_warrant(act, warrant, public)


def entry_of_freeze(act: Act, freeze: Freeze, *, frozen: bool) -> Entry:
    """Tell of a freeze that was put in force or lifted."""
    public = {
        "event": "frozen" if frozen else "thawed",
        "store": freeze.store,
        "instrument": freeze.instrument,
    }
    return Entry(EntryType.FREEZE, print_instant(act.at), public, {"by": act.by})


def entry_of_reading(act: Act, indices: Iterable[int]) -> Entry:
    """Tell that somebody opened sealed parts. `indices`: of the entries; at least one."""
    opened = sorted(indices)
    public = {"count": len(opened), "first": opened[0], "last": opened[-1]}
    sealed = {"by": act.by, "entries": opened}
    return Entry(EntryType.READING, print_instant(act.at), public, sealed)


def _of_warrant(act: Act, warrant: WarrantId, public: dict[str, str]) -> Entry:
    at = print_instant(act.at)
    return Entry(EntryType.WARRANT, at, public, {"by": act.by}, warrant=warrant)


def _printed(instant: Instant | None) -> str | None:
    return None if instant is None else print_instant(instant)
