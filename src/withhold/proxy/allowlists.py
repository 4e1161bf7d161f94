"""The allowlist cache: compiled once, kept in the process, shared through a cache that may lie.

An entry is a pure function of its key, so there is nothing to invalidate. It is authenticated by a
key that the cache does not have, over the key material and the value: what is forged, truncated or
put under another key is ignored, counted and compiled anew. Source: contract §8.
"""

import asyncio
import hmac
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import msgspec

from withhold.allowlist.canonical import COMPILER_VERSION
from withhold.allowlist.compile import compile_allowlist
from withhold.allowlist.model import Allowlist, Entry
from withhold.bundle import Bundle
from withhold.catalogue.model import Resource
from withhold.names import ResourceName, Treatment
from withhold.policy.model import Instrument
from withhold.ports import Cache
from withhold.warrant.model import Warrant

MAX_ENTRIES: Final = 4_096  # in this process; a few kilobytes each

_TAG_BYTES: Final = 32
_MAX_VALUE_BYTES: Final = 4 * 2**20  # more decisions than any catalogue has
_ROWS: Final = msgspec.json.Decoder(list[tuple[str, Treatment, str]])

Key = tuple[str, str, ResourceName, int]


class Allowlists:
    """Gives allowlists: from the process, from the cache, or compiled."""

    def __init__(
        self, cache: Cache, key: Callable[[], bytes], count: Callable[[str], None]
    ) -> None:
        """`key`: gives what authenticates entries, 32 bytes.

        `count`: told of each find, compilation, rejection.
        """
        self._cache = cache
        self._key = key
        self._count = count
        self._known: OrderedDict[Key, Allowlist] = OrderedDict()
        self._under_way: dict[Key, asyncio.Task[Allowlist]] = {}

    async def get(
        self, warrant: Warrant, instrument: Instrument, bundle: Bundle, resource: Resource
    ) -> Allowlist:
        """Give the allowlist. `instrument` and `resource` are those of `bundle`."""
        key = (warrant.digest, bundle.digest, resource.name, COMPILER_VERSION)
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
            self._count("process")
            return known
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.ensure_future(self._find(key, warrant, instrument, bundle, resource))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key))
        # Whoever asked first may leave; the others wait for the same work.
        return await asyncio.shield(task)

    async def _find(
        self, key: Key, warrant: Warrant, instrument: Instrument, bundle: Bundle, resource: Resource
    ) -> Allowlist:
        material = _material(key)
        place = b"withhold:allowlist:" + self._mac(b"place", material).hex().encode()
        allowlist = self._admit(await self._cache.get(place), material, resource)
        if allowlist is None:
            self._count("compiled")
            allowlist = compile_allowlist(warrant, instrument, bundle.policy, resource)
            value = encode_decisions(allowlist)
            await self._cache.put(place, self._mac(b"entry", material, value) + value)
        else:
            self._count("cache")
        self._known[key] = allowlist
        if len(self._known) > MAX_ENTRIES:
            self._known.popitem(last=False)
        return allowlist

    def _admit(self, found: bytes | None, material: bytes, resource: Resource) -> Allowlist | None:
        """Believe an entry only if this key made it for this place, whole."""
        if found is None:
            return None
        tag, value = found[:_TAG_BYTES], found[_TAG_BYTES:]
        allowlist = None
        if len(value) <= _MAX_VALUE_BYTES and hmac.compare_digest(
            tag, self._mac(b"entry", material, value)
        ):
            allowlist = decode_decisions(value, resource)
        if allowlist is None:
            self._count("rejected")
        return allowlist

    def _mac(self, purpose: bytes, material: bytes, value: bytes = b"") -> bytes:
        """Give HMAC-SHA256; `purpose` keeps places and entries apart."""
        return hmac.digest(self._key(), purpose + b"\0" + material + value, "sha256")


def encode_decisions(allowlist: Allowlist) -> bytes:
    """Give every decision as compact bytes: label, treatment, reason."""
    return msgspec.json.encode([(e.field.label, e.treatment, e.reason) for e in allowlist.entries])


def decode_decisions(value: bytes, resource: Resource) -> Allowlist | None:
    """Give the allowlist; None unless it decides exactly the fields of `resource`, in order."""
    try:
        rows = _ROWS.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if [label for label, _, _ in rows] != [field.label for field in resource.fields]:
        return None
    fields = zip(resource.fields, rows, strict=True)
    return Allowlist(resource, tuple(Entry(f, t, reason) for f, (_, t, reason) in fields))


def _material(key: Key) -> bytes:
    """Write a key so that no other key reads the same: each part after its length."""
    parts = [str(part).encode() for part in key]
    return b"".join(len(part).to_bytes(4) + part for part in parts)
