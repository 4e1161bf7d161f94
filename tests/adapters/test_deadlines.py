import asyncio

import pytest

from withhold.adapters.deadlines import Deadlines
from withhold.errors import DatabaseUnavailable


def late() -> DatabaseUnavailable:
    return DatabaseUnavailable("late")


def future() -> asyncio.Future[int]:
    return asyncio.get_running_loop().create_future()


async def test_what_is_not_done_in_time_ends() -> None:
    deadlines = Deadlines(0.02, late)
    done, *waiting = [future() for _ in range(4)]
    for each in (done, *waiting):
        deadlines.add(each)
    done.set_result(1)
    waiting[1].cancel()
    for each in (waiting[0], waiting[2]):
        with pytest.raises(DatabaseUnavailable, match="late"):
            await each
    assert waiting[0].exception() is not waiting[2].exception()
    assert done.result() == 1
    assert waiting[1].cancelled()


async def test_each_has_its_own_time() -> None:
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(0.05, late)
    added = list[asyncio.Future[int]]()
    began_s, ended_s = list[float](), list[float]()

    def note(ended: asyncio.Future[int]) -> None:
        assert isinstance(ended.exception(), DatabaseUnavailable)
        ended_s.append(loop.time())

    for _ in range(3):
        each = future()
        each.add_done_callback(note)
        began_s.append(loop.time())
        added.append(each)
        deadlines.add(each)
        await asyncio.sleep(0.015)  # a third of its time
    await asyncio.wait(added)
    await asyncio.sleep(0)
    assert len(ended_s) == len(added)
    assert all(e - b >= 0.049 for b, e in zip(began_s, ended_s, strict=True))


async def test_what_is_done_is_not_kept_and_the_next_is_waited_for() -> None:
    deadlines = Deadlines(0.02, late)
    for i in range(100):
        each = future()
        deadlines.add(each)
        each.set_result(i)
    assert len(deadlines._waiting) == 1
    last = future()
    deadlines.add(last)  # while the timer is still that of the first
    with pytest.raises(DatabaseUnavailable):
        await last
    again = future()
    deadlines.add(again)  # and once there was none
    with pytest.raises(DatabaseUnavailable):
        await again


def test_another_loop_begins_anew() -> None:
    deadlines = Deadlines(0.02, late)

    async def one() -> None:
        left = future()
        deadlines.add(left)

    async def other() -> None:
        each = future()
        deadlines.add(each)
        assert len(deadlines._waiting) == 1  # what was left can't be told any more
        with pytest.raises(DatabaseUnavailable):
            await each

    asyncio.run(one())
    asyncio.run(other())
