"""The allowlist cache: whatever the cache holds, loses or makes up, answers are the same."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.proxy.plane import ALICE, BUNDLE, Plane, plane
from tests.servers import RedisServer
from tests.warrants import payload
from withhold.adapters.cache_memory import MemoryCache
from withhold.adapters.cache_redis import RedisCache
from withhold.allowlist.compile import compile_allowlist
from withhold.bundle import parse_bundle
from withhold.names import InstrumentName, ResourceName
from withhold.proxy.allowlists import Allowlists, decode_decisions, encode_decisions
from withhold.warrant.claims import parse_claims

FILES = {str(file.relative_to(BUNDLE)): file.read_bytes() for file in BUNDLE.rglob("*.toml")}
SHOP = parse_bundle(FILES)
RULE = b'[[rule]]\nname = "no-names"\npath = ["$.name"]\ntreatment = "withhold"\n'
OTHER = parse_bundle({**FILES, "policy/more.toml": RULE})
WARRANT = parse_claims(payload())
NARROWER = parse_claims(payload(categories=["identifying"]))
SUBPOENA = SHOP.policy.instruments[InstrumentName("us-sca-subpoena")]
ACCOUNT = SHOP.catalogue.resources[ResourceName("shop/account")]
RESOURCES = list(SHOP.catalogue.resources.values())


@asynccontextmanager
async def redis_cache(server: RedisServer) -> AsyncIterator[RedisCache]:
    cache = RedisCache(server.url)
    try:
        yield cache
    finally:
        await cache.close()


class Spoiled:
    """A cache that gives back something else than was put."""

    def __init__(self, spoil: Callable[[bytes], bytes]) -> None:
        self._spoil = spoil
        self.entries: dict[bytes, bytes] = {}

    async def get(self, key: bytes) -> bytes | None:
        return self._spoil(self.entries[key]) if key in self.entries else None

    async def put(self, key: bytes, value: bytes) -> None:
        self.entries[key] = value


def allowlists(cache: Any, key: bytes = bytes(32)) -> tuple[Allowlists, Counter[str]]:  # noqa: ANN401
    counts: Counter[str] = Counter()
    return Allowlists(cache, lambda: key, lambda layer: counts.update([layer])), counts


async def test_finds_in_the_process_in_the_cache_or_compiles() -> None:
    cache = MemoryCache()
    first, counts = allowlists(cache)
    found = await first.get(WARRANT, SUBPOENA, SHOP, ACCOUNT)
    assert found == compile_allowlist(WARRANT, SUBPOENA, SHOP.policy, ACCOUNT)
    assert await first.get(WARRANT, SUBPOENA, SHOP, ACCOUNT) is found
    assert counts == {"compiled": 1, "process": 1}
    second, counts = allowlists(cache)
    assert await second.get(WARRANT, SUBPOENA, SHOP, ACCOUNT) == found
    assert counts == {"cache": 1}


async def test_whoever_asks_meanwhile_waits_for_the_same_work() -> None:
    held = asyncio.Event()

    class Slow(MemoryCache):
        async def get(self, key: bytes) -> bytes | None:
            await held.wait()
            return await super().get(key)

    made, counts = allowlists(Slow())
    asks = [asyncio.ensure_future(made.get(WARRANT, SUBPOENA, SHOP, ACCOUNT)) for _ in range(20)]
    await asyncio.sleep(0)
    asks[0].cancel()  # whoever was first leaves
    await asyncio.sleep(0)
    held.set()
    found = await asyncio.gather(*asks[1:])
    assert len({id(each) for each in found}) == 1
    assert counts == {"compiled": 1}
    assert made._under_way == {}


async def test_an_entry_belongs_to_one_warrant_bundle_resource_and_key() -> None:
    cache = MemoryCache()
    asked = list(itertools.product([WARRANT, NARROWER], [SHOP, OTHER], RESOURCES, [b"a", b"b"]))
    for warrant, bundle, resource, key in asked:
        made, counts = allowlists(cache, key * 32)
        found = await made.get(warrant, SUBPOENA, bundle, resource)
        assert found == compile_allowlist(warrant, SUBPOENA, bundle.policy, resource)
        assert counts == {"compiled": 1}


async def test_a_key_tells_nothing_of_what_it_is_for() -> None:
    cache = Spoiled(bytes)
    made, _ = allowlists(cache)
    await made.get(WARRANT, SUBPOENA, SHOP, ACCOUNT)
    [key] = cache.entries
    assert key.startswith(b"withhold:allowlist:")
    assert len(key) == len(b"withhold:allowlist:") + 64
    assert b"shop" not in key


SPOILS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut off": lambda entry: entry[:-1],
    "only a tag": lambda entry: entry[:32],
    "half a tag": lambda entry: entry[:16],
    "another tag": lambda entry: bytes(32) + entry[32:],
    "longer": lambda entry: entry + b" ",
    "wider": lambda entry: entry.replace(b'"withhold"', b'"disclose"'),
    "huge": lambda entry: entry + bytes(5_000_000),
    "a bit of the tag": lambda entry: bytes([entry[0] ^ 1]) + entry[1:],
    "a bit of the value": lambda entry: entry[:-3] + bytes([entry[-3] ^ 1]) + entry[-2:],
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
async def test_what_is_not_authentic_is_compiled_anew(spoil: Callable[[bytes], bytes]) -> None:
    cache = Spoiled(spoil)
    first, _ = allowlists(cache)
    found = await first.get(WARRANT, SUBPOENA, SHOP, ACCOUNT)
    second, counts = allowlists(cache)
    assert await second.get(WARRANT, SUBPOENA, SHOP, ACCOUNT) == found
    assert counts == {"rejected": 1, "compiled": 1}


async def test_an_entry_under_another_key_is_not_authentic() -> None:
    cache = MemoryCache()
    made, _ = allowlists(cache)
    wide = await made.get(WARRANT, SUBPOENA, SHOP, ACCOUNT)
    narrow = await made.get(NARROWER, SUBPOENA, SHOP, ACCOUNT)
    assert wide != narrow
    entries = cache._entries
    one, other = entries
    entries[one], entries[other] = entries[other], entries[one]
    again, counts = allowlists(cache)
    assert await again.get(WARRANT, SUBPOENA, SHOP, ACCOUNT) == wide
    assert await again.get(NARROWER, SUBPOENA, SHOP, ACCOUNT) == narrow
    assert counts == {"rejected": 2, "compiled": 2}


async def test_keeps_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("withhold.proxy.allowlists.MAX_ENTRIES", 2)
    made, counts = allowlists(MemoryCache())
    for resource in (RESOURCES[0], RESOURCES[1], RESOURCES[0], RESOURCES[2], RESOURCES[0]):
        await made.get(WARRANT, SUBPOENA, SHOP, resource)
    assert counts == {"compiled": 3, "process": 2}
    assert len(made._known) == 2


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.short_name)
def test_decisions_come_back_as_they_were(resource: Any) -> None:  # noqa: ANN401 - a Resource
    allowlist = compile_allowlist(WARRANT, SUBPOENA, SHOP.policy, resource)
    assert decode_decisions(encode_decisions(allowlist), resource) == allowlist


CHANGES: dict[str, Callable[[Any], Any]] = {
    "one less": lambda rows: rows[1:],
    "another order": lambda rows: rows[::-1],
    "one more": lambda rows: [*rows, rows[0]],
    "an unknown treatment": lambda rows: [[rows[0][0], "reveal", rows[0][2]], *rows[1:]],
    "an unknown field": lambda rows: [["$.unknown", *rows[0][1:]], *rows[1:]],
    "no reason": lambda rows: [rows[0][:2], *rows[1:]],
    "an object": lambda rows: dict.fromkeys(map(str, rows)),
    "nothing": lambda _: None,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_decisions_of_other_fields_are_none(change: Callable[[Any], Any]) -> None:
    """Nobody without the key can write such an entry; a fault of ours could."""
    allowlist = compile_allowlist(WARRANT, SUBPOENA, SHOP.policy, ACCOUNT)
    rows = msgspec.json.decode(encode_decisions(allowlist))
    assert decode_decisions(msgspec.json.encode(change(rows)), ACCOUNT) is None


@given(st.binary(max_size=200))
def test_no_bytes_decode_to_anything_else(value: bytes) -> None:
    assert decode_decisions(value, ACCOUNT) is None


# --- A real Redis, through the whole plane -------------------------------------------------------


async def ask(it: Plane) -> tuple[int, bytes, str]:
    """Ask with an empty process; what must be the same whatever Redis does."""
    it.forget()
    response = await it.account(ALICE)
    return response.status_code, response.content, response.headers["withhold-allowlist"]


async def test_with_redis_gone_answers_are_the_same(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    async with redis_cache(redis_server) as cache, plane(tmp_path, cache=cache) as it:
        await cache.warm()
        expected = await ask(it)
        assert await ask(it) == expected
        assert redis_server.client.dbsize() == 1
        redis_server.kill()
        assert await ask(it) == expected
        redis_server.start()
        assert await cache.probe() == "ok"
        assert await ask(it) == expected
        assert redis_server.client.dbsize() == 1
        redis_server.pause()
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        assert await ask(it) == expected
        assert loop.time() - began_s < 1.0
        redis_server.resume()
        assert await cache.probe() == "ok"
        assert await ask(it) == expected


async def test_whatever_redis_holds_answers_are_the_same(
    tmp_path: Path, shared_redis: RedisServer
) -> None:
    client = shared_redis.client
    async with redis_cache(shared_redis) as cache, plane(tmp_path, cache=cache) as it:
        await cache.warm()
        expected = await ask(it)
        narrowest = await it.get(f"/stores/shop/v1/notes/{ALICE}")
        assert narrowest.content == b"[]"
        keys: Any = client.keys("*")
        entries = {key: bytes(client.get(key)) for key in keys}  # type: ignore[arg-type]
        assert len(entries) == 2
        one, other = entries
        for poison in (
            lambda: [client.set(key, b"poison") for key in keys],
            lambda: [client.set(one, entries[other]), client.set(other, entries[one])],
            lambda: [client.set(key, entry[:-1]) for key, entry in entries.items()],
            lambda: [client.set(k, e[:40] + b"x" + e[41:]) for k, e in entries.items()],
            lambda: [client.set(key, bytes(2**20)) for key in keys],
            lambda: [(client.delete(key), client.hset(key, "a", "b")) for key in keys],
            client.flushall,
        ):
            poison()
            assert await ask(it) == expected
        for key in keys:
            client.delete(key)
            client.set(key, entries[key])  # a replay is harmless
        assert await ask(it) == expected
        counted = await it.metrics()
        assert "withhold_cache_rejected_total 5.0" in counted


async def test_redis_may_come_and_go_under_load(tmp_path: Path, redis_server: RedisServer) -> None:
    answers: set[tuple[int, bytes, str]] = set()
    stop = asyncio.Event()

    async def load(it: Plane) -> None:
        while not stop.is_set():
            answers.add(await ask(it))

    async with redis_cache(redis_server) as cache, plane(tmp_path, cache=cache) as it:
        expected = await ask(it)
        loads = [asyncio.ensure_future(load(it)) for _ in range(4)]
        for _ in range(3):
            await asyncio.to_thread(redis_server.restart)
            await cache.probe()
            redis_server.pause()
            await cache.probe()
            redis_server.resume()
            await cache.probe()
        stop.set()
        await asyncio.gather(*loads)
        assert answers == {expected}
