"""Copies of logs, made in memory by what exports make them with, and logs to copy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.ledger.logs import ORIGIN, signer_of
from withhold.ledger.checkpoint import Checkpoint, sign_checkpoint
from withhold.ledger.copy import Keys, Trusted, Verdict, verify_copy
from withhold.ledger.entry import Entry, EntryType, Handle, leaf_of, write_entry
from withhold.ledger.growth import extend_statements, extend_tiles, outgrown
from withhold.ledger.note import Signer, print_verifier_key
from withhold.ledger.tiles import (
    CHECKPOINT_PATH,
    Bundle,
    parse_path,
    print_entries,
)
from withhold.ledger.tree import Frontier, hash_leaf
from withhold.ledger.walk import Files
from withhold.names import WarrantId

SIGNER = signer_of(ORIGIN)
KEYS = Keys(ORIGIN, (SIGNER.verifier_key,))
DAY = "2099-01-01T"  # after whatever a node says of itself

Copy = dict[str, bytes]


def entry_of(index: int) -> Entry:
    """Give entry `index` of a log in which every type is, and which nothing is wrong with."""
    at = f"{DAY}{index // 3600:02}:{index // 60 % 60:02}:{index % 60:02}Z"
    kinds: Mapping[int, Callable[[], Entry]] = {
        0: lambda: release(index, at),
        1: lambda: closing(index - 1, at),
        2: lambda: release(index, at, EntryType.OPENING),
        3: lambda: closing(index - 1, at),
        4: lambda: release(index, at, EntryType.FAILURE, "store-failed"),
        5: lambda: Entry(EntryType.REFUSALS, at, {"code": "not-a-target", "count": index}),
        6: lambda: warrant(f"W-{index}", "registered", "active", at),
        7: lambda: warrant(f"W-{index - 1}", "revoked", "revoked", at),
        8: lambda: key(SIGNER, at) if index == 8 else Entry(EntryType.BUNDLE, at, {"digest": "d"}),
        9: lambda: Entry(EntryType.READING, at, {"count": 1, "first": 0, "last": 0}),
    }
    return kinds[index % 10]()


def release(
    index: int,
    at: str,
    kind: EntryType = EntryType.RELEASE,
    outcome: str = "disclosed",
    order: str = "W-1",
) -> Entry:
    public = {"outcome": outcome, "disclosed": {"$.user_id": index}, "size_bytes": 7 * index}
    return Entry(kind, at, public, receipt=handle(index), warrant=WarrantId(order))


def closing(index: int, at: str) -> Entry:
    public = {"outcome": "complete", "size_bytes": 7}
    return Entry(EntryType.CLOSING, at, public, receipt=handle(index), warrant=WarrantId("W-1"))


def warrant(order: str, event: str, state: str, at: str) -> Entry:
    public = {"event": event, "state": state}
    return Entry(EntryType.WARRANT, at, public, warrant=WarrantId(order))


def key(signer: Signer, at: str, event: str = "made") -> Entry:
    public = {"kind": "ledger", "public_key": print_verifier_key(signer.verifier_key)}
    return Entry(EntryType.KEY, at, {**public, "event": event})


def handle(index: int) -> Handle:
    return Handle(f"H-{index}")


def publics_of(size: int) -> list[bytes]:
    """Give the public parts of such a log."""
    return [write_entry(entry_of(index), bytes(32)).public for index in range(size)]


@dataclass(frozen=True)
class Log:
    """A log that can be exported at any size. `publics`: None where one was pruned."""

    leaves: Sequence[bytes]
    publics: Sequence[bytes | None]

    def there(self, path: str) -> bytes:
        """Give a bundle, as a service does."""
        place = parse_path(path)
        assert isinstance(place, Bundle)
        first = place.index * 256
        return print_entries(self.leaves[first : first + place.width])

    def given(self, first: int, count: int) -> Sequence[bytes | None]:
        """Give public parts, as a service does."""
        return self.publics[first : first + count]

    def note(self, size: int, *signers: Signer) -> bytes:
        """Sign the log as it was at a size."""
        root = Frontier().append(map(hash_leaf, self.leaves[:size])).root
        return sign_checkpoint(Checkpoint(ORIGIN, size, root), signers or (SIGNER,))

    def tree(self) -> Copy:
        """Give the tiles and bundles of all of it."""
        return dict(extend_tiles(0, len(self.leaves), Copy().__getitem__, self.there))

    def export(self, size: int, into: Copy | None = None, *, entries: bool = True) -> Copy:
        """Give a copy, or bring one from a smaller size up to this one."""
        copy = dict(into or {})
        old = 0
        if CHECKPOINT_PATH in copy:
            old = int(copy[CHECKPOINT_PATH].split(b"\n")[1])
        new = dict(extend_tiles(old, size, copy.__getitem__, self.there))
        read = {**copy, **new}.__getitem__
        if entries:
            new |= dict(extend_statements(old, size, copy.__getitem__, read, self.given))
        copy |= new
        copy[CHECKPOINT_PATH] = self.note(size)
        for path in outgrown(copy, size):
            del copy[path]
        return copy


def log_over(publics: Sequence[bytes]) -> Log:
    return Log([leaf_of(each) for each in publics], list(publics))


def verify(copy: Copy, *trusted: bytes, keys: Keys = KEYS) -> Verdict:
    given = [Trusted(f"trusted-{i}", note) for i, note in enumerate(trusted)]
    return verify_copy(Files(frozenset(copy), copy.__getitem__), keys, given)
