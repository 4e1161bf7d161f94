import base64
import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from withhold.digest import digest_of
from withhold.ledger.entry import EntryType, open_sealed, read_public, write_entry
from withhold.ledger.receipt import (
    DISCLOSED,
    NOTHING,
    Closing,
    Ending,
    Receipt,
    ReceiptId,
    Released,
    commit_body,
    handle_of,
    is_handle,
    is_receipt_id,
    print_receipt_id,
)
from withhold.names import CallerName, Digest, InstrumentName, ResourceName, WarrantId

ID = ReceiptId("R-k7wqz4a2b3c4d5e6f7g2h3i4j5")
AT = "2026-11-24T00:00:00Z"
BODY = digest_of(b"{}")
DIGEST = Digest("sha-256=:AAAA:")
RELEASED = Released(
    disclosed={"$.user_id": 1, "$.name": 2},
    tokenized={"$.ip": 3},
    generalized={"$.seen": 4},
    records_disclosed=5,
    size_bytes=6,
    digest=BODY,
    records_seen=7,
    withheld={"malformed": {"$.ip": 8}, "out-of-period": {"$.seen": 9}},
)
RECEIPT = Receipt(
    id=ID,
    type=EntryType.RELEASE,
    outcome=DISCLOSED,
    at=AT,
    warrant=WarrantId("W-1"),
    warrant_digest=Digest("sha-256=:WWWW:"),
    instrument=InstrumentName("us-sca-subpoena"),
    bundle=Digest("sha-256=:BBBB:"),
    allowlist=Digest("sha-256=:LLLL:"),
    resource=ResourceName("synapse/whois"),
    software="withhold/0",
    authorised={"disclose": 2, "tokenize": 1},
    released=RELEASED,
    caller=CallerName("disclosure-service"),
    targets=("c-1", "c-2"),
    unauthorised={"not-in-instrument": 3},
    requested=6,
    store_status=200,
)


def commitment(receipt: str, body: str) -> str:
    """Commit to a body without any of our code."""
    digest = hashlib.sha256(b"withhold body v1\0" + receipt.encode() + b"\0" + body.encode())
    return f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"


def handle(receipt: str) -> str:
    """Make a handle without any of our code."""
    digest = hashlib.sha256(b"withhold handle v1\0" + receipt.encode()).digest()[:16]
    return "H-" + base64.b32encode(digest).decode().lower().rstrip("=")


def test_what_is_public_and_what_is_sealed_of_a_receipt() -> None:
    entry = RECEIPT.entry()
    assert (entry.type, entry.at, entry.warrant) == (EntryType.RELEASE, AT, "W-1")
    assert entry.receipt == handle(ID)
    assert entry.public == {
        "outcome": "disclosed",
        "warrant_digest": "sha-256=:WWWW:",
        "instrument": "us-sca-subpoena",
        "bundle": "sha-256=:BBBB:",
        "allowlist": "sha-256=:LLLL:",
        "resource": "synapse/whois",
        "software": "withhold/0",
        "authorised": {"disclose": 2, "tokenize": 1},
        "disclosed": {"$.user_id": 1, "$.name": 2},
        "tokenized": {"$.ip": 3},
        "generalized": {"$.seen": 4},
        "records_disclosed": 5,
        "size_bytes": 6,
        "body": commitment(ID, BODY),
    }
    assert entry.sealed == {
        "caller": "disclosure-service",
        "targets": ["c-1", "c-2"],
        "unauthorised": {"not-in-instrument": 3},
        "requested": 6,
        "store_status": 200,
        "records_seen": 7,
        "withheld": {"malformed": {"$.ip": 8}, "out-of-period": {"$.seen": 9}},
    }


def test_the_public_part_is_a_function_of_what_was_disclosed() -> None:
    other = replace(
        RECEIPT,
        caller=CallerName("another"),
        targets=(),
        unauthorised={},
        store_status=None,
        released=replace(RELEASED, records_seen=99, withheld={}),
    )
    assert other.entry().public == RECEIPT.entry().public
    assert other.entry().sealed != RECEIPT.entry().sealed


def test_an_entry_of_a_receipt_is_written_and_opened() -> None:
    entry = RECEIPT.entry()
    written = write_entry(entry, bytes(32))
    assert read_public(written.public)["receipt"] == handle(ID)
    assert open_sealed(written.public, written.sealed, bytes(32)) == entry.sealed


