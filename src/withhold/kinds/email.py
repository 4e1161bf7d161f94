"""E-mail addresses: surrounding space gone, the domain in lower case (contract §4).

The local part is kept to the code point: its case may matter. Source: RFC 5321 §2.3.11, §2.4.
"""

import re
from typing import Final

_ADDRESS: Final = re.compile(r"[^@\s\x00-\x1f\x7f]{1,256}@[^@\s\x00-\x1f\x7f]{1,255}")


def parse_email(text: str) -> str | None:
    """Give the normal form, or None if the text is no address."""
    bare = text.strip()
    if not _ADDRESS.fullmatch(bare):
        return None
    local, _, domain = bare.rpartition("@")
    return f"{local}@{domain.lower()}"
