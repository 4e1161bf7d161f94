"""Heads: what a request's head says of its framing and target, or that it is refused. Pure.

llhttp, strict, has refused most of what two readers could take differently: bare LF and CR, folded
lines, control characters, `Content-Length` twice or beside `Transfer-Encoding`. What it leaves to
its caller is refused here. Source: RFC 9110, RFC 9112.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

Headers = Sequence[tuple[bytes, bytes]]

# RFC 3986 §3.2.2 and §3.2.3, as far as two readers need it; empty is a host (RFC 9112 §3.2).
_HOST: Final = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[-A-Za-z0-9._~!$&'()*+;=%]*)(:[0-9]*)?")
_WHITE: Final = b" \t"


@dataclass(frozen=True, slots=True)
class Framing:
    """How a request's body is framed, and what its client waits for."""

    length: int | None = 0  # bytes; None: chunked
    expects_continue: bool = False


_PLAIN: Final = Framing()


def framing_of(target: bytes, version: str, headers: Headers) -> Framing | None:
    """Give the framing of a request that llhttp took, or None where it is refused.

    `headers`: names in lower case. Stricter than RFC 9112 §3.2.2: a target is a path, for who
    sends another form takes us for another kind of proxy.
    """
    if not target.startswith(b"/") or version not in {"1.0", "1.1"}:
        return None
    hosts, length, encoding, expects = 0, 0, b"", False
    for name, value in headers:
        if name == b"host":
            hosts += 1
            if _HOST.fullmatch(value) is None:
                return None
        elif name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding":
            encoding = value.lower()
        elif name == b"expect":
            expects = value.lower() == b"100-continue"
    is_new = version == "1.1"
    if hosts > 1 or (is_new and hosts == 0):
        return None  # RFC 9112 §3.2
    if encoding:
        # RFC 9112 §6.1: another coding is not ours to undo, and HTTP/1.0 knows none.
        return Framing(None, expects) if is_new and encoding == b"chunked" else None
    # RFC 9110 §10.1.1: an expectation of an HTTP/1.0 client is not heard.
    return Framing(length, expects and is_new) if length else _PLAIN


def without_white(value: bytes) -> bytes:
    """Give a field's value without white space at its end, which llhttp leaves (RFC 9112 §5)."""
    return value.rstrip(_WHITE)
