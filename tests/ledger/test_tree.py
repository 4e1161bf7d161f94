"""The tree against RFC 9162's definition, its own proofs, and every kind of tampering."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ledger.logs import defined_root, entries_of, flips, log_of
from withhold.errors import Unproven
from withhold.ledger.lines import MAX_SIZE
from withhold.ledger.tree import (
    EMPTY_ROOT,
    Frontier,
    Node,
    consistency_proof,
    frontier_at,
    hash_children,
    hash_leaf,
    inclusion_proof,
    root_at,
    verify_consistency,
    verify_inclusion,
)

# The eight entries that implementations of Certificate Transparency are tested on, and the roots of
# the trees over the first one, two, … of them.
ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    bytes.fromhex(text)
    for text in (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
LARGEST = 70
LOG = log_of(entries_of(LARGEST))
LEAVES = [hash_leaf(entry) for entry in LOG.entries]
OTHER = hash_leaf(b"another")


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert Frontier().root == EMPTY_ROOT == defined_root([])
    assert root_at(0, LOG.hash_at) == EMPTY_ROOT


@pytest.mark.parametrize("size", range(1, 9))
def test_the_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert log_of(ENTRIES[:size]).frontier.root == ROOTS[size - 1]


@pytest.mark.parametrize("size", range(LARGEST + 1))
def test_the_root_is_the_defined_one(size: int) -> None:
    expected = defined_root(LOG.entries[:size])
    assert Frontier().append(LEAVES[:size]).root == expected
    assert root_at(size, LOG.hash_at) == expected


@given(st.lists(st.integers(0, 40), max_size=12))
def test_appending_in_any_grouping_gives_the_same_frontier(groups: list[int]) -> None:
    frontier = Frontier()
    leaves = [hash_leaf(entry) for entry in entries_of(sum(groups))]
    at = 0
    for group in groups:
        frontier = Frontier.decode(frontier.append(leaves[at : at + group]).encode())
        at += group
    assert frontier == Frontier().append(leaves)


@given(st.integers(0, LARGEST), st.integers(0, LARGEST))
def test_growing_gives_the_nodes_that_are_new(one: int, two: int) -> None:
    old, new = sorted((one, two))
    frontier, nodes = frontier_at(old, LOG.hash_at).grow(LEAVES[old:new])
    assert frontier == frontier_at(new, LOG.hash_at)
    there = {
        (level, at): node
        for (level, at), node in LOG.nodes.items()
        if old < (at + 1) << level <= new
    }
    assert {(node.level, node.at): node.hash for node in nodes} == there
    assert len(nodes) == len(there)


def test_a_node_is_the_root_of_a_perfect_tree() -> None:
    for (level, at), node in LOG.nodes.items():
        assert node == defined_root(LOG.entries[at << level : (at + 1) << level])
    assert Frontier().grow([OTHER]) == (Frontier(1, (OTHER,)), [Node(0, 0, OTHER)])


@pytest.mark.parametrize(
    ("size", "hashes"),
    [
        pytest.param(-1, (OTHER,), id="negative"),
        pytest.param(MAX_SIZE + 1, (OTHER,), id="too large"),
        pytest.param(1, (), id="too few hashes"),
        pytest.param(2, (OTHER, OTHER), id="too many hashes"),
        pytest.param(1, (OTHER[1:],), id="short hash"),
    ],
)
def test_a_frontier_has_a_hash_for_each_bit(size: int, hashes: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match=r"^(a tree|a frontier|a hash) has "):
        Frontier(size, hashes)


def test_a_damaged_frontier_is_refused() -> None:
    data = LOG.frontier.encode()
    assert Frontier.decode(data) == LOG.frontier
    larger = b"\xff" + data[1:]
    for damaged in (b"", data[:7], data[:8], data[:-1], data + b"\0", data[:-32], larger):
        with pytest.raises(Unproven):
            Frontier.decode(damaged)


def test_every_inclusion_is_proven_and_for_no_other_index() -> None:
    for size in range(1, LARGEST + 1):
        root = root_at(size, LOG.hash_at)
        for index in range(size):
            proof = inclusion_proof(index, size, LOG.hash_at)
            verify_inclusion(LEAVES[index], index, size, proof, root)
            for other in {*range(size + 1), 2 * size, -1} - {index}:
                with pytest.raises(Unproven):
                    verify_inclusion(LEAVES[index], other, size, proof, root)


def test_every_consistency_is_proven() -> None:
    for new in range(LARGEST + 1):
        new_root = root_at(new, LOG.hash_at)
        for old in range(new + 1):
            proof = consistency_proof(old, new, LOG.hash_at)
            old_root = root_at(old, LOG.hash_at)
            verify_consistency(old, old_root, new, new_root, proof)
            if 0 < old < new:
                assert not refuses_consistency(old, old_root, new, new_root, proof)
                assert refuses_consistency(old, OTHER, new, new_root, proof)
                assert refuses_consistency(old, old_root, new, OTHER, proof)
                assert refuses_consistency(new, new_root, old, old_root, proof)
                assert refuses_consistency(old, old_root, new, new_root, proof[:-1])
                assert refuses_consistency(old, old_root, new, new_root, proof[1:])
                assert refuses_consistency(old, old_root, new, new_root, (*proof, OTHER))


def test_a_log_that_was_rewritten_is_not_consistent() -> None:
    for at in range(40):
        entries = [*LOG.entries[:at], b"rewritten", *LOG.entries[at + 1 :]]
        other = log_of(entries)
        proof = consistency_proof(40, LARGEST, other.hash_at)
        old_root = root_at(40, LOG.hash_at)
        assert refuses_consistency(40, old_root, LARGEST, other.frontier.root, proof)


@pytest.mark.parametrize(("index", "size"), [(0, 8), (5, 8), (2, 3), (1, 5), (69, 70), (33, 70)])
def test_a_tampered_inclusion_proof_is_refused(index: int, size: int) -> None:
    root = root_at(size, LOG.hash_at)
    leaf, proof = LEAVES[index], inclusion_proof(index, size, LOG.hash_at)
    for tampered in tamperings(proof, root):
        assert refuses_inclusion(leaf, index, size, tampered, root)
    for flipped in flips(leaf):
        assert refuses_inclusion(flipped, index, size, proof, root)
    for flipped in flips(root):
        assert refuses_inclusion(leaf, index, size, proof, flipped)
    for wrong in (b"", OTHER, root, leaf[:-1], leaf + b"\0"):
        assert refuses_inclusion(wrong, index, size, proof, root)
    for wrong in (b"", OTHER, EMPTY_ROOT, leaf, root[:-1], root + b"\0"):
        assert refuses_inclusion(leaf, index, size, proof, wrong)
    for other in (size * 2, size // 2, index, 0, -1, MAX_SIZE + 1):
        assert refuses_inclusion(leaf, index, other, proof, root)


@pytest.mark.parametrize(
    ("old", "new"), [(1, 8), (6, 8), (2, 5), (4, 8), (3, 7), (69, 70), (33, 70)]
)
def test_a_tampered_consistency_proof_is_refused(old: int, new: int) -> None:
    old_root, new_root = root_at(old, LOG.hash_at), root_at(new, LOG.hash_at)
    proof = consistency_proof(old, new, LOG.hash_at)
    for tampered in tamperings(proof, new_root, old_root):
        assert refuses_consistency(old, old_root, new, new_root, tampered)
    for flipped in flips(old_root):
        assert refuses_consistency(old, flipped, new, new_root, proof)
    for flipped in flips(new_root):
        assert refuses_consistency(old, old_root, new, flipped, proof)
    for wrong in (b"", OTHER, EMPTY_ROOT, old_root[:-1], new_root + b"\0"):
        assert refuses_consistency(old, wrong, new, new_root, proof)
        assert refuses_consistency(old, old_root, new, wrong, proof)
    assert refuses_consistency(old, new_root, new, old_root, proof)
    for other in (0, -1, old ^ 2, old - 1, old + 1, new):
        assert refuses_consistency(other, old_root, new, new_root, proof)
    for other in (0, old, new * 2, new // 2, MAX_SIZE + 1):
        assert refuses_consistency(old, old_root, other, new_root, proof)


def test_a_tree_without_leaves_and_a_tree_itself_need_no_proof() -> None:
    root = root_at(5, LOG.hash_at)
    verify_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, ())
    verify_consistency(0, EMPTY_ROOT, 5, root, ())
    verify_consistency(5, root, 5, root, ())
    assert refuses_consistency(0, EMPTY_ROOT, 5, root, (OTHER,))
    assert refuses_consistency(5, root, 5, root, (OTHER,))
    assert refuses_consistency(5, root, 5, OTHER, ())
    assert refuses_consistency(0, OTHER, 5, root, ())
    assert refuses_consistency(0, OTHER, 0, OTHER, ())


def test_two_hashes_are_not_split_elsewhere() -> None:
    """A parent is the hash of both children's bytes, wherever the one ends and the other begins."""
    left, right = LEAVES[:2]
    root = hash_children(left, right)
    verify_inclusion(left, 0, 2, (right,), root)
    verify_consistency(1, left, 2, root, (right,))
    assert refuses_inclusion(left + right[:1], 0, 2, (right[1:],), root)
    assert refuses_consistency(1, left + right[:1], 2, root, (right[1:],))


