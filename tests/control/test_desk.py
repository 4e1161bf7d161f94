"""What operators are shown of warrants and of how things stand, and what is logged of them."""

import base64
import json
import logging
from pathlib import Path

import pytest

from tests.control.plane import BUNDLE, ID, VALID, Plane, W, on_twins
from tests.durable import change
from tests.warrants import DEPLOYMENT, INTAKE, approved, payload
from withhold.adapters.database import Database
from withhold.adapters.memory import MemoryDatabase
from withhold.names import Role, State, WarrantId
from withhold.ports import Registered
from withhold.warrant.signed import parse_signed


async def test_shows_a_warrant_with_its_document(plane: Plane) -> None:
    document = approved(valid=VALID)
    await plane.post("/warrants", document)
    _, found = await plane.call("GET", W)
    assert found["document"] == json.loads(document)
    assert found["deployment"] == DEPLOYMENT


async def test_an_auditor_who_sees_whom_an_order_is_about_is_entered(plane: Plane) -> None:
    document = approved(valid=VALID)
    await plane.post("/warrants", document)
    for role in (Role.OPERATE, Role.AUDIT):
        _, found = await plane.call("GET", W, role=role)
        assert found["document"] == json.loads(document)
    [(registered, _), (reading, sealed)] = await plane.entries()
    assert registered["event"] == "registered"
    assert (reading["type"], reading["count"], reading["first"]) == ("reading", 1, 0)
    assert sealed == {"by": "caller-audit", "entries": [0]}


async def test_what_can_not_be_entered_no_auditor_is_shown(
    tmp_path: Path,
) -> None:
    twins = MemoryDatabase()
    async with on_twins(twins, tmp_path / "freezes") as plane:
        await plane.post("/warrants", approved(valid=VALID))
        for operation in ("settle", "append", "find_warrant"):
            twins.fails_before = {operation}
            found = await plane.call("GET", W, role=Role.AUDIT)
            assert found == (503, "ledger-unavailable")
            assert (await plane.call("GET", W))[0] == 200
        twins.fails_before = set()
        twins.log.clear()  # as if the warrant were older than the log
        found = await plane.call("GET", W, role=Role.AUDIT)
        assert found == (503, "ledger-unavailable")


async def test_a_list_names_no_target(plane: Plane) -> None:
    await plane.post("/warrants", approved(valid=VALID))
    _, found = await plane.call("GET", "/warrants", role=Role.AUDIT)
    assert [each["id"] for each in found["warrants"]] == [ID]
    assert "alice" not in json.dumps(found)
    assert "+44" not in json.dumps(found)


async def test_an_active_warrant_past_its_time_is_shown_expired(plane: Plane) -> None:
    valid = {"from": "2020-01-01T00:00:00Z", "until": "2020-02-01T00:00:00Z"}
    document = approved(valid=valid)
    digest = parse_signed(document).warrant.digest
    await plane.registry.register(
        Registered(WarrantId(ID), document, digest, State.ACTIVE), change()
    )
    assert await plane.state() == "expired"


async def test_gives_the_bundle_that_is_served(plane: Plane) -> None:
    _, found = await plane.call("GET", "/bundle", role=Role.TUNE)
    assert found["digest"] == BUNDLE.digest
    assert base64.b64decode(found["files"]["policy/a.toml"]) == b"x"


async def test_says_how_things_stand(plane: Plane) -> None:
    await plane.post("/warrants", INTAKE.sign(payload(valid=VALID)))
    plane.redis = "does not answer"
    _, found = await plane.call("GET", "/status", role=Role.AUDIT)
    assert found["health"] == {"redis": "does not answer", "database": "ok"}
    assert found["warrants"]["pending"] == 1
    assert found["waiting"] == [{"id": ID, "for": "needs 1 more approval"}]
    assert found["freezes"] == []


async def test_says_how_things_stand_without_a_database(plane: Plane, database: Database) -> None:
    database.close()
    status, found = await plane.call("GET", "/status", role=Role.AUDIT)
    assert (status, found["health"]["database"]) == (200, "the database is closed")


async def test_a_request_that_takes_no_body_takes_none(plane: Plane) -> None:
    assert await plane.call("GET", "/status", b'{"a": 1}') == (400, "bad-request")


async def test_logs_who_changed_what_and_no_target(
    plane: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "withhold"):
        await plane.post("/warrants", approved(valid=VALID))
        await plane.post(f"{W}/suspend")
        await plane.post("/freezes", b"{}")
    events = [(each.message, vars(each)["caller"]) for each in caplog.records]
    assert events == [
        ("warrant-registered", "caller-operate"),
        ("warrant-moved", "caller-operate"),
        ("frozen", "caller-operate"),
    ]
    assert "alice" not in json.dumps([vars(each) for each in caplog.records], default=str)
