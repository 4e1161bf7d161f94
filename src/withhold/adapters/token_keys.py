"""The token keys in the database, each wrapped for its warrant. Never kept in this process.

When a key-encryption key is rotated, its new version is *in force* first, and then every token key
is wrapped anew: from then on nothing is kept that an older version wrapped, whatever a node knows
that has not heard of the new one. So once no key is wrapped by the old version, none ever is again,
and it can be destroyed. What is made and destroyed here is owed to the ledger in one transaction.
"""

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from withhold.adapters.database import Database
from withhold.adapters.log import owe
from withhold.adapters.schema import read_clock_text, sequences, token_keys
from withhold.errors import KeyUnavailable
from withhold.keyring import KeyEvent, KeyRing, unwrap_key, wrap_key
from withhold.kinds.token import KEY_SIZE_BYTES, key_id
from withhold.ledger.entry import Entry, EntryType
from withhold.names import WarrantId

MAX_REWRAPPED: Final = 256  # keys in one transaction: milliseconds, for others wait meanwhile

_TOKEN: Final = "token"  # noqa: S105 - what the ledger calls this kind of key
_IN_FORCE: Final = "encryption"  # the sequence whose last number is the version in force

_Wrapped = tuple[int, bytes | None]  # version of the key it is wrapped by; None: destroyed


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """What wrapping anew came to. `closed`: warrants whose keys did not open, and stay as is."""

    version: int
    count: int
    closed: tuple[WarrantId, ...]


@dataclass(frozen=True, slots=True)
class _Batch:
    """What one transaction of wrapping anew came to. `last`: where to go on; None: at the end."""

    count: int
    closed: list[WarrantId]
    last: WarrantId | None


class SqlTokenKeys:
    """`TokenKeys` on a database."""

    def __init__(
        self,
        database: Database,
        ring: Callable[[], KeyRing],
        reload: Callable[[], KeyRing] | None = None,
    ) -> None:
        """`database`: shared with the registry, which knows the warrants.

        `ring`: gives the keys that wrap; `reload`: reads them anew when a version is missing.
        """
        self._database = database
        self._ring = ring
        self._reload = reload or ring

    async def token_key(self, warrant: WarrantId) -> bytes:
        """Give the warrant's key, made at its first use."""
        found = await self._database.read(partial(_find, warrant=warrant))
        if found is None:
            key = secrets.token_bytes(KEY_SIZE_BYTES)
            found = await self._keep(self._ring(), warrant, key)
            # The version in force is one that this process has not heard of.
            found = found or await self._keep(self._reload(), warrant, key)
            if found is None:
                message = "the newest version of the key-encryption key is missing"
                raise KeyUnavailable(message, "copy it from the machine where it was made")
        version, wrapped = found
        if wrapped is None:
            raise KeyUnavailable(f"the token key of `{warrant}` was destroyed")
        ring = self._ring()
        ring = ring if version in ring.encryption else self._reload()
        return unwrap_key(ring, warrant, version, wrapped)

    async def destroy(self, warrant: WarrantId) -> str | None:
        """Destroy the key for good; gives its id, also if that was done before."""
        destroyed = await self._database.write(partial(destroy_key, warrant=warrant))
        # CRASH: the key is gone from the table, and its old bytes may still be in the log beside
        # the file, wrapped; they go with the next scrub, or as the log is written over.
        await self._database.scrub()
        return destroyed

    async def find_by_key_id(self, key_id: str) -> tuple[WarrantId, ...]:
        """Give the warrants whose key has this id, destroyed ones too: by chance several."""
        return await self._database.read(partial(_find_by_key_id, key_id=key_id))

    async def wrapped_by(self) -> Mapping[int, int]:
        """Give how many keys are wrapped by each version of the key-encryption key."""
        return await self._database.read(_wrapped_by)

    async def in_force(self) -> int:
        """Give the version that all new keys are wrapped by, at least; 0: any."""
        return await self._database.read(_in_force)

    async def rewrap(self) -> Rewrapped:
        """Wrap every key by the newest version, which is in force from now on.

        Safe beside nodes that run, and again after a crash. Raises: KeyUnavailable if another
        process has a newer version.
        """
        ring = self._reload()
        await self._database.write(partial(_put_in_force, version=ring.encryption_version))
        # CRASH: keys that older versions wrapped still open; the next time goes on from there.
        count, closed, after = 0, [], ""
        while True:
            batch = await self._database.write(partial(_rewrap, ring=ring, after=after))
            count += batch.count
            closed += batch.closed
            if batch.last is None:
                break
            after = batch.last
        await self._database.scrub()
        return Rewrapped(ring.encryption_version, count, tuple(closed))

    async def _keep(self, ring: KeyRing, warrant: WarrantId, key: bytes) -> _Wrapped | None:
        wrapped = wrap_key(ring, warrant, key)
        # CRASH: a key that nobody has used is lost.
        work = partial(_keep, warrant=warrant, named=key_id(key), wrapped=wrapped)
        return await self._database.write(work)
        # CRASH: the key is durable and no token was made with it; the next use finds it.


def _find(connection: Connection, warrant: WarrantId) -> _Wrapped | None:
    columns = select(token_keys.c.wrapped_by, token_keys.c.wrapped)
    row = connection.execute(columns.where(token_keys.c.warrant == warrant)).one_or_none()
    return None if row is None else (row.wrapped_by, row.wrapped)


