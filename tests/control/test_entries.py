"""What the ledger is told of changes that people make."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.control.plane import CALLERS, ID, KEY_ID, VALID, Plane, W, on_twins, resumption
from tests.durable import RING
from tests.warrants import APPROVER, INTAKE, approved, payload
from withhold.adapters.memory import MemoryDatabase
from withhold.control.entries import Act, entry_of_reading
from withhold.keyring import opens_target
from withhold.kinds.instant import Instant
from withhold.names import Kind, Role, WarrantId
from withhold.warrant.parse import parse_warrant

AT = "2026-11-18T11:06:40Z"
ALICE = (Kind.ID, "@alice:example.test")
PHONE = (Kind.PHONE, "+442079460220")


async def only(plane: Plane) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the newest entry, public and sealed."""
    return (await plane.entries())[-1]


async def test_a_registered_warrant_is_entered_as_the_report_counts_it(plane: Plane) -> None:
    served = {"served_at": "2026-11-02T09:00:00+01:00", "secrecy_until": "2027-05-01T00:00:00Z"}
    field = {"resource": "synapse/whois", "path": "$.user_id"}
    await plane.post("/warrants", approved(valid=VALID, fields=[field], **served))
    [(public, sealed)] = await plane.entries()
    assert public == {
        "type": "warrant",
        "at": AT,
        "warrant": ID,
        "event": "registered",
        "state": "active",
        "digest": parse_warrant(payload(valid=VALID, fields=[field], **served)).digest,
        "instrument": "us-sca-subpoena",
        "jurisdiction": "US",
        "categories": ["identifying", "subscriber"],
        "fields": 1,
        "targets": 2,
        "valid_from": VALID["from"],
        "valid_until": VALID["until"],
        "served_at": "2026-11-02T08:00:00Z",
        "secrecy_until": "2027-05-01T00:00:00Z",
    }
    assert sealed.pop("targets")
    assert sealed == {
        "by": "caller-operate",
        "signers": ["approver-1", "intake-1"],
        "authority": "Superior Court of California",
        "reference": "26-SW-70123",
    }


async def test_a_warrant_that_names_no_category_asks_for_all_of_its_instrument(
    plane: Plane,
) -> None:
    await plane.post("/warrants", approved(valid=VALID, categories=[]))
    public, _ = await only(plane)
    assert public["categories"] == ["identifying", "subscriber"]


async def test_one_that_names_some_asks_for_these(plane: Plane) -> None:
    await plane.post("/warrants", approved(valid=VALID, categories=["content", "subscriber"]))
    public, _ = await only(plane)
    assert public["categories"] == ["content", "subscriber"]


async def test_targets_are_commitments_that_the_key_finds_and_nothing_else_does(
    plane: Plane,
) -> None:
    await plane.post("/warrants", approved(valid=VALID))
    public, sealed = await only(plane)
    assert len(sealed["targets"]) == 2
    for target in (ALICE, PHONE):
        opened = [opens_target(RING, c, WarrantId(ID), *target) for c in sealed["targets"]]
        assert sorted(opened) == [False, True]
    for other in ((Kind.ID, "@bob:example.test"), (Kind.EMAIL, ALICE[1])):
        assert not any(opens_target(RING, c, WarrantId(ID), *other) for c in sealed["targets"])
    # In another case the same person looks like somebody else.
    assert not any(opens_target(RING, c, WarrantId("W-2"), *ALICE) for c in sealed["targets"])
    text = json.dumps([public, sealed])
    assert not [part for part in ("alice", "442079460220") if part in text]


async def test_approving_says_who_has_signed_by_now(plane: Plane) -> None:
    await plane.post("/warrants", INTAKE.sign(payload(valid=VALID)))
    await plane.post(f"{W}/signatures", APPROVER.sign(payload(valid=VALID)))
    (registered, waited), (approval, signed) = await plane.entries()
    assert (registered["event"], registered["state"]) == ("registered", "pending")
    assert waited["signers"] == ["intake-1"]
    assert (approval["event"], approval["state"]) == ("approved", "active")
    assert signed["signers"] == ["approver-1", "intake-1"]
    assert approval["digest"] == registered["digest"]


async def test_suspending_and_resuming_are_entered(plane: Plane) -> None:
    await plane.post("/warrants", approved(valid=VALID))
    await plane.post(f"{W}/suspend")
    await plane.post(f"{W}/resume", resumption())
    _, (suspended, by), (resumed, signed) = await plane.entries()
    assert suspended == {
        "type": "warrant",
        "at": AT,
        "warrant": ID,
        "event": "suspended",
        "state": "suspended",
    }
    assert by == {"by": "caller-operate"}
    assert (resumed["event"], resumed["state"]) == ("resumed", "active")
    assert signed["signers"] == ["approver-1", "intake-1"]


