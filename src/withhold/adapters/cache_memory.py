"""The cache in this process: least recently used goes first. Used where there is no Redis."""

from collections import OrderedDict
from typing import Final

MAX_BYTES: Final = 64 * 2**20


class MemoryCache:
    """`Cache` in memory, bounded by the bytes of its keys and values."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        """`max_bytes`: more than this is never held; a single larger value is not kept."""
        self._max_bytes = max_bytes
        self._size_bytes = 0
        self._entries: OrderedDict[bytes, bytes] = OrderedDict()

    async def get(self, key: bytes) -> bytes | None:
        """Give what was put, while it is kept."""
        if key in self._entries:
            self._entries.move_to_end(key)
        return self._entries.get(key)

    async def put(self, key: bytes, value: bytes) -> None:
        """Keep the value, and let go of those not used for longest."""
        before = self._entries.pop(key, None)
        if before is not None:
            self._size_bytes -= len(key) + len(before)
        self._entries[key] = value
        self._size_bytes += len(key) + len(value)
        while self._size_bytes > self._max_bytes:
            gone, held = self._entries.popitem(last=False)
            self._size_bytes -= len(gone) + len(held)