def test_a_tree_does_not_shrink_even_to_its_own_root() -> None:
    root = root_at(2, LOG.hash_at)
    assert refuses_consistency(2, root, 1, root, ())


def test_what_is_not_there_is_not_proven() -> None:
    for index, size in ((-1, 5), (5, 5), (0, 0)):
        with pytest.raises(ValueError, match="the leaf is not in the tree"):
            inclusion_proof(index, size, LOG.hash_at)
    for old, new in ((-1, 5), (6, 5)):
        with pytest.raises(ValueError, match="a log does not shrink"):
            consistency_proof(old, new, LOG.hash_at)


@given(st.integers(1, MAX_SIZE), st.data())
def test_proofs_of_the_largest_logs_verify(size: int, data: st.DataObject) -> None:
    """Of a log whose entries are all one: a node's hash depends on its level alone."""
    levels = [OTHER]
    for _ in range(63):
        levels.append(hash_children(levels[-1], levels[-1]))

    def hash_at(level: int, _index: int) -> bytes:
        return levels[level]

    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(0, size))
    root = root_at(size, hash_at)
    verify_inclusion(OTHER, index, size, inclusion_proof(index, size, hash_at), root)
    proof = consistency_proof(old, size, hash_at)
    verify_consistency(old, root_at(old, hash_at), size, root, proof)


def tamperings(proof: tuple[bytes, ...], *roots: bytes) -> Iterator[tuple[bytes, ...]]:
    """Give what published probes do to a proof: flip, cut, add, insert, swap."""
    for at, each in enumerate(proof):
        for flipped in flips(each):
            yield (*proof[:at], flipped, *proof[at + 1 :])
        yield (*proof[:at], *proof[at + 1 :])
        yield (*proof[:at], each[:-1], *proof[at + 1 :])
        yield (*proof[:at], each, each, *proof[at + 1 :])
    for added in (b"", OTHER, *roots):
        yield (added, *proof)
        yield (*proof, added)
    yield ()
    if len(proof) > 1:
        yield tuple(reversed(proof))


def refuses_inclusion(
    leaf: bytes, index: int, size: int, proof: tuple[bytes, ...], root: bytes
) -> bool:
    try:
        verify_inclusion(leaf, index, size, proof, root)
    except Unproven:
        return True
    return False


def refuses_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, proof: tuple[bytes, ...]
) -> bool:
    try:
        verify_consistency(old, old_root, new, new_root, proof)
    except Unproven:
        return True
    return False
