"""A Redis for the demo: one of its own where there is a redis-server, else none."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from withhold.adapters.cache_redis import RedisCache

START_S: Final = 3.0
STEP_S: Final = 0.02
RUNNING: Final = "redis://127.0.0.1:6379/0"


@asynccontextmanager
async def demo_redis(folder: Path) -> AsyncIterator[str | None]:
    """Give the URL of a Redis: one started in `folder`, one that runs here already, or None."""
    server = shutil.which("redis-server")
    if server is None:
        yield RUNNING if await _answers(RUNNING) else None
        return
    # A socket's path may have about a hundred bytes; the folder is a temporary one, and short.
    path = folder / "redis.sock"
    process = await asyncio.create_subprocess_exec(
        *(server, "--port", "0", "--unixsocket", str(path), "--unixsocketperm", "600"),
        *("--save", "", "--appendonly", "no", "--dir", str(folder)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        url = f"unix://{path}?db=0"
        yield url if await _wait_for(url, process) else None
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _wait_for(url: str, process: asyncio.subprocess.Process) -> bool:
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + START_S
    while process.returncode is None and loop.time() < deadline_s:
        if await _answers(url):
            return True
        await asyncio.sleep(STEP_S)
    return False


async def _answers(url: str) -> bool:
    cache = RedisCache(url)
    try:
        return await cache.probe() == "ok"
    finally:
        await cache.close()
