"""Receipts: the statement of one disclosure, or of what became of it. Pure.

A receipt says what was released, under which warrant, allowlist and bundle, and how much was
withheld and why: catalogued paths, digests and counts, never a value. Times, ids and everything
else that is not a function of the arguments are arguments.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

import rfc8785

from withhold.names import CallerName, Digest, ResourceName, WarrantId

ReceiptId = NewType("ReceiptId", str)  # "R-" and 26 characters of lower-case base32


class Stage(StrEnum):
    """Where in a disclosure an entry stands."""

    OPENING = "opening"  # a stream is about to begin
    RELEASE = "release"  # released for sending: a whole answer, or a refusal by fault of the store
    CLOSING = "closing"  # a stream has ended


@dataclass(frozen=True)
class Receipt:
    """One entry: `outcome` is `disclosed`, `incomplete`, or the code of the error that was sent."""

    id: ReceiptId
    stage: Stage
    outcome: str
    at: str  # RFC 3339, UTC, by this node's clock
    warrant: WarrantId
    warrant_digest: Digest
    bundle: Digest
    allowlist: Digest
    resource: ResourceName
    caller: CallerName
    software: str
    records_seen: int = 0
    records_disclosed: int = 0
    withheld: Mapping[str, int] = field(default_factory=dict)  # reason → count
    size_bytes: int = 0
    content_digest: Digest | None = None  # of the body as sent; None where none was

    def encode(self) -> bytes:
        """Give the canonical bytes. Source: RFC 8785."""
        members = {name: getattr(self, name) for name in self.__dataclass_fields__}
        members["withheld"] = dict(self.withheld)
        return rfc8785.dumps(
            {name: str(m) if isinstance(m, str) else m for name, m in members.items()}
        )
