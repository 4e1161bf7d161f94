"""Twins in memory of the registry, the ledger and the token keys: real ports, nothing on disk.

For `demo`s, for tests, and for looking at a fault from close by: an operation, named after the
port's method, can be told to fail before it has done anything, to fail although it has done it
(the answer was lost), or to wait until it is let go on.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from withhold.adapters.ledger import unmet
from withhold.clock import read_clock
from withhold.errors import DatabaseUnavailable, Denied, KeyUnavailable, LedgerUnavailable
from withhold.kinds.instant import Instant
from withhold.names import State, WarrantId
from withhold.ports import Appended, Changes, Condition, Freeze, Registered
from withhold.receipt import Receipt, ReceiptId, Stage

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
    receipts: dict[tuple[ReceiptId, Stage], Receipt] = field(default_factory=dict)
    token_keys: dict[WarrantId, bytes | None] = field(default_factory=dict)

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

    async def register(self, warrant: Registered) -> None:
        """Keep a new warrant."""
        await self._database.enter("register")
        if warrant.id in self._database.warrants:
            raise Denied("id-in-use", "a warrant with this id was registered before")
        self._set(warrant)
        self._database.leave("register")

    async def amend(self, old: Registered, new: Registered) -> None:
        """Replace document and state if both still are as in `old`."""
        await self._database.enter("amend")
        is_same = (new.id, new.digest) == (old.id, old.digest)
        if not is_same or self._database.warrants.get(old.id) != old:
            raise Denied("changed-meanwhile", "the warrant was changed meanwhile", "look again")
        self._set(new)
        self._database.leave("amend")

    async def move(self, warrant: WarrantId, allowed: frozenset[State], to: State) -> None:
        """Change the state if it is one of `allowed`."""
        await self._database.enter("move")
        found = self._database.warrants.get(warrant)
        if found is None:
            raise Denied("warrant-unknown", "no warrant has this id")
        if found.state not in allowed:
            raise Denied("wrong-state", f"a warrant that is `{found.state}` does not become `{to}`")
        self._set(Registered(found.id, found.document, found.digest, to))
        self._database.leave("move")

    async def find(self, warrant: WarrantId) -> Registered | None:
        """Give the warrant; None if it was never registered."""
        await self._database.enter("find")
        return self._database.warrants.get(warrant)

    async def list(self) -> Sequence[Registered]:
        """Give all warrants, newest first."""
        await self._database.enter("list")
        return tuple(reversed(self._database.warrants.values()))

    async def freeze(self, freeze: Freeze) -> None:
        """Put a freeze in force."""
        await self._database.enter("freeze")
        self._database.freezes.add(freeze)
        self._database.leave("freeze")

    async def thaw(self, freeze: Freeze) -> None:
        """Lift exactly this freeze."""
        await self._database.enter("thaw")
        self._database.freezes.discard(freeze)
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

    def _set(self, warrant: Registered) -> None:
        self._database.warrants[warrant.id] = warrant
        self._database.changes.append((warrant.id, warrant.state))


class MemoryLedger:
    """`Ledger` in memory: durable for as long as nothing crashes."""

    def __init__(self, database: MemoryDatabase) -> None:
        """`database`: shared with the registry's twin."""
        self._database = database

    async def append(self, receipt: Receipt, condition: Condition | None) -> None:
        """Keep the receipt if the condition holds."""
        try:
            await self._database.enter("append")
            # From here to the receipt nothing awaits: that is the transaction.
            self._check(receipt, condition)
            receipt.encode()  # what can't be written down is not kept
            self._database.receipts[receipt.id, receipt.stage] = receipt
            self._database.leave("append")
        except DatabaseUnavailable as error:
            raise LedgerUnavailable(f"the receipt is not durable: {error.message}") from None

    async def receipts(self, since: int, limit: int) -> Sequence[Appended]:
        """Give at most `limit` receipts after `since`."""
        try:
            await self._database.enter("receipts")
        except DatabaseUnavailable as error:
            raise LedgerUnavailable(error.message) from None
        every = list(enumerate(self._database.receipts.values(), 1))
        return tuple(Appended(n, r.encode()) for n, r in every[since : since + limit])

    def _check(self, receipt: Receipt, condition: Condition | None) -> None:
        # A stream has two entries under one id.
        if (receipt.id, receipt.stage) in self._database.receipts:
            raise DatabaseUnavailable("a receipt has this id already")
        if condition is None:
            return
        warrant = self._database.warrants.get(condition.warrant)
        found = None if warrant is None else (warrant.digest, warrant.state.value)
        frozen = frozenset(self._database.freezes)
        denial = unmet(condition, found, self._database.clock(), frozen)
        if denial is not None:
            raise denial


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
        self._database.leave("token_key")
        return key

    async def destroy(self, warrant: WarrantId) -> None:
        """Destroy the key for good."""
        await self._database.enter("destroy")
        if warrant in self._database.warrants:
            self._database.token_keys[warrant] = None
        self._database.leave("destroy")
