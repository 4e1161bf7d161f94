"""What every test may ask for: servers of its own, and how many examples a property is tried on.

`fast` tries the same examples each time, so that a red run is red again; `deep` looks for new ones.
"""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.servers import RedisServer

settings.register_profile("fast", max_examples=50, deadline=None, derandomize=True)
settings.register_profile(
    "deep",
    max_examples=2_000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("fast")


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A Redis of the test's own, on a Unix socket, to kill, pause and restart at will."""
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def _session_redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def shared_redis(_session_redis: RedisServer) -> RedisServer:
    """A Redis shared by all tests and empty at the start of each; to use, never to break."""
    _session_redis.client.flushall()
    return _session_redis
