"""The cache in Redis: one server, Sentinel or Cluster, by URL. It may vanish; nothing waits for it.

Every operation ends within 50 ms. After a failure none is tried for a second, and then one is: a
dead Redis costs a request nothing. A value is bounded both ways, so whoever writes to Redis can't
make a node hold more than that. What it gives is bytes that anybody may have written.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from redis.asyncio import Redis, RedisCluster, Sentinel, SentinelConnectionPool
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from withhold.errors import BadRequest

LIMIT_S: Final = 0.05  # for one operation, connecting included
WARM_S: Final = 1.0  # for the first, at start
PAUSE_S: Final = 1.0  # after a failure
TTL_S: Final = 24 * 3_600  # what is used is put again; what isn't need not stay
MAX_VALUE_BYTES: Final = 2**20

_HINT: Final = (
    "redis://host:6379/0, rediss://…, unix:///path?db=0, "
    "redis+sentinel://host:26379,host:26379/service/0 or redis+cluster://host:6379,host:6379"
)
_SENTINEL_PORT: Final = 26_379
_REDIS_PORT: Final = 6_379

_Client: TypeAlias = Redis | RedisCluster
_log: Final = logging.getLogger(__name__)


class RedisCache:
    """`Cache` in Redis."""

    def __init__(
        self,
        url: str,
        *,
        limit_s: float = LIMIT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`url`: see `client_of`. Connects at the first use, or in `warm`. Raises: BadRequest."""
        self._client = client_of(url, limit_s)
        self._limit_s = limit_s
        self._clock = clock
        self._skip_until: float | None = None  # None: as far as we know, it works
        self.failures = 0  # since start; what was skipped is not counted

    async def get(self, key: bytes) -> bytes | None:
        """Give what is there, or None."""
        # One byte more than is taken, so that a value that is too long is seen to be.
        found = await self._try(lambda: self._client.getrange(key, 0, MAX_VALUE_BYTES))
        is_value = isinstance(found, bytes) and 0 < len(found) <= MAX_VALUE_BYTES
        return found if is_value else None

    async def put(self, key: bytes, value: bytes) -> None:
        """Keep the value for a day, if that is possible."""
        if len(value) <= MAX_VALUE_BYTES:
            await self._try(lambda: self._client.set(key, value, ex=TTL_S))

    async def warm(self) -> None:
        """Connect ahead of the first request, which has no time for it."""
        await self._try(self._client.ping, WARM_S)

    async def probe(self) -> str:
        """Say `ok`, or in a few words what is wrong: `status` asks, whatever was skipped."""
        return "ok" if await self._try(self._client.ping, insist=True) else "does not answer"

    async def close(self) -> None:
        """Let go of the connections, also of those that the client itself forgets."""
        await self._client.aclose()
        if isinstance(self._client, RedisCluster):
            # After a failure a cluster's client takes itself for closed already.
            await self._client.nodes_manager.aclose()
            await self._client.nodes_manager.aclose("startup_nodes")
        elif isinstance(self._client.connection_pool, SentinelConnectionPool):
            for sentinel in self._client.connection_pool.sentinel_manager.sentinels:
                await sentinel.aclose()

    async def _try(
        self,
        call: Callable[[], Awaitable[Any]],
        limit_s: float | None = None,
        *,
        insist: bool = False,
    ) -> Any:  # noqa: ANN401 - the client's answers
        if self._skip_until is not None and not insist:
            if self._clock() < self._skip_until:
                return None
            self._skip_until = self._clock() + PAUSE_S  # one tries, the others still skip
        try:
            async with asyncio.timeout(limit_s or self._limit_s):
                found = await call()
        except ResponseError:
            # It answers, and refuses: no memory, no right, a key of another type. Nothing is lost
            # by asking again, and a single bad key is no reason to do without the others.
            found = None
            self.failures += 1
        except Exception as error:  # noqa: BLE001 - a cache that can fail a request is an authority
            if self._skip_until is None:
                # Not the error's text: it may hold the URL.
                _log.warning("redis does not answer, going on without: %s", type(error).__name__)
            self._skip_until = self._clock() + PAUSE_S
            self.failures += 1
            return None
        if self._skip_until is not None:
            _log.info("redis answers again")
        self._skip_until = None
        return found


def client_of(url: str, limit_s: float) -> _Client:
    """Make a client that has not connected yet and never tries twice.

    `redis://`, `rediss://`, `unix://`: one server, as redis-py reads them.
    `redis+sentinel://[user:password@]host:port[,…]/service[/db]`: the service's primary, now.
    `redis+cluster://[user:password@]host:port[,…]`: a cluster, found through any of these nodes.
    `rediss+…` is TLS to the servers that hold the data. Raises: BadRequest.
    """
    options: dict[str, Any] = {
        "socket_timeout": limit_s,
        "socket_connect_timeout": limit_s,
        "retry": Retry(NoBackoff(), 0),
    }
    try:
        scheme, plus, kind = urlsplit(url).scheme.partition("+")
        if not plus:
            return Redis.from_url(url, **options)
        hosts, path, of_url = _several(url, scheme)
        if kind == "sentinel" and path:
            service, _, db = path.partition("/")
            each = [(host, port or _SENTINEL_PORT) for host, port in hosts]
            sentinels = Sentinel(each, **options)  # type: ignore[no-untyped-call] # the library's
            primary: Redis = sentinels.master_for(service, **options, **of_url, db=int(db or 0))
            return primary
        if kind == "cluster" and not path:
            nodes = [ClusterNode(host, port or _REDIS_PORT) for host, port in hosts]
            return RedisCluster(startup_nodes=nodes, **options, **of_url)
    except (ValueError, TypeError):
        # The text of the error may hold the URL, and that a password.
        raise BadRequest("the `redis_url` is not one", _HINT) from None
    raise BadRequest("the `redis_url` is not one", _HINT)


def _several(url: str, scheme: str) -> tuple[list[tuple[str, int | None]], str, dict[str, Any]]:
    """Give hosts, the rest of the path, and user, password and TLS, of a URL with several hosts."""
    split = urlsplit(url)
    user, at, hosts = split.netloc.rpartition("@")
    each = [urlsplit(f"{scheme}://{host}") for host in hosts.split(",")]
    found = [(one.hostname, one.port) for one in each]
    given = [(host, port) for host, port in found if host]
    if len(given) != len(each) or scheme not in {"redis", "rediss"}:
        raise ValueError(scheme)
    options = dict(parse_url(f"{scheme}://{user}{at}unused"))
    options.pop("host")
    if options.pop("connection_class", None) is SSLConnection:
        options["ssl"] = True
    return given, split.path.strip("/"), options
