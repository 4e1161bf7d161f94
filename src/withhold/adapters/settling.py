"""Settling: what the log still has to say of releases whose ending nobody told it.

A node keeps in memory what it released and has not closed (`Open`), and tells the database now and
then that it lives, and from which entry on it may owe a closing. When it has been silent for a
minute, any other node closes what it left: `unknown`. So every release gets an ending, whatever
crashes, and a scan begins no earlier than the last word of whoever is gone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, exists, insert, select, update

from withhold.adapters.log import read_frontier
from withhold.adapters.schema import entries, nodes, owed, read_clock, refusals
from withhold.kinds.instant import Instant, print_instant
from withhold.ledger.entry import RELEASES, Entry, EntryType, Handle
from withhold.ledger.receipt import Closing, Ending
from withhold.names import WarrantId
from withhold.ports import Refused

BEAT_S: Final = 10  # between two words of a node
DEAD_S: Final = 60  # without one
SILENT_S: Final = DEAD_S // 2  # without one, a node says one before it releases anything
GRACE_S: Final = 15  # after a minute, for counts that are under way
MAX_AT_ONCE: Final = 256
# Endings that a node remembers, of either kind; beyond it `unknown` will have to do. SQLite takes
# no more than twice as many in one question.
MAX_KEPT: Final = 8_192


@dataclass(frozen=True, slots=True)
class View:
    """What a node has open at one moment. `settled`: it owes no closing for entries before."""

    settled: int
    doubts: Sequence[Entry]  # appends that failed, or seemed to
    late: Sequence[Entry]  # closings that could not be appended

    @property
    def waits(self) -> bool:
        """Whether something is to be written."""
        return bool(self.doubts or self.late)


class Open:
    """What one node has open. Of one thread, the event loop's."""

    def __init__(self) -> None:
        self._since: dict[Handle, int] = {}  # not before this index is it in the log
        self._doubts: dict[Handle, Entry] = {}
        self._late: dict[Handle, Entry] = {}
        self._lost: int | None = None  # since what index there may be some that it forgot

    def expect(self, entry: Entry, size: int) -> None:
        """Note that an append begins, while the log has at least `size` entries."""
        if entry.receipt is not None and entry.type in RELEASES:
            self._since[entry.receipt] = size

    def note(self, entry: Entry, index: int) -> None:
        """Note that the entry is in the log."""
        if entry.receipt is None:
            return
        if entry.type in RELEASES:
            self._since[entry.receipt] = index
        elif entry.type is EntryType.CLOSING:
            self._since.pop(entry.receipt, None)

    def forget(self, entry: Entry) -> None:
        """Note that the entry was not appended: it may not be, or it is there already."""
        if entry.receipt is not None:
            self._since.pop(entry.receipt, None)

    def doubt(self, entry: Entry) -> None:
        """Note that the append failed, or seemed to; nothing was sent, if it was a release."""
        if entry.receipt is None:
            return
        if entry.type not in RELEASES and entry.type is not EntryType.CLOSING:
            return
        kept = self._doubts if entry.type in RELEASES else self._late
        if len(kept) < MAX_KEPT:
            kept[entry.receipt] = entry
        elif (since := self._since.pop(entry.receipt, None)) is not None:
            self._lost = since if self._lost is None else min(self._lost, since)

    def view(self, size: int) -> View:
        """Give what is open, while the log has at least `size` entries."""
        settled = min(self._since.values(), default=size)
        if self._lost is not None:
            settled = min(settled, self._lost)
        return View(settled, tuple(self._doubts.values()), tuple(self._late.values()))

    def settle(self, view: View) -> None:
        """Note that all of `view` was written."""
        for entry in (*view.doubts, *view.late):
            if entry.receipt is not None:
                self._doubts.pop(entry.receipt, None)
                self._late.pop(entry.receipt, None)
                self._since.pop(entry.receipt, None)


def is_due(connection: Connection, node: str, view: View) -> bool:
    """Tell whether there is something to settle. Only reads."""
    if view.waits:
        return True
    now = read_clock(connection)
    seen = connection.execute(select(nodes.c.seen).where(nodes.c.node == node)).scalar()
    if seen is None or now.second - seen >= BEAT_S:
        return True
    questions = (
        select(owed.c.sequence),
        select(refusals.c.minute).where(refusals.c.minute < _minute(now, GRACE_S)),
        select(nodes.c.node).where(nodes.c.seen < now.second - DEAD_S),
    )
    return any(connection.execute(each.limit(1)).first() is not None for each in questions)


def settle(connection: Connection, node: str, view: View) -> Sequence[Entry]:
    """Give the entries that are due, and note in the database that they are written."""
    now = read_clock(connection)
    _beat(connection, node, now, view.settled)
    return [
        *_closings(connection, view, print_instant(now)),
        *_orphans(connection, now),
        *_minutes(connection, now),
    ]


def speak(connection: Connection, node: str, now: Instant, size: int) -> None:
    """Say that a node lives that was silent: another may have forgotten it, and all that it left.

    `size`: of the log; what it is about to release comes after.
    """
    living = update(nodes).where(nodes.c.node == node).values(seen=now.second)
    if connection.execute(living).rowcount == 0:
        row = {"node": node, "seen": now.second, "settled": size}
        connection.execute(insert(nodes).values(row))


