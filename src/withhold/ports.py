"""What the core needs from outside, worded as contracts. Each has two real implementations.

Errors: `StoreError`s from `Store`, `DatabaseUnavailable` from `Registry`, `LedgerUnavailable` from
`Ledger`. The cache has none: a cache that can fail a request would be an authority.

What a change of a warrant or a freeze enters in the ledger is given with the change, and *owed*
from its transaction on: the change takes effect by itself, and the ledger enters what is owed
before anything else that it is given (law 4).
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final, Protocol

from withhold.kinds.instant import Instant
from withhold.ledger.entry import Entry, Handle
from withhold.ledger.tree import Frontier
from withhold.names import CallerName, Digest, InstrumentName, State, StoreName, WarrantId


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

    async def whole(self, max_bytes: int) -> bytes:
        """Give the decoded body, all of it. Raises: StoreError; StoreTooLarge above `max_bytes`."""


class Store(Protocol):
    """One store. The adapter adds the store's own credentials and nothing of the caller's."""

    def get(self, target: str, *, alone: bool = False) -> AbstractAsyncContextManager[Answer]:
        """Call the store. `target`: percent-encoded path and query, beginning with `/`.

        `alone`: on a connection that nothing else was or will be asked on.
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

    async def register(self, warrant: Registered, entry: Entry) -> None:
        """Keep a new warrant. Durable on return. Raises: Denied `id-in-use`: none is reused."""

    async def amend(self, old: Registered, new: Registered, entry: Entry) -> None:
        """Replace document and state if both still are as in `old`; the payload stays.

        Raises: Denied `changed-meanwhile`.
        """

    async def move(
        self, warrant: WarrantId, allowed: frozenset[State], to: State, entry: Entry
    ) -> None:
        """Change the state if it is one of `allowed`. To end access, reserved space may be used.

        Raises: Denied `warrant-unknown`, `wrong-state`.
        """

    async def find(self, warrant: WarrantId) -> Registered | None:
        """Give the warrant; None if it was never registered."""

    async def list(self) -> Sequence[Registered]:
        """Give all warrants, newest first."""

    async def freeze(self, freeze: Freeze, entry: Entry) -> None:
        """Put a freeze in force on every node. Reserved space may be used."""

    async def thaw(self, freeze: Freeze, entry: Entry) -> None:
        """Lift exactly this freeze; nothing happens if it isn't in force."""

    async def changes(self, since: int) -> Changes:
        """Give what changed after sequence number `since` (0: all). Cheap when nothing did."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold in the transaction of an append, or nothing is appended.

    The warrant is active and its payload is the one meant, the database's clock is in
    `[valid_from, valid_until)`, and no freeze of the database holds `store` or `instrument`.
    `once`: of what is used up by this append; nothing that was ever appended named the same.
    """

    warrant: WarrantId
    digest: Digest  # of the payload
    valid_from: Instant
    valid_until: Instant
    store: StoreName
    instrument: InstrumentName
    once: Digest | None = None


@dataclass(frozen=True, slots=True)
class Logged:
    """An entry of the log. What was pruned, or was not asked for, is None; the leaf always stays.

    `public`, `sealed`: canonical JSON (RFC 8785); `salt`, `leaf`: 32 bytes.
    """

    index: int  # counts from 0, in the order of the log
    leaf: bytes
    public: bytes | None
    salt: bytes | None = field(default=None, repr=False)
    sealed: bytes | None = field(default=None, repr=False)


Refused = tuple[CallerName, str, str]  # caller, code, and the minute: "2026-11-24T14:05Z"


class Ledger(Protocol):
    """The append-only log. Raises: LedgerUnavailable.

    Whatever is appended comes after all that was owed. An append that was believed to have failed
    and had persisted, and a release of a node that ended without a word, get a closing entry from
    `settle`.
    """

    async def append(self, entry: Entry, condition: Condition | None = None) -> int:
        """Make the entry durable and give its index. On return it is on disk, whatever comes next.

        The condition is checked in the same transaction, by the database's clock; where it fails
        nothing is appended. Raises: Denied `warrant-not-active`, `frozen`, `approval-used`.
        """

    def append_later(self, entry: Entry, done: Callable[[], None]) -> None:
        """Append what nobody waits for: it may go along with others for a moment.

        What fails is kept, and `settle` tries it again. `done` is called on the event loop, once
        the entry is durable or has failed.
        """

    async def read(self, since: int, limit: int, *, sealed: bool = False) -> Sequence[Logged]:
        """Give at most `limit` entries from index `since` on, with their sealed parts if asked."""

    async def find(self, receipt: Handle, *, sealed: bool = False) -> Sequence[Logged]:
        """Give the entries of one disclosure, in order; none if there is no such receipt."""

    async def find_warrant(self, warrant: WarrantId, since: int, limit: int) -> Sequence[Logged]:
        """Give at most `limit` entries about a warrant, from index `since` on."""

    async def frontier(self) -> Frontier:
        """Give the log's size and right edge: its root."""

    async def leaves(self, since: int, limit: int) -> Sequence[bytes]:
        """Give at most `limit` leaves from index `since` on, 32 bytes each."""

    async def hashes(self, level: int, first: int, limit: int) -> Sequence[bytes]:
        """Give at most `limit` nodes of the tree from index `first` of their level on.

        `level`: 0, or another multiple of 8: what tiles hold. Nodes that are there never change.
        """

    async def prove(self, index: int, size: int) -> tuple[bytes, ...]:
        """Prove an entry's inclusion in the log as it was at `size`. Source: RFC 9162 §2.1.3."""

    async def prove_growth(self, old: int, new: int) -> tuple[bytes, ...]:
        """Prove that the log of size `new` begins with that of `old`. Source: RFC 9162 §2.1.4."""

    async def keep_checkpoint(self, size: int, note: bytes) -> None:
        """Keep a checkpoint that witnesses signed, in the place of an older one. Durable."""

    async def witnessed(self) -> bytes | None:
        """Give the newest checkpoint that witnesses signed, as a note; None: there is none."""

    async def count_refusals(self, counts: Mapping[Refused, int]) -> None:
        """Add to the counts that are entered once their minute is over. Durable on return."""

    async def settle(self) -> None:
        """Enter what is owed, what minutes ended, what nodes left behind; tell that we live."""


class TokenKeys(Protocol):
    """The token keys of warrants. Raises: KeyUnavailable, DatabaseUnavailable."""

    async def token_key(self, warrant: WarrantId) -> bytes:
        """Give the warrant's own 16-byte key, made at its first use; the same one ever after.

        None is made for a warrant that was never registered, nor after `destroy`: KeyUnavailable.
        """

    async def find_by_key_id(self, key_id: str) -> tuple[WarrantId, ...]:
        """Give the warrants whose key has this id, destroyed ones too: by chance several."""

    async def destroy(self, warrant: WarrantId) -> str | None:
        """Destroy the warrant's key for good, or the chance to make one. Durable on return.

        Gives the id of the key, None if there never was one.

        Doing it again, or for a warrant that was never registered, changes nothing.
        """
