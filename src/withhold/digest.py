"""Digests, as every document and header writes them."""

import base64
import hashlib

from withhold.names import Digest


def digest_of(data: bytes) -> Digest:
    """Give SHA-256 as a member of `Content-Digest`. Source: RFC 9530 §2."""
    return Digest(f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:")