def leave(connection: Connection, node: str, view: View) -> Sequence[Entry]:
    """Do as `settle`, of a node that ends and has nothing under way: nobody waits for it."""
    due = settle(connection, node, view)
    said = [each.receipt for each in due if each.type is EntryType.CLOSING]
    # What it has forgotten, it closes as others would.
    left = _left(connection, node, view.settled, read_clock(connection))
    return [*due, *(each for each in left if each.receipt not in said)]


def count_refusals(connection: Connection, counts: Mapping[Refused, int]) -> None:
    """Add to the counts."""
    read_frontier(connection, lock=True)  # one node after the other: no two insert the same row
    for (caller, code, minute), count in sorted(counts.items()):
        key = {"caller": caller, "code": code, "minute": minute}
        row = (
            (refusals.c.caller == caller)
            & (refusals.c.code == code)
            & (refusals.c.minute == minute)
        )
        more = update(refusals).where(row).values(times=refusals.c.times + count)
        if connection.execute(more).rowcount == 0:
            connection.execute(insert(refusals).values({**key, "times": count}))


def _beat(connection: Connection, node: str, now: Instant, settled: int) -> None:
    word = {"seen": now.second, "settled": settled}
    said = update(nodes).where(nodes.c.node == node).values(word)
    if connection.execute(said).rowcount == 0:
        connection.execute(insert(nodes).values({"node": node, **word}))


def _closings(connection: Connection, view: View, at: str) -> Sequence[Entry]:
    """Close what persisted although it failed, and write what could not be written before."""
    handles = [entry.receipt for entry in (*view.doubts, *view.late)]
    there = select(entries.c.receipt, entries.c.type).where(entries.c.receipt.in_(handles))
    found = {(row.receipt, row.type) for row in connection.execute(there)} if handles else set()
    # Whoever released it may have closed it by now; a second closing there cannot be.
    unclosed = {handle for handle, _type in found} - {
        handle for handle, kind in found if kind == EntryType.CLOSING.value
    }
    not_sent = [
        Closing(entry.receipt, at, entry.warrant, Ending.NOT_SENT, 0).entry()
        for entry in view.doubts
        if entry.receipt in unclosed and entry.receipt is not None and entry.warrant is not None
    ]
    told = [entry for entry in view.late if entry.receipt in unclosed]
    better = {entry.receipt for entry in told}  # where it was sent after all
    return [*(entry for entry in not_sent if entry.receipt not in better), *told]


def _orphans(connection: Connection, now: Instant) -> Sequence[Entry]:
    """Close what a node left open that has been silent for too long."""
    silent = select(nodes).where(nodes.c.seen < now.second - DEAD_S).limit(1)
    found = connection.execute(silent).first()
    return [] if found is None else _left(connection, found.node, found.settled, now)


def _left(connection: Connection, node: str, settled: int, now: Instant) -> Sequence[Entry]:
    """Close what is open of a node, and forget the node once that is all of it."""
    closing = entries.alias()
    closed = exists().where(
        closing.c.receipt == entries.c.receipt, closing.c.type == EntryType.CLOSING.value
    )
    left = (entries.c.node == node) & (entries.c.leaf_index >= settled) & ~closed
    rows = select(entries.c.receipt, entries.c.warrant).where(left)
    orphans = connection.execute(rows.order_by(entries.c.leaf_index).limit(MAX_AT_ONCE)).all()
    if len(orphans) < MAX_AT_ONCE:
        connection.execute(delete(nodes).where(nodes.c.node == node))
    at = print_instant(now)
    return [
        Closing(Handle(row.receipt), at, WarrantId(row.warrant), Ending.UNKNOWN).entry()
        for row in orphans
    ]


def _minutes(connection: Connection, now: Instant) -> Sequence[Entry]:
    """Enter the refusals of minutes that are over."""
    over = refusals.c.minute < _minute(now, GRACE_S)
    rows = select(refusals).where(over).order_by(refusals.c.minute, refusals.c.caller)
    # Held, or what another node adds meanwhile would be deleted and never counted.
    held = rows.order_by(refusals.c.code).limit(MAX_AT_ONCE).with_for_update()
    found = connection.execute(held).all()
    for row in found:
        same = (
            (refusals.c.caller == row.caller)
            & (refusals.c.code == row.code)
            & (refusals.c.minute == row.minute)
        )
        connection.execute(delete(refusals).where(same))
    at = print_instant(now)
    return [
        Entry(
            EntryType.REFUSALS,
            at,
            public={"code": row.code, "minute": row.minute, "count": row.times},
            sealed={"caller": row.caller},
        )
        for row in found
    ]


def _minute(now: Instant, before_s: int) -> str:
    """Give the minute that it was `before_s` seconds ago: all before it are over."""
    return minute_of(Instant(now.second - before_s))


def minute_of(instant: Instant) -> str:
    """Give a minute as counts and entries name it, such as `2026-11-24T14:05Z`."""
    return print_instant(instant)[:16] + "Z"