def test_where_no_body_was_there_is_no_commitment() -> None:
    failure = replace(RECEIPT, type=EntryType.FAILURE, outcome="store-failed", released=NOTHING)
    public = failure.entry().public
    assert (public["outcome"], public["body"], public["size_bytes"]) == ("store-failed", None, 0)


def test_what_became_of_a_whole_answer_says_no_more() -> None:
    entry = Closing(handle_of(ID), AT, WarrantId("W-1"), Ending.INCOMPLETE, 3).entry()
    assert entry.type is EntryType.CLOSING
    assert (entry.receipt, entry.warrant, entry.at) == (handle(ID), "W-1", AT)
    assert entry.public == {"outcome": "incomplete", "size_bytes": 3}
    assert entry.sealed == {}


def test_what_became_of_a_stream_says_what_it_disclosed() -> None:
    stream = (ID, RELEASED)
    entry = Closing(handle_of(ID), AT, WarrantId("W-1"), Ending.COMPLETE, 4, stream).entry()
    assert entry.public == {
        **RELEASED.public(ID),
        "outcome": "complete",
        "size_bytes": 4,  # what was handed over, which may be less than what was released
    }
    assert entry.public["body"] == commitment(ID, BODY)
    assert entry.sealed == RELEASED.sealed()


@pytest.mark.parametrize("ending", Ending)
def test_an_ending_that_nobody_knows_the_size_of_says_so(ending: Ending) -> None:
    entry = Closing(handle_of(ID), AT, WarrantId("W-1"), ending).entry()
    assert entry.public == {"outcome": ending.value, "size_bytes": None}


# Computed once, elsewhere, with hashlib alone: neither may ever change.
KNOWN_HANDLE = "H-xx4rj5xzxj34oad6skkal7275u"
KNOWN_BODY = "sha-256=:n4CryPXvt/Zo4zCPkXxOmhiVmhmZT5QhP9lLR//mWfA=:"


def test_known_answers() -> None:
    assert handle_of(ID) == KNOWN_HANDLE
    assert commit_body(ID, BODY) == KNOWN_BODY


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
def test_handles_and_commitments_are_what_the_format_says(receipt: str, body: str) -> None:
    found = handle_of(ReceiptId(receipt))
    assert found == handle(receipt)
    assert re.fullmatch("H-[a-z2-7]{26}", found)
    assert commit_body(ReceiptId(receipt), Digest(body)) == commitment(receipt, body)


@given(st.binary(min_size=16, max_size=16))
def test_an_id_and_its_handle_are_told_from_each_other_and_from_all_else(secret: bytes) -> None:
    made = print_receipt_id(secret)
    found = handle_of(made)
    assert base64.b32decode(f"{made[2:].upper()}======") == secret
    assert [is_receipt_id(made), is_receipt_id(found)] == [True, False]
    assert [is_handle(found), is_handle(made)] == [True, False]
    for other in (made.upper(), f"{made}a", f"{made}\n", made[:-1], f" {made}", ""):
        assert not is_receipt_id(other)
        assert not is_handle(other.replace("R", "H"))


@pytest.mark.parametrize("size", [15, 17])
def test_an_id_has_128_bits(size: int) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        print_receipt_id(bytes(size))


def test_a_bodys_commitment_is_opened_by_the_receipts_id_alone() -> None:
    entry = RECEIPT.entry()
    written = write_entry(entry, bytes(32))
    assert entry.public["body"] == commit_body(ID, BODY)
    # Who has the ledger knows the handle, all of the entry and, say, the body.
    known = {BODY, handle(ID), written.leaf.hex(), *map(str, entry.public.values()), ""}
    for each in known:
        assert commit_body(ReceiptId(each), BODY) != entry.public["body"]
        assert digest_of(each.encode()) != entry.public["body"]
    for part in (written.public, written.sealed):
        assert ID.encode() not in part
        assert ID.removeprefix("R-").encode() not in part
        assert BODY.encode() not in part


def test_a_handle_is_no_commitment_of_the_same_id() -> None:
    assert handle_of(ID) != handle_of(ReceiptId(handle_of(ID)))
    assert commit_body(ID, BODY) != commit_body(ID, DIGEST)


def test_no_repr_shows_what_opens_a_commitment() -> None:
    closing = Closing(handle_of(ID), AT, WarrantId("W-1"), Ending.COMPLETE, 4, (ID, RELEASED))
    for each in (RECEIPT, RECEIPT.entry(), RELEASED, closing, closing.entry()):
        assert ID not in repr(each)
        assert BODY not in repr(each)
