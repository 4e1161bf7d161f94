"""Twins in memory of the registry, the ledger and the token keys: real ports, nothing on disk.

For tests, and for looking at a fault from close by: an operation, named after the port's method,
can be told to fail before it has done anything, to fail although it has done it (the answer was
lost), or to wait until it is let go on.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from withhold.adapters.chance import Chance
from withhold.adapters.ledger import MAX_READ, denial_of
from withhold.adapters.settling import Open, minute_of
from withhold.adapters.used import used_before
from withhold.clock import read_clock
from withhold.errors import DatabaseUnavailable, Denied, KeyUnavailable, LedgerUnavailable, OwnError
from withhold.kinds.instant import Instant, print_instant
from withhold.kinds.token import key_id
from withhold.ledger.entry import SALT_BYTES, Entry, EntryType, Handle, Written, write_entry
from withhold.ledger.receipt import Closing, Ending
from withhold.ledger.tree import Frontier, consistency_proof, hash_leaf, inclusion_proof
from withhold.names import Digest, State, WarrantId
from withhold.ports import Changes, Condition, Freeze, Logged, Refused, Registered

_MESSAGE: Final = "the database did not do it: it was told to fail"


@dataclass(eq=False)
class MemoryDatabase:
    """What the three twins share, and the hooks: which operations fail, and how."""

    clock: Callable[[], Instant] = read_clock
    fails_before: set[str] = field(default_factory=set)  # nothing is done
    fails_after: set[str] = field(default_factory=set)  # it is done, and nobody is told
    held: dict[str, asyncio.Event] = field(default_factory=dict)  # waits for the event
    warrants: dict[WarrantId, Registered] = field(default_factory=dict)
    changes: list[tuple[WarrantId, State]] = field(default_factory=list)
    freezes: set[Freeze] = field(default_factory=set)
    owed: list[Entry] = field(default_factory=list)
    log: list[Written] = field(default_factory=list)
    receipts: dict[tuple[Handle, EntryType], int] = field(default_factory=dict)  # where they are
    refusals: Counter[Refused] = field(default_factory=Counter)
    checkpoint: tuple[int, bytes] | None = None
    token_keys: dict[WarrantId, bytes | None] = field(default_factory=dict)
    key_ids: dict[WarrantId, str] = field(default_factory=dict)  # they outlive the keys
    used: set[Digest] = field(default_factory=set)

    async def enter(self, operation: str) -> None:
        """Begin an operation. Raises: DatabaseUnavailable if it is to fail."""
        if operation in self.held:
            await self.held[operation].wait()
        self.enter_now(operation)

    def enter_now(self, operation: str) -> None:
        """Begin an operation that cannot be held. Raises: as `enter`."""
        if operation in self.fails_before:
            raise DatabaseUnavailable(_MESSAGE)

    def leave(self, operation: str) -> None:
        """End an operation that was done. Raises: as `enter`."""
        if operation in self.fails_after:
            raise DatabaseUnavailable(_MESSAGE)


class MemoryRegistry:
    """`Registry` in memory."""

    def __init__(self, database: MemoryDatabase) -> None:
        """`database`: shared with the ledger's twin."""
        self._database = database

    async def register(self, warrant: Registered, entry: Entry) -> None:
        """Keep a new warrant."""
        await self._database.enter("register")
        if warrant.id in self._database.warrants:
            raise Denied("id-in-use", "a warrant with this id was registered before")
        self._set(warrant, entry)
        self._database.leave("register")

    async def amend(self, old: Registered, new: Registered, entry: Entry) -> None:
        """Replace document and state if both still are as in `old`."""
        await self._database.enter("amend")
        is_same = (new.id, new.digest) == (old.id, old.digest)
        if not is_same or self._database.warrants.get(old.id) != old:
            raise Denied("changed-meanwhile", "the warrant was changed meanwhile", "look again")
        self._set(new, entry)
        self._database.leave("amend")

    async def move(
        self, warrant: WarrantId, allowed: frozenset[State], to: State, entry: Entry
    ) -> None:
        """Change the state if it is one of `allowed`."""
        await self._database.enter("move")
        found = self._database.warrants.get(warrant)
        if found is None:
            raise Denied("warrant-unknown", "no warrant has this id")
        if found.state not in allowed:
            raise Denied("wrong-state", f"a warrant that is `{found.state}` does not become `{to}`")
        self._set(Registered(found.id, found.document, found.digest, to), entry)
        self._database.leave("move")

    async def find(self, warrant: WarrantId) -> Registered | None:
        """Give the warrant; None if it was never registered."""
        await self._database.enter("find")
        return self._database.warrants.get(warrant)

    async def list(self) -> Sequence[Registered]:
        """Give all warrants, newest first."""
        await self._database.enter("list")
        return tuple(reversed(self._database.warrants.values()))

    async def freeze(self, freeze: Freeze, entry: Entry) -> None:
        """Put a freeze in force."""
        await self._database.enter("freeze")
        if freeze not in self._database.freezes:
            self._database.freezes.add(freeze)
            self._database.owed.append(entry)
        self._database.leave("freeze")

    async def thaw(self, freeze: Freeze, entry: Entry) -> None:
        """Lift exactly this freeze."""
        await self._database.enter("thaw")
        self._database.freezes.discard(freeze)
        self._database.owed.append(entry)
        self._database.leave("thaw")

    async def changes(self, since: int) -> Changes:
        """Give what changed after `since`."""
        await self._database.enter("changes")
        return self._changes(since)

    def changes_now(self, since: int) -> Changes:
        """Do as `changes` does, in the calling thread."""
        self._database.enter_now("changes")
        return self._changes(since)

    def _changes(self, since: int) -> Changes:
        later = self._database.changes[since:]
        return Changes(
            sequence=since + len(later),
            now=self._database.clock(),
            states=tuple(dict(later).items()),
            freezes=frozenset(self._database.freezes),
        )

    def _set(self, warrant: Registered, entry: Entry) -> None:
        self._database.warrants[warrant.id] = warrant
        self._database.changes.append((warrant.id, warrant.state))
        self._database.owed.append(entry)


