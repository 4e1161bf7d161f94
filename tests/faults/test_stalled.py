"""A database that hangs: somebody holds its lock for longer than anybody waits."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.faults.asking import Heard
from tests.faults.oracle import Log
from tests.faults.service import Service, ask_small, codes
from tests.faults.store import LARGE, LONG, SMALL, store
from tests.running import starter
from withhold.adapters.database import BUSY_TIMEOUT_S

REVOKED, OTHER = "W-REVOKED", "W-OTHER"
REFUSALS = {"ledger-unavailable", "database-unavailable"}


async def test_a_lock_that_others_hold_lets_nothing_out_and_loses_nothing(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with store() as url:
        service = Service(starter(tmp_path / "made", {"sample": url}))
        try:
            await service.start()
            await service.grant(REVOKED, OTHER)
            with closing(sqlite3.connect(service.database, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                held_s = loop.time()
                revoking = asyncio.create_task(
                    service.control("POST", f"/warrants/{REVOKED}/revoke")
                )
                await asyncio.sleep(0)  # it is to be the first
                asking = [
                    asyncio.create_task(ask(service, path, warrant))
                    for path in (SMALL, LARGE, LONG)
                    for warrant in (REVOKED, OTHER)
                ]
                answers = [await each for each in asking]
                revoked = await revoking
                # Nobody waits for ever, whatever hangs; at worst for another's wait and one's own.
                assert loop.time() - held_s < 3 * BUSY_TIMEOUT_S
                assert codes(answers).keys() <= {*REFUSALS, "warrant-not-active"}
                assert {None if each is None else each.receipt for each in answers} == {None}
                assert revoked is not None
                assert revoked.status == 503
                assert "in force in this process and not durable yet: " in revoked.json()["detail"]
                with service.caller() as connection:
                    assert (await ask_small(connection, REVOKED)).code == "warrant-not-active"
                other.execute("ROLLBACK")
            with service.caller() as connection:
                while (sent := await ask_small(connection, OTHER)).code in REFUSALS:
                    pass
                assert sent.status == 200
                assert (await ask_small(connection, REVOKED)).code == "warrant-not-active"
            assert await service.end() == 0
        finally:
            await service.close()
        log = Log(service.database)
        log.read_on()
        assert log.changes["revoked", REVOKED] == 1
        log.check_heard([sent])
        # What was refused and persisted all the same says that nothing was sent.
        endings = log.check_endings([sent])
        assert endings["unknown"] == 0


async def ask(service: Service, path: str, warrant: str) -> Heard | None:
    """Ask on a connection of its own."""
    with service.caller() as connection:
        return await connection.get(path, warrant)
