import base64
from dataclasses import replace

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
from withhold.ledger.checkpoint import Checkpoint
from withhold.ledger.lines import MAX_SIZE
from withhold.ledger.note import (
    NoteSignature,
    Signer,
    VerifierKey,
    add_signatures,
    cosign,
    parse_note,
)
from withhold.ledger.proof import MAX_PROOF_BYTES, Proof, parse_proof, print_proof, verify_proof
from withhold.ledger.tree import inclusion_proof

SIZE, INDEX = 13, 6
LOG = log_of(entries_of(SIZE))
SIGNER = signer_of(ORIGIN)
ONE, TWO, THREE = (witness_of(f"witness.example/{seed}", seed) for seed in (2, 3, 4))
NOTE = checkpoint_of(LOG, SIGNER)
PROOF = Proof(INDEX, inclusion_proof(INDEX, SIZE, LOG.hash_at), NOTE)
ENTRY = LOG.entries[INDEX]
KEYS = [SIGNER.verifier_key]
EXPECTED = Checkpoint(ORIGIN, SIZE, LOG.frontier.root)
TEXT = print_proof(PROOF).decode()


def cosigned(*witnesses: Signer) -> Proof:
    text = parse_note(NOTE).text
    return replace(PROOF, checkpoint=add_signatures(NOTE, [cosign(text, w, 7) for w in witnesses]))


def keys_of(*witnesses: Signer) -> list[VerifierKey]:
    return [witness.verifier_key for witness in witnesses]


def test_a_proof_is_written_as_specified() -> None:
    """Source: c2sp.org/tlog-proof, Format."""
    hashes = "".join(f"{base64.b64encode(each).decode()}\n" for each in PROOF.hashes)
    head = "c2sp.org/tlog-proof@v1\n"
    assert f"{head}index 6\n{hashes}\n{NOTE.decode()}" == TEXT
    extra = print_proof(replace(PROOF, extra=b"age"))
    assert extra.decode() == f"{head}extra YWdl\nindex 6\n{hashes}\n{NOTE.decode()}"


@given(
    st.integers(0, MAX_SIZE),
    st.lists(st.binary(min_size=32, max_size=32), max_size=63).map(tuple),
    st.binary(max_size=100),
)
def test_a_proof_is_read_back(index: int, hashes: tuple[bytes, ...], extra: bytes) -> None:
    proof = Proof(index, hashes, NOTE, extra)
    assert parse_proof(print_proof(proof)) == proof


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param(TEXT.replace("\n\n", "\n"), id="no blank line"),
        pytest.param(TEXT.replace("@v1", "@v2"), id="another version"),
        pytest.param(TEXT.replace("index 6", "index 06"), id="a leading zero"),
        pytest.param(TEXT.replace("index 6\n", ""), id="no index"),
        pytest.param(TEXT.replace("index 6", "extra \nindex 6"), id="empty extra data"),
        pytest.param(TEXT.replace("index 6", "extra =\nindex 6"), id="extra data not in base64"),
        pytest.param(TEXT.replace("index 6", "index 6\nextra YQ=="), id="extra data too late"),
        pytest.param(TEXT.replace("index 6", "index 6\nYQ=="), id="a short hash"),
        pytest.param(TEXT.replace("index 6", "index 6" + f"\n{'A' * 43}=" * 60), id="64 hashes"),
        pytest.param(TEXT.replace("\n", "\r\n"), id="other line ends"),
        pytest.param("c2sp.org/tlog-proof@v1\n\n" + NOTE.decode(), id="no line but the first"),
        pytest.param(TEXT[:-1], id="no line feed at the end"),
        pytest.param(TEXT + "x" * MAX_PROOF_BYTES, id="too large"),
    ],
)
def test_what_is_no_proof_is_refused(text: str) -> None:
    with pytest.raises(Unproven):
        parse_proof(text.encode())


