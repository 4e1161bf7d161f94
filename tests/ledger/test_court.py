"""What a court may believe: a whole file, and no file that was altered anywhere.

The tree, the notes and the proofs below are held to published vectors and to another implementation
in test_tree, test_proof and test_independent; here is what the file adds.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tlog_scales import tlog

from tests.ledger.exhibits import (
    APPROVED,
    BODY,
    CANARIES,
    ENTRIES,
    HANDLE,
    ID,
    KEYS,
    RELEASED,
    REVOKED,
    SIGNER,
    Case,
    closing,
    order,
    receipt,
)
from tests.ledger.logs import (
    ORIGIN,
    checkpoint_of,
    entries_of,
    flips,
    log_of,
    signer_of,
    witness_of,
)
from withhold.digest import digest_of
from withhold.errors import Unproven
from withhold.ledger.court import NO_ENTRY, Verified, verify_body, verify_exhibit
from withhold.ledger.entry import Entry, EntryType, Json, leaf_of, write_entry
from withhold.ledger.exhibit import Exhibit, parse_exhibit, print_exhibit, sign_exhibit
from withhold.ledger.facts import facts_of
from withhold.ledger.note import add_signatures, cosign, parse_note
from withhold.ledger.proof import parse_proof
from withhold.ledger.receipt import NOTHING, Ending
from withhold.ledger.tree import hash_leaf

CASE = Case()
EXHIBIT = CASE.exhibit()
FILE = print_exhibit(EXHIBIT)
WITNESS, STRANGER = witness_of("witness.example/w"), witness_of("witness.example/x", 3)


def verify(exhibit: Exhibit, **named: Json) -> Verified:
    return verify_exhibit(print_exhibit(exhibit), ORIGIN, KEYS, **named)


def check_body(found: Verified, body: bytes = BODY) -> None:
    verify_body(found.facts, digest_of(body), len(body))


def test_a_whole_file_verifies() -> None:
    found = verify_exhibit(FILE, ORIGIN, KEYS)
    assert found.checkpoint.size == len(ENTRIES)
    assert found.remarks == ()
    assert [each.key for each in found.signed] == KEYS
    assert found.facts.first.index == 3
    assert found.facts.closing is not None
    assert found.facts.closing.index == 5
    assert [each.public["event"] for each in found.facts.orders] == [
        "registered",
        "approved",
        "revoked",
    ]
    check_body(found)


def test_nothing_but_this_case_is_in_it() -> None:
    text = FILE.decode()
    for secret in (*CANARIES, "OTHER"):
        assert secret not in text


def test_every_flipped_bit_is_found_or_changes_nothing() -> None:
    """The file is read as what it means: a space more is no other file, all else is refused."""
    # A small one: the file of a release alone, in a log of two.
    small = print_exhibit(Case((APPROVED, receipt())).exhibit())
    verify_exhibit(small, ORIGIN, KEYS)
    meant = parse_exhibit(small)
    accepted = 0
    for flipped in flips(small):
        try:
            verify_exhibit(flipped, ORIGIN, KEYS)
        except Unproven:
            continue
        assert parse_exhibit(flipped) == meant
        accepted += 1
    assert accepted < 200  # of spaces between members, and none other


def test_every_member_is_signed() -> None:
    """Even where the changed entry is one of the log, as another case's is."""
    found = json.loads(FILE)
    paths = list(_paths(found))
    assert len(paths) == 99
    for path in paths:
        for change in (_drop, _null, _longer):
            copy = json.loads(FILE)
            change(copy, path)
            data = json.dumps(copy).encode()
            if copy != found:
                with pytest.raises(Unproven):
                    verify_exhibit(data, ORIGIN, KEYS)


def _paths(node: Json, above: tuple[Json, ...] = ()) -> Iterator[tuple[Json, ...]]:
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        yield (*above, key)
        if isinstance(value, dict | list):
            yield from _paths(value, (*above, key))


def _at(copy: Json, path: tuple[Json, ...]) -> Json:
    for key in path[:-1]:
        copy = copy[key]
    return copy


