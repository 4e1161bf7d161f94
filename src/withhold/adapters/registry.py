"""The registry in the database: warrants, their states, the freezes that hold on every node.

Each operation is a function of a connection, so that a thread can poll what the event loop awaits;
`SqlRegistry` runs them. Whoever changes a state adds a row to `changes`, in the same transaction:
a node that has read up to a number knows every state as of then.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from withhold.adapters.database import Database
from withhold.adapters.log import owe
from withhold.adapters.schema import (
    changes,
    freezes,
    read_clock,
    read_clock_text,
    take_numbers,
    warrants,
)
from withhold.errors import Denied
from withhold.ledger.entry import Entry
from withhold.names import Digest, InstrumentName, State, StoreName, WarrantId
from withhold.ports import Changes, Freeze, Registered

_FREEZES: Final = select(freezes.c.store, freezes.c.instrument)
# These take effect whatever the ledger can do, and may use the space that is kept for them.
_ENDS_ACCESS: Final = frozenset({State.SUSPENDED, State.REVOKED, State.CLOSED})


class SqlRegistry:
    """`Registry` on a database."""

    def __init__(self, database: Database) -> None:
        """`database`: shared with the ledger, whose appends ask about the same rows."""
        self._database = database

    async def register(self, warrant: Registered, entry: Entry) -> None:
        """Keep a new warrant."""
        await self._database.write(partial(_register, warrant=warrant, entry=entry))

    async def amend(self, old: Registered, new: Registered, entry: Entry) -> None:
        """Replace document and state if both still are as in `old`."""
        await self._database.write(partial(_amend, old=old, new=new, entry=entry))

    async def move(
        self, warrant: WarrantId, allowed: frozenset[State], to: State, entry: Entry
    ) -> None:
        """Change the state if it is one of `allowed`."""
        work = partial(_move, warrant=warrant, allowed=allowed, to=to, entry=entry)
        await self._database.write(work, urgent=to in _ENDS_ACCESS)

    async def find(self, warrant: WarrantId) -> Registered | None:
        """Give the warrant; None if it was never registered."""
        return await self._database.read(partial(_find, warrant=warrant))

    async def list(self) -> Sequence[Registered]:
        """Give all warrants, newest first."""
        return await self._database.read(_list)

    async def freeze(self, freeze: Freeze, entry: Entry) -> None:
        """Put a freeze in force on every node."""
        await self._database.write(partial(_freeze, freeze=freeze, entry=entry), urgent=True)

    async def thaw(self, freeze: Freeze, entry: Entry) -> None:
        """Lift exactly this freeze."""
        await self._database.write(partial(_thaw, freeze=freeze, entry=entry))

    async def changes(self, since: int) -> Changes:
        """Give what changed after `since`."""
        return await self._database.read(partial(_changes, since=since))

    def changes_now(self, since: int) -> Changes:
        """Do as `changes` does, in the calling thread. Raises: DatabaseUnavailable."""
        return self._database.read_now(partial(_changes, since=since))


def read_freezes(connection: Connection) -> frozenset[Freeze]:
    """Give all freezes that are in force on every node."""
    rows = connection.execute(_FREEZES)
    return frozenset(
        Freeze(
            StoreName(row.store) if row.store else None,
            InstrumentName(row.instrument) if row.instrument else None,
        )
        for row in rows
    )


def _register(connection: Connection, warrant: Registered, entry: Entry) -> None:
    number = take_numbers(connection, "warrants", 1)
    row = {"id": warrant.id, "number": number, "document": warrant.document}
    row |= {"digest": warrant.digest, "state": warrant.state.value}
    try:
        connection.execute(insert(warrants).values(row))
    except IntegrityError:
        # The transaction is this write's alone and is undone as a whole, the number with it.
        raise Denied("id-in-use", "a warrant with this id was registered before") from None
    _note(connection, warrant.id, warrant.state, entry)


def _amend(connection: Connection, old: Registered, new: Registered, entry: Entry) -> None:
    is_same = (new.id, new.digest) == (old.id, old.digest)  # a payload stays what it was
    unchanged = (
        (warrants.c.id == old.id)
        & (warrants.c.digest == old.digest)
        & (warrants.c.document == old.document)
        & (warrants.c.state == old.state.value)
    )
    row = {"document": new.document, "state": new.state.value}
    changed = update(warrants).where(unchanged).values(row)
    if not is_same or connection.execute(changed).rowcount != 1:
        raise Denied("changed-meanwhile", "the warrant was changed meanwhile", "look again")
    _note(connection, new.id, new.state, entry)


def _move(
    connection: Connection,
    warrant: WarrantId,
    allowed: frozenset[State],
    to: State,
    entry: Entry,
) -> None:
    there = (warrants.c.id == warrant) & warrants.c.state.in_([s.value for s in allowed])
    moved = connection.execute(update(warrants).where(there).values(state=to.value))
    if moved.rowcount != 1:
        found = _find(connection, warrant)
        if found is None:
            raise Denied("warrant-unknown", "no warrant has this id")
        raise Denied("wrong-state", f"a warrant that is `{found.state}` does not become `{to}`")
    _note(connection, warrant, to, entry)


def _note(connection: Connection, warrant: WarrantId, state: State, entry: Entry) -> None:
    row = {"sequence": take_numbers(connection, "changes", 1), "warrant": warrant}
    row |= {"state": state.value, "at": read_clock_text(connection)}
    connection.execute(insert(changes).values(row))
    owe(connection, entry)
    # CRASH, once this is committed: every append from now on is held to the new state, and every
    # node hears of it at its next poll, whether or not the one who asked is ever answered.


def _find(connection: Connection, warrant: WarrantId) -> Registered | None:
    row = connection.execute(select(warrants).where(warrants.c.id == warrant)).one_or_none()
    return None if row is None else _registered(row)


def _list(connection: Connection) -> Sequence[Registered]:
    rows = connection.execute(select(warrants).order_by(warrants.c.number.desc()))
    return tuple(_registered(row) for row in rows)


def _registered(row: Row[Any]) -> Registered:
    return Registered(WarrantId(row.id), bytes(row.document), Digest(row.digest), State(row.state))


def _freeze(connection: Connection, freeze: Freeze, entry: Entry) -> None:
    if freeze in read_freezes(connection):
        return  # whoever freezes again and again leaves revocations their space on a full disk
    take_numbers(connection, "owed", 0)  # whoever freezes the same elsewhere waits here, not fails
    if freeze in read_freezes(connection):
        return  # the one that was waited for
    owe(connection, entry)
    _lift(connection, freeze)  # in the same transaction: there is no moment without it
    row = {"store": freeze.store or "", "instrument": freeze.instrument or ""}
    connection.execute(insert(freezes).values({**row, "at": read_clock_text(connection)}))
    # CRASH, once this is committed: as after a change of state.


def _thaw(connection: Connection, freeze: Freeze, entry: Entry) -> None:
    _lift(connection, freeze)
    owe(connection, entry)


def _lift(connection: Connection, freeze: Freeze) -> None:
    exactly = (freezes.c.store == (freeze.store or "")) & (
        freezes.c.instrument == (freeze.instrument or "")
    )
    connection.execute(delete(freezes).where(exactly))


def _changes(connection: Connection, since: int) -> Changes:
    later = select(changes).where(changes.c.sequence > since).order_by(changes.c.sequence)
    rows = connection.execute(later).all()
    states = {WarrantId(row.warrant): State(row.state) for row in rows}  # the latest of each
    return Changes(
        sequence=rows[-1].sequence if rows else since,
        now=read_clock(connection),
        states=tuple(states.items()),
        freezes=read_freezes(connection),
    )
