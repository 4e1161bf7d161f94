"""Receipts over HTTP, on a ledger that can be made to fail."""

import asyncio
import base64
import json
from dataclasses import replace
from typing import Any

import pytest
import rfc8785

from tests.control.audited import ALICE, BOB, OLD_RING, RING, Audited, audited, committed
from tests.ledger.exhibits import (
    APPROVED,
    CANARIES,
    ENTRIES,
    HANDLE,
    ID,
    KEYS,
    REVOKED,
    WARRANT,
    closing,
    other,
    receipt,
)
from tests.ledger.logs import ORIGIN, checkpoint_of, log_of, witness_of
from withhold.control import receipts as room
from withhold.ledger.court import Verified, verify_exhibit
from withhold.ledger.entry import Entry, EntryType, open_sealed
from withhold.ledger.note import add_signatures, cosign, parse_note
from withhold.ledger.receipt import ReceiptId, handle_of
from withhold.names import Role, WarrantId
from withhold.ports import Logged

R = "/ledger/receipts"
WITNESS = witness_of("witness.example/w")


@pytest.fixture
async def plane() -> Audited:
    return await audited()


def disclosure(number: int, warrant: WarrantId = WARRANT) -> Entry:
    entry = receipt(id=ReceiptId(f"R-{number:026}".replace("0", "a").replace("1", "b")))
    return replace(entry, warrant=warrant)


def many(count: int) -> list[Entry]:
    """Give disclosures and, between them, other entries."""
    made = [disclosure(int(f"{number:b}")) for number in range(count)]
    return [each for one in made for each in (one, other(1))]


async def proved(plane: Audited, path: str) -> Verified:
    return verify_exhibit(json.dumps(await plane.get(f"{R}/{path}")).encode(), ORIGIN, KEYS)


# --- Proofs ---


@pytest.mark.parametrize("name", [ID, HANDLE, "3", "5"])
async def test_a_receipt_is_proved_by_id_handle_or_index(plane: Audited, name: str) -> None:
    found = await proved(plane, name)
    assert found.facts.receipt == (ID if name == ID else None)
    assert [each.index for each in found.facts.entries] == [3, 5, 0, 2, 6]
    assert found.checkpoint.size == len(ENTRIES)
    assert found.remarks == ()


async def test_no_proof_shows_what_is_sealed_or_anothers(plane: Audited) -> None:
    text = (await plane.ask("GET", f"{R}/{ID}")).text
    for secret in (*CANARIES, "OTHER"):
        assert secret not in text


async def test_what_is_owed_is_part_of_the_story(plane: Audited) -> None:
    plane.database.owed.append(REVOKED)
    assert len((await proved(plane, ID)).facts.orders) == 4
    plane.database.owed.append(REVOKED)
    plane.database.fails_before.add("settle")
    assert len((await proved(plane, ID)).facts.orders) == 4


async def test_a_warrant_with_many_entries_is_told_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "READ", 2)
    plane = await audited([*ENTRIES, *many(3), REVOKED])
    assert [each.index for each in (await proved(plane, ID)).facts.orders] == [0, 2, 6, 14]


async def test_witnesses_bound_what_is_proved(plane: Audited) -> None:
    assert await plane.refusal(f"{R}/{ID}?witnessed=true") == (404, "no-such-resource")
    for size, expected in ((3, None), (4, (3, 0, 2)), (6, (3, 5, 0, 2))):
        leaves = [each.leaf for each in plane.database.log[:size]]
        note = checkpoint_of(log_of(leaves), *plane.parts.signers)
        cosigned = cosign(parse_note(note).text, WITNESS, 1_790_000_000)
        await plane.ledger.keep_checkpoint(size, add_signatures(note, [cosigned]))
        answer = await plane.ask("GET", f"{R}/{ID}?witnessed=true")
        if expected is None:
            assert (answer.status_code, answer.json()["code"]) == (404, "no-such-resource")
            continue
        found = verify_exhibit(answer.content, ORIGIN, KEYS, witness_keys=[WITNESS.verifier_key])
        assert tuple(each.index for each in found.facts.entries) == expected
        assert found.checkpoint.size == size


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"/{handle_of(ReceiptId('R-' + 'b' * 26))}", 404, "no-such-resource"),
        ("/R-" + "b" * 26, 404, "no-such-resource"),
        ("/99", 404, "no-such-resource"),
        ("/1", 404, "no-such-resource"),  # of no disclosure
        ("/R-short", 400, "bad-request"),
        ("/03", 400, "bad-request"),
        ("/-1", 400, "bad-request"),
        ("/9999999999999999999", 400, "bad-request"),
        ("/..%2f..", 404, "no-such-resource"),
        (f"/{ID}?witnessed=yes", 400, "bad-request"),
        (f"/{ID}?x=1", 400, "bad-request"),
        (f"/{ID}/sealed?x=1", 400, "bad-request"),
        ("/99/sealed", 404, "no-such-resource"),
        ("?limit=201", 400, "bad-request"),
        ("?limit=x", 400, "bad-request"),
        ("?since=-1", 400, "bad-request"),
        ("?since=1&since=2", 400, "bad-request"),
        ("?until=2", 400, "bad-request"),
    ],
)
async def test_what_is_asked_for_wrongly_is_refused(
    plane: Audited, path: str, status: int, code: str
) -> None:
    assert await plane.refusal(f"{R}{path}") == (status, code)


