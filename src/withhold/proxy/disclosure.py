"""Disclosure: one request that may be answered, and the entries that it leaves in the ledger."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from withhold.digest import digest_of
from withhold.errors import DatabaseUnavailable, Denied, LedgerUnavailable
from withhold.kinds.instant import print_instant
from withhold.ledger.entry import Entry, EntryType
from withhold.ledger.receipt import (
    DISCLOSED,
    NOTHING,
    Closing,
    Ending,
    Receipt,
    ReceiptId,
    Released,
    handle_of,
)
from withhold.minimize.tally import Tally
from withhold.names import CallerName, Digest, Treatment, WarrantId
from withhold.ports import Condition
from withhold.proxy.metrics import Metrics
from withhold.proxy.parts import Parts
from withhold.proxy.terms import Terms
from withhold.proxy.warrants import check_standing

_LEAVING: Final = (Treatment.DISCLOSE, Treatment.TOKENIZE, Treatment.GENERALIZE)


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Who gets what on which terms: all that is settled before the store is asked."""

    id: ReceiptId = field(repr=False)  # it opens the commitment to the body
    caller: CallerName
    terms: Terms

    def headers(self, content_type: str) -> list[tuple[str, str]]:
        """Give the headers of every answer; none depends on the store's."""
        return [
            ("Content-Type", content_type),
            ("Withhold-Receipt", self.id),
            ("Withhold-Allowlist", self.terms.allowlist.digest),
        ]


@dataclass(frozen=True, slots=True)
class Sent:
    """What left, or is about to."""

    tally: Tally
    size_bytes: int
    digest: Digest | None


