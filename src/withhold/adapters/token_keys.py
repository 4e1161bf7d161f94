"""The token keys in the database, each wrapped for its warrant. Never kept in this process."""

import secrets
from functools import partial
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from withhold.adapters.database import Database
from withhold.adapters.schema import read_clock_text, token_keys
from withhold.errors import KeyUnavailable
from withhold.keyring import KeyRing, unwrap_key, wrap_key
from withhold.kinds.token import KEY_SIZE_BYTES
from withhold.names import WarrantId

_Wrapped = tuple[int, bytes | None]  # version of the key it is wrapped by; None: destroyed


class SqlTokenKeys:
    """`TokenKeys` on a database."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        """`database`: shared with the registry, which knows the warrants; `ring`: wraps keys."""
        self._database = database
        self._ring = ring

    async def token_key(self, warrant: WarrantId) -> bytes:
        """Give the warrant's key, made at its first use."""
        found = await self._database.read(partial(_find, warrant=warrant))
        if found is None:
            wrapped = wrap_key(self._ring, warrant, secrets.token_bytes(KEY_SIZE_BYTES))
            # CRASH: a key that nobody has used is lost.
            found = await self._database.write(partial(_keep, warrant=warrant, wrapped=wrapped))
            # CRASH: the key is durable and no token was made with it; the next use finds it.
        version, key = found
        if key is None:
            raise KeyUnavailable(f"the token key of `{warrant}` was destroyed")
        return unwrap_key(self._ring, warrant, version, key)

    async def destroy(self, warrant: WarrantId) -> None:
        """Destroy the key for good."""
        await self._database.write(partial(_destroy, warrant=warrant))
        # CRASH: the key is gone from the table, and its old bytes may still be in the log beside
        # the file, wrapped; they go with the next scrub, or as the log is written over.
        await self._database.scrub()


def _find(connection: Connection, warrant: WarrantId) -> _Wrapped | None:
    columns = select(token_keys.c.wrapped_by, token_keys.c.wrapped)
    row = connection.execute(columns.where(token_keys.c.warrant == warrant)).one_or_none()
    return None if row is None else (row.wrapped_by, row.wrapped)


def _keep(connection: Connection, warrant: WarrantId, wrapped: tuple[int, bytes]) -> _Wrapped:
    """Keep the key if there is none, and give the one that counts."""
    version, key = wrapped
    _insert(connection, warrant, version, key)
    found = _find(connection, warrant)
    if found is None:
        raise KeyUnavailable(f"`{warrant}` was never registered, so it has no token key")
    return found


def _destroy(connection: Connection, warrant: WarrantId) -> None:
    # A row stays, or comes to be, in either case: it is what keeps a new key from being made.
    _insert(connection, warrant, 0, None)
    row = {"wrapped": None, "wrapped_by": 0, "at": read_clock_text(connection)}
    is_there = (token_keys.c.warrant == warrant) & token_keys.c.wrapped.is_not(None)
    connection.execute(update(token_keys).where(is_there).values(row))


def _insert(connection: Connection, warrant: WarrantId, version: int, key: bytes | None) -> None:
    """Add a row, if the warrant is registered and has none."""
    row: dict[str, Any] = {"warrant": warrant, "wrapped": key, "wrapped_by": version}
    row["at"] = read_clock_text(connection)
    try:
        with connection.begin_nested():
            connection.execute(insert(token_keys).values(row))
    except IntegrityError:
        return
