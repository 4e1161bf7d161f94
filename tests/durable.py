"""Registry, ledger and token keys, in databases and in memory, and receipts to put into them."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import text

from tests.ledger.logs import defined_root
from withhold.adapters.database import Database
from withhold.adapters.ledger import SqlLedger
from withhold.adapters.memory import (
    MemoryDatabase,
    MemoryLedger,
    MemoryRegistry,
    MemoryTokenKeys,
)
from withhold.adapters.registry import SqlRegistry
from withhold.adapters.token_keys import SqlTokenKeys
from withhold.keyring import KeyRing
from withhold.kinds.instant import Instant
from withhold.ledger.entry import Entry, EntryType, Handle, leaf_of, open_sealed, read_public
from withhold.ledger.receipt import Closing, Ending, Receipt, ReceiptId, Released, handle_of
from withhold.names import (
    CallerName,
    Digest,
    InstrumentName,
    ResourceName,
    State,
    StoreName,
    WarrantId,
)
from withhold.ports import Condition, Logged, Registered

RING = KeyRing(
    encryption={1: bytes(32)},
    cache={1: bytes(range(32))},
    ledger={1: bytes(range(1, 33))},
    commitment={1: bytes(range(2, 34))},
)
W1 = WarrantId("W-1")
DIGEST = Digest("sha-256=:AAAA:")
SYNAPSE = StoreName("synapse")
SUBPOENA = InstrumentName("us-sca-subpoena")

_numbers = count(1)


@dataclass(frozen=True)
class Durable:
    """The three, on one database, which may be made to fail."""

    database: Database | MemoryDatabase
    registry: SqlRegistry | MemoryRegistry
    ledger: SqlLedger | MemoryLedger
    token_keys: SqlTokenKeys | MemoryTokenKeys


def on_database(database: Database) -> Durable:
    """Put the three on a database."""
    return Durable(
        database,
        SqlRegistry(database),
        SqlLedger(database),
        SqlTokenKeys(database, lambda: RING),
    )


def in_memory(database: MemoryDatabase) -> Durable:
    """Put the three on a twin, whose keys are 1, 2, 3 and so on."""
    keys = (i.to_bytes(16) for i in count(1))
    return Durable(
        database,
        MemoryRegistry(database),
        MemoryLedger(database),
        MemoryTokenKeys(database, lambda: next(keys)),
    )


@asynccontextmanager
async def opened(kind: str, folder: Path, url: str = "") -> AsyncIterator[Durable]:
    """Open `sqlite`, `memory`, or the PostgreSQL at `url`."""
    if kind == "memory":
        yield in_memory(MemoryDatabase())
        return
    database = Database(url or f"sqlite:///{folder / 'withhold.db'}")
    try:
        yield on_database(database)
    finally:
        database.close()


def registered(
    warrant: str = W1, state: State = State.ACTIVE, document: bytes = b"{}"
) -> Registered:
    """Make what a registry keeps."""
    return Registered(WarrantId(warrant), document, DIGEST, state)


def receipt(
    name: str = "", warrant: str = W1, kind: EntryType = EntryType.RELEASE, size_bytes: int = 7
) -> Entry:
    """Make the entry of a receipt with an id of its own."""
    made = Receipt(
        id=ReceiptId(name or f"R-number-{next(_numbers)}"),
        type=kind,
        outcome="disclosed",
        at="2026-11-24T00:00:00Z",
        warrant=WarrantId(warrant),
        warrant_digest=DIGEST,
        instrument=SUBPOENA,
        bundle=DIGEST,
        allowlist=DIGEST,
        resource=ResourceName("synapse/whois"),
        software="withhold/0",
        authorised={"disclose": 2},
        released=Released(
            disclosed={"$.user_id": 1},
            size_bytes=size_bytes,
            digest=DIGEST,
            withheld={"malformed": {"$.ip": 2}},
        ),
        caller=CallerName("disclosure-service"),
    )
    return made.entry()


def closing(name: str, ending: Ending = Ending.COMPLETE, warrant: str = W1) -> Entry:
    """Make the closing of a receipt."""
    at = "2026-11-24T00:00:01Z"
    return Closing(handle(name), at, WarrantId(warrant), ending, 7).entry()


def change(warrant: str = W1) -> Entry:
    """Make the entry of some change of a warrant."""
    public = {"event": "changed"}
    return Entry(EntryType.WARRANT, "2026-11-24T00:00:00Z", public, warrant=WarrantId(warrant))


def handle(name: str) -> Handle:
    """Give what the ledger calls a receipt."""
    return handle_of(ReceiptId(name))


def condition(
    warrant: str = W1,
    digest: Digest = DIGEST,
    valid: tuple[Instant, Instant] = (Instant(0), Instant(2**33)),
) -> Condition:
    """Make a condition that holds for an active `warrant` at any time that we live in."""
    return Condition(WarrantId(warrant), digest, *valid, SYNAPSE, SUBPOENA)


async def whole(ledger: SqlLedger | MemoryLedger) -> list[dict[str, Any]]:
    """Read all of the log, and check it: leaves, seals, order and root. Gives the public parts."""
    read: list[Logged] = []
    while page := await ledger.read(len(read), 1_000, sealed=True):
        read += page
    assert [each.index for each in read] == list(range(len(read)))
    said = []
    for each in read:
        assert each.public is not None
        assert each.sealed is not None
        assert each.salt is not None
        assert leaf_of(each.public) == each.leaf
        open_sealed(each.public, each.sealed, each.salt)
        said.append(read_public(each.public))
    frontier = await ledger.frontier()
    assert frontier.size == len(read)
    assert frontier.root == defined_root([each.leaf for each in read])
    return said


def about(said: Iterable[dict[str, Any]], *names: str) -> list[str]:
    """Tell of each entry what it is of which receipt, or its type alone: `release R-a`."""
    known = {handle(name): name for name in names}
    return [f"{one['type']} {known.get(one.get('receipt', ''), '')}".strip() for one in said]


def endings(said: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Give what became of each receipt, by its handle. There is one closing of each."""
    found = [(one["receipt"], one["outcome"]) for one in said if one["type"] == "closing"]
    assert len(dict(found)) == len(found)
    return dict(found)


async def run(database: Database, statement: str, **values: object) -> None:
    """Write into the database behind everybody's back."""
    await database.write(lambda it: it.execute(text(statement), values).rowcount)
