"""What entries say must be possible of one disclosure, whoever signed them."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.ledger.exhibits import (
    APPROVED,
    BODY,
    ENTRIES,
    ID,
    REGISTERED,
    RELEASED,
    REVOKED,
    WARRANT,
    Case,
    closing,
    order,
    receipt,
)
from tests.ledger.logs import checkpoint_of, signer_of
from withhold.errors import Unproven
from withhold.ledger.entry import Entry, EntryType, Handle, Json
from withhold.ledger.exhibit import Exhibit, Shown
from withhold.ledger.facts import facts_of, is_before
from withhold.ledger.proof import parse_proof, print_proof
from withhold.ledger.receipt import NOTHING, Ending, ReceiptId
from withhold.names import WarrantId

OTHER = Handle("H-" + "a" * 26)
OPENING = receipt(EntryType.OPENING, released=NOTHING)


def with_public(entry: Entry, **members: Json) -> Entry:
    """Change members of an entry; None takes one away where it cannot be null."""
    public = {**entry.public, **members}
    return replace(entry, public={k: v for k, v in public.items() if v is not ...})


def test_a_release_and_its_closing() -> None:
    found = facts_of(Case().exhibit())
    assert [each.index for each in found.entries] == [3, 5, 0, 2, 6]
    assert found.released is found.first.public
    assert (found.first.at, found.first.type) == ("2026-11-24T14:05:00.25Z", "release")
    assert found.checkpoint.size == len(ENTRIES)
    assert dict(found.unknown) == {}


def test_a_stream_says_at_its_end_what_left() -> None:
    ended = closing(Ending.INCOMPLETE, stream=(ID, RELEASED), size_bytes=9)
    found = facts_of(Case((APPROVED, OPENING, ended)).exhibit())
    assert found.closing is not None
    assert found.released is found.closing.public
    assert found.released["disclosed"] == {"$.user_id": 1}
    lost = facts_of(Case((APPROVED, OPENING, closing(Ending.UNKNOWN, size_bytes=None))).exhibit())
    assert lost.released is lost.first.public


def test_a_reveal_is_a_disclosure_too() -> None:
    revealed = with_public(receipt(EntryType.REVEAL), field="$.ip")
    assert facts_of(Case((APPROVED, revealed, closing())).exhibit()).first.type == "reveal"


def test_a_warrant_may_end_after_a_disclosure_and_before_a_failure() -> None:
    failed = receipt(EntryType.FAILURE, outcome="store-failed", released=NOTHING)
    assert facts_of(Case((APPROVED, REVOKED, failed)).exhibit()).first.type == "failure"
    with pytest.raises(Unproven, match="was not active"):
        facts_of(Case((APPROVED, REVOKED, receipt())).exhibit())


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        pytest.param((APPROVED,), "do not begin with", id="none"),
        pytest.param((APPROVED, closing()), "do not begin with", id="a closing alone"),
        pytest.param((closing(), receipt()), "do not begin with", id="a closing first"),
        pytest.param((receipt(), OPENING), "more than its first", id="two beginnings"),
        pytest.param((receipt(), closing(), closing()), "more than its first", id="two closings"),
        pytest.param((receipt(), closing(receipt=OTHER)), "of another", id="another receipt's"),
        pytest.param(
            (replace(receipt(), receipt=Handle("H-../../x")),), "no `receipt`", id="no handle"
        ),
        pytest.param(
            (receipt(), closing(warrant=WarrantId("W-2"))), "of another", id="another warrant's"
        ),
        pytest.param((receipt(), closing(stream=(ID, RELEASED))), "a stream's", id="no stream"),
        pytest.param((receipt(), closing(size_bytes=len(BODY) + 1)), "more left", id="too much"),
        pytest.param((receipt(), closing(size_bytes=3)), "less than", id="all, and too little"),
        pytest.param((receipt(), closing(size_bytes=None)), "less than", id="all, and unknown"),
        pytest.param(
            (receipt(EntryType.FAILURE, outcome="store-failed"), closing()),
            "that none would",
            id="something left of a failure",
        ),
        pytest.param(
            (REGISTERED, receipt()), "was not active", id="a warrant that nobody approved"
        ),
        pytest.param(
            (with_public(APPROVED, digest="sha-256=:AA==:"), receipt()),
            "`digest`",
            id="another order",
        ),
        pytest.param(
            (with_public(APPROVED, instrument="x"), receipt()), "`instrument`", id="instrument"
        ),
        pytest.param(
            (replace(APPROVED, warrant=WarrantId("W-2")), receipt()),
            "about something else",
            id="another case's order",
        ),
        pytest.param(
            (Entry(EntryType.KEY, "2026-11-24T00:00:00Z", warrant=WARRANT), receipt()),
            "no part of a receipt",
            id="a key",
        ),
    ],
)
def test_what_no_disclosure_leaves_is_refused(entries: tuple[Entry, ...], says: str) -> None:
    with pytest.raises(Unproven, match=says):
        facts_of(Case(entries).exhibit())


@pytest.mark.parametrize("receipt_id", ["R-abc", "R-" + "b" * 26, "", "W-1"])
def test_the_id_is_the_one_that_the_handle_is_made_of(receipt_id: str) -> None:
    with pytest.raises(Unproven, match="the receipt's id"):
        facts_of(replace(Case().exhibit(), receipt=ReceiptId(receipt_id)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("outcome", 1),
        ("outcome", ...),
        ("disclosed", {"$.a": -1}),
        ("disclosed", {"$.a": True}),
        ("disclosed", [1]),
        ("size_bytes", None),
        ("size_bytes", "9"),
        ("body", 1),
        ("authorised", "all"),
        ("software", None),
    ],
)
def test_a_members_form_is_looked_at(name: str, value: Json) -> None:
    with pytest.raises(Unproven, match=f"no `{name}` as it must be"):
        facts_of(Case((APPROVED, with_public(receipt(), **{name: value}))).exhibit())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", 1),
        ("valid_from", "tomorrow"),
        ("valid_from", ...),
        ("categories", "all"),
        ("categories", [1]),
        ("served_at", "2026-10-31"),
        ("targets", -1),
    ],
)
def test_a_members_form_is_looked_at_in_orders(name: str, value: Json) -> None:
    with pytest.raises(Unproven, match=f"no `{name}` as it must be"):
        facts_of(Case((with_public(APPROVED, **{name: value}), receipt())).exhibit())


@pytest.mark.parametrize("outcome", ["lost", 1, ["complete"]], ids=str)
def test_an_ending_is_one_of_four(outcome: Json) -> None:
    with pytest.raises(Unproven, match="no `outcome` as it must be"):
        facts_of(Case((receipt(), with_public(closing(), outcome=outcome))).exhibit())


def test_a_reveal_names_its_field() -> None:
    with pytest.raises(Unproven, match="no `field` as it must be"):
        facts_of(Case((receipt(EntryType.REVEAL),)).exhibit())


def test_what_an_order_says_it_says_whole() -> None:
    short = order("approved", "active", "2026-11-02T10:00:00Z", {"jurisdiction": "US"})
    with pytest.raises(Unproven, match="no `digest` as it must be"):
        facts_of(Case((short, receipt())).exhibit())


def entries_of(change: Callable[[Shown], Shown]) -> Exhibit:
    made = Case().exhibit()
    return replace(made, entries=(change(made.entries[0]), made.entries[1]))


def of_proof(shown: Shown, **changes: Json) -> Shown:
    proof = replace(parse_proof(shown.proof.encode()), **changes)
    return replace(shown, proof=print_proof(proof).decode())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(lambda it: replace(it, index=4), "another index", id="index"),
        pytest.param(lambda it: of_proof(it, extra=b"x"), "extra data", id="extra data"),
        pytest.param(lambda it: replace(it, proof="x"), "blank line", id="no proof"),
        pytest.param(
            lambda it: of_proof(it, checkpoint=checkpoint_of(Case().log, signer_of("x"))),
            "not of one checkpoint",
            id="two checkpoints",
        ),
        pytest.param(
            lambda it: replace(it, public={**it.public, "at": "2026-11-24 14:05"}),
            "no instant",
            id="no time",
        ),
        pytest.param(
            lambda it: replace(it, public={**it.public, "at": 1}), "lacks its `type`", id="at"
        ),
    ],
)
def test_an_entry_is_its_proofs(change: Callable[[Shown], Shown], says: str) -> None:
    with pytest.raises(Unproven, match=says):
        facts_of(entries_of(change))


def test_entries_are_in_the_order_of_the_log_each_once() -> None:
    made = Case().exhibit()
    for exhibit in (
        replace(made, entries=made.entries[::-1]),
        replace(made, entries=(made.entries[0], made.entries[0])),
        replace(made, warrant=made.warrant[::-1]),
    ):
        with pytest.raises(Unproven, match="not in the order of the log"):
            facts_of(exhibit)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.1Z", True),
        ("2026-01-01T00:00:00.1Z", "2026-01-01T00:00:00Z", False),
        ("2026-01-01T00:00:00.09Z", "2026-01-01T00:00:00.1Z", True),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", False),
        ("2025-12-31T23:59:59.999Z", "2026-01-01T00:00:00Z", True),
    ],
)
def test_instants_compare_whatever_their_fractions(one: str, other: str, expected: bool) -> None:
    assert is_before(one, other) is expected