async def test_what_was_pruned_cannot_be_shown(
    plane: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def find(*_: object, sealed: bool = False) -> list[Logged]:  # noqa: ARG001 - as it is
        return [Logged(3, bytes(32), None)]

    monkeypatch.setattr(plane.ledger, "find", find)
    monkeypatch.setattr(plane.ledger, "read", find)
    for path in (f"{R}/{ID}", f"{R}/3"):
        assert await plane.refusal(path) == (404, "no-such-resource")
    assert (await plane.get(R))["receipts"] == []
    opened = await plane.get(f"{R}/{ID}/sealed")
    assert opened["entries"] == [{"index": 3, "public": None, "salt": None, "sealed": None}]
    body = b'{"kind": "id", "value": "x"}'
    assert await plane.refusal(f"{R}/{ID}/target", "POST", body) == (404, "no-such-resource")


# --- Lists ---


async def test_disclosures_are_listed_with_what_became_of_them(plane: Audited) -> None:
    found = await plane.get(R)
    assert found["next"] is None
    (one,) = found["receipts"]
    assert one["receipt"] == HANDLE
    assert [each["index"] for each in one["entries"]] == [3, 5]
    assert [each["public"]["type"] for each in one["entries"]] == ["release", "closing"]


def indices(found: Any) -> list[int]:  # noqa: ANN401 - JSON
    return [each["entries"][0]["index"] for each in found["receipts"]]


async def test_the_last_ones_are_listed_in_the_order_of_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "READ", 3)
    plane = await audited(many(8))
    assert indices(await plane.get(f"{R}?limit=3")) == [10, 12, 14]
    assert indices(await plane.get(f"{R}?limit=0")) == []
    assert indices(await plane.get(R)) == [0, 2, 4, 6, 8, 10, 12, 14]


async def test_a_list_goes_on_where_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "READ", 2)
    plane = await audited(many(8))
    first = await plane.get(f"{R}?since=1&limit=3")
    assert (indices(first), first["next"]) == ([2, 4, 6], 8)
    rest = await plane.get(f"{R}?since=8")
    assert (indices(rest), rest["next"]) == ([8, 10, 12, 14], None)


async def test_those_of_one_warrant_are_listed() -> None:
    theirs = disclosure(11111, WarrantId("W-2"))
    plane = await audited([*many(3), theirs, *many(6)[6:]])
    assert indices(await plane.get(f"{R}?warrant=W-2")) == [6]
    assert indices(await plane.get(f"{R}?warrant={WARRANT}&limit=2")) == [9, 11]
    page = await plane.get(f"{R}?warrant={WARRANT}&since=2&limit=2")
    assert (indices(page), page["next"]) == ([2, 4], 7)
    assert (await plane.get(f"{R}?warrant=W-3"))["receipts"] == []


