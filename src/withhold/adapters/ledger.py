"""The ledger in the database: one log for all nodes, appended to only while a condition holds.

What waits together is appended together: the conditions are checked one by one, by one reading of
the clock, the states and the freezes; then what is owed is entered, and then what met its
condition. One commit, one wait for the disk, and one new right edge of the tree.

An append that was told to have failed may have persisted all the same: the disk's answer was lost,
or it came too late. Whoever asked has sent nothing, so `settle` looks such releases up, and says
`not-sent` of those it finds. What a node that ended left open is closed by any other, `unknown`.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import Connection, Row, Select, delete, insert, select

from withhold.adapters.asked import Asked, Key, ask
from withhold.adapters.chance import Chance
from withhold.adapters.database import Database
from withhold.adapters.deadlines import Deadlines
from withhold.adapters.log import (
    check_edge,
    check_growth,
    decode_frontier,
    extend,
    hash_at,
    read_frontier,
    read_hashes,
    read_leaves,
    take_owed,
)
from withhold.adapters.schema import checkpoints, entries, read_clock
from withhold.adapters.settling import (
    SILENT_S,
    Open,
    View,
    count_refusals,
    is_due,
    leave,
    settle,
    speak,
)
from withhold.adapters.used import use_once
from withhold.errors import DatabaseUnavailable, Denied, LedgerUnavailable, WithholdError
from withhold.kinds.instant import Instant
from withhold.ledger.entry import SALT_BYTES, Entry, Handle, Written, write_entry
from withhold.ledger.tree import Frontier, consistency_proof, inclusion_proof
from withhold.names import State, WarrantId
from withhold.ports import Condition, Freeze, Logged, Refused

APPEND_TIMEOUT_S: Final = 5.0  # a disk that takes longer is no ledger
MAX_READ: Final = 1_024  # entries at once

_Result = TypeVar("_Result")
_Settle = Callable[[Connection, str, View], Sequence[Entry]]


class _Append(NamedTuple):
    """What is to be appended."""

    written: Written
    condition: Condition | None


class SqlLedger:
    """`Ledger` on a database."""

    def __init__(
        self,
        database: Database,
        *,
        seen: Frontier = Frontier(),  # noqa: B008 - frozen
        timeout_s: float = APPEND_TIMEOUT_S,
        salt: Callable[[], bytes] | None = None,
    ) -> None:
        """`database`: shared with the registry; `seen`: what was last seen of the log before."""
        self._database = database
        self._deadlines = Deadlines(
            timeout_s, lambda: DatabaseUnavailable("the disk takes too long")
        )
        self._salt = salt or Chance(SALT_BYTES)
        self.node = secrets.token_hex(8)
        self._seen = seen  # what the log is known to begin with
        self._own = seen  # as it was after our last append to that, if it was committed
        self._is_other = False  # whether it was found not to begin with what was seen
        self._open = Open()
        self._said: int | None = None  # when we said that we live, by the database's clock

    @property
    def seen(self) -> Frontier:
        """What was last seen of the log."""
        return self._seen

    async def append(self, entry: Entry, condition: Condition | None = None) -> int:
        """Make the entry durable if the condition holds, and give its index."""
        future = self._begin(entry, condition, patient=False)
        try:
            index = await future
        except DatabaseUnavailable as error:
            self._note(entry, future)
            raise LedgerUnavailable(f"the entry is not durable: {error.message}") from None
        except asyncio.CancelledError:  # of which the future may know nothing
            self._open.doubt(entry)
            raise
        except WithholdError:
            self._note(entry, future)
            raise
        self._open.note(entry, index)
        return index

    def append_later(self, entry: Entry, done: Callable[[], None]) -> None:
        """Append what nobody waits for; what fails, `settle` tries again."""
        try:
            future = self._begin(entry, None, patient=True)
        except LedgerUnavailable:
            done()
            return

        def note(future: asyncio.Future[int]) -> None:
            self._note(entry, future)
            done()

        future.add_done_callback(note)

    async def read(self, since: int, limit: int, *, sealed: bool = False) -> Sequence[Logged]:
        """Give at most `limit` entries, and at most MAX_READ, from index `since` on."""
        rows = select(entries).where(entries.c.leaf_index >= since)
        return await self._read(partial(_logged, rows=rows, limit=limit, sealed=sealed))

    async def find(self, receipt: Handle, *, sealed: bool = False) -> Sequence[Logged]:
        """Give the entries of one disclosure."""
        rows = select(entries).where(entries.c.receipt == receipt)
        return await self._read(partial(_logged, rows=rows, limit=MAX_READ, sealed=sealed))

    async def find_warrant(self, warrant: WarrantId, since: int, limit: int) -> Sequence[Logged]:
        """Give at most `limit` entries about a warrant, from index `since` on."""
        of = (entries.c.warrant == warrant) & (entries.c.leaf_index >= since)
        rows = select(entries).where(of)
        return await self._read(partial(_logged, rows=rows, limit=limit, sealed=False))

    async def frontier(self) -> Frontier:
        """Give the log's size and right edge."""
        return await self._read(partial(_grown, seen=self._seen))

    async def leaves(self, since: int, limit: int) -> Sequence[bytes]:
        """Give at most `limit` leaves, and at most MAX_READ, from index `since` on."""
        return await self._read(partial(read_leaves, first=since, limit=min(limit, MAX_READ)))

    async def hashes(self, level: int, first: int, limit: int) -> Sequence[bytes]:
        """Give at most `limit` nodes of a level that is kept, and at most MAX_READ."""
        limit = min(limit, MAX_READ)
        return await self._read(partial(read_hashes, level=level, first=first, limit=limit))

    async def prove(self, index: int, size: int) -> tuple[bytes, ...]:
        """Prove an entry's inclusion in the log as it was at `size`."""
        return await self._read(lambda it: inclusion_proof(index, size, hash_at(it)))

    async def prove_growth(self, old: int, new: int) -> tuple[bytes, ...]:
        """Prove that the log of size `new` begins with that of `old`."""
        return await self._read(lambda it: consistency_proof(old, new, hash_at(it)))

    async def keep_checkpoint(self, size: int, note: bytes) -> None:
        """Keep a checkpoint that witnesses signed."""
        await self._write(partial(_keep_checkpoint, size=size, note=note))

    async def witnessed(self) -> bytes | None:
        """Give the newest checkpoint that witnesses signed."""
        return await self._read(_witnessed)

    async def count_refusals(self, counts: Mapping[Refused, int]) -> None:
        """Add to the counts that are entered once their minute is over."""
        await self._write(partial(count_refusals, counts=counts))

    async def check(self) -> None:
        """Check that the log goes on from what was seen of it. Raises: LedgerUnavailable."""
        await self._read(self._check)

    async def settle(self) -> None:
        """Enter what is owed, what minutes ended, what nodes left behind; tell that we live."""
        view = self._open.view(self._seen.size)
        if await self._read(partial(self._is_due, view=view)):
            self._said = await self._write(partial(self._settle, view=view, how=settle))
            self._open.settle(view)

    async def leave(self) -> None:
        """Settle for the last time: no append is under way any more, and none will be."""
        view = self._open.view(self._seen.size)
        await self._write(partial(self._settle, view=view, how=leave))

    def _begin(
        self, entry: Entry, condition: Condition | None, *, patient: bool
    ) -> asyncio.Future[int]:
        """Begin an append. What can't be written down, fails nobody else. Raises: as `append`."""
        item = _Append(write_entry(entry, self._salt()), condition)
        self._open.expect(entry, self._seen.size)
        try:
            future = self._database.write_together(self._append, item, patient=patient)
        except DatabaseUnavailable as error:
            self._open.doubt(entry)
            raise LedgerUnavailable(f"the entry is not durable: {error.message}") from None
        self._deadlines.add(future)
        return future

    def _note(self, entry: Entry, future: asyncio.Future[int]) -> None:
        """Note how an append ended, of which nobody may have been told."""
        error = None if future.cancelled() else future.exception()
        if future.cancelled() or isinstance(error, DatabaseUnavailable):
            self._open.doubt(entry)
        elif error is not None:  # it is not in the log, or was there before
            self._open.forget(entry)
        else:
            self._open.note(entry, future.result())

    def _append(
        self, connection: Connection, items: Sequence[_Append]
    ) -> Sequence[int | WithholdError]:
        conditions = [item.condition for item in items]
        keys = [_key(item.written.entry) for item in items]
        # Those of one warrant and resource are one object, nearly always.
        meant = {id(each): each for each in conditions if each is not None}
        named = {each.warrant for each in meant.values()}
        asked = ask(connection, named, [key for key in keys if key is not None])
        before = self._follow(connection, decode_frontier(asked.edge))
        if meant and (self._said is None or asked.now.second - self._said >= SILENT_S):
            speak(connection, self.node, asked.now, before.size)
            self._said = None  # `settle` says it anew, and all that there is to say
        unmet = {at for at, each in meant.items() if _unmet(each, asked) is not None}
        denials: Sequence[WithholdError | None] = [
            _unmet(each, asked) if each is not None and id(each) in unmet else None
            for each in conditions
        ]
        denials = _without_second(keys, asked.there, denials)
        denials = use_once(connection, conditions, denials)
        due = take_owed(connection, self._salt) if asked.owes else ()
        met = [item.written for item, no in zip(items, denials, strict=True) if no is None]
        after = self._extend(connection, before, [*due, *met])
        # CRASH, or a failed commit: the log is as it was, and `seen` is not changed before
        # another transaction has read what there is.
        indices = iter(range(before.size + len(due), after.size))
        return [next(indices) if denial is None else denial for denial in denials]

    def _follow(self, connection: Connection, found: Frontier) -> Frontier:
        """Follow the log, which this transaction has taken, to where it is found.

        What others appended is not looked at here, for that would cost more than the append: it is
        `seen` once `settle` has found that they only added to what was; once it has found that they
        did not, nothing more is appended to it.
        """
        if self._is_other or (found.size <= self._seen.size and found != self._seen):
            check_growth(connection, self._seen, found)
        if found == self._own:
            self._seen = found
        return found

    def _extend(
        self, connection: Connection, before: Frontier, written: Sequence[Written]
    ) -> Frontier:
        """Extend the log, which is as `_follow` gave it."""
        after = extend(connection, before, written, self.node)
        # INVARIANT: what was seen begins with what was seen before. Of an append to what others
        # appended nobody knows yet: had that been another log, it would be seen from now on.
        if before == self._seen:
            self._own = after
        return after

    def _check(self, connection: Connection) -> None:
        seen = self._seen  # before the log is looked at, which others go on with
        now = read_frontier(connection)
        check_growth(connection, seen, now)
        check_edge(connection, now)

    def _is_due(self, connection: Connection, view: View) -> bool:
        # Also the time to look whether other nodes have only added to what we saw.
        seen, now = self._seen, read_frontier(connection)
        try:
            check_growth(connection, seen, now)
        except LedgerUnavailable:
            self._is_other = True
            raise
        self._is_other = False
        if self._seen is seen:  # the thread that writes has not gone on meanwhile
            self._seen = now
        return self._said is None or is_due(connection, self.node, view)

    def _settle(self, connection: Connection, view: View, how: _Settle) -> int:
        """Settle; gives the second of the word that says that we live."""
        before = self._follow(connection, read_frontier(connection, lock=True))
        said = read_clock(connection).second
        due = take_owed(connection, self._salt)
        written = [write_entry(each, self._salt()) for each in how(connection, self.node, view)]
        self._extend(connection, before, [*due, *written])
        return said

    async def _read(self, work: Callable[[Connection], _Result]) -> _Result:
        try:
            return await self._database.read(work)
        except DatabaseUnavailable as error:
            raise LedgerUnavailable(error.message) from None

    async def _write(self, work: Callable[[Connection], _Result]) -> _Result:
        try:
            return await self._database.write(work)
        except DatabaseUnavailable as error:
            raise LedgerUnavailable(error.message) from None


