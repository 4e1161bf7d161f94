"""The log as its mirrors read it over HTTP: on a real database, and on its twin."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import httpx
import pytest

from tests.control.audited import Parts
from tests.ledger.copies import entry_of
from tests.ledger.logs import ORIGIN, signer_of
from withhold.adapters.database import Database
from withhold.adapters.ledger import SqlLedger
from withhold.adapters.memory import MemoryDatabase, MemoryLedger
from withhold.control import log
from withhold.control.app import control_plane
from withhold.control.log import MAX_ENTRIES
from withhold.control.parts import ControlParts
from withhold.ledger.checkpoint import verify_checkpoint
from withhold.ledger.entry import Entry, EntryType, leaf_of
from withhold.ledger.tiles import Bundle, Tile, bundles_of, parse_entries, parse_tile, tiles_of
from withhold.ledger.tree import Frontier, hash_leaf
from withhold.names import Role

SIZE = 600
SIGNER = signer_of(ORIGIN)


class Plane:
    """A control plane over one ledger."""

    def __init__(self, ledger: SqlLedger | MemoryLedger) -> None:
        self.ledger = ledger
        self.parts = Parts(cast("MemoryLedger", ledger), signers=(SIGNER,))
        app = control_plane(cast("ControlParts", self.parts))
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False),
            base_url="http://control",
        )

    async def ask(self, path: str, role: Role = Role.AUDIT) -> httpx.Response:
        answer = await self.client.get(
            f"/ledger/{path}", headers={"Authorization": f"Bearer {role}"}
        )
        assert answer.headers["cache-control"] == "no-store"
        return answer

    async def get(self, path: str, role: Role = Role.AUDIT) -> bytes:
        answer = await self.ask(path, role)
        assert answer.status_code == 200, answer.text
        return answer.content

    async def refusal(self, path: str) -> tuple[int, str]:
        answer = await self.ask(path)
        return answer.status_code, answer.json()["code"]


@pytest.fixture(params=["sqlite", "memory"])
async def plane(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Plane]:
    if request.param == "memory":
        made = Plane(MemoryLedger(MemoryDatabase()))
        yield made
        await made.client.aclose()
        return
    database = Database(f"sqlite:///{tmp_path}/withhold.db")
    made = Plane(SqlLedger(database))
    yield made
    await made.client.aclose()
    database.close()


async def fill(plane: Plane, size: int = SIZE) -> None:
    begin = (await plane.ledger.frontier()).size
    await asyncio.gather(*(plane.ledger.append(entry_of(index)) for index in range(begin, size)))


async def leaves_of(plane: Plane) -> list[bytes]:
    return [each.leaf for each in await plane.ledger.read(0, MAX_ENTRIES)]


async def test_the_checkpoint_is_of_the_log_as_it_is(plane: Plane) -> None:
    for size in (0, 1, SIZE):
        await fill(plane, size)
        note = await plane.get("checkpoint", Role.OPERATE)
        found = verify_checkpoint(note, ORIGIN, [SIGNER.verifier_key])
        root = Frontier().append(map(hash_leaf, await leaves_of(plane))).root
        assert (found.size, found.root) == (size, root)


async def test_tiles_and_bundles_are_those_of_the_log(plane: Plane) -> None:
    await fill(plane)
    leaves = await leaves_of(plane)
    hashes = [hash_leaf(leaf) for leaf in leaves]
    for tile in tiles_of(SIZE):
        found = parse_tile(tile, await plane.get(tile.path, Role.OPERATE))
        first, width = tile.index * 256, 256**tile.level
        expected = [
            Frontier().append(hashes[at * width : (at + 1) * width]).root
            for at in range(first, first + tile.width)
        ]
        assert list(found) == expected
    for bundle in bundles_of(SIZE):
        entries = parse_entries(bundle, await plane.get(bundle.path, Role.OPERATE))
        assert list(entries) == leaves[bundle.index * 256 :][: bundle.width]


async def test_a_partial_tile_stays_when_the_log_has_gone_on(plane: Plane) -> None:
    await fill(plane, 300)
    paths = [*(tile.path for tile in tiles_of(300)), *(each.path for each in bundles_of(300))]
    before = {path: await plane.get(path) for path in paths}
    await fill(plane)
    assert {path: await plane.get(path) for path in before} == before
    # Of any size that the log has had, whether anybody signed it or not.
    assert await plane.get(Tile(0, 1, 17).path) == (await plane.get(Tile(0, 1).path))[: 17 * 32]


@pytest.mark.parametrize(
    "path",
    [
        Tile(0, 2, 89).path,
        Tile(0, 2).path,
        Tile(0, 3, 1).path,
        Tile(1, 0, 3).path,
        Tile(2, 0, 1).path,
        Tile(63, 2**55 - 1).path,
        Bundle(2, 89).path,
        Bundle(2**55 - 1).path,
        "tile/0/2",
        "tile/0/002.p/0",
        "tile/00/002",
        "tile/x/000",
        "tile/",
        "tile/entries/000/",
    ],
)
async def test_what_the_log_does_not_reach_is_not_there(plane: Plane, path: str) -> None:
    await fill(plane)
    assert await plane.refusal(path) == (404, "no-such-resource")


async def test_public_parts_are_given_in_order_as_they_are(plane: Plane) -> None:
    await fill(plane)
    body = await plane.get("entries?since=590")
    listed = json.loads(body)["entries"]
    assert [each["index"] for each in listed] == [*range(590, SIZE)]
    for each, kept in zip(listed, await plane.ledger.read(590, 10), strict=True):
        assert base64.b64decode(each["leaf"]) == kept.leaf == leaf_of(kept.public or b"")
        assert each["public"] == json.loads(kept.public or b"")
        assert kept.public is not None
        assert kept.public in body
    assert json.loads(await plane.get(f"entries?since={SIZE}")) == {"entries": []}
    assert json.loads(await plane.get(f"entries?since={2**63 - 1}")) == {"entries": []}
    assert len(json.loads(await plane.get("entries?limit=3"))["entries"]) == 3
    assert len(json.loads(await plane.get("entries"))["entries"]) == SIZE


async def test_an_answer_of_public_parts_is_bounded_and_never_empty(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(plane, 20)
    monkeypatch.setattr(log, "MAX_ANSWER_BYTES", 600)
    assert 1 < len(json.loads(await plane.get("entries"))["entries"]) < 10
    monkeypatch.setattr(log, "MAX_ANSWER_BYTES", 1)
    assert len(json.loads(await plane.get("entries?since=4"))["entries"]) == 1


@pytest.mark.parametrize(
    "query",
    ["since=-1", "since=01", "since=a", "limit=0", "limit=1025", "since=1&since=2", "until=3"],
)
async def test_a_query_that_says_nothing_is_a_bad_request(plane: Plane, query: str) -> None:
    assert await plane.refusal(f"entries?{query}") == (400, "bad-request")


async def test_what_was_pruned_is_null_and_keeps_its_leaf(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/withhold.db")
    made = Plane(SqlLedger(database))
    await fill(made, 3)
    kept = (await made.ledger.read(1, 1))[0]
    await database.write(
        lambda it: it.exec_driver_sql("UPDATE entries SET public = NULL WHERE leaf_index = 1")
    )
    listed = json.loads(await made.get("entries"))["entries"]
    assert listed[1] == {
        "index": 1,
        "leaf": base64.b64encode(kept.leaf).decode(),
        "public": None,
    }
    await made.client.aclose()
    database.close()


async def test_no_sealed_part_is_ever_given(plane: Plane) -> None:
    sealed = {"caller": "canary-of-a-sealed-part"}
    await plane.ledger.append(Entry(EntryType.REFUSALS, "2026-11-24T00:00:00Z", {}, sealed))
    for path in ("entries", "checkpoint", Bundle(0, 1).path, Tile(0, 0, 1).path):
        assert b"canary" not in await plane.get(path)


async def test_what_witnesses_signed_is_given_as_it_is(plane: Plane) -> None:
    answer = await plane.ask("witnessed", Role.OPERATE)
    assert (answer.status_code, answer.content) == (204, b"")
    await plane.ledger.keep_checkpoint(3, b"a note\n")
    assert await plane.get("witnessed", Role.OPERATE) == b"a note\n"


async def test_a_log_without_a_key_is_not_signed(plane: Plane) -> None:
    plane.parts.signers = ()
    assert await plane.refusal("checkpoint") == (503, "key-unavailable")


async def test_a_checkpoint_is_given_where_nothing_can_be_entered() -> None:
    database = MemoryDatabase()
    made = Plane(MemoryLedger(database))
    await fill(made, 3)
    database.fails_before = {"settle"}
    note = await made.get("checkpoint")
    assert verify_checkpoint(note, ORIGIN, [SIGNER.verifier_key]).size == 3
    database.fails_before = {"frontier"}
    assert await made.refusal("checkpoint") == (503, "ledger-unavailable")
    await made.client.aclose()


async def test_a_log_that_was_set_back_is_not_signed(tmp_path: Path) -> None:
    """Who signs two logs of one name is no witness to either."""
    database = Database(f"sqlite:///{tmp_path}/withhold.db")
    first = SqlLedger(database)
    await asyncio.gather(*(first.append(entry_of(index)) for index in range(3)))
    other = Frontier().append([bytes(32)] * 2)
    made = Plane(SqlLedger(database, seen=other))
    assert await made.refusal("checkpoint") == (503, "ledger-unavailable")
    await made.client.aclose()
    database.close()
