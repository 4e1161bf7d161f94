"""The allowlist cache: found in the process, found in a real Redis, or compiled."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Final

from benchmarks.effort import Effort
from benchmarks.figures import OURS, Result, figure
from benchmarks.workloads import CONFIG
from tests.servers import RedisServer, ServerNotStartedError
from withhold import config, parse_warrant
from withhold.adapters.cache_memory import MemoryCache
from withhold.adapters.cache_redis import RedisCache
from withhold.names import ResourceName
from withhold.ports import Cache
from withhold.proxy.allowlists import Allowlists

SECTION: Final = "cache"
WORKLOAD: Final = "an allowlist of 20 fields"
RESOURCE: Final = ResourceName("bench/account-sessions")
TIMES: Final = 200


def measure(effort: Effort) -> Result:
    """Measure the three ways."""
    return asyncio.run(_measure(effort))


async def _measure(effort: Effort) -> Result:
    found = {
        "in the process": await _rounds(effort, MemoryCache(), fresh=False, layer="process"),
        "compiled": await _rounds(effort, None, fresh=True, layer="compiled"),
    }
    notes: tuple[str, ...] = ()
    try:
        with RedisServer() as server:
            cache = RedisCache(server.url)
            try:
                found["from Redis"] = await _rounds(effort, cache, fresh=True, layer="cache")
            finally:
                await cache.close()
    except ServerNotStartedError:
        notes = ("Redis is left out: there is no redis-server",)
    figures = [figure(SECTION, WORKLOAD, OURS, name, "µs", each) for name, each in found.items()]
    return Result(tuple(figures), notes)


async def _rounds(effort: Effort, cache: Cache | None, *, fresh: bool, layer: str) -> list[float]:
    """Give the µs of each round. `fresh`: the process knows nothing yet, at each call.

    `cache`: None is an empty one at each call. `layer`: where it must be found.
    """
    bundle = config.load(CONFIG).bundle
    document = json.loads((CONFIG / "warrant.json").read_bytes())
    warrant = parse_warrant(json.dumps(document).encode())
    instrument = bundle.policy.instruments[warrant.instrument]
    resource = bundle.catalogue.resources[RESOURCE]
    key = bytes(32)

    def make(count: Callable[[str], None] = lambda _: None) -> Allowlists:
        return Allowlists(cache or MemoryCache(), lambda: key, count)

    kept = make()
    await kept.get(warrant, instrument, bundle, resource)  # fills the cache
    layers: list[str] = []
    checked = make(layers.append)
    await checked.get(warrant, instrument, bundle, resource)
    if not fresh:
        await checked.get(warrant, instrument, bundle, resource)
    if layers[-1] != layer:
        message = f"found by `{layers[-1]}`, not by `{layer}`"
        raise ValueError(message)
    times = []
    for _ in range(effort.turns):
        every = [make() if fresh else kept for _ in range(TIMES)]
        began_s = time.perf_counter()
        for each in every:
            await each.get(warrant, instrument, bundle, resource)
        times.append((time.perf_counter() - began_s) / TIMES * 1e6)
    return times