class MemoryLedger:
    """`Ledger` in memory: durable for as long as nothing crashes."""

    def __init__(self, database: MemoryDatabase) -> None:
        """`database`: shared with the registry's twin."""
        self._database = database
        self._salt = Chance(SALT_BYTES)
        self._open = Open()
        self._later: set[asyncio.Task[None]] = set()

    async def append(self, entry: Entry, condition: Condition | None = None) -> int:
        """Keep the entry if the condition holds."""
        written = write_entry(entry, self._salt())  # what can't be written down is not kept
        try:
            await self._database.enter("append")
            # From here to the entry nothing awaits: that is the transaction.
            self._enter_owed()
            self._check(entry, condition)
            index = self._keep(written)
            self._database.leave("append")
        except DatabaseUnavailable as error:
            self._open.doubt(entry)
            raise LedgerUnavailable(f"the entry is not durable: {error.message}") from None
        except asyncio.CancelledError:
            self._open.doubt(entry)
            raise
        return index

    def append_later(self, entry: Entry, done: Callable[[], None]) -> None:
        """Append what nobody waits for."""
        task = asyncio.get_running_loop().create_task(self._append_later(entry, done))
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def _append_later(self, entry: Entry, done: Callable[[], None]) -> None:
        try:
            with contextlib.suppress(OwnError):
                await self.append(entry)
        finally:
            done()

    async def read(self, since: int, limit: int, *, sealed: bool = False) -> Sequence[Logged]:
        """Give at most `limit` entries from index `since` on."""
        await self._enter("read")
        last = min(since + min(limit, MAX_READ), len(self._database.log))
        return [self._logged(index, sealed=sealed) for index in range(since, last)]

    async def find(self, receipt: Handle, *, sealed: bool = False) -> Sequence[Logged]:
        """Give the entries of one disclosure."""
        await self._enter("find_receipt")
        kept = (self._database.receipts.get((receipt, kind)) for kind in EntryType)
        found = sorted(index for index in kept if index is not None)
        return [self._logged(index, sealed=sealed) for index in found]

    async def find_warrant(self, warrant: WarrantId, since: int, limit: int) -> Sequence[Logged]:
        """Give at most `limit` entries about a warrant, from index `since` on."""
        await self._enter("find_warrant")
        about = [i for i, each in enumerate(self._database.log) if each.entry.warrant == warrant]
        found = [self._logged(index, sealed=False) for index in about if index >= since]
        return found[: min(limit, MAX_READ)]

    async def frontier(self) -> Frontier:
        """Give the log's size and right edge."""
        await self._enter("frontier")
        return self._frontier(0, len(self._database.log))

    async def leaves(self, since: int, limit: int) -> Sequence[bytes]:
        """Give at most `limit` leaves from index `since` on."""
        await self._enter("leaves")
        return [each.leaf for each in self._database.log[since : since + min(limit, MAX_READ)]]

    async def hashes(self, level: int, first: int, limit: int) -> Sequence[bytes]:
        """Give at most `limit` nodes of a level."""
        await self._enter("hashes")
        last = min(first + min(limit, MAX_READ), len(self._database.log) >> level)
        return [self._hash_at(level, index) for index in range(first, last)]

    async def prove(self, index: int, size: int) -> tuple[bytes, ...]:
        """Prove an entry's inclusion in the log as it was at `size`."""
        await self._enter("prove")
        return inclusion_proof(index, size, self._hash_at)

    async def prove_growth(self, old: int, new: int) -> tuple[bytes, ...]:
        """Prove that the log of size `new` begins with that of `old`."""
        await self._enter("prove_growth")
        return consistency_proof(old, new, self._hash_at)

    async def keep_checkpoint(self, size: int, note: bytes) -> None:
        """Keep a checkpoint that witnesses signed."""
        await self._enter("keep_checkpoint")
        kept = self._database.checkpoint
        if kept is None or kept[0] <= size:
            self._database.checkpoint = (size, note)
        self._leave("keep_checkpoint")

    async def witnessed(self) -> bytes | None:
        """Give the newest checkpoint that witnesses signed."""
        await self._enter("witnessed")
        kept = self._database.checkpoint
        return None if kept is None else kept[1]

    async def count_refusals(self, counts: Mapping[Refused, int]) -> None:
        """Add to the counts."""
        await self._enter("count_refusals")
        self._database.refusals.update(counts)
        self._leave("count_refusals")

    async def settle(self) -> None:
        """Enter what is owed, what minutes ended, and what failed and had persisted."""
        await self._enter("settle")
        self._enter_owed()
        now = self._database.clock()
        for refused, count in sorted(self._database.refusals.items()):
            caller, code, minute = refused
            if minute < minute_of(now):
                public = {"code": code, "minute": minute, "count": count}
                sealed = {"caller": caller}
                self._enter_one(Entry(EntryType.REFUSALS, print_instant(now), public, sealed))
                del self._database.refusals[refused]
        view = self._open.view(0)
        for entry in (*view.doubts, *view.late):
            kept = self._database.receipts
            kinds = {kind for kind in EntryType if (entry.receipt, kind) in kept}
            if kinds and EntryType.CLOSING not in kinds:
                self._enter_one(_ending(entry, print_instant(now)))
        self._open.settle(view)
        self._leave("settle")

    async def _enter(self, operation: str) -> None:
        try:
            await self._database.enter(operation)
        except DatabaseUnavailable as error:
            raise LedgerUnavailable(error.message) from None

    def _leave(self, operation: str) -> None:
        try:
            self._database.leave(operation)
        except DatabaseUnavailable as error:
            raise LedgerUnavailable(error.message) from None

    def _enter_owed(self) -> None:
        while self._database.owed:
            self._enter_one(self._database.owed.pop(0))

    def _enter_one(self, entry: Entry) -> None:
        self._keep(write_entry(entry, self._salt()))

    def _keep(self, written: Written) -> int:
        index = len(self._database.log)
        self._database.log.append(written)
        if written.entry.receipt is not None:
            self._database.receipts[written.entry.receipt, written.entry.type] = index
        return index

    def _logged(self, index: int, *, sealed: bool) -> Logged:
        found = self._database.log[index]
        if sealed:
            return Logged(index, found.leaf, found.public, found.salt, found.sealed)
        return Logged(index, found.leaf, found.public)

    def _frontier(self, begin: int, end: int) -> Frontier:
        return Frontier().append(hash_leaf(each.leaf) for each in self._database.log[begin:end])

    def _hash_at(self, level: int, index: int) -> bytes:
        if (index + 1) << level > len(self._database.log):
            raise LedgerUnavailable("the log has gaps: entries are missing")
        return self._frontier(index << level, (index + 1) << level).root

    def _check(self, entry: Entry, condition: Condition | None) -> None:
        # Of each kind there is one entry for a receipt.
        if entry.receipt is not None and (entry.receipt, entry.type) in self._database.receipts:
            raise LedgerUnavailable("a receipt has such an entry already")
        if condition is None:
            return
        warrant = self._database.warrants.get(condition.warrant)
        found = None if warrant is None else (warrant.digest, warrant.state.value)
        frozen = frozenset(self._database.freezes)
        denial = denial_of(condition, found, self._database.clock(), frozen)
        if denial is not None:
            raise denial
        if condition.once is not None:
            if condition.once in self._database.used:
                raise used_before()
            self._database.used.add(condition.once)


