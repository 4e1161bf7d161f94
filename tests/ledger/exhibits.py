"""One disclosure in a log of others, and the exhibit that proves it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from msgspec import structs

from tests.ledger.logs import ORIGIN, Log, checkpoint_of, log_of, signer_of
from withhold.digest import digest_of
from withhold.ledger.entry import Entry, EntryType, Json, read_public, write_entry
from withhold.ledger.exhibit import Exhibit, Shown, sign_exhibit
from withhold.ledger.note import Signer
from withhold.ledger.proof import Proof, print_proof
from withhold.ledger.receipt import Closing, Ending, Receipt, ReceiptId, Released, handle_of
from withhold.ledger.tree import inclusion_proof
from withhold.names import CallerName, Digest, InstrumentName, ResourceName, WarrantId

SIGNER = signer_of(ORIGIN)
KEYS = [SIGNER.verifier_key]
ID = ReceiptId("R-abcdefghijklmnopqrstuvwxyz")
HANDLE = handle_of(ID)
WARRANT = WarrantId("W-2026-0117-k7wqz4")
DIGEST = Digest("sha-256=:d2FycmFudA==:")
BODY = b'{"user_id":"CANARY-alice"}'
CANARIES = ("CANARY", "SEALED")
RELEASED = Released(
    disclosed={"$.user_id": 1},
    tokenized={"$.ip": 2},
    records_disclosed=1,
    size_bytes=len(BODY),
    digest=digest_of(BODY),
    records_seen=7,
    withheld={"SEALED-reason": {"SEALED-place": 3}},
)
SIGNED: Mapping[str, Json] = {
    "digest": DIGEST,
    "instrument": "us-sca-subpoena",
    "jurisdiction": "US",
    "categories": ["identifying", "subscriber"],
    "fields": 0,
    "targets": 2,
    "valid_from": "2026-11-01T00:00:00Z",
    "valid_until": "2027-01-01T00:00:00Z",
    "served_at": "2026-10-31T00:00:00Z",
    "secrecy_until": None,
}


def receipt(kind: EntryType = EntryType.RELEASE, **changes: Json) -> Entry:
    made = Receipt(
        id=ID,
        type=kind,
        outcome="disclosed",
        at="2026-11-24T14:05:00.25Z",
        warrant=WARRANT,
        warrant_digest=DIGEST,
        instrument=InstrumentName("us-sca-subpoena"),
        bundle=Digest("sha-256=:YnVuZGxl:"),
        allowlist=Digest("sha-256=:YWxsb3dsaXN0:"),
        resource=ResourceName("synapse/whois"),
        software="withhold/test",
        authorised={"disclose": 1, "tokenize": 1},
        released=RELEASED,
        caller=CallerName("SEALED-caller"),
        targets=("1.SEALED-target",),
        store_status=200,
    )
    return structs.replace(made, **changes).entry()


def closing(ending: Ending = Ending.COMPLETE, **changes: Json) -> Entry:
    made = Closing(HANDLE, "2026-11-24T14:05:01Z", WARRANT, ending, len(BODY))
    return replace(made, **changes).entry()


def order(event: str, state: str, at: str, more: Mapping[str, Json] = SIGNED) -> Entry:
    return Entry(
        EntryType.WARRANT,
        at,
        {"event": event, "state": state, **more},
        {"by": "SEALED-operator"},
        warrant=WARRANT,
    )


def other(number: int) -> Entry:
    """Give another case's entry: nothing of it may be seen."""
    return Entry(EntryType.FREEZE, "2026-11-01T00:00:00Z", {"event": f"OTHER-{number}"})


REGISTERED = order("registered", "pending", "2026-11-02T09:00:00Z")
APPROVED = order("approved", "active", "2026-11-02T10:00:00Z")
REVOKED = order("revoked", "revoked", "2026-11-25T10:00:00Z", {})
ENTRIES = (REGISTERED, other(1), APPROVED, receipt(), other(2), closing(), REVOKED, other(3))


@dataclass(frozen=True)
class Case:
    """A log, and who signs it."""

    entries: Sequence[Entry] = ENTRIES
    signers: Sequence[Signer] = field(default_factory=lambda: [SIGNER])
    receipt: ReceiptId | None = ID

    @property
    def log(self) -> Log:
        written = [write_entry(each, bytes([at]) * 32) for at, each in enumerate(self.entries)]
        return log_of([each.leaf for each in written])

    def exhibit(self, note: bytes | None = None) -> Exhibit:
        """Give the signed exhibit. `note`: None: of the whole log, signed by all."""
        log = self.log
        note = checkpoint_of(log, *self.signers) if note is None else note
        size = log.frontier.size
        shown: dict[bool, list[Shown]] = {True: [], False: []}
        for at, entry in enumerate(self.entries):
            if entry.receipt is None and entry.warrant is None:
                continue
            public = _public(entry, at)
            proof = Proof(at, inclusion_proof(at, size, log.hash_at), note)
            is_order = entry.receipt is None
            shown[is_order].append(Shown(at, public, print_proof(proof).decode()))
        made = Exhibit(ORIGIN, self.receipt, tuple(shown[False]), tuple(shown[True]))
        return sign_exhibit(made, self.signers)


def _public(entry: Entry, at: int) -> dict[str, Json]:
    return read_public(write_entry(entry, bytes([at]) * 32).public)