@pytest.mark.parametrize(
    "proof",
    [
        pytest.param(replace(PROOF, index=-1), id="negative"),
        pytest.param(replace(PROOF, hashes=(b"short",)), id="a short hash"),
        pytest.param(replace(PROOF, hashes=(bytes(32),) * 64), id="64 hashes"),
        pytest.param(replace(PROOF, checkpoint=b"text\n"), id="no note"),
        pytest.param(replace(PROOF, extra=bytes(MAX_PROOF_BYTES)), id="too large"),
    ],
)
def test_what_could_not_be_read_is_not_written(proof: Proof) -> None:
    with pytest.raises(ValueError, match="the proof could not be read"):
        print_proof(proof)


def test_a_proof_proves_its_entry_and_no_other() -> None:
    assert verify_proof(PROOF, ENTRY, ORIGIN, KEYS) == EXPECTED
    for entry in (*LOG.entries[:INDEX], *LOG.entries[INDEX + 1 :], b"", ENTRY + b"\0"):
        with pytest.raises(Unproven, match="leads to another root"):
            verify_proof(PROOF, entry, ORIGIN, KEYS)
    for index in {*range(SIZE + 2)} - {INDEX}:
        with pytest.raises(Unproven):
            verify_proof(replace(PROOF, index=index), ENTRY, ORIGIN, KEYS)


def test_a_proof_is_of_one_log_and_signed_by_it() -> None:
    with pytest.raises(Unproven, match="another log"):
        verify_proof(PROOF, ENTRY, "log.example/other", KEYS)
    with pytest.raises(Unproven, match="no signature of a known key"):
        verify_proof(PROOF, ENTRY, ORIGIN, [signer_of(ORIGIN, 9).verifier_key])


def test_every_flipped_bit_is_found() -> None:
    for flipped in flips(TEXT.encode()):
        with pytest.raises(Unproven):
            verify_proof(parse_proof(flipped), ENTRY, ORIGIN, KEYS)


def test_a_quorum_of_witnesses_may_be_asked_for() -> None:
    proof, witnesses = cosigned(ONE, THREE), keys_of(ONE, TWO, THREE)
    for quorum in (0, 1, 2):
        assert (
            verify_proof(proof, ENTRY, ORIGIN, KEYS, witness_keys=witnesses, quorum=quorum)
            == EXPECTED
        )
    with pytest.raises(Unproven, match="has 2 cosignatures of known witnesses, not 3"):
        verify_proof(proof, ENTRY, ORIGIN, KEYS, witness_keys=witnesses, quorum=3)
    with pytest.raises(Unproven, match="has 0 cosignatures of known witnesses, not 1"):
        verify_proof(PROOF, ENTRY, ORIGIN, KEYS, witness_keys=witnesses, quorum=1)
    assert verify_proof(PROOF, ENTRY, ORIGIN, KEYS, witness_keys=witnesses) == EXPECTED


def test_one_witness_under_two_names_is_one() -> None:
    again = witness_of("witness.example/again", 2)
    with pytest.raises(Unproven, match="has 1 cosignatures of known witnesses, not 2"):
        verify_proof(
            cosigned(ONE, again),
            ENTRY,
            ORIGIN,
            KEYS,
            witness_keys=keys_of(ONE, again),
            quorum=2,
        )


def test_a_bad_cosignature_refuses_the_proof_whatever_the_quorum() -> None:
    bad = NoteSignature(ONE.name, ONE.verifier_key.id, bytes(72))
    proof = replace(PROOF, checkpoint=add_signatures(NOTE, [bad]))
    with pytest.raises(Unproven, match="out of range"):
        verify_proof(proof, ENTRY, ORIGIN, KEYS, witness_keys=keys_of(ONE))
    assert verify_proof(proof, ENTRY, ORIGIN, KEYS, witness_keys=keys_of(TWO)) == EXPECTED


@pytest.mark.parametrize("quorum", [-1, 2])
def test_a_quorum_that_cannot_be_is_a_fault(quorum: int) -> None:
    with pytest.raises(ValueError, match="a quorum cannot be larger"):
        verify_proof(PROOF, ENTRY, ORIGIN, KEYS, witness_keys=keys_of(ONE, ONE), quorum=quorum)