def denial_of(
    condition: Condition,
    found: tuple[str, str] | None,
    now: Instant,
    frozen: frozenset[Freeze],
) -> Denied | None:
    """Say why an append must not happen; None if it may.

    `found`: the digest and the state that the database has for the warrant, None if it has none.
    """
    if found != (condition.digest, State.ACTIVE.value):
        return Denied("warrant-not-active", "the warrant is not active")
    if not condition.valid_from <= now < condition.valid_until:
        return Denied("warrant-not-active", "the warrant is not valid now")
    if any(freeze.holds(condition.store, condition.instrument) for freeze in frozen):
        return Denied("frozen", "disclosures are frozen")
    return None


def _unmet(condition: Condition, asked: Asked) -> Denied | None:
    found = asked.states.get(condition.warrant)
    return denial_of(condition, found, asked.now, asked.freezes)


def _without_second(
    keys: Sequence[Key | None], there: set[Key], denials: Sequence[WithholdError | None]
) -> Sequence[WithholdError | None]:
    """Refuse what the log has already, so that it fails nobody else in the transaction."""
    checked = list(denials)
    for i, key in enumerate(keys):
        if key is None or checked[i] is not None:
            continue
        if key in there:
            checked[i] = LedgerUnavailable("a receipt has such an entry already")
        there.add(key)
    return checked


