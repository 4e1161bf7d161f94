"""A data plane of the tests' own: a bundle, a warrant, a store, and every part a real one.

Registry, ledger and token keys are their twins in memory, whose faults can be chosen; the store is
an app behind the real HTTP adapter. `Plane.poll` is when this node looks at states and freezes.
"""

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.warrants import DEPLOYMENT, SIGNERS, approved
from withhold.adapters.cache_memory import MemoryCache
from withhold.adapters.memory import (
    MemoryDatabase,
    MemoryLedger,
    MemoryRegistry,
    MemoryTokenKeys,
)
from withhold.adapters.refusals import Refusals
from withhold.adapters.standing import Standing
from withhold.adapters.store_http import HttpStore
from withhold.bundle import parse_bundle
from withhold.deployment.model import CallerEntry, Limits
from withhold.keyring import KeyRing
from withhold.kinds.instant import Instant, print_instant
from withhold.ledger.entry import Entry, EntryType
from withhold.ledger.receipt import ReceiptId
from withhold.names import CallerName, Role, State, StoreName, WarrantId
from withhold.ports import Cache, Registered
from withhold.proxy.app import DataPlane, data_plane
from withhold.proxy.closings import Closings
from withhold.proxy.parts import Parts
from withhold.warrant.model import Signer
from withhold.warrant.signed import parse_signed

BUNDLE = Path(__file__).parent / "bundle"
ALICE = "@alice:example.test"
TOKEN = "disclosure-token"
OTHER_TOKEN = "other-token"
TUNER_TOKEN = "tuner-token"
OPERATOR_TOKEN = "operator-token"
AUDITOR_TOKEN = "auditor-token"
WARRANT = "W-2026-0117-k7wqz4"
VALID = {"from": "2026-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z"}
RING = KeyRing(
    encryption={1: bytes(32)},
    cache={1: bytes(range(32))},
    ledger={1: bytes(range(1, 33))},
    commitment={1: bytes(range(2, 34))},
)
NOW = Instant(1_795_000_000)  # 2026-11-18
IN_PERIOD = 1_780_000_000  # 2026-05-28
ACCOUNT = {
    "id": ALICE,
    "name": "Alice",
    "balance": 12.50,
    "ip": "192.0.2.7",
    "note": "canary-note",
    "undeclared": {"canary": ["canary-value"]},
}
CLOSED_S = 5.0

Says = Callable[[Request], Awaitable[Response]]


@dataclass
class Shop:
    """A store: it says what a test has it say, and keeps what it heard."""

    says: Says
    heard: list[Request] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        self.heard.append(request)
        return await self.says(request)


def says(content: Any, status: int = 200, **headers: str) -> Says:  # noqa: ANN401 - JSON or bytes
    """A store that always says the same; `_` in a header's name is `-`."""
    said = {name.replace("_", "-"): value for name, value in headers.items()}

    async def say(_request: Request) -> Response:
        if isinstance(content, bytes):
            return Response(content, status, said)
        return JSONResponse(content, status, said)

    return say


@dataclass
class Plane:
    """A running data plane, and a hand on each of its parts."""

    app: DataPlane
    shop: Shop
    database: MemoryDatabase
    registry: MemoryRegistry
    standing: Standing
    parts: Parts
    client: httpx.AsyncClient
    clock: "Clock"

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Ask as the disclosure service, by the warrant; `_` in a header's name is `-`."""
        sent = {"Authorization": f"Bearer {TOKEN}", "Withhold-Warrant": WARRANT}
        for name, value in headers.items():
            sent[name.replace("_", "-")] = value
        return await self.client.get(path, headers={n: v for n, v in sent.items() if v})

    async def account(self, who: str = ALICE, **headers: str) -> httpx.Response:
        """Ask for an account."""
        return await self.get(f"/stores/shop/v1/accounts/{who}", **headers)

    async def metrics(self, token: str = OPERATOR_TOKEN) -> str:
        """Give what is exposed to whose token it is; `""`: to nobody in particular."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        response = await self.client.get("/metrics", headers=headers)
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/plain")
        assert response.headers["cache-control"] == "no-store"
        return response.text

    async def move(self, to: State) -> None:
        """Bring the warrant into a state, and let this node hear of it."""
        await self.registry.move(WarrantId(WARRANT), frozenset(State), to, change())
        self.standing.poll()

    def forget(self) -> None:
        """Forget grants and allowlists of this process: the cache is asked again."""
        self.app.room.warrants._held.clear()
        self.app.room.allowlists._known.clear()

    async def entries(self) -> list[Entry]:
        """Give what the ledger holds of disclosures, once every closing is there."""
        await self.parts.closings.drain()
        return [each.entry for each in self.database.log if each.entry.receipt is not None]

    async def closed(self) -> list[Entry]:
        """Do as `entries`, behind a server: it may still be at what a client has read."""
        async with asyncio.timeout(CLOSED_S):
            while True:
                found = await self.entries()
                if len(found) == 2 * len({each.receipt for each in found}):
                    return found
                await asyncio.sleep(0)


async def kinds(it: Plane) -> list[tuple[EntryType, str]]:
    """Give type and outcome of what `entries` gives."""
    return [(each.type, each.public["outcome"]) for each in await it.entries()]


class Held(asyncio.Event):
    """An event that says when somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()

    async def wait(self) -> Literal[True]:
        """Wait, and say so."""
        self.reached.set()
        return await super().wait()


