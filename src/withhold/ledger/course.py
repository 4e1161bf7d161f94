"""Course: what the entries of a log say, one after another, and whether that can be so.

The tree proves that nothing was changed; it does not prove that what was entered makes sense. What
the proxy never does is a fault here: to close what was not released, to release twice under one
receipt, to release under a warrant that had ended. What clocks and pruning can bring about is not.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from withhold.ledger.entry import BEGINNINGS, EntryType, Json
from withhold.ledger.note import VerifierKey, print_verifier_key
from withhold.ledger.receipt import DISCLOSED

BACKWARDS: Final = timedelta(hours=1)  # clocks of nodes differ, and what is owed is entered late

_ENDED: Final = frozenset({"revoked", "closed"})


@dataclass(frozen=True, slots=True)
class Remark:
    """What is to be said of an entry. `is_fault`: the proxy never does that."""

    index: int
    message: str
    is_fault: bool = True


@dataclass(slots=True)
class Course:
    """What was said so far. Entries are shown to it in the order of the log."""

    remarks: list[Remark] = field(default_factory=list)
    _begun: dict[str, int] = field(default_factory=dict)  # receipt → index
    _closed: dict[str, int] = field(default_factory=dict)
    _ended: dict[str, int] = field(default_factory=dict)  # warrant → index
    _keys: set[str] = field(default_factory=set)  # the ledger's, as the log names them
    _last: datetime | None = None
    _pruned: bool = False

    def see(self, index: int, members: Mapping[str, Json] | None) -> None:
        """Take note of an entry. `members`: of its public part; None: it was pruned."""
        if members is None:
            self._pruned = True
            return
        self._see_time(index, members["at"])
        kind = members["type"]
        if kind in BEGINNINGS or kind == EntryType.CLOSING:
            self._see_disclosure(index, kind, members)
        elif kind == EntryType.WARRANT and str(members.get("state")) in _ENDED:
            self._ended.setdefault(str(members.get("warrant")), index)
        elif kind == EntryType.KEY and members.get("kind") == "ledger":
            self._see_key(members)
        elif kind == EntryType.RESTORE:
            self._see_restore(index, members)

    def see_signers(self, keys: Collection[VerifierKey], last: int) -> None:
        """Compare who signed the log's end with the keys that it names."""
        for key in keys:
            text = print_verifier_key(key)
            if text not in self._keys and not self._pruned:
                message = f"the key that signed, {key.id.hex()}, is none that the log names"
                self._warn(last, message)

    def _see_time(self, index: int, at: str) -> None:
        when = _parse_time(at)
        if when is None:
            self._fault(index, "its `at` is no time")
            return
        if self._last is not None and self._last - when > BACKWARDS:
            hours = (self._last - when) / timedelta(hours=1)
            self._warn(index, f"its `at` is {hours:.1f} h before that of the entry above it")
        self._last = when

    def _see_disclosure(self, index: int, kind: str, members: Mapping[str, Json]) -> None:
        receipt = str(members.get("receipt"))
        if kind == EntryType.CLOSING:
            if receipt not in self._begun and not self._pruned:
                self._fault(index, f"it closes `{receipt}`, which nothing before it begins")
            self._once(self._closed, receipt, index, "closed")
            return
        self._once(self._begun, receipt, index, "begun")
        ended = self._ended.get(str(members.get("warrant")))
        if ended is not None and members.get("outcome") == DISCLOSED:
            self._fault(index, f"it discloses under a warrant that entry {ended} ended")

    def _once(self, seen: dict[str, int], receipt: str, index: int, what: str) -> None:
        first = seen.setdefault(receipt, index)
        if first != index:
            self._fault(index, f"`{receipt}` was {what} by entry {first} already")

    def _see_key(self, members: Mapping[str, Json]) -> None:
        public = str(members.get("public_key"))
        if members.get("event") == "destroyed":
            self._keys.discard(public)
        else:
            self._keys.add(public)

    def _see_restore(self, index: int, members: Mapping[str, Json]) -> None:
        had, size = members.get("had"), members.get("size")
        lost = "nobody knows how many" if had is None else f"{had} had been seen, {size} were left"
        self._warn(index, f"another log was accepted here, as after restoring a backup: {lost}")

    def _fault(self, index: int, message: str) -> None:
        self.remarks.append(Remark(index, message))

    def _warn(self, index: int, message: str) -> None:
        self.remarks.append(Remark(index, message, is_fault=False))


def _parse_time(at: str) -> datetime | None:
    try:
        when = datetime.fromisoformat(at)
    except ValueError:
        return None
    return when if when.tzinfo is not None else None