@pytest.mark.parametrize(("verb", "event"), [("revoke", "revoked"), ("close", "closed")])
async def test_ending_is_entered_once(plane: Plane, verb: str, event: str) -> None:
    await plane.post("/warrants", approved(valid=VALID))
    await plane.post(f"{W}/{verb}")
    await plane.post(f"{W}/{verb}")
    _, (public, sealed) = await plane.entries()
    assert (public["event"], public["state"], public["warrant"]) == (event, event, ID)
    assert sealed == {"by": "caller-operate"}


async def test_closing_tells_which_key_was_destroyed(plane: Plane) -> None:
    await plane.post("/warrants", approved(valid=VALID))
    _, found = await plane.post(f"{W}/close")
    assert found["key_destroyed"] == KEY_ID


async def test_what_is_refused_is_not_entered(plane: Plane) -> None:
    await plane.post("/warrants", approved(valid=VALID, jurisdiction="EU"))
    await plane.post(f"{W}/revoke")
    await plane.post("/warrants", approved(valid=VALID))
    await plane.post("/warrants", approved(valid=VALID))
    await plane.post(f"{W}/resume", resumption())
    await plane.post("/freezes", b'{"store": "no-such"}')
    assert await plane.events() == ["registered"]


async def test_looking_is_not_entered(plane: Plane) -> None:
    for path in ("/warrants", W, "/status", "/bundle"):
        await plane.call("GET", path)
    assert await plane.entries() == []


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"{}", (None, None)),
        (b'{"store": "synapse"}', ("synapse", None)),
        (
            b'{"store": "synapse", "instrument": "us-sca-subpoena"}',
            ("synapse", "us-sca-subpoena"),
        ),
    ],
    ids=["everything", "a store", "one of each"],
)
async def test_freezes_are_entered_with_what_they_hold(
    plane: Plane, body: bytes, named: tuple[str | None, str | None]
) -> None:
    await plane.post("/freezes", body)
    params: dict[str, Any] = json.loads(body)
    await plane.call("DELETE", "/freezes", **params)
    (frozen, by), (thawed, also_by) = await plane.entries()
    about = {"type": "freeze", "at": AT, "store": named[0], "instrument": named[1]}
    assert frozen == {**about, "event": "frozen"}
    assert thawed == {**about, "event": "thawed"}
    assert by == also_by == {"by": "caller-operate"}


async def test_an_entry_is_owed_with_the_change_and_waits_for_no_ledger(tmp_path: Path) -> None:
    """The ledger takes nothing; what ends access takes effect all the same, and is entered."""
    database = MemoryDatabase(fails_before={"append", "settle"})
    async with on_twins(database, tmp_path / "freezes") as plane:
        await plane.post("/warrants", approved(valid=VALID))
        assert (await plane.post(f"{W}/revoke"))[0] == 200
        assert (await plane.post("/freezes", b"{}"))[0] == 201
        assert database.log == []
        database.fails_before.clear()
        assert await plane.events() == ["registered", "revoked", "frozen"]


def test_a_reading_says_what_was_opened() -> None:
    entry = entry_of_reading(Act(CALLERS[0], Instant(0)), [7, 3, 5])
    assert entry.public == {"count": 3, "first": 3, "last": 7}
    assert entry.sealed == {"by": "disclosure-service", "entries": [3, 5, 7]}


# --- Refusals ---


async def test_refusals_are_counted_by_caller_and_code(plane: Plane) -> None:
    await plane.post("/warrants", b"")
    await plane.post(f"{W}/revoke")
    await plane.post(f"{W}/revoke")
    await plane.call("POST", f"{W}/revoke", role=Role.AUDIT)
    await plane.call("GET", W, role=Role.TUNE)
    assert plane.refused == {
        ("caller-operate", "bad-warrant"): 1,
        ("caller-operate", "warrant-unknown"): 2,
        ("caller-audit", "role-not-allowed"): 1,
        ("caller-tune", "role-not-allowed"): 1,
    }


async def test_nobody_is_counted_who_is_not_known(plane: Plane) -> None:
    await plane.call("POST", f"{W}/revoke", role=None)
    await plane.call("GET", "/nothing", role=Role.OPERATE)  # of no room, so nobody was asked
    await plane.call("GET", "/status")
    assert plane.refused == {}
