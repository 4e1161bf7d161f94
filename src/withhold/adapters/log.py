"""The log in the database: what extends it, within a transaction, and what its nodes are.

One row holds the right edge of the tree, and whoever extends the log holds that row until the
transaction has ended: one log, whatever the number of nodes. Inner nodes are not kept, but for the
roots of full subtrees of 256, 65,536, … leaves: from these and the leaves every other node is
folded, with at most 255 rows read for each.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, bindparam, delete, insert, select, update

from withhold.adapters.compiled import compiled, insert_rows
from withhold.adapters.schema import LOG, entries, log, owed, subtrees, take_numbers
from withhold.errors import LedgerUnavailable, Unproven
from withhold.ledger.entry import RELEASES, Entry, EntryType, Handle, Written, write_entry
from withhold.ledger.tree import Frontier, frontier_at, hash_leaf
from withhold.names import WarrantId

STEP: Final = 8  # levels between those whose nodes are kept; C2SP's tiles are as high
MAX_OWED: Final = 4_096  # entered in one transaction; more only after a long outage

# Made once: to make a statement takes longer than to run it.
_EDGE: Final = select(log.c.frontier).where(log.c.id == LOG)
_LOCKED_EDGE: Final = _EDGE.with_for_update()
_NEW_EDGE: Final = (
    update(log)
    .where(log.c.id == LOG)
    .values(size=bindparam("new_size"), frontier=bindparam("new_frontier"))
)
_OWED: Final = select(owed).order_by(owed.c.sequence).limit(MAX_OWED)

_HINT: Final = "somebody wrote to the database; keep a copy, and see docs/auditing.md"


def read_frontier(connection: Connection, *, lock: bool = False) -> Frontier:
    """Give the right edge; with `lock` nobody else extends the log until the transaction ends."""
    found = connection.execute(_LOCKED_EDGE if lock else _EDGE).scalar_one()
    return decode_frontier(bytes(found))


def decode_frontier(found: bytes) -> Frontier:
    """Read a right edge as the database has it. Raises: LedgerUnavailable."""
    try:
        return Frontier.decode(found)
    except Unproven:
        raise LedgerUnavailable("the log's right edge in the database is damaged", _HINT) from None


def extend(
    connection: Connection, before: Frontier, written: Sequence[Written], node: str
) -> Frontier:
    """Append entries to the log whose right edge, locked, is `before`; gives the new one."""
    if not written:
        return before
    after, nodes = before.grow([hash_leaf(each.leaf) for each in written], STEP)
    rows = [_row(each, before.size + i, node) for i, each in enumerate(written)]
    insert_rows(connection, entries, rows)
    roots = [(each.level, each.at, each.hash) for each in nodes if not each.level % STEP]
    insert_rows(connection, subtrees, roots)
    edge = {"new_size": after.size, "new_frontier": after.encode()}
    compiled(connection, _NEW_EDGE).run(connection, edge)
    return after


def hash_at(connection: Connection) -> Callable[[int, int], bytes]:
    """Give what tells the hash of a node that is there (see `ledger.tree`)."""

    def told(level: int, index: int) -> bytes:
        kept = level // STEP * STEP
        count = 1 << (level - kept)
        hashes = read_hashes(connection, kept, index * count, count)
        if len(hashes) != count:
            raise LedgerUnavailable("the log in the database has gaps: entries are missing")
        return Frontier().append(hashes).root

    return told


def read_hashes(connection: Connection, level: int, first: int, limit: int) -> Sequence[bytes]:
    """Give at most `limit` nodes from index `first` on. `level`: a multiple of STEP."""
    if level % STEP:
        raise ValueError("nodes of this level are not kept")
    if not level:
        return [hash_leaf(leaf) for leaf in read_leaves(connection, first, limit)]
    at = subtrees.c.subtree
    rows = select(subtrees.c.root).where(subtrees.c.level == level, _within(at, first, limit))
    return [bytes(root) for root in connection.execute(rows.order_by(at)).scalars()]


def read_leaves(connection: Connection, first: int, limit: int) -> Sequence[bytes]:
    """Give at most `limit` leaves from index `first` on."""
    at = entries.c.leaf_index
    rows = select(entries.c.leaf).where(_within(at, first, limit)).order_by(at)
    return [bytes(leaf) for leaf in connection.execute(rows).scalars()]


def _within(column: Column[int], first: int, limit: int) -> ColumnElement[bool]:
    # The last one is named, not the one after it, which may be past what a database can count.
    return column.between(first, first + limit - 1)


def owe(connection: Connection, entry: Entry) -> None:
    """Owe an entry, in the transaction of what it tells of."""
    row = {"sequence": take_numbers(connection, "owed", 1), "entry": encode_owed(entry)}
    connection.execute(insert(owed).values(row))
    # CRASH, once this is committed: whoever appends next enters it first.


def take_owed(connection: Connection, new_salt: Callable[[], bytes]) -> Sequence[Written]:
    """Take what is owed, oldest first, and write it; the same transaction must enter it."""
    found = connection.execute(_OWED).all()
    if found:
        last = found[-1].sequence
        connection.execute(delete(owed).where(owed.c.sequence <= last))
    return [write_entry(decode_owed(bytes(row.entry)), new_salt()) for row in found]


def check_growth(connection: Connection, seen: Frontier, now: Frontier) -> None:
    """Check that the log still begins with what was seen of it. Raises: LedgerUnavailable.

    A database that was set back, as by restoring a backup, would let revoked warrants disclose
    again and lose receipts that have been given out.
    """
    if now.size < seen.size:
        raise LedgerUnavailable(
            f"the log has {now.size} entries and had {seen.size}: the database was set back",
            "if you meant to, see `withhold ledger accept`",
        )
    then = now if now.size == seen.size else frontier_at(seen.size, hash_at(connection))
    if then != seen:
        raise LedgerUnavailable(
            f"the first {seen.size} entries of the log are not what they were", _HINT
        )


def check_edge(connection: Connection, now: Frontier) -> None:
    """Check that the right edge, `now`, is that of the entries. Raises: LedgerUnavailable.

    What is checked is what the edge is made of: the last leaves, and the roots of full subtrees.
    """
    if frontier_at(now.size, hash_at(connection)) != now:
        raise LedgerUnavailable("the log's last entries are not what they were", _HINT)


def encode_owed(entry: Entry) -> bytes:
    """Write an entry as it waits to be entered."""
    members = {
        "type": entry.type.value,
        "at": entry.at,
        "public": dict(entry.public),
        "sealed": dict(entry.sealed),
        "receipt": entry.receipt,
        "warrant": entry.warrant,
    }
    return json.dumps(members, allow_nan=False).encode()


def decode_owed(data: bytes) -> Entry:
    """Read what `encode_owed` gave."""
    members = json.loads(data)
    receipt, warrant = members["receipt"], members["warrant"]
    return Entry(
        type=EntryType(members["type"]),
        at=members["at"],
        public=members["public"],
        sealed=members["sealed"],
        receipt=None if receipt is None else Handle(receipt),
        warrant=None if warrant is None else WarrantId(warrant),
    )


def _row(written: Written, index: int, node: str) -> tuple[Any, ...]:
    """Give the row of an entry, its columns in the order of the table."""
    entry, public, sealed, salt, leaf = written
    said_by = node if entry.type in RELEASES else None
    kind = entry.type.value
    return (index, kind, entry.receipt, entry.warrant, said_by, leaf, public, salt, sealed)
