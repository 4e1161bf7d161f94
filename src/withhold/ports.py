"""What the core needs from outside, worded as contracts. Each has two real implementations.

Errors: `StoreError`s from `Store`, `DatabaseUnavailable` from `Registry`, `LedgerUnavailable` from
`Ledger`. The cache has none: a cache that can fail a request would be an authority.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final, Protocol

from withhold.kinds.instant import Instant
from withhold.names import Digest, InstrumentName, State, StoreName, WarrantId
from withhold.receipt import Receipt


class Answer(Protocol):
    """A store's answer, its head read and its body still to come."""

    @property
    def status(self) -> int:
        """The final status; redirects are not followed."""

    @property
    def ndjson(self) -> bool:
        """Whether the store says that the body is newline-delimited JSON."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Give the decoded body in pieces of bounded size. Raises: StoreError."""


class Store(Protocol):
    """One store. The adapter adds the store's own credentials and nothing of the caller's."""

    def get(self, target: str) -> AbstractAsyncContextManager[Answer]:
        """Call the store. `target`: percent-encoded path and query, beginning with `/`.

        Bounded in time, in size as sent and in size as expanded. Never retried after a byte of the
        answer was read. Raises: StoreFailed, StoreTimeout, StoreTooLarge.
        """


class Cache(Protocol):
    """Bytes by key, losable at any moment. Never raises, never waits longer than its own limit."""

    async def get(self, key: bytes) -> bytes | None:
        """Give what was put, what somebody else put, or None."""

    async def put(self, key: bytes, value: bytes) -> None:
        """Keep the value if that is possible."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A warrant as the registry has it: the JWS document and its state."""

    id: WarrantId
    document: bytes = field(repr=False)  # it names people
    digest: Digest  # of the payload
    state: State


@dataclass(frozen=True, slots=True)
class Freeze:
    """The kill switch: all, one store, one instrument, or one of each together."""

    store: StoreName | None = None
    instrument: InstrumentName | None = None

    def holds(self, store: StoreName, instrument: InstrumentName) -> bool:
        """Tell whether a request to `store` under `instrument` is frozen."""
        return self.store in {None, store} and self.instrument in {None, instrument}


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed since a sequence number, and what the database's clock said."""

    sequence: int
    now: Instant
    states: Sequence[tuple[WarrantId, State]]
    freezes: frozenset[Freeze]  # all that are in force


NOTHING_SINCE: Final = 2**62  # a sequence number that none reaches: clock and freezes alone


class Registry(Protocol):
    """The warrants and their states, with the database's clock. Raises: DatabaseUnavailable."""

    async def register(self, warrant: Registered) -> None:
        """Keep a new warrant. Durable on return. Raises: Denied `id-in-use`: none is reused."""

    async def amend(self, old: Registered, new: Registered) -> None:
        """Replace document and state if both still are as in `old`; the payload stays.

        Raises: Denied `changed-meanwhile`.
        """

    async def move(self, warrant: WarrantId, allowed: frozenset[State], to: State) -> None:
        """Change the state if it is one of `allowed`.

        Raises: Denied `warrant-unknown`, `wrong-state`.
        """

    async def find(self, warrant: WarrantId) -> Registered | None:
        """Give the warrant; None if it was never registered."""

    async def list(self) -> Sequence[Registered]:
        """Give all warrants, newest first."""

    async def freeze(self, freeze: Freeze) -> None:
        """Put a freeze in force on every node."""

    async def thaw(self, freeze: Freeze) -> None:
        """Lift exactly this freeze; nothing happens if it isn't in force."""

    async def changes(self, since: int) -> Changes:
        """Give what changed after sequence number `since` (0: all). Cheap when nothing did."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold in the transaction of an append, or nothing is appended.

    The warrant is active and its payload is the one meant, the database's clock is in
    `[valid_from, valid_until)`, and no freeze of the database holds `store` or `instrument`.
    """

    warrant: WarrantId
    digest: Digest  # of the payload
    valid_from: Instant
    valid_until: Instant
    store: StoreName
    instrument: InstrumentName


@dataclass(frozen=True, slots=True)
class Appended:
    """A receipt in the log. `sequence` counts from 1, in the order of the appends."""

    sequence: int
    receipt: bytes  # its canonical encoding


class Ledger(Protocol):
    """The append-only log of receipts. Raises: LedgerUnavailable."""

    async def append(self, receipt: Receipt, condition: Condition | None) -> None:
        """Make the receipt durable. On return it is on disk, whatever crashes next.

        The condition is checked in the same transaction, by the database's clock; where it fails
        nothing is appended. Raises: Denied `warrant-not-active`, `frozen`.
        """

    async def receipts(self, since: int, limit: int) -> Sequence[Appended]:
        """Give at most `limit` receipts after sequence number `since` (0: from the first)."""


class TokenKeys(Protocol):
    """The token keys of warrants. Raises: KeyUnavailable, DatabaseUnavailable."""

    async def token_key(self, warrant: WarrantId) -> bytes:
        """Give the warrant's own 16-byte key, made at its first use; the same one ever after.

        None is made for a warrant that was never registered, nor after `destroy`: KeyUnavailable.
        """

    async def destroy(self, warrant: WarrantId) -> None:
        """Destroy the warrant's key for good, or the chance to make one. Durable on return.

        Doing it again, or for a warrant that was never registered, changes nothing.
        """
