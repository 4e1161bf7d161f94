"""What lines of C2SP texts are made of: decimals and base64, each value in its one spelling."""

import base64
import binascii
import re
from typing import Final

from withhold.errors import Unproven

MAX_SIZE: Final = 2**63 - 1  # of a log, and of a time in seconds: what other implementations hold

_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]", re.ASCII)


def parse_decimal(text: str, what: str) -> int:
    """Read ASCII digits without leading zeroes, at most `MAX_SIZE`. Raises: Unproven."""
    if not _DECIMAL.fullmatch(text) or int(text) > MAX_SIZE:
        raise Unproven(f"{what} is not a decimal without leading zeroes")
    return int(text)


def parse_base64(text: str, what: str, size_bytes: int | None = None) -> bytes:
    """Read base64, padded, unused bits zero (RFC 4648 §3.5, §4). Raises: Unproven."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Unproven(f"{what} is not base64") from None
    if print_base64(data) != text:
        raise Unproven(f"{what} is not base64 in its one spelling")
    if size_bytes is not None and len(data) != size_bytes:
        raise Unproven(f"{what} has {len(data)} bytes, not {size_bytes}")
    return data


def print_base64(data: bytes) -> str:
    """Give what `parse_base64` reads."""
    return base64.b64encode(data).decode("ascii")


def decode_text(data: bytes, what: str, max_bytes: int) -> str:
    """Read UTF-8 without control characters but the line feed. Raises: Unproven.

    Source: c2sp.org/signed-note, Format.
    """
    if len(data) > max_bytes:
        raise Unproven(f"{what} has {len(data)} bytes, more than {max_bytes}")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Unproven(f"{what} is not UTF-8") from None
    if _CONTROL.search(text):
        raise Unproven(f"{what} holds a control character")
    return text