@dataclass(frozen=True)
class Revealed:
    """What the receipt of a reveal says beside what every receipt does. All but `label` is sealed.

    `made_under`: the warrant whose key made the token; `approval`: the digest of what was signed.
    """

    label: str  # of the field
    token: str = field(repr=False)
    made_under: WarrantId
    approver: str
    reason: str = field(repr=False)
    approval: Digest


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

    async def open(self, disclosure: Disclosure, store_status: int | None) -> None:
        """Make the entry without which no stream may begin. Raises: as `release`."""
        receipt = self._receipt(disclosure, EntryType.OPENING, DISCLOSED, NOTHING, store_status)
        await self._release(disclosure, receipt.entry())

    async def release(self, disclosure: Disclosure, sent: Sent, store_status: int | None) -> None:
        """Make the entry without which nothing may leave: on return it is durable.

        Its transaction checks warrant and freezes by the database. What this node knows by itself
        is asked before and, since an append may take its time, after it.
        Raises: Denied, LedgerUnavailable, DatabaseUnavailable.
        """
        released = released_of(disclosure.terms, sent)
        receipt = self._receipt(disclosure, EntryType.RELEASE, DISCLOSED, released, store_status)
        await self._release(disclosure, receipt.entry())

    async def reveal(self, disclosure: Disclosure, revealed: Revealed, body: bytes) -> Sent:
        """Make the entry without which no address may leave for a token, and use up the approval.

        Raises: as `release`; Denied `approval-used`.
        """
        sent = whole(body, Tally())
        released = Released(disclosed={revealed.label: 1}, size_bytes=len(body), digest=sent.digest)
        entry = self._receipt(disclosure, EntryType.REVEAL, DISCLOSED, released, None).entry()
        sealed = {
            "approver": revealed.approver,
            "reason": revealed.reason,
            "token": revealed.token,
            "made_under": revealed.made_under,
            "approval": revealed.approval,
        }
        entry = replace(
            entry,
            public={**entry.public, "field": revealed.label},
            sealed={**entry.sealed, **sealed},
        )
        await self._release(disclosure, entry, once=revealed.approval)
        return sent

    async def fail(self, disclosure: Disclosure, code: str, store_status: int | None) -> None:
        """Make the entry of an answer that could not be used. Raises: LedgerUnavailable."""
        receipt = self._receipt(disclosure, EntryType.FAILURE, code, NOTHING, store_status)
        await self._append(receipt.entry(), None)

    async def close(self, disclosure: Disclosure, ending: Ending, sent: Sent) -> None:
        """Make the entry of what became of a stream. Raises: LedgerUnavailable."""
        stream = (disclosure.id, released_of(disclosure.terms, sent))
        closing = self._closing(disclosure, ending, sent.size_bytes)
        await self._append(replace(closing, stream=stream).entry(), None)

    def close_later(self, disclosure: Disclosure, ending: Ending, size_bytes: int) -> None:
        """See to it that an entry says what became of a whole answer. Nobody waits for it."""
        self._parts.closings.add(self._closing(disclosure, ending, size_bytes))

    async def _release(
        self, disclosure: Disclosure, entry: Entry, once: Digest | None = None
    ) -> None:
        terms, standing = disclosure.terms, self._parts.standing
        store = terms.allowlist.resource.store
        check_standing(standing, terms.warrant, store)
        condition = terms.condition if once is None else replace(terms.condition, once=once)
        await self._append(entry, condition)
        try:
            check_standing(standing, terms.warrant, store)
        except (Denied, DatabaseUnavailable):
            # The entry says more than is true now: nothing leaves, and the next one says so.
            self.close_later(disclosure, Ending.NOT_SENT, 0)
            raise

    def _receipt(
        self,
        disclosure: Disclosure,
        kind: EntryType,
        outcome: str,
        released: Released,
        store_status: int | None,
    ) -> Receipt:
        terms = disclosure.terms
        return Receipt(
            id=disclosure.id,
            type=kind,
            outcome=outcome,
            at=print_instant(self._parts.now()),
            warrant=terms.warrant.id,
            warrant_digest=terms.warrant.digest,
            instrument=terms.warrant.instrument,
            bundle=terms.bundle,
            allowlist=terms.allowlist.digest,
            resource=terms.allowlist.resource.name,
            software=self._parts.software,
            authorised=terms.authorised,
            released=released,
            caller=disclosure.caller,
            targets=terms.targets,
            unauthorised=terms.unauthorised,
            requested=terms.requested,
            store_status=store_status,
        )

    def _closing(self, disclosure: Disclosure, ending: Ending, size_bytes: int) -> Closing:
        return Closing(
            receipt=handle_of(disclosure.id),
            at=print_instant(self._parts.now()),
            warrant=disclosure.terms.warrant.id,
            ending=ending,
            size_bytes=size_bytes,
        )

    async def _append(self, entry: Entry, condition: Condition | None) -> None:
        began_s = self._monotonic_s()
        try:
            await self._parts.ledger.append(entry, condition)
        except LedgerUnavailable:
            self.failed_at_s = self._monotonic_s()
            raise
        finally:
            self._metrics.ledger_seconds.observe(self._monotonic_s() - began_s)
        self.failed_at_s = None
        self._metrics.count_receipt(entry.type, entry.public["outcome"])


def released_of(terms: Terms, sent: Sent) -> Released:
    """Give what a receipt says of what was sent: counts by treatment, and by reason."""
    counts: dict[Treatment, dict[str, int]] = {treatment: {} for treatment in _LEAVING}
    for label, count in sent.tally.disclosed.items():
        counts[terms.treatments[label]][label] = count
    withheld: dict[str, dict[str, int]] = defaultdict(dict)
    for (reason, place), count in sent.tally.withheld.items():
        withheld[str(reason)][place] = count  # plain, as an entry is written fastest
    return Released(
        disclosed=counts[Treatment.DISCLOSE],
        tokenized=counts[Treatment.TOKENIZE],
        generalized=counts[Treatment.GENERALIZE],
        records_disclosed=sent.tally.records_disclosed,
        size_bytes=sent.size_bytes,
        digest=sent.digest,
        records_seen=sent.tally.records_seen,
        withheld=withheld,
    )