def _drop(copy: Json, path: tuple[Json, ...]) -> None:
    del _at(copy, path)[path[-1]]


def _null(copy: Json, path: tuple[Json, ...]) -> None:
    _at(copy, path)[path[-1]] = None


def _longer(copy: Json, path: tuple[Json, ...]) -> None:
    place = _at(copy, path)
    value = place[path[-1]]
    match value:
        case bool() | None:
            place[path[-1]] = "x"
        case int():
            place[path[-1]] = value + 1
        case str():
            place[path[-1]] = f"{value}x"
        case list():
            place[path[-1]] = [*value, *value[:1]] if value else ["x"]
        case _:
            place[path[-1]] = {**value, "x": 1}


def test_how_the_json_is_laid_out_makes_no_difference() -> None:
    members = list(json.loads(FILE).items())
    random.Random(7).shuffle(members)
    assert verify_exhibit(json.dumps(dict(members)).encode(), ORIGIN, KEYS).facts == facts_of(
        EXHIBIT
    )


def test_an_implementation_of_other_origin_accepts_each_proof() -> None:
    for shown in (*EXHIBIT.entries, *EXHIBIT.warrant):
        written = write_entry(ENTRIES[shown.index], bytes([shown.index]) * 32)
        proof = parse_proof(shown.proof.encode())
        checkpoint = tlog.Checkpoint.from_text(proof.checkpoint.decode())
        theirs = tlog.InclusionProof(proof.index, checkpoint.size, list(proof.hashes))
        theirs.check(hash_leaf(leaf_of(written.public)), checkpoint.root_hash)


# --- Keys ---


def test_keys_in_the_file_vouch_for_nothing() -> None:
    forger = signer_of(ORIGIN, 9)
    forged = print_exhibit(Case(signers=[forger]).exhibit())
    assert verify_exhibit(forged, ORIGIN, [forger.verifier_key]).remarks == ()
    with pytest.raises(Unproven, match="no signature of a known key"):
        verify_exhibit(forged, ORIGIN, KEYS)


def test_a_key_of_another_log_proves_nothing_here() -> None:
    other = signer_of("log.example/other")
    with pytest.raises(Unproven, match="of another log"):
        verify_exhibit(FILE, other.name, [other.verifier_key])
    for keys in ([], [other.verifier_key]):
        with pytest.raises(Unproven, match="no signature of a known key"):
            verify_exhibit(FILE, ORIGIN, keys)


def test_one_of_several_keys_is_enough_and_a_bad_signature_is_not() -> None:
    newer = signer_of(ORIGIN, 5)
    both = Case(signers=[SIGNER, newer]).exhibit()
    for keys in ([SIGNER], [newer], [SIGNER, newer]):
        found = verify_exhibit(print_exhibit(both), ORIGIN, [each.verifier_key for each in keys])
        assert len(found.signed) == len(keys)
    bad = replace(
        both, signatures=(both.signatures[0], replace(both.signatures[1], value=bytes(64)))
    )
    assert len(verify(bad).signed) == 1  # of the other key nobody asked
    with pytest.raises(Unproven, match="not as the log signed it"):
        verify_exhibit(print_exhibit(bad), ORIGIN, [SIGNER.verifier_key, newer.verifier_key])


def test_witnesses_that_are_asked_for_must_have_signed() -> None:
    note = checkpoint_of(CASE.log, SIGNER)
    note = add_signatures(note, [cosign(parse_note(note).text, WITNESS, 1_790_000_000)])
    witnessed = CASE.exhibit(note)
    for keys in ([], [WITNESS.verifier_key]):
        assert verify(witnessed, witness_keys=keys).remarks == ()
    for exhibit, keys in (
        (witnessed, [WITNESS.verifier_key, STRANGER.verifier_key]),
        (EXHIBIT, [WITNESS.verifier_key]),
    ):
        with pytest.raises(Unproven, match="cosignatures of known witnesses"):
            verify(exhibit, witness_keys=keys)


# --- What is compared with what came another way ---


