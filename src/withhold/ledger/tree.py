"""The Merkle tree: its frontier, proofs from its nodes, and what a proof proves.

Source: RFC 9162 §2.1 (the tree of RFC 6962), with SHA-256.
A node is named by level and index: it is the root of the perfect tree over the leaves
`index * 2**level` up to `(index + 1) * 2**level`. Such a node never changes once it is there, so
all that a log must keep to prove anything is nodes; the ragged right edge is folded when asked for.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from withhold.errors import Unproven
from withhold.ledger.lines import MAX_SIZE

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256().digest()  # RFC 9162 §2.1.1: MTH({})
MAX_PROOF: Final = 63  # hashes: the height of the largest tree, and C2SP's bound

HashAt = Callable[[int, int], bytes]  # (level, index) → the hash of a node that is there

_SIZE_BYTES: Final = 8
_sha256 = hashlib.sha256


class Node(NamedTuple):
    """The root of a perfect tree over `2**level` leaves."""

    level: int
    at: int  # its index in the level; a tuple has an `index` of its own
    hash: bytes


def hash_leaf(entry: bytes) -> bytes:
    """Give the leaf's hash: SHA-256 of 0x00 and the entry."""
    return _sha256(b"\x00" + entry).digest()


def hash_children(left: bytes, right: bytes) -> bytes:
    """Give the parent's hash: SHA-256 of 0x01 and both."""
    return _sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """What a log must remember to grow: the roots of its perfect trees, the largest first.

    INVARIANT: one hash for each bit that is set in `size`.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Raises: ValueError."""
        if not 0 <= self.size <= MAX_SIZE:
            raise ValueError("a tree has 0 to 2**63 - 1 leaves")
        if len(self.hashes) != self.size.bit_count():
            raise ValueError("a frontier has one hash for each bit of its size")
        if any(len(each) != HASH_BYTES for each in self.hashes):
            raise ValueError("a hash has 32 bytes")

    @property
    def root(self) -> bytes:
        """The hash of the whole tree."""
        return _fold(self.hashes)

    def append(self, leaf_hashes: Iterable[bytes]) -> "Frontier":
        """Give the frontier after these leaves; how they are grouped makes no difference."""
        return self.grow(leaf_hashes, MAX_PROOF)[0]

    def grow(self, leaf_hashes: Iterable[bytes], lowest: int = 0) -> tuple["Frontier", list[Node]]:
        """Append, and also give every node that is there now and was not: leaves too, in order.

        These are what `HashAt` is asked for. `lowest`: of what level on they are given.
        """
        size, stack, nodes = self.size, list(self.hashes), list[Node]()
        for leaf in leaf_hashes:
            level, index, node = 0, size, leaf
            if not lowest:
                nodes.append(Node(0, size, leaf))
            while index & 1:  # its left sibling stands alone: they become one
                node = _sha256(b"\x01" + stack.pop() + node).digest()
                level += 1
                index >>= 1
                if level >= lowest:
                    nodes.append(Node(level, index, node))
            stack.append(node)
            size += 1
        return Frontier(size, tuple(stack)), nodes

    def encode(self) -> bytes:
        """Give 8 bytes of size, big-endian, and the hashes."""
        return self.size.to_bytes(_SIZE_BYTES, "big") + b"".join(self.hashes)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` gave. Raises: Unproven."""
        size, rest = int.from_bytes(data[:_SIZE_BYTES], "big"), data[_SIZE_BYTES:]
        hashes = tuple(rest[at : at + HASH_BYTES] for at in range(0, len(rest), HASH_BYTES))
        try:
            if len(data) >= _SIZE_BYTES:
                return cls(size, hashes)
        except ValueError:
            pass
        raise Unproven("a frontier is damaged: its size and its hashes do not fit")


def frontier_at(size: int, hash_at: HashAt) -> Frontier:
    """Give the frontier that the log had at this size, from its nodes."""
    return Frontier(size, tuple(_perfect(0, size, hash_at)))


def root_at(size: int, hash_at: HashAt) -> bytes:
    """Give the root that the log had at this size, from its nodes."""
    return frontier_at(size, hash_at).root


def inclusion_proof(index: int, size: int, hash_at: HashAt) -> tuple[bytes, ...]:
    """Prove that the leaf at `index` is in the tree of `size`. Source: RFC 9162 §2.1.3.1.

    From the leaf's sibling up to the root's child.
    """
    if not 0 <= index < size:
        raise ValueError("the leaf is not in the tree")
    proof = list[bytes]()
    begin, end = 0, size
    while end - begin > 1:
        middle = _middle(begin, end)
        if index < middle:
            proof.append(_hash_of(middle, end, hash_at))
            end = middle
        else:
            proof.append(_hash_of(begin, middle, hash_at))
            begin = middle
    return tuple(reversed(proof))


def consistency_proof(old: int, new: int, hash_at: HashAt) -> tuple[bytes, ...]:
    """Prove that the tree of `new` begins with that of `old`. Source: RFC 9162 §2.1.4.1.

    Empty where there is nothing to prove: sizes that are equal, and an empty old tree.
    """
    if not 0 <= old <= new:
        raise ValueError("a log does not shrink")
    if old == 0:
        return ()
    proof = list[bytes]()
    begin, end = 0, new
    while end != old:
        middle = _middle(begin, end)
        if old <= middle:
            proof.append(_hash_of(middle, end, hash_at))
            end = middle
        else:
            proof.append(_hash_of(begin, middle, hash_at))
            begin = middle
    if begin:  # else it is the old root, which the verifier has
        proof.append(_hash_of(begin, end, hash_at))
    return tuple(reversed(proof))


def verify_inclusion(
    leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that the leaf is at `index` in the tree. Raises: Unproven.

    Source: RFC 9162 §2.1.3.2.
    """
    _check_hashes(leaf_hash, root, *proof)
    if not 0 <= index < size <= MAX_SIZE:
        raise Unproven("the leaf is not in the tree: its index is not below the tree's size")
    found = leaf_hash
    for each, is_left in _sides(index, size - 1, proof, "the inclusion proof"):
        found = hash_children(each, found) if is_left else hash_children(found, each)
    if found != root:
        raise Unproven("the inclusion proof leads to another root")


def verify_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the new tree begins with the old one. Raises: Unproven.

    Source: RFC 9162 §2.1.4.2; of an empty old tree, c2sp.org/tlog-witness: the proof is empty.
    """
    _check_hashes(old_root, new_root, *proof)
    _check_trees(old, old_root, new, new_root)
    if old in (0, new):
        if proof:
            raise Unproven("the consistency proof is too long")
        return
    # Where the old tree is perfect, its root is left out of the proof.
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        raise Unproven("the consistency proof is too short")
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = path[0]
    for each, is_left in _sides(at, last, path[1:], "the consistency proof"):
        if is_left:
            before, after = hash_children(each, before), hash_children(each, after)
        else:
            after = hash_children(after, each)
    if before != old_root:
        raise Unproven("the consistency proof leads to another old root")
    if after != new_root:
        raise Unproven("the consistency proof leads to another new root")


def _check_trees(old: int, old_root: bytes, new: int, new_root: bytes) -> None:
    """Check what needs no proof."""
    if not 0 <= old <= new <= MAX_SIZE:
        raise Unproven("the new tree is smaller than the old one")
    for size, root in ((old, old_root), (new, new_root)):
        if not size and root != EMPTY_ROOT:
            raise Unproven("a tree without leaves has another root")
    if old == new and old_root != new_root:
        raise Unproven("the trees are of one size and have different roots")


def _sides(at: int, last: int, proof: Sequence[bytes], what: str) -> Iterator[tuple[bytes, bool]]:
    """Give each hash on the way up, and whether it is a left sibling.

    `at`: the node that the way begins at; `last`: the last one of its level. Raises: Unproven if
    the proof has not as many hashes as the tree has levels.
    """
    for each in proof:
        if not last:
            raise Unproven(f"{what} is too long")
        is_left = bool(at & 1) or at == last
        yield each, is_left
        while is_left and at and not at & 1:  # levels where a right edge has no sibling
            at, last = at >> 1, last >> 1
        at, last = at >> 1, last >> 1
    if last:
        raise Unproven(f"{what} is too short")


def _check_hashes(*hashes: bytes) -> None:
    if any(len(each) != HASH_BYTES for each in hashes):
        raise Unproven(f"a hash does not have {HASH_BYTES} bytes")


def _middle(begin: int, end: int) -> int:
    """Split as MTH does: the left part is the largest power of two below the whole."""
    return begin + (1 << (end - begin - 1).bit_length() - 1)


def _hash_of(begin: int, end: int, hash_at: HashAt) -> bytes:
    return _fold(tuple(_perfect(begin, end, hash_at)))


def _perfect(begin: int, end: int, hash_at: HashAt) -> Iterable[bytes]:
    """Give the perfect trees that the leaves are made of; `begin` is where MTH may split."""
    while begin < end:
        level = (end - begin).bit_length() - 1
        yield hash_at(level, begin >> level)
        begin += 1 << level


def _fold(hashes: Sequence[bytes]) -> bytes:
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = hash_children(left, root)
    return root
