"""Pruning: what was kept long enough is made to be no more, and the log verifies as before.

Leaves always stay; what goes are parts of entries, documents of warrants and token keys. Each batch
is one short transaction with its own entry in the log, and says where the next one begins: what
breaks off is taken up again from the beginning, and finds nothing that was done already.

INVARIANT: a warrant that is not final is a hold: neither it, nor its key, nor any part of an entry
about it is touched, however old.

INVARIANT: nothing younger than the deployment's least age goes, and who pruned, looked at sealed
parts or had a token revealed stays for good: nobody prunes away what tells of it at once, or ever.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, update

from withhold.adapters.database import Database
from withhold.adapters.log import owe
from withhold.adapters.schema import (
    changes,
    entries,
    log,
    read_clock,
    read_clock_text,
    take_numbers,
    token_keys,
    warrants,
)
from withhold.adapters.token_keys import destroy_key
from withhold.errors import BadRequest, WarrantError
from withhold.kinds.instant import Instant, parse_rfc3339, print_instant
from withhold.ledger.entry import BEGINNINGS, Entry, EntryType, read_public
from withhold.names import CallerName, State, WarrantId
from withhold.warrant.signed import parse_signed

MAX_PRUNED: Final = 256  # rows in one transaction: others wait meanwhile
PRUNED: Final = b""  # the document of a warrant that was pruned; nothing reads it as a warrant

_OVER: Final = frozenset({State.REVOKED, State.CLOSED, State.EXPIRED})
_DAY_S: Final = 86_400
_CLOCKS_DIFFER_S: Final = 86_400  # entries of several nodes are in order but for that much
_OF_DISCLOSURES: Final = BEGINNINGS | {EntryType.CLOSING}
_STAY: Final = frozenset({EntryType.PRUNE, EntryType.READING, EntryType.REVEAL})


class What(StrEnum):
    """What can be pruned, in the order in which it is best done."""

    SEALED = "sealed"  # the sealed parts of entries, and their salts
    KEYS = "keys"  # the token keys of warrants that are over
    WARRANTS = "warrants"  # the documents of warrants that are over
    PUBLIC = "public"  # of disclosures, the public parts too: nothing but their leaves stays


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction came to. `next`: where the next one begins; None: nothing is left."""

    count: int
    next: int | None


@dataclass(frozen=True, slots=True)
class _Found:
    """What one batch is about: keys of rows."""

    rows: Sequence[Any]
    next: int | None


class Pruning:
    """Prunes one database. Raises: BadRequest, DatabaseUnavailable."""

    def __init__(self, database: Database, least_days: int) -> None:
        """`database`: the one of registry, ledger and token keys.

        `least_days`: what is younger by the database's clock can't be pruned.
        """
        self._database, self._least_days = database, least_days

    async def prune(
        self, what: What, before: Instant, since: int, by: CallerName, *, dry_run: bool = False
    ) -> Batch:
        """Prune the next batch, or only count it. Durable on return.

        `before`: entries of before it; warrants that were over before it. `since`: 0, or the last
        batch's `next`. `by`: who asked, for the sealed part of the entry.
        """
        look = partial(_look, what=what, before=before, since=since, least_days=self._least_days)
        if dry_run:
            found = await self._database.read(look)
            return Batch(len(found.rows), found.next)
        work = partial(_prune, what=what, look=look, before=before, by=by)
        batch = await self._database.write(work)
        # CRASH: this batch is pruned and entered; its old bytes may still be in the log beside the
        # file. They go with the next scrub, or as that log is written over.
        if batch.next is None:
            await self._database.scrub()
        return batch


_Look = Callable[[Connection], _Found]


def _look(
    connection: Connection, what: What, before: Instant, since: int, least_days: int
) -> _Found:
    now = read_clock(connection)
    if before > now:
        message = "`before` is still to come: what is pruned is past"
        raise BadRequest(message)
    latest = Instant(now.second - least_days * _DAY_S, now.fraction)
    if before > latest:
        message = f"`before` is too late: what is younger than {least_days} days stays"
        hint = f"not later than `{print_instant(latest)}`; `[retention] least_days` says so"
        raise BadRequest(message, hint)
    return _FIND[what](connection, before=before, since=since)


def _prune(
    connection: Connection, what: What, look: _Look, before: Instant, by: CallerName
) -> Batch:
    found = look(connection)
    _DO[what](connection, found.rows)
    if found.rows:
        public = {"what": what.value, "before": print_instant(before), "count": len(found.rows)}
        at = read_clock_text(connection)
        owe(connection, Entry(EntryType.PRUNE, at, public, {"by": by}))
    # CRASH: nothing of this batch is pruned, and no entry says that it was.
    return Batch(len(found.rows), found.next)


