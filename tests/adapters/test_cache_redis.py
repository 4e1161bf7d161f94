import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis, RedisCluster

from tests.servers import RedisServer
from withhold.adapters.cache_redis import MAX_VALUE_BYTES, PAUSE_S, TTL_S, RedisCache, client_of
from withhold.errors import BadRequest


class Clock:
    """A monotonic clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@asynccontextmanager
async def cache_on(
    url: str, clock: Clock | None = None, limit_s: float = 5.0
) -> AsyncIterator[RedisCache]:
    """Give a cache whose limit a slow machine can keep, unless the limit is what is tested."""
    cache = RedisCache(url, limit_s=limit_s, clock=clock or Clock())
    try:
        yield cache
    finally:
        await cache.close()


async def test_gives_what_was_put_for_a_day(shared_redis: RedisServer) -> None:
    async with cache_on(shared_redis.url) as cache:
        assert await cache.get(b"k") is None
        await cache.put(b"k\x00\xff", bytes(range(256)))
        assert await cache.get(b"k\x00\xff") == bytes(range(256))
        assert 0 < int(str(shared_redis.client.ttl(b"k\x00\xff"))) <= TTL_S
        assert await cache.probe() == "ok"
        assert cache.failures == 0


async def test_values_are_bounded_both_ways(shared_redis: RedisServer) -> None:
    async with cache_on(shared_redis.url) as cache:
        await cache.put(b"fits", bytes(MAX_VALUE_BYTES))
        await cache.put(b"large", bytes(MAX_VALUE_BYTES + 1))
        shared_redis.client.set(b"planted", bytes(10 * MAX_VALUE_BYTES))
        assert await cache.get(b"fits") == bytes(MAX_VALUE_BYTES)
        assert shared_redis.client.exists(b"large") == 0
        assert await cache.get(b"planted") is None


async def test_a_key_of_another_type_is_nothing_and_stops_nothing(
    shared_redis: RedisServer,
) -> None:
    async with cache_on(shared_redis.url) as cache:
        shared_redis.client.rpush("list", "x")
        await cache.put(b"k", b"v")
        assert await cache.get(b"list") is None
        assert cache.failures == 1
        assert await cache.get(b"k") == b"v"


async def test_a_dead_redis_is_not_asked_again_for_a_second(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    clock = Clock()
    async with cache_on(redis_server.url, clock) as cache:
        await cache.put(b"k", b"v")
        redis_server.kill()
        assert await cache.get(b"k") is None
        assert cache.failures == 1
        redis_server.start()
        redis_server.client.set(b"k", b"v")
        assert await cache.get(b"k") is None  # not asked
        clock.now_s += PAUSE_S
        assert await cache.get(b"k") == b"v"
        assert await cache.get(b"k") == b"v"
        assert cache.failures == 1
    assert [record.message.split(",")[0] for record in caplog.records] == [
        "redis does not answer",
        "redis answers again",
    ]


async def test_after_the_pause_one_tries_and_the_others_go_on(redis_server: RedisServer) -> None:
    clock = Clock()
    redis_server.kill()
    async with cache_on(redis_server.url, clock) as cache:
        await cache.get(b"k")
        for _ in range(3):
            clock.now_s += PAUSE_S
            before = cache.failures
            await asyncio.gather(*(cache.get(b"k") for _ in range(20)))
            assert cache.failures == before + 1
    redis_server.start()


async def test_a_redis_that_hangs_is_left_within_the_limit(redis_server: RedisServer) -> None:
    async with cache_on(redis_server.url, limit_s=0.05) as cache:
        redis_server.pause()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        assert await cache.get(b"k") is None
        assert loop.time() - begun < 2.0
        await cache.put(b"k", b"v")  # not tried: returns at once
        assert cache.failures == 1
        assert await cache.probe() == "does not answer"
        redis_server.resume()


async def test_an_answer_that_came_too_late_is_not_given_to_another(
    redis_server: RedisServer,
) -> None:
    clock = Clock()
    async with cache_on(redis_server.url, clock, limit_s=0.05) as cache:
        redis_server.client.mset({"a": "of a", "b": "of b"})
        await cache.warm()
        redis_server.pause()
        assert await cache.get(b"a") is None
        redis_server.resume()
        redis_server.client.ping()
        found = None
        while found is None:  # until the machine is quick enough
            clock.now_s += PAUSE_S
            found = await cache.get(b"b")
        assert found == b"of b"


async def test_warming_never_fails(redis_server: RedisServer) -> None:
    async with cache_on(redis_server.url) as cache:
        await cache.warm()
        assert cache.failures == 0
    redis_server.kill()
    async with cache_on(redis_server.url) as cache:
        await cache.warm()
        assert cache.failures == 1
        assert await cache.probe() == "does not answer"
    redis_server.start()


async def test_a_refused_password_is_no_cache_and_no_error(redis_server: RedisServer) -> None:
    redis_server.client.config_set("requirepass", "other")
    url = redis_server.url.replace("unix://", "unix://:hunter2@")
    async with cache_on(url) as cache:
        assert await cache.get(b"k") is None
        assert cache.failures == 1


async def test_sentinel_knows_where_the_primary_is() -> None:
    with RedisServer(tcp=True) as primary:
        config = f"sentinel monitor main 127.0.0.1 {primary.port} 1\n"
        with RedisServer(tcp=True, options=("--sentinel",), config=config) as sentinel:
            async with cache_on(f"redis+sentinel://127.0.0.1:{sentinel.port}/main/1") as cache:
                await cache.put(b"k", b"v")
                assert await cache.get(b"k") == b"v"
                assert primary.client.dbsize() == 0  # it is in database 1
                assert cache.failures == 0


async def test_a_cluster_is_found_through_any_of_its_nodes() -> None:
    with RedisServer(tcp=True, options=("--cluster-enabled", "yes")) as node:
        node.client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16_383)  # type: ignore[no-untyped-call]
        while "'cluster_state': 'ok'" not in str(node.client.cluster("info")):
            pass  # it takes its time to see that every slot has a node
        async with cache_on(f"redis+cluster://127.0.0.1:{node.port},127.0.0.1:1") as cache:
            await cache.warm()
            await cache.put(b"k", b"v")
            assert await cache.get(b"k") == b"v"
            assert cache.failures == 0
            node.kill()
            assert await cache.get(b"k") is None
        node.start()


def options_of(client: Redis) -> dict[str, object]:
    return dict(client.connection_pool.connection_kwargs)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "redis://u:p%40w@h:1/2",
            {"host": "h", "port": 1, "db": 2, "username": "u", "password": "p@w"},
        ),
        ("rediss://h", {"host": "h"}),
        ("unix:///run/redis.sock?db=3", {"path": "/run/redis.sock", "db": "3"}),
        ("redis+sentinel://u:p@h,g:5/main", {"db": 0, "username": "u", "password": "p"}),
        ("rediss+sentinel://h/main/4", {"db": 4}),
    ],
)
def test_a_url_says_how_to_connect(url: str, expected: dict[str, object]) -> None:
    client = client_of(url, 0.05)
    assert isinstance(client, Redis)
    found = options_of(client)
    assert {name: str(found[name]) for name in expected} == {n: str(v) for n, v in expected.items()}
    assert found["socket_timeout"] == found["socket_connect_timeout"] == 0.05


def test_a_clusters_url_says_how_to_connect() -> None:
    client = client_of("rediss+cluster://u:p@h,g:5", 0.05)
    assert isinstance(client, RedisCluster)
    assert sorted(client.nodes_manager.startup_nodes) == ["g:5", "h:6379"]
    assert client.connection_kwargs["username"] == "u"
    assert client.connection_kwargs["socket_timeout"] == 0.05


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "http://h",
        "redis://h:hunter2",
        "redis://h/0?socket_timeout=hunter2",
        "redis+sentinel://h",
        "redis+sentinel://h/main/hunter2",
        "redis+sentinel:///main",
        "redis+sentinel://h,/main",
        "redis+cluster://h/hunter2",
        "http+cluster://h",
        "redis+hunter2://h",
        "redis+cluster://h:hunter2",
    ],
)
def test_another_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(BadRequest, match="the `redis_url` is not one") as caught:
        RedisCache(url)
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"
    assert caught.value.__context__ is None or caught.value.__suppress_context__