async def test_one_long_reading_goes_on_at_a_time(
    plane: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way: list[int] = []
    find_warrant = plane.ledger.find_warrant

    async def watched(warrant: WarrantId, since: int, limit: int) -> Any:  # noqa: ANN401 - as the ledger
        under_way.append(0)
        assert len(under_way) == 1, "another one is under way"
        await asyncio.sleep(0)
        under_way.clear()
        return await find_warrant(warrant, since, limit)

    monkeypatch.setattr(plane.ledger, "find_warrant", watched)
    paths = [f"{R}?warrant={WARRANT}", f"{R}/{HANDLE}"]
    for answer in await asyncio.gather(*(plane.ask("GET", path) for path in paths * 3)):
        assert answer.status_code == 200


# --- Sealed parts ---


async def test_what_is_opened_is_what_the_public_part_commits_to(plane: Audited) -> None:
    found = await plane.get(f"{R}/{ID}/sealed")
    assert [each["index"] for each in found["entries"]] == [3, 5]
    for each in found["entries"]:
        public, sealed = rfc8785.dumps(each["public"]), rfc8785.dumps(each["sealed"])
        assert open_sealed(public, sealed, base64.b64decode(each["salt"])) == each["sealed"]
    assert found["entries"][0]["sealed"]["caller"] == "SEALED-caller"


async def test_any_entry_is_opened_by_its_index(plane: Audited) -> None:
    (entry,) = (await plane.get(f"{R}/0/sealed"))["entries"]
    assert entry["sealed"] == {"by": "SEALED-operator"}
    (entry,) = (await plane.get(f"{R}/5/sealed"))["entries"]
    assert entry["index"] == 5


async def test_a_reading_is_entered_with_who_reads_what(plane: Audited) -> None:
    found = await plane.get(f"{R}/{HANDLE}/sealed")
    assert found["reading"] == len(ENTRIES) == len(plane.database.log) - 1
    entry = plane.database.log[-1].entry
    assert entry.type is EntryType.READING
    assert dict(entry.public) == {"count": 2, "first": 3, "last": 5}
    assert dict(entry.sealed) == {"by": "caller-audit", "entries": [3, 5]}


TARGET = b'{"kind": "phone", "value": "+44 20 7946 0220"}'


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("GET", f"{R}/{ID}/sealed", b"", id="sealed"),
        pytest.param("POST", f"{R}/{ID}/target", TARGET, id="target"),
    ],
)
@pytest.mark.parametrize("hook", ["fails_before", "fails_after"])
async def test_nothing_is_opened_unless_the_log_says_so(
    plane: Audited, method: str, path: str, body: bytes, hook: str
) -> None:
    getattr(plane.database, hook).add("append")
    answer = await plane.ask(method, path, body)
    assert (answer.status_code, answer.json()["code"]) == (503, "ledger-unavailable")
    assert "SEALED" not in answer.text
    assert "is_target" not in answer.text
    is_entered = plane.database.log[-1].entry.type is EntryType.READING
    assert is_entered is (hook == "fails_after")


async def test_nothing_sealed_is_read_before_the_log_says_so(
    plane: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = plane.ledger.find
    seen = list[tuple[bool, int]]()

    async def watched(handle: Any, *, sealed: bool = False) -> Any:  # noqa: ANN401 - as it is
        seen.append((sealed, len(plane.database.log)))
        return await find(handle, sealed=sealed)

    monkeypatch.setattr(plane.ledger, "find", watched)
    await plane.get(f"{R}/{ID}/sealed")
    await plane.ask("POST", f"{R}/{ID}/target", TARGET)
    size = len(ENTRIES)
    assert seen == [(False, size), (True, size + 1), (False, size + 1), (True, size + 2)]


async def test_what_is_entered_meanwhile_is_not_opened(
    plane: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log says what was opened, and no more is."""
    plane = await audited([APPROVED, receipt()])
    append = plane.ledger.append

    async def late(entry: Entry) -> int:
        index = await append(entry)
        await append(closing())
        return index

    monkeypatch.setattr(plane.ledger, "append", late)
    found = await plane.get(f"{R}/{ID}/sealed")
    assert [each["index"] for each in found["entries"]] == [1]


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.AUDIT])
@pytest.mark.parametrize("path", [R, f"{R}/{ID}", f"{R}/{ID}/sealed", f"{R}/{ID}/target"])
async def test_receipts_are_for_auditors(plane: Audited, role: Role, path: str) -> None:
    method = "POST" if path.endswith("target") else "GET"
    for by, status in ((role, 403), (None, 401)):
        assert (await plane.ask(method, path, TARGET, by)).status_code == status
    assert len(plane.database.log) == len(ENTRIES)


# --- Was it about somebody? ---


async def test_whether_somebody_was_a_target_is_told() -> None:
    """By whichever version of the key the commitment was made with, and entered as a reading."""
    plane = await audited([committed(OLD_RING, receipt(), ALICE), closing()])
    answer = await plane.ask("POST", f"{R}/{ID}/target", TARGET)
    assert answer.json() == {"reading": 2, "is_target": True, "targets": 1}
    assert dict(plane.database.log[2].entry.sealed) == {"by": "caller-audit", "entries": [0]}
    body = json.dumps({"kind": "phone", "value": BOB.value}).encode()
    answer = await plane.ask("POST", f"{R}/{HANDLE}/target", body)
    assert answer.json() == {"reading": 3, "is_target": False, "targets": 1}
    plane = await audited([committed(RING, receipt(), BOB, ALICE)])
    answer = await plane.ask("POST", f"{R}/0/target", TARGET)
    assert answer.json() == {"reading": 1, "is_target": True, "targets": 2}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"kind": "phone"}',
        b'{"kind": "phone", "value": 1}',
        b'{"kind": "phone", "value": "020 7946 0220"}',
        b'{"kind": "text", "value": "x"}',
        b'{"kind": "colour", "value": "x"}',
        b'{"kind": "id", "value": "x", "more": "x"}',
    ],
)
async def test_what_is_no_target_is_asked_of_nobody(plane: Audited, body: bytes) -> None:
    status, code = await plane.refusal(f"{R}/{ID}/target", "POST", body)
    assert (status, code in {"bad-request", "bad-warrant"}) == (400, True)
    assert len(plane.database.log) == len(ENTRIES)