def _find_parts(
    connection: Connection, before: Instant, since: int, *, public: bool = False
) -> _Found:
    """Find entries by their index whose parts are to go. Public parts go with their sealed ones."""
    index, end = entries.c.leaf_index, since + MAX_PRUNED
    there = entries.c.public if public else entries.c.sealed
    rows = connection.execute(
        select(index, entries.c.type, entries.c.warrant, entries.c.public)
        .where(index >= since, index < end, there.is_not(None))
        .order_by(index)
    ).all()
    held = _held(connection, {row.warrant for row in rows if row.warrant is not None})
    made = {row.leaf_index: _made(bytes(row.public)) for row in rows}
    chosen = [
        row.leaf_index
        for row in rows
        if made[row.leaf_index] < before
        and row.warrant not in held
        and row.type not in _STAY
        and (not public or row.type in _OF_DISCLOSURES)
    ]
    late = Instant(before.second + _CLOCKS_DIFFER_S)
    is_past = bool(made) and min(made.values()) >= late
    size = connection.execute(select(log.c.size)).scalar_one()
    return _Found(chosen, None if is_past or end >= size else end)


def _made(public: bytes) -> Instant:
    """Give when an entry was made, by its node's clock; what says no time is never old enough."""
    return parse_rfc3339(read_public(public)["at"]) or Instant(2**62)


def _held(connection: Connection, named: Collection[str]) -> frozenset[str]:
    """Give those warrants that are not over, and those of which that is not known."""
    if not named:
        return frozenset()
    now = read_clock(connection)
    rows = connection.execute(select(warrants).where(warrants.c.id.in_(sorted(named))))
    over = {row.id for row in rows if State(row.state) in _OVER or _expired(row, now)}
    return frozenset(named) - over


def _expired(row: Row[Any], now: Instant) -> bool:
    """Tell whether an active warrant is past its validity."""
    if row.state != State.ACTIVE:
        return False
    try:
        return now >= parse_signed(bytes(row.document)).warrant.valid.until
    except WarrantError:  # nobody can tell: so it is not
        return False


def _over(connection: Connection, before: Instant, since: int) -> _Found:
    """Find the next warrants, by number, that were over before `before`."""
    rows = connection.execute(
        select(warrants)
        .where(warrants.c.number > since)
        .order_by(warrants.c.number)
        .limit(MAX_PRUNED)
    ).all()
    moved = select(changes).where(changes.c.warrant.in_([row.id for row in rows]))
    last = connection.execute(moved.order_by(changes.c.sequence)).all() if rows else []
    ended = {row.warrant: parse_rfc3339(row.at) for row in last if State(row.state) in _OVER}
    over = [
        row
        for row in rows
        if _expired(row, before)
        or (State(row.state) in _OVER and (ended.get(row.id) or before) < before)
    ]
    return _Found(over, rows[-1].number if len(rows) == MAX_PRUNED else None)


def _find_warrants(connection: Connection, before: Instant, since: int) -> _Found:
    found = _over(connection, before, since)
    return _Found([row for row in found.rows if bytes(row.document) != PRUNED], found.next)


def _find_keys(connection: Connection, before: Instant, since: int) -> _Found:
    found = _over(connection, before, since)
    names = [row.id for row in found.rows]
    has_key = token_keys.c.wrapped.is_not(None) & token_keys.c.warrant.in_(names)
    rows = select(token_keys.c.warrant).where(has_key).order_by(token_keys.c.warrant)
    return _Found(connection.execute(rows).scalars().all() if names else [], found.next)


def _empty_parts(
    connection: Connection, indices: Sequence[int], columns: Mapping[str, None]
) -> None:
    if indices:
        these = update(entries).where(entries.c.leaf_index.in_(indices))
        connection.execute(these.values(dict(columns)))


def _empty_warrants(connection: Connection, rows: Sequence[Row[Any]]) -> None:
    for row in rows:
        same = update(warrants).where(warrants.c.id == row.id, warrants.c.state == row.state)
        if row.state != State.ACTIVE:
            connection.execute(same.values(document=PRUNED))
            continue
        # Without its document nobody could tell any more that it has expired.
        expired = same.values(document=PRUNED, state=State.EXPIRED.value)
        if connection.execute(expired).rowcount == 0:  # revoked this moment; the next time, then
            continue
        number, at = take_numbers(connection, "changes", 1), read_clock_text(connection)
        change = {"sequence": number, "warrant": row.id, "state": State.EXPIRED.value, "at": at}
        connection.execute(insert(changes).values(change))


def _destroy_keys(connection: Connection, names: Sequence[str]) -> None:
    for name in names:
        destroy_key(connection, WarrantId(name))


_SEALED: Final = dict.fromkeys(("salt", "sealed"))
_FIND: Final[Mapping[What, Callable[..., _Found]]] = {
    What.SEALED: _find_parts,
    What.KEYS: _find_keys,
    What.WARRANTS: _find_warrants,
    What.PUBLIC: partial(_find_parts, public=True),
}
_DO: Final[Mapping[What, Callable[[Connection, Sequence[Any]], None]]] = {
    What.SEALED: partial(_empty_parts, columns=_SEALED),
    What.KEYS: _destroy_keys,
    What.WARRANTS: _empty_warrants,
    What.PUBLIC: partial(_empty_parts, columns={**_SEALED, "public": None}),
}
