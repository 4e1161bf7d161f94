"""What an append asks of the database before it writes, in one question.

Each statement costs more than what it reads, so one reads all of it: the log's right edge, the
clock, the states of the warrants, the freezes, whether anything is owed, and what the log has
already of the same receipts. What it says is as of one moment, in which nobody else changes any of
it: SQLite's transaction has the file for itself, and where rows have locks, they are taken first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    LargeBinary,
    Select,
    Text,
    bindparam,
    cast,
    exists,
    literal_column,
    null,
    select,
    union_all,
)

from withhold.adapters.compiled import compiled, padded
from withhold.adapters.schema import (
    LOG,
    clock_of,
    entries,
    freezes,
    has_row_locks,
    log,
    owed,
    parse_clock,
    warrants,
)
from withhold.kinds.instant import Instant
from withhold.ledger.entry import EntryType
from withhold.names import InstrumentName, StoreName
from withhold.ports import Freeze

Key = tuple[str, str]  # a disclosure's handle, and an entry's type: the log has it once

_LOCKED_EDGE: Final = select(log.c.id).where(log.c.id == LOG).with_for_update()


@dataclass(frozen=True, slots=True)
class Asked:
    """What the database said, for as long as the transaction goes on."""

    edge: bytes
    now: Instant
    states: dict[str, tuple[str, str]]  # warrant → digest and state
    freezes: frozenset[Freeze]
    owes: bool  # whether something waits to be entered
    there: set[Key]  # those that are in the log already


def ask(connection: Connection, named: Iterable[str], keys: Sequence[Key]) -> Asked:
    """Take the log, and ask. `named`: warrants; `keys`: of entries to be. Raises: as `parse_clock`.

    The log comes first: what is read is as of now, however long others kept it, and nobody who
    revokes has to wait for those who wait for it.
    """
    names = padded(sorted(named))
    warrant_names = {f"w{i}": name for i, name in enumerate(names)}
    if has_row_locks(connection):
        compiled(connection, _LOCKED_EDGE).run(connection, {})
        # A state that was read here stays until this transaction has ended: whoever revokes,
        # revokes before or after.
        compiled(connection, _locked_states(len(names))).run(connection, warrant_names)
    ends = padded([handle for handle, kind in keys if kind == EntryType.CLOSING])
    begins = padded([handle for handle, kind in keys if kind != EntryType.CLOSING])
    values = {
        **warrant_names,
        **{f"e{i}": handle for i, handle in enumerate(ends)},
        **{f"b{i}": handle for i, handle in enumerate(begins)},
    }
    question = _question(connection.dialect.name, len(names), len(ends), len(begins))
    edge, clock, owes = b"", "", False
    states: dict[str, tuple[str, str]] = {}
    frozen = set[Freeze]()
    there = set[Key]()
    rows: Sequence[Any] = compiled(connection, question).run(connection, values).all()
    for what, one, two, three, data in rows:
        match what:
            case "edge":
                edge = bytes(data)
            case "clock":
                clock = one
            case "state":
                states[one] = (two, three)
            case "freeze":
                frozen.add(
                    Freeze(StoreName(one) if one else None, InstrumentName(two) if two else None)
                )
            case "owed":
                owes = True
            case _:
                there.add((one, two))
    return Asked(edge, parse_clock(clock), states, frozenset(frozen), owes, there)


@lru_cache
def _locked_states(count: int) -> Select[Any]:
    found = select(warrants.c.id).where(_any_of(warrants.c.id, "w", count))
    return found.order_by(warrants.c.id).with_for_update(read=True)


@lru_cache(maxsize=128)
def _question(dialect: str, named: int, ends: int, begins: int) -> CompoundSelect[Any]:
    none = cast(null(), Text)
    nothing = cast(null(), LargeBinary)

    def said(what: str, *columns: ColumnElement[Any]) -> Select[Any]:
        rest = [none] * (3 - len(columns))
        return select(literal_column(f"'{what}'"), *columns, *rest, nothing)

    edge = select(literal_column("'edge'"), none, none, none, log.c.frontier)
    w, e = warrants.c, entries.c
    is_end = e.type == EntryType.CLOSING.value
    return union_all(
        edge.where(log.c.id == LOG),
        said("clock", clock_of(dialect)),
        said("state", w.id, w.digest, w.state).where(_any_of(w.id, "w", named)),
        said("freeze", freezes.c.store, freezes.c.instrument),
        said("owed").where(exists(select(owed.c.sequence))),
        # Apart, or each closing would be told of the release that it closes.
        said("there", e.receipt, e.type).where(_any_of(e.receipt, "e", ends), is_end),
        said("there", e.receipt, e.type).where(_any_of(e.receipt, "b", begins), ~is_end),
    )


def _any_of(column: ColumnElement[Any], name: str, count: int) -> ColumnElement[bool]:
    return column.in_([bindparam(f"{name}{i}", type_=Text) for i in range(count)])
