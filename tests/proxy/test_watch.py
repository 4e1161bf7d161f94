import asyncio

import pytest

from withhold.errors import Denied, StoreFailed
from withhold.proxy.watch import ClientGone, Watch


def fine() -> None:
    """Nothing speaks against it."""


async def forever() -> None:
    await asyncio.Event().wait()


async def give(value: int) -> int:
    return value


async def test_gives_what_a_step_gives_or_raises() -> None:
    async def fail() -> None:
        raise StoreFailed("x")

    async with Watch(fine, forever) as watch:
        assert await watch.wait(give(7)) == 7
        with pytest.raises(StoreFailed):
            await watch.wait(fail())


async def test_lets_go_of_a_step_as_soon_as_something_speaks_against_it() -> None:
    ended = asyncio.Event()
    against: list[str] = []

    async def step() -> None:
        try:
            against.append("frozen")
            await forever()
        finally:
            ended.set()

    def check() -> None:
        if against:
            raise Denied(against[0])

    async with Watch(check, forever) as watch:
        with pytest.raises(Denied, match="frozen"):
            await asyncio.wait_for(watch.wait(step()), 1.0)
        assert ended.is_set()


async def test_a_step_that_is_done_too_late_gives_nothing() -> None:
    def check() -> None:
        raise Denied("frozen")

    async with Watch(check, forever) as watch:
        with pytest.raises(Denied, match="frozen"):
            await watch.wait(give(7))


async def test_lets_go_when_the_client_has_gone() -> None:
    gone = asyncio.Event()

    async def is_gone() -> None:
        await gone.wait()

    async with Watch(fine, is_gone) as watch:
        asyncio.get_running_loop().call_soon(gone.set)
        with pytest.raises(ClientGone):
            await asyncio.wait_for(watch.wait(forever()), 1.0)


async def test_whoever_is_cancelled_leaves_no_step_behind() -> None:
    ended = asyncio.Event()

    async def step() -> None:
        try:
            await forever()
        finally:
            ended.set()

    async def wait() -> None:
        async with Watch(fine, forever) as watch:
            await watch.wait(step())

    task = asyncio.ensure_future(wait())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
