"""A disk that fills up: nothing leaves without a receipt, and what ends access still holds."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tests.faults.asking import Heard
from tests.faults.disk import Disk, small_disk
from tests.faults.oracle import Log, settle_all
from tests.faults.service import Service, ask_small, codes
from tests.faults.store import LARGE, LONG, SMALL, faults_store, store
from tests.running import starter
from withhold.demo.people import CANARY
from withhold.ledger.entry import EntryType

REVOKED, OTHER = "W-REVOKED", "W-OTHER"
REFUSALS = {"ledger-unavailable", "database-unavailable"}
IN_A_ROW = 20
PATHS = (SMALL, SMALL, SMALL, LONG, LARGE)

pytestmark = pytest.mark.mounts


@asynccontextmanager
async def on_disk(folder: Path, url: str) -> AsyncIterator[tuple[Disk, Service]]:
    """Make a deployment on a small disk. It is not started."""
    with small_disk(folder / "disk") as disk:
        service = Service(starter(disk.path / "made", {"sample": url}))
        try:
            yield disk, service
        finally:
            await service.close()


async def call(service: Service, heard: list[Heard], number: int) -> None:
    """Ask for ever, under one warrant and the other."""
    rng = random.Random(number)
    with service.caller() as connection:
        while True:
            answer = await connection.get(rng.choice(PATHS), rng.choice((REVOKED, OTHER)))
            assert answer is not None
            assert CANARY.encode() not in answer.body
            heard.append(answer)


async def until_refused(service: Service, warrant: str) -> None:
    """Ask until nothing but refusals came for a while."""
    refused = 0
    with service.caller() as connection:
        while refused < IN_A_ROW:
            refused = refused + 1 if (await ask_small(connection, warrant)).code in REFUSALS else 0


async def until_answered(service: Service, warrant: str) -> Heard:
    """Ask until something is disclosed."""
    with service.caller() as connection:
        while (answer := await ask_small(connection, warrant)).code in REFUSALS:
            pass
    assert answer.status == 200
    return answer


async def until_opened(service: Service) -> None:
    """Look until the log has the opening of a stream."""
    log = Log(service.database)
    while all(entry["type"] != EntryType.OPENING for entry in log.opened.values()):
        await asyncio.to_thread(log.read_on)


@pytest.mark.parametrize("first", ["revoke", "freeze"])
async def test_a_full_disk_lets_nothing_out_and_takes_a_revocation(
    tmp_path: Path, first: str
) -> None:
    async with store() as url, on_disk(tmp_path, url) as (disk, service):
        await service.start()
        await service.grant(REVOKED, OTHER)
        heard: list[Heard] = []
        calling = [asyncio.create_task(call(service, heard, number)) for number in range(4)]
        await until_answered(service, OTHER)
        # Until then the log beside the database may have room left in what it was given before.
        filling = asyncio.create_task(until_refused(service, OTHER))
        while not filling.done():
            await asyncio.to_thread(disk.fill)
        await filling
        for task in calling:
            task.cancel()
        await asyncio.gather(*calling, return_exceptions=True)
        assert codes(heard).keys() <= {"disclosed", "broken", *REFUSALS}

        with service.caller() as connection:
            for path in (SMALL, LARGE, LONG):
                answer = await connection.get(path, OTHER)
                assert codes([answer]).keys() <= REFUSALS
                assert answer is not None
                assert answer.receipt is None

        commands = [("warrant", "revoke", REVOKED), ("freeze", "--instrument", "uk-entity-data")]
        for words in commands if first == "revoke" else reversed(commands):
            done = await service.command(*words)
            assert (done.code, done.err) == (0, "")
        with service.caller() as connection:
            while (found := await ask_small(connection, REVOKED)).code in REFUSALS:
                pass
            assert found.code == "warrant-not-active"
            assert (await ask_small(connection, OTHER)).code in REFUSALS

        disk.make_room()
        heard.append(await until_answered(service, OTHER))
        with service.caller() as connection:
            for _ in range(IN_A_ROW):
                assert (await ask_small(connection, REVOKED)).code == "warrant-not-active"
        assert await service.end() == 0

        log = Log(service.database)
        log.read_on()
        log.check_heard(heard)
        assert log.changes["revoked", REVOKED] == 1
        assert log.changes["frozen", "uk-entity-data"] == 1
        assert log.states[REVOKED] == "revoked"
        await settle_all(service.database)
        log.read_on()
        log.check_endings(heard)
        log.read_anew()


async def test_a_disk_that_is_full_from_the_start_is_named(tmp_path: Path) -> None:
    async with on_disk(tmp_path, "http://127.0.0.1:1") as (disk, service):
        disk.fill()
        await service.launch()
        assert not await service.is_ready()
        assert await service.ended() == 3
        said = "".join(line.get("text", "") for line in service.lines)
        assert said.startswith("error: the database"), said
        assert "Traceback" not in said
        disk.make_room()
        await service.start()


async def test_a_full_disk_is_no_obstacle_to_a_start(tmp_path: Path) -> None:
    async with store() as url, on_disk(tmp_path, url) as (disk, service):
        await service.start()
        await service.grant(REVOKED, OTHER)
        await service.end()
        disk.fill()
        await service.start()
        with service.caller() as connection:
            assert (await ask_small(connection, OTHER)).code in REFUSALS
        done = await service.command("warrant", "revoke", REVOKED)
        assert (done.code, done.err) == (0, "")
        disk.make_room()
        await until_answered(service, OTHER)
        with service.caller() as connection:
            assert (await ask_small(connection, REVOKED)).code == "warrant-not-active"
        assert await service.end() == 0
        log = Log(service.database)
        log.read_on()
        assert log.changes["revoked", REVOKED] == 1


async def test_a_disk_that_fills_up_midway_keeps_no_ending_from_being_told(tmp_path: Path) -> None:
    begun, goes_on = asyncio.Event(), asyncio.Event()
    whole = faults_store()

    async def large(request: Request) -> Response:
        begun.set()
        await goes_on.wait()
        answer: Response = await whole.routes[1].endpoint(request)  # type: ignore[attr-defined]
        return answer

    async def long(_request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b'{"account": "u-10001", "at": 1772330000000000, "event": "login"}\n'
            begun.set()
            await goes_on.wait()
            yield b'{"account": "u-10001", "at": 1772330000000001, "event": "login"}\n'

        return StreamingResponse(pieces(), media_type="application/x-ndjson")

    app = Starlette(
        routes=[
            Route("/accounts/{account}/messages", large),
            Route("/accounts/{account}/export", long),
            *whole.routes,
        ]
    )
    async with store(app) as url, on_disk(tmp_path, url) as (disk, service):
        await service.start()
        await service.grant(OTHER)
        with service.caller() as streaming, service.caller() as waiting:
            stream = asyncio.create_task(streaming.get(LONG, OTHER))
            await begun.wait()
            begun.clear()
            await until_opened(service)  # the store has sent its line, and the disk has room yet
            answer = asyncio.create_task(waiting.get(LARGE, OTHER))
            await begun.wait()
            filling = asyncio.create_task(until_refused(service, OTHER))
            while not filling.done():
                await asyncio.to_thread(disk.fill)
            goes_on.set()
            assert codes([await answer]).keys() <= REFUSALS
            streamed = await stream
        assert streamed is not None
        assert (streamed.status, streamed.is_whole) == (200, False)
        disk.make_room()
        await until_answered(service, OTHER)
        assert await service.end() == 0
        log = Log(service.database)
        log.read_on()
        log.check_heard([streamed])
        endings = log.check_endings([streamed])
        assert endings["unknown"] == 0
