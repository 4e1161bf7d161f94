"""A control plane of the tests' own, with a hand on what it stands on.

On a real database, or on the twins in memory, whose faults can be chosen.
"""

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx

from tests.durable import RING
from tests.warrants import APPROVER, DEPLOYMENT, SIGNERS, SUBPOENA, Pen, payload
from withhold.adapters.database import Database
from withhold.adapters.freezes import make_folder
from withhold.adapters.ledger import SqlLedger
from withhold.adapters.memory import MemoryDatabase, MemoryLedger, MemoryRegistry
from withhold.adapters.pruning import Pruning
from withhold.adapters.registry import SqlRegistry
from withhold.bundle import Bundle
from withhold.catalogue.model import Catalogue
from withhold.control.app import control_plane
from withhold.control.parts import ControlParts
from withhold.control.pending import Pending
from withhold.control.warrants import Office
from withhold.deployment.model import CallerEntry
from withhold.errors import KeyUnavailable
from withhold.keyring import commit_target, opens_target
from withhold.kinds.instant import Instant
from withhold.ledger.entry import Json, open_sealed, read_public
from withhold.names import CallerName, Digest, Role, StoreName, WarrantId
from withhold.policy.model import Policy

VALID = {"from": "2020-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z"}
ID = "W-2026-0117-k7wqz4"
W = f"/warrants/{ID}"
BUNDLE = Bundle(Catalogue({}), Policy({SUBPOENA.name: SUBPOENA}, (), ()), Digest("sha-256=:AA==:"))
CALLERS = (CallerName("disclosure-service"),)
TOKENS = {role: f"token-of-{role}" for role in Role}
NOW = Instant(1_795_000_000)  # 2026-11-18T11:06:40Z
KEY_ID = "abcdefgh"
DURABLE_S = 5.0


def caller(role: Role) -> CallerEntry:
    """Whoever has one role and no other."""
    digest = hashlib.sha256(TOKENS[role].encode()).digest()
    return CallerEntry(CallerName(f"caller-{role}"), digest, frozenset({role}), frozenset())


@dataclass
class Plane:
    """A control plane, and what a test may look at or break."""

    client: httpx.AsyncClient
    registry: SqlRegistry | MemoryRegistry
    ledger: SqlLedger | MemoryLedger
    pending: Pending
    freezes: Path
    destroyed: list[str] = field(default_factory=list)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    key_fault: KeyUnavailable | None = None
    redis: str = "ok"

    async def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        role: Role | None = Role.OPERATE,
        **params: str,
    ) -> httpx.Response:
        """Ask as whoever has a role."""
        headers = {} if role is None else {"Authorization": f"Bearer {TOKENS[role]}"}
        return await self.client.request(method, path, content=body, headers=headers, params=params)

    async def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        role: Role | None = Role.OPERATE,
        **params: str,
    ) -> tuple[int, Any]:
        """Ask, and give the status with the answer, or with the code of the problem."""
        answer = await self.send(method, path, body, role, **params)
        assert answer.headers["cache-control"] == "no-store"
        found = answer.json()
        if answer.is_error:
            assert answer.headers["content-type"] == "application/problem+json"
            assert found["status"] == answer.status_code
            return answer.status_code, found["code"]
        return answer.status_code, found

    async def post(self, path: str, body: bytes | None = None) -> tuple[int, Any]:
        """Post as an operator."""
        return await self.call("POST", path, body)

    async def state(self) -> str:
        """Give the state of the warrant that the tests are about."""
        status, found = await self.call("GET", W)
        assert status == 200
        return str(found["state"])

    async def entries(self) -> list[tuple[dict[str, Json], dict[str, Json]]]:
        """Give what the ledger says: public and sealed members, but for the commitment."""
        await self.ledger.settle()
        found = []
        for each in await self.ledger.read(0, 1_000, sealed=True):
            assert each.public is not None
            assert each.sealed is not None
            assert each.salt is not None
            public = read_public(each.public)
            sealed = open_sealed(each.public, each.sealed, each.salt)
            del public["sealed"]
            found.append((public, sealed))
        return found

    async def events(self) -> list[str]:
        """Give what happened, in the order of the ledger."""
        return [public["event"] for public, _ in await self.entries()]


@asynccontextmanager
async def plane_on(
    registry: SqlRegistry | MemoryRegistry,
    ledger: SqlLedger | MemoryLedger,
    folder: Path,
    *,
    database: Database | None = None,
    pending: Pending | None = None,
) -> AsyncIterator[Plane]:
    """Run a control plane. `database`: what it can prune."""
    make_folder(folder)

    async def destroy(warrant: WarrantId) -> str | None:
        if made.key_fault is not None:
            raise made.key_fault
        made.destroyed.append(warrant)
        return KEY_ID

    async def ask_redis() -> str:
        return made.redis

    waits = pending or Pending()
    parts = ControlParts(
        office=Office(
            registry,
            BUNDLE,
            lambda: SIGNERS,
            lambda: CALLERS,
            DEPLOYMENT,
            lambda warrant, each: commit_target(RING, warrant, each.kind, each.value),
            waits,
        ),
        callers=lambda: tuple(map(caller, Role)),
        files={"policy/a.toml": b"x"},
        stores=frozenset({StoreName("synapse")}),
        software="withhold/test",
        probes={"redis": ask_redis},
        destroy_key=destroy,
        ledger=ledger,
        origin="withhold.test/log",
        log_signers=list,
        opens_target=lambda commitment, warrant, each: opens_target(
            RING, commitment, warrant, each.kind, each.value
        ),
        refused=lambda name, code: made.refused.update([(name, code)]),
        now=lambda: NOW,
        freezes=folder,
        metrics=lambda: (b"up 1\n", "text/plain; version=0.0.4"),
        pruning=cast("Pruning", None) if database is None else Pruning(database, 0),
    )
    transport = httpx.ASGITransport(control_plane(parts), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://control") as client:
        made = Plane(client, registry, ledger, waits, folder)
        yield made
    await waits.close()


@asynccontextmanager
async def on_twins(database: MemoryDatabase, folder: Path) -> AsyncIterator[Plane]:
    """Run a control plane on twins in memory."""
    async with plane_on(MemoryRegistry(database), MemoryLedger(database), folder) as it:
        yield it


def ago(seconds: int) -> Instant:
    """Give the instant so long ago, by this machine's clock."""
    return Instant(int(time.time()) - seconds)


def resumption(by: Pen = APPROVER, signed_at: Instant | None = None) -> bytes:
    """Sign that the warrant is to go on."""
    return by.sign(payload(valid=VALID), signed_at=signed_at or ago(0))


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that a task in the background does."""
    async with asyncio.timeout(DURABLE_S):
        while not holds():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
