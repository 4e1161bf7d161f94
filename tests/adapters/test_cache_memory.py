from withhold.adapters.cache_memory import MemoryCache


async def test_gives_what_was_put_last() -> None:
    cache = MemoryCache()
    assert await cache.get(b"k") is None
    await cache.put(b"k", b"one")
    await cache.put(b"k", b"two")
    assert await cache.get(b"k") == b"two"


async def test_what_was_not_used_for_longest_goes_first() -> None:
    cache = MemoryCache(max_bytes=30)
    for key in (b"a", b"b", b"c"):
        await cache.put(key, bytes(9))
    await cache.get(b"a")
    await cache.put(b"d", bytes(9))
    assert [await cache.get(k) for k in (b"a", b"b", b"c", b"d")] == [
        bytes(9),
        None,
        bytes(9),
        bytes(9),
    ]


async def test_replacing_takes_no_room_twice() -> None:
    cache = MemoryCache(max_bytes=20)
    await cache.put(b"a", bytes(9))
    for _ in range(5):
        await cache.put(b"b", bytes(9))
    assert await cache.get(b"a") == bytes(9)


async def test_what_is_larger_than_all_is_not_kept() -> None:
    cache = MemoryCache(max_bytes=20)
    await cache.put(b"a", bytes(20))
    assert await cache.get(b"a") is None
    await cache.put(b"a", bytes(19))
    assert await cache.get(b"a") == bytes(19)