def change() -> Entry:
    """Make the entry of some change of the warrant."""
    return Entry(EntryType.WARRANT, print_instant(NOW), {"event": "changed"})


@dataclass
class Clock:
    """A clock that stands until it is told to go on."""

    ns: int = 0

    def __call__(self) -> int:
        return self.ns


def caller(name: str, token: str, *roles: Role, stores: tuple[str, ...] = ("shop",)) -> CallerEntry:
    """A caller as the deployment file lists it."""
    digest = hashlib.sha256(token.encode()).digest()
    names = frozenset(StoreName(store) for store in stores)
    return CallerEntry(CallerName(name), digest, frozenset(roles), names)


CALLERS = (
    caller("disclosure-service", TOKEN, Role.DISCLOSE),
    caller("other-service", OTHER_TOKEN, Role.DISCLOSE),
    caller("tuner", TUNER_TOKEN, Role.TUNE),
    caller("operator", OPERATOR_TOKEN, Role.OPERATE, stores=()),
    caller("auditor", AUDITOR_TOKEN, Role.AUDIT, stores=()),
)


@asynccontextmanager
async def plane(
    folder: Path,
    shop: Says | None = None,
    *,
    store: HttpStore | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    cache: Cache | None = None,
    signers: Callable[[], tuple[Signer, ...]] = lambda: SIGNERS,
    callers: tuple[CallerEntry, ...] = CALLERS,
    clock: "Clock | None" = None,
    ended: Callable[[], Mapping[WarrantId, State]] = dict,
    changed: Mapping[str, object] | None = None,
) -> AsyncIterator[Plane]:
    """Run a data plane. `changed`: members of the warrant that are others than the contract's."""
    the_shop = Shop(shop or says(ACCOUNT))
    app = Starlette(routes=[Route("/{rest:path}", the_shop.answer)])
    the_store = store or HttpStore(
        "http://shop.test",
        {"Authorization": "Bearer store-credential-canary"},
        limits,
        httpx.ASGITransport(app, raise_app_exceptions=False),
    )
    database = MemoryDatabase()
    registry = MemoryRegistry(database)
    document = approved(**{"valid": VALID, **(changed or {})})
    signed = parse_signed(document)
    await registry.register(
        Registered(signed.warrant.id, document, signed.warrant.digest, State.ACTIVE), change()
    )
    (folder / "freezes").mkdir()
    the_clock = clock or Clock()
    standing = Standing(registry.changes_now, folder / "freezes", the_clock, ended)
    standing.poll()
    bundle = parse_bundle(
        {str(file.relative_to(BUNDLE)): file.read_bytes() for file in BUNDLE.rglob("*.toml")}
    )
    numbers = itertools.count(1)
    ledger = MemoryLedger(database)
    parts = Parts(
        deployment=DEPLOYMENT,
        software="withhold/test",
        limits=limits,
        callers=lambda: callers,
        signers=signers,
        bundle=lambda: bundle,
        registry=registry,
        standing=standing,
        ledger=ledger,
        closings=Closings(ledger),
        refusals=Refusals(ledger, lambda: NOW),
        ring=lambda: RING,
        token_keys=MemoryTokenKeys(database, lambda: bytes(16)),
        cache=cache or MemoryCache(),
        stores={StoreName("shop"): the_store},
        now=lambda: NOW,
        new_receipt_id=lambda: ReceiptId(f"R-{next(numbers):026}"),
        new_request_id=lambda: "0" * 16,
    )
    the_app = data_plane(parts)
    transport = httpx.ASGITransport(the_app)
    async with httpx.AsyncClient(transport=transport, base_url="http://withhold.test") as client:
        yield Plane(the_app, the_shop, database, registry, standing, parts, client, the_clock)
    await the_store.aclose()
