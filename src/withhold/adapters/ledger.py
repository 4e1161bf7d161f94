"""The ledger in the database: receipts, appended only while the warrant behind them is active.

What waits together is appended together: the conditions are checked one by one, by one reading of
the clock, the states and the freezes, and only then are the receipts written whose condition holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, insert, select

from withhold.adapters.database import Database
from withhold.adapters.registry import read_freezes
from withhold.adapters.schema import (
    read_clock,
    receipts,
    take_numbers,
    warrants,
)
from withhold.errors import DatabaseUnavailable, Denied, LedgerUnavailable
from withhold.kinds.instant import Instant, print_instant
from withhold.names import State, WarrantId
from withhold.ports import Appended, Condition, Freeze
from withhold.receipt import Receipt, ReceiptId, Stage


@dataclass(frozen=True, slots=True)
class _Entry:
    """What is to be appended. Encoded before it comes here: what can't be, fails nobody else."""

    id: ReceiptId
    stage: Stage
    warrant: WarrantId
    receipt: bytes
    condition: Condition | None


class SqlLedger:
    """`Ledger` on a database."""

    def __init__(self, database: Database) -> None:
        """`database`: shared with the registry, whose states the conditions are about."""
        self._database = database

    async def append(self, receipt: Receipt, condition: Condition | None) -> None:
        """Make the receipt durable if the condition holds."""
        try:
            entry = _Entry(receipt.id, receipt.stage, receipt.warrant, receipt.encode(), condition)
            await self._database.write_together(_append, entry)
        except DatabaseUnavailable as error:
            raise LedgerUnavailable(f"the receipt is not durable: {error.message}") from None

    async def receipts(self, since: int, limit: int) -> Sequence[Appended]:
        """Give at most `limit` receipts after `since`."""
        try:
            return await self._database.read(partial(_receipts, since=since, limit=limit))
        except DatabaseUnavailable as error:
            raise LedgerUnavailable(error.message) from None


def unmet(
    condition: Condition,
    found: tuple[str, str] | None,
    now: Instant,
    frozen: frozenset[Freeze],
) -> Denied | None:
    """Say why an append must not happen; None if it may.

    `found`: the digest and the state that the database has for the warrant, None if it has none.
    """
    if found != (condition.digest, State.ACTIVE.value):
        return Denied("warrant-not-active", "the warrant is not active")
    if not condition.valid_from <= now < condition.valid_until:
        return Denied("warrant-not-active", "the warrant is not valid now")
    if any(freeze.holds(condition.store, condition.instrument) for freeze in frozen):
        return Denied("frozen", "disclosures are frozen")
    return None


def _append(connection: Connection, entries: Sequence[_Entry]) -> Sequence[Denied | None]:
    conditions = [entry.condition for entry in entries]
    named = sorted({condition.warrant for condition in conditions if condition is not None})
    rows = select(warrants.c.id, warrants.c.digest, warrants.c.state).where(
        warrants.c.id.in_(named)
    )
    # Where rows have locks, a state that was read here stays until this transaction has ended:
    # whoever revokes, revokes before or after. SQLite has one writer at a time anyway.
    locked = connection.execute(rows.order_by(warrants.c.id).with_for_update(read=True))
    found = {row.id: (row.digest, row.state) for row in locked}
    frozen = read_freezes(connection)
    now = read_clock(connection)  # after the locks, which may have been waited for
    denials = [
        None if condition is None else unmet(condition, found.get(condition.warrant), now, frozen)
        for condition in conditions
    ]
    met = [entry for entry, denial in zip(entries, denials, strict=True) if denial is None]
    if met:
        connection.execute(insert(receipts), _rows(connection, met, print_instant(now)))
    return denials


def _rows(connection: Connection, met: Sequence[_Entry], at: str) -> list[dict[str, Any]]:
    first = take_numbers(connection, "receipts", len(met))
    return [
        {
            "sequence": first + i,
            "id": entry.id,
            "stage": entry.stage.value,
            "warrant": entry.warrant,
            "receipt": entry.receipt,
            "at": at,
        }
        for i, entry in enumerate(met)
    ]


def _receipts(connection: Connection, since: int, limit: int) -> Sequence[Appended]:
    rows = select(receipts.c.sequence, receipts.c.receipt).where(receipts.c.sequence > since)
    found = connection.execute(rows.order_by(receipts.c.sequence).limit(limit))
    return tuple(Appended(row.sequence, bytes(row.receipt)) for row in found)
