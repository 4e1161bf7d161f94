"""Logs to prove things about, and their roots by RFC 9162's definition, without any of our code."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from withhold.ledger.checkpoint import Checkpoint, sign_checkpoint
from withhold.ledger.note import KeyType, Signer
from withhold.ledger.tree import Frontier, hash_leaf

ORIGIN = "log.example/withhold"


@dataclass(frozen=True)
class Log:
    """Entries, and all the nodes over them."""

    entries: list[bytes]
    frontier: Frontier
    nodes: dict[tuple[int, int], bytes]

    def hash_at(self, level: int, index: int) -> bytes:
        return self.nodes[level, index]


def log_of(entries: list[bytes]) -> Log:
    frontier, nodes = Frontier().grow([hash_leaf(entry) for entry in entries])
    return Log(entries, frontier, {(node.level, node.at): node.hash for node in nodes})


def entries_of(size: int) -> list[bytes]:
    """Give entries as ours are: digests."""
    return [hashlib.sha256(b"statement %d" % at).digest() for at in range(size)]


def defined_root(entries: Sequence[bytes]) -> bytes:
    """Give MTH, word for word. Source: RFC 9162 §2.1.1."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    split = 1
    while split * 2 < len(entries):
        split *= 2
    left, right = defined_root(entries[:split]), defined_root(entries[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def signer_of(name: str, seed: int = 1, key_type: KeyType = KeyType.ED25519) -> Signer:
    return Signer(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32), key_type)


def witness_of(name: str, seed: int = 2) -> Signer:
    return signer_of(name, seed, KeyType.COSIGNATURE)


def checkpoint_of(log: Log, *signers: Signer) -> bytes:
    checkpoint = Checkpoint(ORIGIN, log.frontier.size, log.frontier.root)
    return sign_checkpoint(checkpoint, signers)


def flips(data: bytes) -> list[bytes]:
    """Give the data with each of its bits flipped, one at a time."""
    return [
        data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]
        for bit in range(8 * len(data))
    ]
