"""A control plane over a ledger in memory that holds one case among others."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import httpx
from starlette.applications import Starlette

from tests.ledger.exhibits import ENTRIES, SIGNER, WARRANT
from tests.ledger.logs import ORIGIN
from withhold.adapters.memory import MemoryDatabase, MemoryLedger
from withhold.control.app import control_plane
from withhold.control.parts import ControlParts
from withhold.deployment.model import CallerEntry
from withhold.keyring import KeyRing, commit_target, opens_target
from withhold.kinds.instant import Instant
from withhold.ledger.entry import Entry
from withhold.ledger.note import Signer
from withhold.names import CallerName, Kind, Role, WarrantId
from withhold.warrant.model import Target

NOW = Instant(1_764_000_000)
ALICE, BOB = Target(Kind.PHONE, "+442079460220"), Target(Kind.PHONE, "+16502530000")
OLD_RING = KeyRing({1: b"e" * 32}, {1: b"c" * 32}, {1: b"l" * 32}, {1: b"t" * 32})
RING = replace(OLD_RING, commitment={1: b"t" * 32, 2: b"T" * 32})


def committed(ring: KeyRing, entry: Entry, *targets: Target) -> Entry:
    """Give an entry whose sealed part names these."""
    commitments = [commit_target(ring, WARRANT, each.kind, each.value) for each in targets]
    return replace(entry, sealed={**entry.sealed, "targets": commitments})


@dataclass
class Parts:
    """What the room asks for; the rest of the plane's parts nobody looks at here."""

    ledger: MemoryLedger
    origin: str = ORIGIN
    signers: Sequence[Signer] = (SIGNER,)

    def callers(self) -> Sequence[CallerEntry]:
        return [
            CallerEntry(
                CallerName(f"caller-{role}"),
                hashlib.sha256(role.encode()).digest(),
                frozenset({role}),
                frozenset(),
            )
            for role in Role
        ]

    def log_signers(self) -> Sequence[Signer]:
        return self.signers

    def now(self) -> Instant:
        return NOW

    def refused(self, caller: CallerName, code: str) -> None:
        """Refusals are counted elsewhere."""

    def opens_target(self, commitment: str, warrant: WarrantId, target: Target) -> bool:
        return opens_target(RING, commitment, warrant, target.kind, target.value)

    def __getattr__(self, name: str) -> None:
        return None


@dataclass
class Audited:
    """The plane, what is in its ledger, and how it can be made to fail."""

    database: MemoryDatabase
    ledger: MemoryLedger
    parts: Parts
    app: Starlette

    async def ask(
        self, method: str, path: str, body: bytes = b"", role: Role | None = Role.AUDIT
    ) -> httpx.Response:
        headers = {} if role is None else {"Authorization": f"Bearer {role}"}
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://control") as client:
            return await client.request(method, path, content=body, headers=headers)

    async def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        answer = await self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return answer.json()

    async def refusal(self, path: str, method: str = "GET", body: bytes = b"") -> tuple[int, str]:
        answer = await self.ask(method, path, body)
        return answer.status_code, answer.json()["code"]


async def audited(entries: Sequence[Entry] = ENTRIES) -> Audited:
    """Make a plane whose ledger holds these."""
    database = MemoryDatabase()
    ledger = MemoryLedger(database)
    for entry in entries:
        await ledger.append(entry)
    parts = Parts(ledger)
    return Audited(database, ledger, parts, control_plane(cast("ControlParts", parts)))
