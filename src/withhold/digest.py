"""Digests, as every document and header writes them."""

import base64
import hashlib

from withhold.names import Digest


def digest_of(data: bytes) -> Digest:
    """Give SHA-256 as a member of `Content-Digest`. Source: RFC 9530 §2."""
    return print_digest(hashlib.sha256(data).digest())


def print_digest(digest: bytes) -> Digest:
    """Write a SHA-256 that was made piece by piece. Source: RFC 9530 §2."""
    return Digest(f"sha-256=:{base64.b64encode(digest).decode()}:")