def _find_by_key_id(connection: Connection, key_id: str) -> tuple[WarrantId, ...]:
    rows = select(token_keys.c.warrant).where(token_keys.c.key_id == key_id)
    found = connection.execute(rows.order_by(token_keys.c.warrant)).scalars()
    return tuple(WarrantId(warrant) for warrant in found)


def _keep(
    connection: Connection, warrant: WarrantId, named: str, wrapped: tuple[int, bytes]
) -> _Wrapped | None:
    """Keep the key if there is none, and give the one that counts.

    None: there is none, and this one is wrapped by a version that is no longer in force.
    """
    version, key = wrapped
    found = _find(connection, warrant)
    if found is None and version < _in_force(connection, lock=True):
        return None
    if found is None and _insert(connection, warrant, version, key, named):
        _owe(connection, KeyEvent.MADE, warrant, named)
    found = found or _find(connection, warrant)
    if found is None:
        raise KeyUnavailable(f"`{warrant}` was never registered, so it has no token key")
    return found


def destroy_key(connection: Connection, warrant: WarrantId) -> str | None:
    """Do as `SqlTokenKeys.destroy` does, in a transaction of others. Not scrubbed yet."""
    # A row stays, or comes to be, in either case: it is what keeps a new key from being made.
    _insert(connection, warrant, 0, None, None)
    row = {"wrapped": None, "wrapped_by": 0, "at": read_clock_text(connection)}
    of_warrant = token_keys.c.warrant == warrant
    is_there = of_warrant & token_keys.c.wrapped.is_not(None)
    gone = connection.execute(update(token_keys).where(is_there).values(row)).rowcount
    named = connection.execute(select(token_keys.c.key_id).where(of_warrant)).scalar()
    if gone:
        _owe(connection, KeyEvent.DESTROYED, warrant, named)
    return named


def _owe(connection: Connection, event: KeyEvent, warrant: WarrantId, named: str | None) -> None:
    public = {"event": event.value, "kind": _TOKEN, "key_id": named}
    nothing = {"version": None, "public_key": None}  # what entries of a deployment's keys say
    at = read_clock_text(connection)
    owe(connection, Entry(EntryType.KEY, at, {**public, **nothing}, warrant=warrant))


def _insert(
    connection: Connection, warrant: WarrantId, version: int, key: bytes | None, named: str | None
) -> bool:
    """Add a row, if the warrant is registered and has none; tells whether."""
    row: dict[str, Any] = {"warrant": warrant, "wrapped": key, "wrapped_by": version}
    row |= {"key_id": named, "at": read_clock_text(connection)}
    try:
        with connection.begin_nested():
            connection.execute(insert(token_keys).values(row))
    except IntegrityError:
        return False
    return True


def _in_force(connection: Connection, *, lock: bool = False) -> int:
    """Give the version in force; with `lock` no other is put in force in this transaction."""
    row = select(sequences.c.value).where(sequences.c.name == _IN_FORCE)
    return connection.execute(row.with_for_update(read=True) if lock else row).scalar() or 0


def _put_in_force(connection: Connection, version: int) -> None:
    with suppress(IntegrityError), connection.begin_nested():  # it is there, but for the first time
        connection.execute(insert(sequences).values(name=_IN_FORCE, value=0))
    of_row = sequences.c.name == _IN_FORCE
    changed = update(sequences).where(of_row & (sequences.c.value <= version))
    if connection.execute(changed.values(value=version)).rowcount == 0:
        message = "a newer version of the key-encryption key is in force and missing here"
        raise KeyUnavailable(message, "copy it from the machine where it was made")


def _rewrap(connection: Connection, ring: KeyRing, after: str) -> _Batch:
    """Wrap the next keys anew, in the order of their warrants."""
    is_older = token_keys.c.wrapped.is_not(None) & (
        token_keys.c.wrapped_by < ring.encryption_version
    )
    next_ones = select(token_keys).where(is_older & (token_keys.c.warrant > after))
    rows = connection.execute(next_ones.order_by(token_keys.c.warrant).limit(MAX_REWRAPPED)).all()
    count, closed = 0, []
    for row in rows:
        try:
            key = unwrap_key(ring, row.warrant, row.wrapped_by, row.wrapped)
        except KeyUnavailable:
            closed.append(WarrantId(row.warrant))
            continue
        version, wrapped = wrap_key(ring, row.warrant, key)
        # Unless it was destroyed meanwhile, which nothing may undo.
        is_same = (token_keys.c.warrant == row.warrant) & (token_keys.c.wrapped == row.wrapped)
        changed = update(token_keys).where(is_same)
        count += connection.execute(changed.values(wrapped=wrapped, wrapped_by=version)).rowcount
    last = WarrantId(rows[-1].warrant) if len(rows) == MAX_REWRAPPED else None
    return _Batch(count, closed, last)


def _wrapped_by(connection: Connection) -> Mapping[int, int]:
    counted = select(token_keys.c.wrapped_by, func.count().label("number"))
    there = counted.where(token_keys.c.wrapped.is_not(None)).group_by(token_keys.c.wrapped_by)
    return {row.wrapped_by: row.number for row in connection.execute(there)}
