import asyncio
from collections.abc import Callable

import pytest

from withhold.errors import Denied, StoreFailed
from withhold.proxy.watch import INTERVAL_S, ClientGone, Watch


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
        watch._timer.cancel()  # nobody needs to look: it is told
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


async def test_others_have_their_turn_however_ready_a_step_is() -> None:
    turns = 0

    def turn() -> None:
        nonlocal turns
        turns += 1
        loop.call_soon(turn)

    loop = asyncio.get_running_loop()
    async with Watch(fine, forever) as watch:
        loop.call_soon(turn)
        for _ in range(10):
            await watch.wait(give(7))
        assert turns >= 10


async def test_who_has_gone_between_two_waits_is_sent_nothing() -> None:
    gone = asyncio.Event()
    sent: list[int] = []

    async def is_gone() -> None:
        await gone.wait()

    async def send() -> None:
        sent.append(7)

    async with Watch(fine, is_gone) as watch:
        await watch.wait(send())
        gone.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        with pytest.raises(ClientGone):
            await watch.wait(send())
    assert sent == [7]


def against_from(begun: asyncio.Event, error: Exception) -> Callable[[], None]:
    """Speak against it once a step has begun."""

    def check() -> None:
        if begun.is_set():
            raise error

    return check


async def test_whatever_the_check_raises_ends_the_wait() -> None:
    begun = asyncio.Event()

    async def step() -> None:
        begun.set()
        await forever()

    async with Watch(against_from(begun, ZeroDivisionError()), forever) as watch:
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(watch.wait(step()), 1.0)


@pytest.mark.parametrize("fails", [False, True])
async def test_a_step_that_will_not_let_go_gives_nothing(fails: bool) -> None:
    begun = asyncio.Event()

    async def step() -> int:
        begun.set()
        try:
            await forever()
        except asyncio.CancelledError:
            if fails:
                raise StoreFailed("x") from None
        return 7

    async with Watch(against_from(begun, Denied("frozen")), forever) as watch:
        with pytest.raises(Denied, match="frozen"):
            await asyncio.wait_for(watch.wait(step()), 1.0)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0


async def test_whoever_else_cancels_is_heard() -> None:
    """A server that stops while a warrant ends: both cancel, and the server is not kept."""
    begun = asyncio.Event()

    def check() -> None:
        if begun.is_set():
            task.cancel()
            raise Denied("frozen")

    async def step() -> None:
        begun.set()
        await forever()

    async def wait() -> None:
        async with Watch(check, forever) as watch:
            await watch.wait(step())

    task = asyncio.ensure_future(wait())
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_moment_in_which_nothing_is_waited_for_speaks_against_nothing() -> None:
    down = True

    def check() -> None:
        if down:
            raise Denied("frozen")

    async with Watch(check, forever) as watch:
        await asyncio.sleep(INTERVAL_S * 1.2)
        down = False
        assert await watch.wait(give(7)) == 7


async def test_a_step_is_let_go_once_and_may_put_things_away() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def step() -> None:
        begun.set()
        try:
            await forever()
        finally:
            for _ in range(3):
                watch._look_again()
                await asyncio.sleep(0)
            ended.set()

    async with Watch(against_from(begun, Denied("frozen")), forever) as watch:
        with pytest.raises(Denied, match="frozen"):
            await asyncio.wait_for(watch.wait(step()), 1.0)
    assert ended.is_set()


async def test_nobody_looks_once_it_is_over() -> None:
    async with Watch(fine, forever) as watch:
        await watch.wait(give(7))
    assert watch._timer.cancelled()
