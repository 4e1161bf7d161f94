"""Disclosure: one request that may be answered, and the entries that it leaves in the ledger."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from withhold.allowlist.model import Allowlist
from withhold.digest import digest_of
from withhold.errors import DatabaseUnavailable, Denied, LedgerUnavailable
from withhold.kinds.instant import print_instant
from withhold.minimize.tally import Tally
from withhold.names import CallerName, Digest
from withhold.ports import Condition
from withhold.proxy.metrics import Metrics
from withhold.proxy.parts import Parts
from withhold.proxy.warrants import check_standing
from withhold.receipt import Receipt, ReceiptId, Stage
from withhold.warrant.model import Warrant

DISCLOSED: Final = "disclosed"
INCOMPLETE: Final = "incomplete"


@dataclass(frozen=True)
class Disclosure:
    """Who gets what by which warrant: all that is settled before the store is asked."""

    id: ReceiptId
    caller: CallerName
    warrant: Warrant
    bundle: Digest
    allowlist: Allowlist

    def headers(self, content_type: str) -> list[tuple[str, str]]:
        """Give the headers of every answer; none depends on the store's."""
        return [
            ("Content-Type", content_type),
            ("Withhold-Receipt", self.id),
            ("Withhold-Allowlist", self.allowlist.digest),
        ]


@dataclass(frozen=True)
class Sent:
    """What left, or is about to."""

    tally: Tally
    size_bytes: int
    digest: Digest | None


NOTHING: Final = Sent(Tally(), 0, None)


def whole(body: bytes, tally: Tally) -> Sent:
    """Give what a whole answer sends."""
    return Sent(tally, len(body), digest_of(body))


class Clerk:
    """Writes the ledger's entries, and knows whether that lately failed."""

    def __init__(self, parts: Parts, metrics: Metrics, monotonic_s: Callable[[], float]) -> None:
        """`monotonic_s`: a clock that only goes on."""
        self._parts = parts
        self._metrics = metrics
        self._monotonic_s = monotonic_s
        self.failed_at_s: float | None = None  # None: the last entry was made

    async def release(self, disclosure: Disclosure, stage: Stage, sent: Sent = NOTHING) -> None:
        """Make the entry without which nothing may leave: on return it is durable.

        Its transaction checks warrant and freezes by the database. What this node knows by itself
        is asked before and, since an append may take its time, after it.
        Raises: Denied, LedgerUnavailable, DatabaseUnavailable.
        """
        warrant = disclosure.warrant
        check_standing(self._parts.standing, warrant, disclosure.allowlist.resource.store)
        condition = Condition(
            warrant=warrant.id,
            digest=warrant.digest,
            valid_from=warrant.valid.since,
            valid_until=warrant.valid.until,
            store=disclosure.allowlist.resource.store,
            instrument=warrant.instrument,
        )
        await self._append(disclosure, stage, DISCLOSED, sent, condition)
        try:
            check_standing(self._parts.standing, warrant, disclosure.allowlist.resource.store)
        except (Denied, DatabaseUnavailable):
            # The entry says more than is true now: nothing leaves, and the next one says so.
            await self.note(disclosure, Stage.CLOSING, INCOMPLETE)
            raise

    async def note(
        self, disclosure: Disclosure, stage: Stage, outcome: str, sent: Sent = NOTHING
    ) -> None:
        """Make an entry that lets nothing out: what became of it. Raises: LedgerUnavailable."""
        await self._append(disclosure, stage, outcome, sent, None)

    async def _append(
        self,
        disclosure: Disclosure,
        stage: Stage,
        outcome: str,
        sent: Sent,
        condition: Condition | None,
    ) -> None:
        receipt = Receipt(
            id=disclosure.id,
            stage=stage,
            outcome=outcome,
            at=print_instant(self._parts.now()),
            warrant=disclosure.warrant.id,
            warrant_digest=disclosure.warrant.digest,
            bundle=disclosure.bundle,
            allowlist=disclosure.allowlist.digest,
            resource=disclosure.allowlist.resource.name,
            caller=disclosure.caller,
            software=self._parts.software,
            records_seen=sent.tally.records_seen,
            records_disclosed=sent.tally.records_disclosed,
            withheld=sent.tally.by_reason(),
            size_bytes=sent.size_bytes,
            content_digest=sent.digest,
        )
        began_s = self._monotonic_s()
        try:
            await self._parts.ledger.append(receipt, condition)
        except LedgerUnavailable:
            self.failed_at_s = self._monotonic_s()
            raise
        finally:
            self._metrics.ledger_seconds.observe(self._monotonic_s() - began_s)
        self.failed_at_s = None
        self._metrics.receipts.labels(stage, outcome).inc()
