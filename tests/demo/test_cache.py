"""Which cache the demo takes: a Redis of its own, else none."""

from pathlib import Path

import pytest

from tests.servers import RedisServer, find_redis_server
from withhold.adapters.cache_redis import RedisCache
from withhold.demo import cache
from withhold.demo.cache import demo_redis


async def test_starts_a_redis_where_there_is_a_server(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(Path(find_redis_server()).parent))
    async with demo_redis(tmp_path_factory.mktemp("r")) as url:
        assert url is not None
        redis = RedisCache(url)
        await redis.put(b"k", b"v")
        assert await redis.get(b"k") == b"v"
        await redis.close()
    assert not await cache._answers(url)


async def test_takes_one_that_runs_here_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_redis: RedisServer
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    url = shared_redis.url
    monkeypatch.setattr(cache, "RUNNING", url)
    async with demo_redis(tmp_path) as found:
        assert found == url


async def test_does_without_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(cache, "RUNNING", f"unix://{tmp_path}/none.sock")
    async with demo_redis(tmp_path) as url:
        assert url is None


async def test_does_without_where_the_server_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "redis-server"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    async with demo_redis(tmp_path) as url:
        assert url is None