def test_a_trusted_checkpoint_of_the_same_size_must_be_the_same() -> None:
    assert verify(EXHIBIT, trusted=[checkpoint_of(CASE.log, SIGNER)]).remarks == ()
    forked = checkpoint_of(log_of(entries_of(len(ENTRIES))), SIGNER)
    with pytest.raises(Unproven, match="two histories"):
        verify(EXHIBIT, trusted=[forked])


@pytest.mark.parametrize(("size", "says"), [(3, "is larger than"), (99, "is smaller than")])
def test_what_a_checkpoint_of_another_size_leaves_open_is_said(size: int, says: str) -> None:
    (remark,) = verify(EXHIBIT, trusted=[checkpoint_of(log_of(entries_of(size)), SIGNER)]).remarks
    assert says in remark


def test_a_trusted_checkpoint_is_this_logs() -> None:
    stranger = checkpoint_of(CASE.log, signer_of(ORIGIN, 9))
    with pytest.raises(Unproven, match="no signature of a known key"):
        verify(EXHIBIT, trusted=[stranger])


@pytest.mark.parametrize("body", [b"", BODY + b"\n", BODY[:-1]], ids=["none", "longer", "shorter"])
def test_another_body_is_not_the_one_that_was_released(body: bytes) -> None:
    with pytest.raises(Unproven, match="is not the one that was released"):
        check_body(verify(EXHIBIT), body)


def test_without_the_id_nobody_can_try_bodies() -> None:
    found = verify(Case(receipt=None).exhibit())
    with pytest.raises(Unproven, match="does not hold the receipt's id"):
        check_body(found)


def test_a_stream_commits_to_its_body_at_its_end() -> None:
    opening = receipt(EntryType.OPENING, released=NOTHING)
    ended = closing(stream=(ID, RELEASED))
    check_body(verify(Case((APPROVED, opening, ended)).exhibit()))
    with pytest.raises(Unproven, match="commits to no body"):
        check_body(verify(Case((APPROVED, opening)).exhibit()))


# --- What is said although it verifies ---


def remarks(*entries: Entry) -> tuple[str, ...]:
    return verify(Case(entries).exhibit()).remarks


def test_a_missing_end_is_said() -> None:
    (remark,) = remarks(APPROVED, receipt())
    assert "whether it was delivered is not known" in remark


def test_a_missing_order_is_said() -> None:
    assert remarks(receipt(), closing()) == (NO_ENTRY,)
    assert remarks(receipt(), closing(), REVOKED) == (NO_ENTRY,)


@pytest.mark.parametrize(
    ("at", "is_said"),
    [
        ("2026-10-31T23:59:59.9Z", True),
        ("2026-11-01T00:00:00Z", False),
        ("2026-12-31T23:59:59.999Z", False),
        ("2027-01-01T00:00:00Z", True),
        ("2027-01-01T00:00:00.5Z", True),
    ],
)
def test_a_clock_outside_the_validity_is_said(at: str, is_said: bool) -> None:
    said = remarks(
        order("resumed", "active", "2026-01-01T00:00:00Z", {}), APPROVED, receipt(at=at), closing()
    )
    assert (len(said) == 1) is is_said
    assert all("outside the warrant's validity" in each for each in said)


def test_members_of_a_later_version_are_proved_and_said() -> None:
    later = receipt()
    later = replace(later, public={**later.public, "colour": "blue"})
    (remark,) = remarks(APPROVED, later, closing())
    assert remark == "entry 1 has members that this version does not know: `colour`"


def test_a_failure_needs_no_delivery() -> None:
    failed = receipt(EntryType.FAILURE, outcome="store-failed", released=NOTHING)
    assert remarks(APPROVED, failed) == ()
    assert remarks(APPROVED, failed, closing(Ending.NOT_SENT, size_bytes=0)) == ()
    assert failed.receipt == HANDLE


def test_a_file_that_others_signed_is_refused() -> None:
    with pytest.raises(Unproven, match="not as the log signed it"):
        verify(sign_exhibit(EXHIBIT, [signer_of(ORIGIN, 9)]))
