"""Logs to count: entries as the ledger writes them, put one after the other."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from withhold.kinds.instant import Instant, parse_rfc3339
from withhold.ledger.entry import Entry, EntryType, Handle, write_entry
from withhold.names import WarrantId
from withhold.report.count import Count, add, settle

DAY: Final = "2026-03-02"
JURISDICTIONS: Final = {
    "us-sca-subpoena": "US",
    "us-search-warrant": "US",
    "eu-epoc-subscriber": "EU",
    "uk-entity-data": "UK",
}


def instant(text: str) -> Instant:
    found = parse_rfc3339(text if "T" in text else f"{text}T00:00:00Z")
    assert found is not None
    return found


@dataclass
class Log:
    """A log under construction. Times are `HH:MM` of the day, or RFC 3339."""

    parts: list[tuple[bytes | None, bytes | None]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    receipts: int = 0

    def put(
        self,
        kind: EntryType,
        at: str,
        public: Mapping[str, Any],
        sealed: Mapping[str, Any] | None = None,
        *,
        warrant: str | None = None,
        receipt: str | None = None,
    ) -> None:
        entry = Entry(
            kind,
            at if "T" in at else f"{DAY}T{at}:00Z",
            public,
            sealed or {},
            None if receipt is None else Handle(receipt),
            None if warrant is None else WarrantId(warrant),
        )
        self.entries.append(entry)
        written = write_entry(entry, bytes(32))
        self.parts.append((written.public, written.sealed))

    def warrant(
        self,
        warrant: str,
        event: str,
        state: str,
        at: str,
        *,
        instrument: str = "us-sca-subpoena",
        country: str | None = None,
        categories: Iterable[str] = ("subscriber",),
        targets: int = 1,
        secrecy_until: str | None = None,
    ) -> None:
        public = {
            "event": event,
            "state": state,
            "digest": "sha-256=:AA==:",
            "instrument": instrument,
            "jurisdiction": country or JURISDICTIONS[instrument],
            "categories": list(categories),
            "fields": 0,
            "targets": targets,
            "valid_from": "2026-01-01T00:00:00Z",
            "valid_until": "2027-01-01T00:00:00Z",
            "secrecy_until": secrecy_until,
            "served_at": None,
        }
        sealed = {"by": "intake", "signers": ["intake-1"], "targets": ["1.x"] * targets}
        self.put(EntryType.WARRANT, at, public, sealed, warrant=warrant)

    def end(self, warrant: str, event: str, at: str) -> None:
        """Suspend, revoke or close: such an entry says no more than that."""
        public = {"event": event, "state": event}
        self.put(EntryType.WARRANT, at, public, {"by": "operator"}, warrant=warrant)

    def order(self, warrant: str, at: str, **members: Any) -> None:  # noqa: ANN401 - as `warrant`
        """Register and approve an order."""
        self.warrant(warrant, "registered", "pending", at, **members)
        self.warrant(warrant, "approved", "active", at, **members)

    def release(
        self,
        warrant: str,
        at: str,
        *,
        kind: EntryType = EntryType.RELEASE,
        authorised: Mapping[str, int] | None = None,
        disclosed: Mapping[str, int] | None = None,
        tokenized: Mapping[str, int] | None = None,
        generalized: Mapping[str, int] | None = None,
        records: int = 0,
        unauthorised: Mapping[str, int] | None = None,
        withheld: Mapping[str, Mapping[str, int]] | None = None,
        requested: int | None = None,
    ) -> str:
        """Release an answer, or open a stream; gives the handle."""
        self.receipts += 1
        handle = f"H-{self.receipts}"
        public = {
            "outcome": "disclosed",
            "warrant_digest": "sha-256=:AA==:",
            "instrument": "whatever",
            "bundle": "sha-256=:AA==:",
            "allowlist": "sha-256=:AA==:",
            "resource": "synapse/whois",
            "software": "withhold 0.1.0",
            "authorised": dict(authorised or {}),
            "disclosed": dict(disclosed or {}),
            "tokenized": dict(tokenized or {}),
            "generalized": dict(generalized or {}),
            "records_disclosed": records,
            "size_bytes": 1,
            "body": None,
        }
        sealed = {
            "caller": "disclosure-service",
            "targets": [],
            "unauthorised": dict(unauthorised or {}),
            "store_status": 200,
            "records_seen": 1,
            "withheld": {reason: dict(places) for reason, places in (withheld or {}).items()},
        }
        if requested is not None:
            sealed["requested"] = requested
        self.put(kind, at, public, sealed, warrant=warrant, receipt=handle)
        return handle

    def close(
        self,
        warrant: str,
        handle: str,
        at: str,
        outcome: str = "complete",
        *,
        stream: Mapping[str, Any] | None = None,
        withheld: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:
        public = {**(stream or {}), "outcome": outcome, "size_bytes": 1}
        sealed = {} if withheld is None else {"records_seen": 1, "withheld": withheld}
        self.put(EntryType.CLOSING, at, public, sealed, warrant=warrant, receipt=handle)

    def disclose(self, warrant: str, at: str, outcome: str = "complete", **members: Any) -> None:  # noqa: ANN401 - as `release`
        """Release and close."""
        self.close(warrant, self.release(warrant, at, **members), at, outcome)

    def fail(self, warrant: str, at: str, code: str) -> None:
        self.put(EntryType.FAILURE, at, {"outcome": code, "instrument": "x"}, warrant=warrant)

    def reveal(self, warrant: str, at: str, outcome: str = "disclosed") -> str:
        self.receipts += 1
        handle = f"H-{self.receipts}"
        public = {"outcome": outcome, "disclosed": {"$.ip": 1}, "field": "$.ip"}
        self.put(EntryType.REVEAL, at, public, warrant=warrant, receipt=handle)
        return handle

    def refuse(self, minute: str, code: str, count: int, *, at: str = "") -> None:
        """Enter refusals of a minute: `HH:MM`, or with its date. `at`: when, if not then."""
        minute = minute if "T" in minute else f"{DAY}T{minute}"
        public = {"code": code, "minute": f"{minute}Z", "count": count}
        self.put(EntryType.REFUSALS, at or f"{minute}:00Z", public, {"caller": "x"})

    def freeze(self, at: str, event: str = "frozen") -> None:
        public = {"event": event, "store": None, "instrument": None}
        self.put(EntryType.FREEZE, at, public, {"by": "operator"})

    def prune(self, index: int, *, whole: bool = True) -> None:
        """Take away an entry's parts, or its sealed part only."""
        self.parts[index] = (None if whole else self.parts[index][0], None)

    def count(self, since: str = DAY, until: str = "2026-03-03") -> Count:
        count = Count(instant(since), instant(until))
        for public, sealed in self.parts:
            count = add(count, public, sealed)
        return settle(count)
