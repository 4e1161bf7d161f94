"""Authentication: a bearer token becomes a caller. Pure.

Tokens are known by their SHA-256 only, and compared with every caller's in constant time: neither
which caller nor how much of a token fits can be measured. Source: RFC 6750 §2.1, RFC 9110 §11.6.2.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Final

from withhold.deployment.model import CallerEntry

# RFC 6750 §2.1: `Bearer` 1*SP b64token; the scheme's case does not matter (RFC 9110 §11.1).
_BEARER: Final = re.compile(rb"bearer +([A-Za-z0-9._~+/-]{1,512}=*)", re.IGNORECASE)


def authenticate(
    headers: Iterable[tuple[bytes, bytes]], callers: Iterable[CallerEntry]
) -> CallerEntry | None:
    """Give the caller whose token it is; None for no token, two of them, or nobody's.

    `headers`: as received, names in lower case.
    """
    values = [value for name, value in headers if name == b"authorization"]
    found = _BEARER.fullmatch(values[0]) if len(values) == 1 else None
    if found is None:
        return None
    digest = hashlib.sha256(found.group(1)).digest()
    fitting = [c for c in callers if hmac.compare_digest(c.token_sha256, digest)]
    return fitting[0] if len(fitting) == 1 else None
