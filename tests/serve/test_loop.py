import asyncio
import sys
from collections.abc import Iterator

import pytest
import uvloop

from withhold.serve.loop import SWITCH_INTERVAL_S, run


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


async def where() -> tuple[bool, float]:
    return isinstance(asyncio.get_running_loop(), uvloop.Loop), sys.getswitchinterval()


def test_a_service_runs_on_libuv_and_threads_take_turns_sooner() -> None:
    is_libuv, interval_s = run(where())
    assert is_libuv
    assert interval_s == pytest.approx(SWITCH_INTERVAL_S)
