"""Our log as an implementation of other origin reads it: tlog-scales, by the author of a monitor.

It verifies what we print and proves what we verify; none of its code is ours, nor the reverse.
"""

import pytest
from cryptography.exceptions import InvalidSignature
from tlog_scales import signing, tiles, tlog
from tlog_scales.reader import TilesReader

from tests.ledger.logs import ORIGIN, checkpoint_of, entries_of, log_of, signer_of, witness_of
from withhold.errors import Unproven
from withhold.ledger.checkpoint import (
    Checkpoint,
    verify_checkpoint,
    verify_cosignature,
)
from withhold.ledger.note import (
    add_signatures,
    cosign,
    parse_note,
    parse_verifier_key,
    print_verifier_key,
)
from withhold.ledger.tiles import (
    CHECKPOINT_PATH,
    Bundle,
    Tile,
    bundles_of,
    parse_path,
    print_entries,
    print_tile,
    tiles_of,
)
from withhold.ledger.tree import (
    consistency_proof,
    hash_leaf,
    inclusion_proof,
    root_at,
    verify_consistency,
    verify_inclusion,
)

SIZE = 600
LOG = log_of(entries_of(SIZE))
SIGNER, WITNESS = signer_of(ORIGIN, 1), witness_of("witness.example/w", 2)
UNSIGNED = checkpoint_of(LOG, SIGNER)
NOTE = add_signatures(UNSIGNED, [cosign(parse_note(UNSIGNED).text, WITNESS, 1_700_000_000)])
SIZES = [*range(1, 20), 255, 256, 257, 511, 512, 513, SIZE]


class Export:
    """An exported log, as their reader asks for its files."""

    def __init__(self) -> None:
        self.files = {CHECKPOINT_PATH: NOTE}
        for tile in tiles_of(SIZE):
            level, first = 8 * tile.level, tile.index * 256
            hashes = [LOG.hash_at(level, first + at) for at in range(tile.width)]
            self.files[tile.path] = print_tile(hashes)
        for bundle in bundles_of(SIZE):
            first = bundle.index * 256
            self.files[bundle.path] = print_entries(LOG.entries[first : first + bundle.width])

    def get(self, *path: str) -> bytes | None:
        return self.files.get("/".join(path))


@pytest.fixture(scope="module")
def reader() -> TilesReader:
    found = TilesReader(Export())
    found.get_checkpoint()
    return found


def theirs(vkey: str) -> signing.Vkey:
    return signing.Vkey.from_string(vkey)


def test_they_verify_our_checkpoint_and_its_cosignature() -> None:
    checkpoint = tlog.Checkpoint.from_text(NOTE.decode())
    assert (checkpoint.origin, checkpoint.size) == (ORIGIN, SIZE)
    assert checkpoint.root_hash == LOG.frontier.root
    for signer in (SIGNER, WITNESS):
        checkpoint.verify(theirs(print_verifier_key(signer.verifier_key)))
    assert checkpoint.serialize().encode() == NOTE


def test_they_refuse_our_checkpoint_with_another_root() -> None:
    other = log_of([b"rewritten", *LOG.entries[1:]]).frontier.root
    checkpoint = tlog.Checkpoint.from_text(NOTE.decode())
    altered = tlog.Checkpoint(ORIGIN, SIZE, other, checkpoint.signatures)
    for signer in (SIGNER, WITNESS):
        key = print_verifier_key(signer.verifier_key)
        with pytest.raises(InvalidSignature):
            altered.verify(theirs(key))


def test_we_verify_a_checkpoint_that_they_signed() -> None:
    signer = signing.PlainEd25519Signer(ORIGIN, SIGNER.private_key)
    assert parse_verifier_key(signer.vkey.serialize()) == SIGNER.verifier_key  # type: ignore[no-untyped-call]
    made = tlog.Checkpoint.make_signed(ORIGIN, SIZE, LOG.frontier.root, [signer])
    note = made.serialize().encode()
    assert note == UNSIGNED
    expected = Checkpoint(ORIGIN, SIZE, LOG.frontier.root)
    assert verify_checkpoint(note, ORIGIN, [SIGNER.verifier_key]) == expected


def test_their_post_quantum_cosignature_does_not_disturb_ours() -> None:
    """A type that we do not know is a stranger's line; its key we do not take."""
    checkpoint = tlog.Checkpoint.from_text(NOTE.decode())
    signer = signing.MLDSA44CosignatureSigner("witness.example/pq", bytes(32))
    line = signer.sign(checkpoint).serialize()
    note = NOTE + f"{line}\n".encode()
    assert verify_cosignature(note, WITNESS.verifier_key)[1] == 1_700_000_000
    assert verify_checkpoint(note, ORIGIN, [SIGNER.verifier_key]).size == SIZE
    with pytest.raises(Unproven):
        parse_verifier_key(signer.vkey.serialize())  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("size", SIZES)
def test_they_verify_our_proofs_and_we_theirs(reader: TilesReader, size: int) -> None:
    root = root_at(size, LOG.hash_at)
    assert reader.mth(0, size) == root
    for at in {0, 1, 2, 3, size // 3, size // 2, size - 2, size - 1} & {*range(size)}:
        ours = inclusion_proof(at, size, LOG.hash_at)
        leaf = hash_leaf(LOG.entries[at])
        tlog.InclusionProof(at, size, list(ours)).check(leaf, root)
        given = reader.get_inclusion_proof(at, size).node_hashes
        assert tuple(given) == ours
        verify_inclusion(leaf, at, size, given, root)

        grown = consistency_proof(at, size, LOG.hash_at)
        old_root = root_at(at, LOG.hash_at)
        tlog.ConsistencyProof(at, size, list(grown)).check(old_root, root)
        if at:  # of nothing they prove more than is asked
            assert tuple(reader.get_consistency_proof(at, size).node_hashes) == grown
        verify_consistency(at, old_root, size, root, grown)


@pytest.mark.parametrize("at", [0, 300, SIZE - 1])
def test_both_refuse_the_same_tampering(at: int) -> None:
    root, leaf = LOG.frontier.root, hash_leaf(LOG.entries[at])
    proof = inclusion_proof(at, SIZE, LOG.hash_at)
    for tampered in (proof[1:], proof[:-1], (*proof, leaf), (leaf, *proof), proof[::-1]):
        with pytest.raises(tlog.InclusionProofInvalid):
            tlog.InclusionProof(at, SIZE, list(tampered)).check(leaf, root)
        with pytest.raises(Unproven):
            verify_inclusion(leaf, at, SIZE, tampered, root)


def test_they_read_the_log_that_we_export(reader: TilesReader) -> None:
    assert reader.calculate_root_hash() == LOG.frontier.root
    assert [reader.get_entry(at) for at in range(SIZE)] == LOG.entries


@pytest.mark.parametrize("index", [0, 1, 999, 1_000, 1_234_067, 999_999_999])
def test_they_name_tiles_as_we_do(index: int) -> None:
    for width in (1, 255, 256):
        partial = width % 256
        assert "/".join(tiles.tile_path(3, index, partial)) == Tile(3, index, width).path
        assert parse_path("/".join(tiles.tile_path(-1, index, partial))) == Bundle(index, width)
