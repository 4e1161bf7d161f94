"""What every test may ask for: servers of its own, and how many examples a property is tried on.

`fast` tries the same examples each time, so that a red run is red again; `deep` looks for new ones.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.postgresql import PostgresqlServer, find_postgresql
from tests.servers import RedisServer, ServerNotStartedError

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


@pytest.fixture(scope="session")
def _has_postgresql() -> None:
    try:
        find_postgresql()
    except ServerNotStartedError as error:
        # Where the lock brings one along, one that is missing is a fault and not a reason.
        if sys.platform in {"linux", "darwin"}:
            raise
        pytest.skip(str(error))


@pytest.fixture
def postgresql_server(_has_postgresql: None) -> Iterator[PostgresqlServer]:
    """A PostgreSQL of the test's own, to kill, pause and restart at will."""
    with PostgresqlServer() as server:
        yield server


@pytest.fixture(scope="session")
def _session_postgresql(_has_postgresql: None) -> Iterator[PostgresqlServer]:
    with PostgresqlServer() as server:
        yield server


@pytest.fixture
def postgresql_url(_session_postgresql: PostgresqlServer) -> Iterator[str]:
    """An empty database of the test's own, on a PostgreSQL shared by all tests, never to break."""
    with _session_postgresql.lent_database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of the test's own; each test that asks for it runs on both."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'withhold.db'}"
    url: str = request.getfixturevalue("postgresql_url")
    return url
