import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ledger.logs import (
    ORIGIN,
    checkpoint_of,
    entries_of,
    flips,
    log_of,
    signer_of,
    witness_of,
)
from withhold.errors import Unproven
from withhold.ledger.checkpoint import (
    MAX_CHECKPOINT_BYTES,
    Checkpoint,
    parse_checkpoint,
    print_checkpoint,
    sign_checkpoint,
    verify_checkpoint,
    verify_cosignature,
    verify_cosignatures,
)
from withhold.ledger.lines import MAX_SIZE
from withhold.ledger.note import Signed, add_signatures, cosign, parse_note, sign_note
from withhold.ledger.tree import EMPTY_ROOT

LOG = log_of(entries_of(5))
OLD, NEW = signer_of(ORIGIN, 1), signer_of(ORIGIN, 2)
WITNESS, OTHER = witness_of("witness.example/w", 3), witness_of("witness.example/o", 4)
NOTE = checkpoint_of(LOG, OLD, NEW)
EXPECTED = Checkpoint(ORIGIN, 5, LOG.frontier.root)
ROOT = base64.b64encode(LOG.frontier.root).decode()

lines = st.text(st.characters(exclude_categories=["Cs"], min_codepoint=32), min_size=1, max_size=40)


def test_a_checkpoint_is_written_as_specified() -> None:
    """Source: c2sp.org/tlog-checkpoint, Note text."""
    assert print_checkpoint(EXPECTED) == f"{ORIGIN}\n5\n{ROOT}\n".encode()
    empty = Checkpoint(ORIGIN, 0, EMPTY_ROOT)
    assert parse_checkpoint(print_checkpoint(empty)) == empty


@given(
    lines,
    st.integers(1, MAX_SIZE),
    st.binary(min_size=32, max_size=32),
    st.lists(lines, max_size=3).map(tuple),
)
def test_a_checkpoint_is_read_back(
    origin: str, size: int, root: bytes, extensions: tuple[str, ...]
) -> None:
    checkpoint = Checkpoint(origin, size, root, extensions)
    assert parse_checkpoint(print_checkpoint(checkpoint)) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param(f"{ORIGIN}\n5\n", id="no root"),
        pytest.param(f"{ORIGIN}\n5\n{ROOT}", id="no line feed at the end"),
        pytest.param(f"\n5\n{ROOT}\n", id="no origin"),
        pytest.param(f"{ORIGIN}\n05\n{ROOT}\n", id="a leading zero"),
        pytest.param(f"{ORIGIN}\n-5\n{ROOT}\n", id="negative"),
        pytest.param(f"{ORIGIN}\n{MAX_SIZE + 1}\n{ROOT}\n", id="too many entries"),
        pytest.param(f"{ORIGIN}\n5\n{ROOT[:-4]}\n", id="a short root"),
        pytest.param(f"{ORIGIN}\n5\n{ROOT} \n", id="a space"),
        pytest.param(f"{ORIGIN}\n5\n{ROOT}\n\n", id="an empty extension"),
        pytest.param(f"{ORIGIN}\n5\n{ROOT}\r\n", id="another line end"),
        pytest.param(f"{ORIGIN}\n0\n{ROOT}\n", id="a root of no entries"),
        pytest.param(f"{ORIGIN}\n5\n{ROOT}\n{'x' * MAX_CHECKPOINT_BYTES}\n", id="too large"),
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(Unproven):
        parse_checkpoint(text.encode())
    with pytest.raises(Unproven):
        verify_checkpoint(signed_by_force(text), ORIGIN, [OLD.verifier_key])


def signed_by_force(text: str) -> bytes:
    """Give a note of any text, as if its log had signed it; where that can be, it verifies."""
    try:
        return sign_note(text.encode(), [OLD])
    except ValueError:
        return text.encode()


@pytest.mark.parametrize(
    "checkpoint",
    [
        pytest.param(Checkpoint("", 5, EMPTY_ROOT), id="no origin"),
        pytest.param(Checkpoint("a\nb", 5, EMPTY_ROOT), id="two lines of origin"),
        pytest.param(Checkpoint("a", -5, EMPTY_ROOT), id="negative"),
        pytest.param(Checkpoint("a", 5, b""), id="no root"),
        pytest.param(Checkpoint("a", 5, EMPTY_ROOT, ("",)), id="an empty extension"),
        pytest.param(Checkpoint("a", 5, EMPTY_ROOT, ("a\nb",)), id="two lines in one"),
    ],
)
def test_what_could_not_be_read_is_not_signed(checkpoint: Checkpoint) -> None:
    with pytest.raises(ValueError, match="the checkpoint could not be read"):
        sign_checkpoint(checkpoint, [OLD])


def test_one_of_the_logs_keys_is_enough() -> None:
    """So that keys can be rotated: one signs no longer, one is not known yet."""
    for keys in ([OLD.verifier_key], [NEW.verifier_key], [OLD.verifier_key, NEW.verifier_key]):
        assert verify_checkpoint(NOTE, ORIGIN, keys) == EXPECTED


def test_a_checkpoint_of_another_log_is_refused() -> None:
    with pytest.raises(Unproven, match="another log"):
        verify_checkpoint(NOTE, f"{ORIGIN}2", [OLD.verifier_key])
    with pytest.raises(Unproven, match="no signature of a known key"):
        verify_checkpoint(NOTE, ORIGIN, [signer_of(ORIGIN, 9).verifier_key])


def test_every_flipped_bit_is_found() -> None:
    note = checkpoint_of(LOG, OLD)
    for flipped in flips(note):
        with pytest.raises(Unproven):
            verify_checkpoint(flipped, ORIGIN, [OLD.verifier_key])


def test_a_witness_says_when_it_saw_the_checkpoint() -> None:
    text = parse_note(NOTE).text
    note = add_signatures(NOTE, [cosign(text, WITNESS, 1_700_000_000), cosign(text, OTHER, 7)])
    assert verify_cosignature(note, WITNESS.verifier_key) == (EXPECTED, 1_700_000_000)
    keys = [OTHER.verifier_key, WITNESS.verifier_key]
    assert verify_cosignatures(note, keys) == (
        EXPECTED,
        (Signed(WITNESS.verifier_key, 1_700_000_000), Signed(OTHER.verifier_key, 7)),
    )
    assert verify_checkpoint(note, ORIGIN, [OLD.verifier_key]) == EXPECTED
    with pytest.raises(Unproven, match="no signature of a known key"):
        verify_cosignature(NOTE, WITNESS.verifier_key)


def test_a_witness_speaks_for_extensions_too() -> None:
    checkpoint = Checkpoint(ORIGIN, 5, LOG.frontier.root, ("one", "two"))
    note = sign_checkpoint(checkpoint, [OLD])
    note = add_signatures(note, [cosign(parse_note(note).text, WITNESS, 7)])
    assert verify_cosignature(note, WITNESS.verifier_key) == (checkpoint, 7)
    assert verify_checkpoint(note, ORIGIN, [OLD.verifier_key]) == checkpoint
    with pytest.raises(Unproven, match="is not of this text"):
        verify_cosignature(note.replace(b"\ntwo\n", b"\n2\n"), WITNESS.verifier_key)


def test_a_witness_is_not_the_log() -> None:
    with pytest.raises(ValueError, match="a log's key was given for a witness's"):
        verify_checkpoint(NOTE, ORIGIN, [WITNESS.verifier_key])
    with pytest.raises(ValueError, match="a log's key was given for a witness's"):
        verify_cosignature(NOTE, OLD.verifier_key)
