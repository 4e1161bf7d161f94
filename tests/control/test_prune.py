"""Pruning over HTTP, on a real database; and what is shown of a warrant that was pruned."""

import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from sqlalchemy import update

from tests.control.audited import Parts
from tests.warrants import DEPLOYMENT, SIGNERS, SUBPOENA, approved
from withhold.adapters.database import Database
from withhold.adapters.ledger import SqlLedger
from withhold.adapters.pruning import Pruning
from withhold.adapters.registry import SqlRegistry
from withhold.adapters.schema import changes
from withhold.bundle import Bundle
from withhold.catalogue.model import Catalogue
from withhold.control.app import control_plane
from withhold.control.parts import ControlParts
from withhold.control.pending import Pending
from withhold.control.warrants import Office
from withhold.ledger.entry import Entry, EntryType, read_public
from withhold.names import Digest, Role, WarrantId
from withhold.policy.model import Policy

BUNDLE = Bundle(Catalogue({}), Policy({SUBPOENA.name: SUBPOENA}, (), ()), Digest("sha-256=:AA==:"))
VALID = {"from": "2020-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z"}
ID = "W-2026-0117-k7wqz4"
LEAST_DAYS = 90
ASKED = {"what": "sealed", "before": "2021-01-01T00:00:00Z"}


@dataclass
class Plane:
    """A control plane on a database."""

    client: httpx.AsyncClient
    database: Database
    ledger: SqlLedger

    async def call(
        self, method: str, path: str, body: object = None, role: Role = Role.OPERATE
    ) -> tuple[int, Any]:
        content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        headers = {"Authorization": f"Bearer {role}"}
        answer = await self.client.request(method, path, content=content, headers=headers)
        return answer.status_code, answer.json()

    async def prune(self, **changed: object) -> tuple[int, Any]:
        return await self.call("POST", "/prune", {**ASKED, **changed})


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    database = Database(f"sqlite:///{tmp_path}/withhold.db")
    ledger = SqlLedger(database)
    parts = Parts(ledger)  # type: ignore[arg-type]  # the one in memory has no database
    vars(parts)["pruning"] = Pruning(database, LEAST_DAYS)
    vars(parts)["office"] = Office(
        SqlRegistry(database),
        BUNDLE,
        lambda: SIGNERS,
        list,
        DEPLOYMENT,
        lambda *_: "1.x",
        Pending(),
    )
    transport = httpx.ASGITransport(
        control_plane(cast("ControlParts", parts)), raise_app_exceptions=False
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://control") as client:
        yield Plane(client, database, ledger)
    database.close()


async def test_prunes_and_says_who_in_the_log(
    plane: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    for when in ("2020-01-01T00:00:00Z", "2022-01-01T00:00:00Z"):
        await plane.ledger.append(Entry(EntryType.FREEZE, when, {}, {"by": "x"}))
    assert await plane.prune(dry_run=True) == (200, {"count": 1, "next": None})
    with caplog.at_level(logging.WARNING, "withhold"):
        assert await plane.prune() == (200, {"count": 1, "next": None})
        assert await plane.prune() == (200, {"count": 0, "next": None})
    [record] = caplog.records
    facts = vars(record)
    assert (record.message, facts["what"], facts["count"]) == ("pruned", "sealed", 1)
    await plane.ledger.settle()
    [*_, last] = await plane.ledger.read(0, 100, sealed=True)
    assert read_public(last.public or b"")["type"] == "prune"
    assert json.loads(last.sealed or b"") == {"by": "caller-operate"}


@pytest.mark.parametrize(
    "changed",
    [
        {"what": "all"},
        {"what": 1},
        {"before": "2021-01-01"},
        {"before": "2098-01-01T00:00:00Z"},
        {"since": -1},
        {"since": 1.5},
        {"since": "0"},
        {"since": 2**63},
        {"dry_run": "no"},
        {"note": "x"},
    ],
    ids=range(10),
)
async def test_what_cannot_be_asked(plane: Plane, changed: dict[str, object]) -> None:
    status, found = await plane.prune(**changed)
    assert (status, found["code"]) in {(400, "bad-request"), (400, "bad-warrant")}


@pytest.mark.parametrize("dry_run", [False, True])
async def test_what_is_younger_than_the_least_age_is_kept(plane: Plane, dry_run: bool) -> None:
    day = datetime.now(UTC) - timedelta(days=LEAST_DAYS - 1)
    before = f"{day:%Y-%m-%dT%H:%M:%SZ}"
    status, found = await plane.prune(before=before, dry_run=dry_run)
    assert (status, found["code"]) == (400, "bad-request")
    assert "younger than 90 days" in found["detail"]
    assert "`[retention] least_days`" in found["hint"]
    before = f"{day - timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}"
    assert (await plane.prune(before=before, dry_run=dry_run))[0] == 200


async def test_only_operators_prune(plane: Plane) -> None:
    for role in set(Role) - {Role.OPERATE}:
        status, found = await plane.call("POST", "/prune", ASKED, role)
        assert (status, found["code"]) == (403, "role-not-allowed")


async def test_a_pruned_warrant_is_shown_as_such_and_is_good_for_nothing(plane: Plane) -> None:
    status, registered = await plane.call("POST", "/warrants", approved(valid=VALID))
    assert (status, registered["pruned"]) == (201, False)
    await plane.call("POST", f"/warrants/{ID}/revoke")
    old = update(changes).values(at="2020-06-01T00:00:00Z")
    await plane.database.write(lambda it: it.execute(old).rowcount)
    assert (await plane.prune(what="warrants"))[1]["count"] == 1
    status, shown = await plane.call("GET", f"/warrants/{ID}")
    assert status == 200
    assert (shown["id"], shown["state"], shown["pruned"]) == (ID, "revoked", True)
    assert shown["digest"] == registered["digest"]
    assert (shown["document"], shown["valid"], shown["signatures"]) == (None, None, [])
    _, listed = await plane.call("GET", "/warrants")
    assert [each["pruned"] for each in listed["warrants"]] == [True]
    for verb in ("signatures", "resume"):
        status, found = await plane.call("POST", f"/warrants/{ID}/{verb}", approved(valid=VALID))
        assert (status, found["code"]) == (409, "wrong-state")
    status, found = await plane.call("POST", "/warrants", approved(valid=VALID))
    assert (status, found["code"]) == (409, "id-in-use")
    kept = await SqlRegistry(plane.database).find(WarrantId(ID))
    assert kept is not None
    assert kept.document == b""
