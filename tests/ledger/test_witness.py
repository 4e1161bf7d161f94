import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ledger.logs import ORIGIN, Log, checkpoint_of, entries_of, log_of, signer_of, witness_of
from withhold.errors import Unproven
from withhold.ledger.checkpoint import verify_checkpoint, verify_cosignature
from withhold.ledger.lines import MAX_SIZE
from withhold.ledger.note import (
    MAX_NOTE_BYTES,
    NoteSignature,
    cosign,
    parse_note,
    print_signatures,
)
from withhold.ledger.tree import consistency_proof, root_at, verify_consistency
from withhold.ledger.witness import (
    MAX_REQUEST_BYTES,
    AddCheckpoint,
    add_cosignatures,
    parse_cosignatures,
    parse_request,
    parse_size,
    print_request,
    print_size,
)

LOG = log_of(entries_of(13))
SIGNER = signer_of(ORIGIN)
WITNESS, OTHER = witness_of("witness.example/w", 2), witness_of("witness.example/o", 3)
NOTE = checkpoint_of(LOG, SIGNER)
STRANGER = NoteSignature("stranger.example", b"abcd", b"x")
TEXT = parse_note(NOTE).text
COSIGNATURE = cosign(TEXT, WITNESS, 7)


def request_since(old: int) -> AddCheckpoint:
    return AddCheckpoint(old, consistency_proof(old, 13, LOG.hash_at), NOTE)


BODY = print_request(request_since(5)).decode()


def answer(body: bytes, seen: tuple[int, bytes]) -> bytes:
    """Answer as a witness does that saw this size and root last."""
    request = parse_request(body)
    checkpoint = verify_checkpoint(request.checkpoint, ORIGIN, [SIGNER.verifier_key])
    if request.old != seen[0]:
        return print_size(seen[0])
    verify_consistency(*seen, checkpoint.size, checkpoint.root, request.proof)
    signature = cosign(parse_note(request.checkpoint).text, WITNESS, 1_700_000_000)
    return print_signatures([signature]).encode()


def test_a_request_is_written_as_specified() -> None:
    """Source: c2sp.org/tlog-witness, add-checkpoint."""
    proof = consistency_proof(5, 13, LOG.hash_at)
    hashes = "".join(f"{base64.b64encode(each).decode()}\n" for each in proof)
    assert f"old 5\n{hashes}\n{NOTE.decode()}" == BODY
    assert print_request(request_since(0)) == b"old 0\n\n" + NOTE


@pytest.mark.parametrize("old", range(14))
def test_a_witness_cosigns_a_log_that_grew(old: int) -> None:
    body = print_request(request_since(old))
    assert parse_request(body) == request_since(old)
    seen = (old, root_at(old, LOG.hash_at))
    cosigned = add_cosignatures(NOTE, answer(body, seen), [WITNESS.verifier_key])
    checkpoint, time_s = verify_cosignature(cosigned, WITNESS.verifier_key)
    assert (checkpoint.size, checkpoint.root, time_s) == (13, LOG.frontier.root, 1_700_000_000)


def test_a_witness_that_saw_another_size_says_which() -> None:
    body = print_request(request_since(5))
    assert parse_size(answer(body, (7, root_at(7, LOG.hash_at)))) == 7


def test_a_witness_does_not_cosign_another_history() -> None:
    other: Log = log_of([b"rewritten", *LOG.entries[1:5]])
    with pytest.raises(Unproven):
        answer(print_request(request_since(5)), (5, other.frontier.root))
    with pytest.raises(Unproven):
        answer(print_request(request_since(0)), (0, other.frontier.root))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param(BODY.replace("\n\n", "\n"), id="no blank line"),
        pytest.param(BODY.replace("old 5", "new 5"), id="another word"),
        pytest.param(BODY.replace("old 5", "old 05"), id="a leading zero"),
        pytest.param(BODY.replace("old 5", "old 5\nYQ=="), id="a short hash"),
        pytest.param(BODY.replace("old 5", "old 5" + f"\n{'A' * 43}=" * 60), id="64 hashes"),
        pytest.param(BODY[:-1], id="no line feed at the end"),
        pytest.param(BODY + "x" * MAX_REQUEST_BYTES, id="too large"),
    ],
)
def test_what_is_no_request_is_refused(text: str) -> None:
    with pytest.raises(Unproven):
        parse_request(text.encode())


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(AddCheckpoint(-1, (), NOTE), id="negative"),
        pytest.param(AddCheckpoint(1, (b"short",), NOTE), id="a short hash"),
        pytest.param(AddCheckpoint(1, (), b"text\n"), id="no note"),
    ],
)
def test_what_could_not_be_read_is_not_sent(request_: AddCheckpoint) -> None:
    with pytest.raises(ValueError, match="the request could not be read"):
        print_request(request_)


def test_of_an_answer_only_known_witnesses_are_kept() -> None:
    body = print_signatures([STRANGER, COSIGNATURE]).encode()
    assert parse_cosignatures(body) == (STRANGER, COSIGNATURE)
    cosigned = add_cosignatures(NOTE, body, [WITNESS.verifier_key, OTHER.verifier_key])
    assert [s.name for s in parse_note(cosigned).signatures] == [SIGNER.name, WITNESS.name]
    with pytest.raises(Unproven, match="no signature of a known witness"):
        add_cosignatures(NOTE, body, [OTHER.verifier_key])


def test_a_bad_answer_is_refused() -> None:
    of_another_text = print_signatures([cosign(b"a\n" + TEXT, WITNESS, 7)]).encode()
    with pytest.raises(Unproven, match="is not of this text"):
        add_cosignatures(NOTE, of_another_text, [WITNESS.verifier_key])
    good = print_signatures([COSIGNATURE]).encode()
    for body in (
        b"",
        b"\n",
        good[:-1],
        good + b"\n",
        b"7\n",
        b"\xff",
        good + b"x" * MAX_NOTE_BYTES,
    ):
        with pytest.raises(Unproven):
            add_cosignatures(NOTE, body, [WITNESS.verifier_key])


@given(st.integers(0, MAX_SIZE))
def test_a_size_is_read_back(size: int) -> None:
    assert parse_size(print_size(size)) == size


@pytest.mark.parametrize("body", [b"", b"\n", b"7", b"07\n", b"7\n\n", b"7 \n", b"-7\n", b"1" * 99])
def test_what_is_no_size_is_refused(body: bytes) -> None:
    with pytest.raises(Unproven):
        parse_size(body)