def _key(entry: Entry) -> Key | None:
    return None if entry.receipt is None else (entry.receipt, entry.type.value)


def _grown(connection: Connection, seen: Frontier) -> Frontier:
    """Read the right edge. Nobody is given one, to sign it, that contradicts what was seen."""
    found = read_frontier(connection)
    check_growth(connection, seen, found)
    return found


def _keep_checkpoint(connection: Connection, size: int, note: bytes) -> None:
    newer = connection.execute(select(checkpoints.c.size).where(checkpoints.c.size > size)).first()
    if newer is None:  # several nodes ask; the newest is kept, and no other is of any use
        connection.execute(delete(checkpoints))
        connection.execute(insert(checkpoints).values(size=size, note=note))


def _witnessed(connection: Connection) -> bytes | None:
    found = connection.execute(select(checkpoints.c.note)).scalar_one_or_none()
    return None if found is None else bytes(found)


def _logged(
    connection: Connection, rows: Select[Any], limit: int, *, sealed: bool
) -> Sequence[Logged]:
    ordered = rows.order_by(entries.c.leaf_index).limit(min(limit, MAX_READ))
    return tuple(_one(row, sealed=sealed) for row in connection.execute(ordered))


def _one(row: Row[Any], *, sealed: bool) -> Logged:
    return Logged(
        index=row.leaf_index,
        leaf=bytes(row.leaf),
        public=None if row.public is None else bytes(row.public),
        salt=bytes(row.salt) if sealed and row.salt is not None else None,
        sealed=bytes(row.sealed) if sealed and row.sealed is not None else None,
    )