def _ending(entry: Entry, at: str) -> Entry:
    """Give the closing of what is in doubt, or the one that came too late."""
    if entry.type is EntryType.CLOSING or entry.receipt is None or entry.warrant is None:
        return entry
    return Closing(entry.receipt, at, entry.warrant, Ending.NOT_SENT, 0).entry()


class MemoryTokenKeys:
    """`TokenKeys` in memory."""

    def __init__(self, database: MemoryDatabase, make: Callable[[], bytes]) -> None:
        """`make`: gives a new key of 16 bytes."""
        self._database = database
        self._make = make

    async def token_key(self, warrant: WarrantId) -> bytes:
        """Give the warrant's key, made at its first use."""
        await self._database.enter("token_key")
        if warrant not in self._database.warrants:
            raise KeyUnavailable(f"`{warrant}` was never registered, so it has no token key")
        key = self._database.token_keys.setdefault(warrant, self._make())
        if key is None:
            raise KeyUnavailable(f"the token key of `{warrant}` was destroyed")
        self._database.key_ids[warrant] = key_id(key)
        self._database.leave("token_key")
        return key

    async def find_by_key_id(self, key_id: str) -> tuple[WarrantId, ...]:
        """Give the warrants whose key has this id."""
        await self._database.enter("find_by_key_id")
        return tuple(w for w, named in sorted(self._database.key_ids.items()) if named == key_id)

    async def destroy(self, warrant: WarrantId) -> str | None:
        """Destroy the key for good."""
        await self._database.enter("destroy")
        key = self._database.token_keys.get(warrant)
        if warrant in self._database.warrants:
            self._database.token_keys[warrant] = None
        self._database.leave("destroy")
        return None if key is None else key_id(key)
