"""SIGTERM under load: all that was begun is answered or broken off, and every ending is told."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tests.faults.asking import Heard
from tests.faults.oracle import Log
from tests.faults.service import Service, ask_small
from tests.faults.store import LARGE, LONG, SMALL, store
from tests.running import starter
from withhold.serve.run import DRAIN_S

WARRANT = "W-END"
PATHS = (*(SMALL,) * 4, LARGE, LONG)
CALLERS = 6
ANSWERS = 20


async def call(service: Service, heard: list[Heard], number: int) -> None:
    """Ask until nobody answers any more."""
    rng = random.Random(number)
    with service.caller() as connection:
        while (answer := await connection.get(rng.choice(PATHS), WARRANT)) is not None:
            assert answer.status == 200
            heard.append(answer)


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.deep)])
async def test_told_to_end_it_leaves_nothing_open(tmp_path: Path, workers: int) -> None:
    async with store() as url:
        service = Service(starter(tmp_path / "made", {"sample": url}), workers=workers)
        try:
            await service.start()
            await service.grant(WARRANT)
            heard: list[Heard] = []
            async with asyncio.TaskGroup() as group:
                for number in range(CALLERS):
                    group.create_task(call(service, heard, number))
                with service.caller() as connection:
                    while len(heard) < ANSWERS:
                        await ask_small(connection, WARRANT)
                assert service.process is not None
                service.process.terminate()
                assert await service.ended(DRAIN_S) == 0
        finally:
            await service.close()
        assert all(each.is_whole for each in heard)
        log = Log(service.database)
        log.read_on()
        log.check_heard(heard)
        assert log.check_endings(heard).keys() == {"complete"}
        assert log.owed == 0
        log.read_anew()


@pytest.mark.deep
async def test_a_stream_without_an_end_is_broken_off_and_its_ending_told(tmp_path: Path) -> None:
    async def endless(_request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            while True:
                yield b'{"account": "u-10001", "at": 1772330000000000, "event": "login"}\n'
                await asyncio.sleep(0.05)

        return StreamingResponse(pieces(), media_type="application/x-ndjson")

    app = Starlette(
        routes=[
            Route("/accounts/{account}/export", endless),
            Route("/accounts/{account}", lambda _: Response(b"{}", media_type="application/json")),
        ]
    )
    async with store(app) as url:
        service = Service(starter(tmp_path / "made", {"sample": url}))
        try:
            await service.start()
            answer = await service.register(WARRANT)
            assert answer is not None
            with service.caller() as connection:
                while True:
                    asking = asyncio.create_task(connection.get(LONG, WARRANT))
                    done, _ = await asyncio.wait({asking}, timeout=1.0)
                    if not done:  # it streams
                        break
                assert service.process is not None
                service.process.terminate()
                assert await service.ended(DRAIN_S + 5) == 0
                heard = await asking
        finally:
            await service.close()
        assert heard is not None
        assert (heard.status, heard.is_whole) == (200, False)
        log = Log(service.database)
        log.read_on()
        assert log.check_endings([heard]) == {"incomplete": 1}
