"""What a log must be, read from its database's file while nobody runs, or while somebody does.

The file is opened for reading only: it is not recovered, checkpointed or changed in any other way,
so that whoever is started next finds it as it was left.
"""

import hashlib
import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import NullPool, create_engine, event, select, text

from tests.faults.asking import Heard
from tests.ledger.logs import defined_root
from withhold.adapters.database import Database
from withhold.adapters.ledger import SqlLedger
from withhold.adapters.log import STEP, hash_at, read_frontier
from withhold.adapters.schema import entries, owed, subtrees, warrants
from withhold.digest import digest_of
from withhold.ledger.entry import leaf_of, open_sealed, read_public
from withhold.ledger.receipt import ReceiptId, commit_body, handle_of
from withhold.ledger.tree import (
    Frontier,
    consistency_proof,
    hash_leaf,
    verify_consistency,
)

OPEN = {"opening", "release"}


@dataclass
class Log:
    """A log as far as it was read, and checked as it was."""

    file: Path
    frontier: Frontier = field(default_factory=Frontier)
    leaves: list[bytes] = field(default_factory=list, repr=False)
    opened: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)  # by handle
    closed: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    nodes: dict[str, str] = field(default_factory=dict, repr=False)  # of each opened handle
    changes: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    states: dict[str, str] = field(default_factory=dict, repr=False)
    owed: int = 0

    def read_on(self) -> None:
        """Read what is new, and check that all of it is whole and goes on from what was there.

        Leaves are the hashes of their public parts, seals open, indices have no gap, the right edge
        and the kept subtrees are those of the leaves, and the old log is proved to be the new one's
        beginning.
        """
        engine = create_engine("sqlite://", creator=self._connect, poolclass=NullPool)
        # Else each question would be answered as of another moment.
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        with engine.connect() as connection:
            before = self.frontier
            kept = read_frontier(connection)
            rows = connection.execute(
                select(entries)
                .where(entries.c.leaf_index >= before.size)
                .order_by(entries.c.leaf_index)
            ).all()
            assert [row.leaf_index for row in rows] == list(range(before.size, kept.size))
            for row in rows:
                self._read(row)
            after, made = before.grow(hash_leaf(bytes(row.leaf)) for row in rows)
            assert after == kept
            size = connection.execute(text("SELECT size FROM log")).scalar_one()
            assert size == kept.size
            for node in made:
                if node.level and node.level % STEP == 0:
                    same = (subtrees.c.level == node.level) & (subtrees.c.subtree == node.at)
                    root = connection.execute(select(subtrees.c.root).where(same)).scalar_one()
                    assert bytes(root) == node.hash
            proof = consistency_proof(before.size, after.size, hash_at(connection))
            verify_consistency(before.size, before.root, after.size, after.root, proof)
            found = connection.execute(select(warrants.c.id, warrants.c.state))
            self.states = {row.id: row.state for row in found}
            self.owed = len(connection.execute(select(owed.c.sequence)).all())
            self.frontier = after

    def read_anew(self) -> None:
        """Read all of it once more, and check its root by the definition and not by our code."""
        anew = Log(self.file)
        anew.read_on()
        assert anew.frontier == self.frontier
        assert anew.leaves == self.leaves
        assert defined_root(anew.leaves) == anew.frontier.root

    def check_heard(self, heard: list[Heard]) -> None:
        """Check that whatever was answered was released before."""
        for each in heard:
            assert each.status is not None, "the head of a response broke off"
            if each.status != 200:
                assert each.receipt is None
                continue
            assert each.receipt is not None
            handle = handle_of(ReceiptId(each.receipt))
            assert handle in self.opened, f"{handle} was answered and is not in the log"

    def check_endings(self, heard: list[Heard]) -> Counter[str]:
        """Check that every release has one ending, and that it is true of what was received."""
        assert self.closed.keys() == self.opened.keys()
        seen: Counter[str] = Counter(one["outcome"] for one in self.closed.values())
        for each in heard:
            if each.receipt is None:
                continue
            handle = handle_of(ReceiptId(each.receipt))
            opened, closed = self.opened[handle], self.closed[handle]
            assert closed["outcome"] != "not-sent", f"{handle} was sent"
            if each.is_whole:
                assert closed["outcome"] in {"complete", "unknown"}, (handle, closed)
                told = opened if opened["type"] == "release" else closed
                if told is opened or closed["outcome"] == "complete":
                    body = commit_body(ReceiptId(each.receipt), digest_of(each.body))
                    assert (told["size_bytes"], told["body"]) == (len(each.body), body)
            else:
                # It may have broken on its way to us, and been handed over before.
                assert len(each.body) <= (closed["size_bytes"] or len(each.body))
        return seen

    def unknown_of(self, nodes: set[str]) -> list[str]:
        """Give what these nodes released and nobody knows the end of."""
        return [
            handle
            for handle, node in self.nodes.items()
            if node in nodes and self.closed.get(handle, {}).get("outcome") == "unknown"
        ]

    def _read(self, row: Any) -> None:  # noqa: ANN401 - a row of `entries`
        public, leaf = bytes(row.public), bytes(row.leaf)
        assert leaf_of(public) == leaf
        assert hashlib.sha256(public).digest() == leaf
        said = read_public(public)
        open_sealed(public, bytes(row.sealed), bytes(row.salt))
        assert said["type"] == row.type
        self.leaves.append(leaf)
        handle = said.get("receipt")
        if row.type in OPEN:
            assert handle is not None
            assert handle not in self.opened
            self.opened[handle] = said
            self.nodes[handle] = row.node
        elif row.type == "closing":
            assert handle in self.opened, "an ending of what never began"
            assert handle not in self.closed, "a second ending"
            self.closed[handle] = said
        elif row.type == "warrant":
            self.changes[said["event"], said["warrant"]] += 1
        elif row.type == "freeze":
            self.changes[said["event"], said["instrument"]] += 1

    def _connect(self) -> sqlite3.Connection:
        raw = sqlite3.connect(f"file:{self.file}?mode=ro", uri=True, timeout=30)
        raw.isolation_level = None
        return raw


async def settle_all(file: Path) -> None:
    """Do as a node does that runs on for long after all others ended."""
    database = Database(f"sqlite:///{file}")
    try:
        ledger = SqlLedger(database)
        old = text("UPDATE nodes SET seen = seen - 1000 WHERE node != :node")
        await database.write(lambda it: it.execute(old, {"node": ledger.node}).rowcount)
        count = text("SELECT count(*) FROM nodes WHERE node != :node")
        while await database.read(lambda it: it.execute(count, {"node": ledger.node}).scalar_one()):
            await ledger.settle()
        await ledger.leave()
    finally:
        database.close()
