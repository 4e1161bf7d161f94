"""The data plane on a database, behind the real server: revoking under load."""

import asyncio
import secrets
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from tests.proxy.plane import ALICE, WARRANT, change, plane
from tests.proxy.served import Served, request, served, talking
from withhold.adapters.database import Database
from withhold.adapters.ledger import SqlLedger
from withhold.adapters.memory import MemoryTokenKeys
from withhold.adapters.registry import SqlRegistry
from withhold.adapters.standing import Standing
from withhold.ledger.entry import read_public
from withhold.ledger.receipt import ReceiptId
from withhold.names import State, WarrantId
from withhold.ports import Freeze
from withhold.proxy.app import data_plane
from withhold.proxy.closings import Closings

ACCOUNT = f"/stores/shop/v1/accounts/{ALICE}"


async def test_no_node_answers_a_second_after_a_revocation_or_a_freeze(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    answers: list[tuple[float, float, int]] = []  # when asked, when answered, status
    stop = asyncio.Event()

    async def load(where: Served) -> None:
        while not stop.is_set():
            asked_s = loop.time()
            async with talking(where, request(ACCOUNT)) as client:
                status, _ = await client.head()
            answers.append((asked_s, loop.time(), status))

    def statuses(since_s: float, until_s: float) -> set[int]:
        return {status for asked, told, status in answers if asked >= since_s and told < until_s}

    async with AsyncExitStack() as stack:
        it = await stack.enter_async_context(plane(tmp_path))
        database = await asyncio.to_thread(Database, f"sqlite:///{tmp_path / 'withhold.db'}")
        stack.push_async_callback(asyncio.to_thread, database.close)
        registry = SqlRegistry(database)
        await registry.register(it.database.warrants[WarrantId(WARRANT)], change())
        ledger = SqlLedger(database)
        closings = Closings(ledger)
        wheres = []
        for _ in range(2):  # two nodes
            standing = Standing(registry.changes_now, tmp_path / "freezes")
            await asyncio.to_thread(standing.start)
            stack.push_async_callback(asyncio.to_thread, standing.close)
            parts = replace(
                it.parts,
                registry=registry,
                ledger=ledger,
                closings=closings,
                standing=standing,
                token_keys=MemoryTokenKeys(it.database, lambda: bytes(16)),
                new_receipt_id=lambda: ReceiptId(f"R-{secrets.token_hex(13)}"),
            )
            wheres.append(await stack.enter_async_context(served(data_plane(parts))))
        loads = [asyncio.ensure_future(load(where)) for where in wheres for _ in range(3)]
        moments = [loop.time()]  # before and after each change
        for changing in (
            registry.freeze(Freeze(), change()),
            registry.thaw(Freeze(), change()),
            registry.move(WarrantId(WARRANT), frozenset(State), State.REVOKED, change()),
        ):
            await asyncio.sleep(1.0)  # of load
            moments.append(loop.time())
            await changing
            moments.append(loop.time())
        await asyncio.sleep(0.5)
        stop.set()
        await asyncio.gather(*loads)
        began_s, freezing_s, frozen_s, thawing_s, thawed_s, revoking_s, revoked_s = moments
        assert statuses(began_s, freezing_s) == {200}
        # Not only a second later: the ledger's own transaction knows at once.
        assert statuses(frozen_s, thawing_s) == {503}
        assert 200 in statuses(thawed_s, revoking_s)
        assert statuses(revoked_s, loop.time()) == {403}
        await closings.drain()
        found = Counter[tuple[str, str]]()
        while page := await ledger.read(found.total(), 1_000):
            for entry in page:
                public = read_public(entry.public or b"")
                found[public["type"], public.get("outcome") or public["event"]] += 1
        disclosed = sum(status == 200 for _, _, status in answers)
        assert found == {
            ("release", "disclosed"): disclosed,
            ("closing", "complete"): disclosed,
            ("warrant", "changed"): 4,
        }
