"""Freezes and thaws through HTTP, with either of their places away."""

import asyncio
import shutil
import threading
from pathlib import Path

import pytest

from tests.control.plane import Plane
from withhold.adapters.database import Database
from withhold.adapters.freezes import add_freeze, list_freezes
from withhold.adapters.memory import MemoryDatabase, MemoryRegistry
from withhold.control import freezes
from withhold.control.entries import Act
from withhold.control.exchange import MAX_REQUEST_BYTES
from withhold.control.pending import Pending
from withhold.kinds.instant import Instant
from withhold.ledger.entry import Entry
from withhold.names import CallerName
from withhold.ports import Freeze


async def test_freezes_and_thaws(plane: Plane) -> None:
    both = b'{"store": "synapse", "instrument": "us-sca-subpoena"}'
    everything = {"store": None, "instrument": None}
    assert await plane.post("/freezes", b"{}") == (201, {"freezes": [everything]})
    status, found = await plane.post("/freezes", both)
    assert (status, len(found["freezes"])) == (201, 2)
    _, found = await plane.call("DELETE", "/freezes")
    assert found["freezes"] == [{"store": "synapse", "instrument": "us-sca-subpoena"}]
    _, found = await plane.call("DELETE", "/freezes", store="synapse", instrument="us-sca-subpoena")
    assert found == {"freezes": []}


@pytest.mark.parametrize(
    "body",
    [
        b'{"store": "no-such"}',
        b'{"instrument": "no-such"}',
        b'{"stores": "synapse"}',
        b'{"store": 1}',
        b'{"store": "synapse", "store": "synapse"}',
        b"[]",
        b"",
        b" " * (MAX_REQUEST_BYTES + 1),
    ],
)
async def test_a_freeze_that_would_hold_nothing_is_refused(plane: Plane, body: bytes) -> None:
    status, _ = await plane.post("/freezes", body)
    assert status in {400, 413}
    assert (await plane.registry.changes(0)).freezes == frozenset()
    assert list_freezes(plane.freezes) == frozenset()


async def test_freezes_this_node_with_the_database_down(plane: Plane, database: Database) -> None:
    database.close()
    assert await plane.post("/freezes", b"{}") == (503, "database-unavailable")
    assert list_freezes(plane.freezes) == {Freeze()}


async def test_freezing_waits_for_nobodys_thread(plane: Plane) -> None:
    done = threading.Event()
    others = [asyncio.ensure_future(asyncio.to_thread(done.wait)) for _ in range(64)]
    try:
        async with asyncio.timeout(5):
            assert (await plane.post("/freezes", b"{}"))[0] == 201
            assert (await plane.call("DELETE", "/freezes"))[0] == 200
    finally:
        done.set()
        await asyncio.gather(*others)


async def test_freezes_all_nodes_while_the_folder_hangs(plane: Plane) -> None:
    done = threading.Event()
    for _ in range(8):
        freezes._threads.submit(done.wait)  # as a folder on a dead disk has them do
    freezing = asyncio.ensure_future(plane.post("/freezes", b"{}"))
    try:
        async with asyncio.timeout(5):
            while (await plane.registry.changes(0)).freezes != {Freeze()}:
                pass
    finally:
        done.set()
    assert (await freezing)[0] == 201


async def test_freezes_all_nodes_with_the_folder_gone(plane: Plane) -> None:
    shutil.rmtree(plane.freezes)
    assert await plane.post("/freezes", b"{}") == (503, "database-unavailable")
    assert (await plane.registry.changes(0)).freezes == {Freeze()}


async def test_the_folder_gets_what_the_database_made_room_for(tmp_path: Path) -> None:
    folder = tmp_path / "freezes"

    class Frees(MemoryRegistry):
        async def freeze(self, freeze: Freeze, entry: Entry) -> None:
            await super().freeze(freeze, entry)
            folder.mkdir()

    registry, act = Frees(MemoryDatabase()), Act(CallerName("operator"), Instant(1_800_000_000))
    await freezes.put_in_force(registry, Pending(), folder, Freeze(), act)
    assert list_freezes(folder) == {Freeze()}


async def test_freezing_with_neither_is_said_so(plane: Plane, database: Database) -> None:
    shutil.rmtree(plane.freezes)
    database.close()
    assert await plane.post("/freezes", b"{}") == (503, "database-unavailable")


async def test_lists_and_lifts_a_freeze_by_file(plane: Plane) -> None:
    add_freeze(plane.freezes, Freeze())
    _, found = await plane.call("GET", "/status")
    assert found["freezes"] == [{"store": None, "instrument": None}]
    assert await plane.call("DELETE", "/freezes") == (200, {"freezes": []})
    assert list_freezes(plane.freezes) == frozenset()


async def test_a_thaw_names_what_there_is(plane: Plane) -> None:
    assert await plane.call("DELETE", "/freezes", stores="x") == (400, "bad-request")
    assert await plane.call("DELETE", "/freezes", store="x") == (400, "bad-request")
