"""IP addresses: normal form, prefix and packed form.

Source: RFC 5952 (text of IPv6), RFC 4291 §2.5.5.2 (v4-mapped addresses are the v4 address).
A zone (`%eth0`) names an interface of the store's own machine and makes the text malformed.
"""

import ipaddress
from typing import Final

_MAPPED: Final = bytes(10) + b"\xff\xff"
_LONGEST: Final = 45  # INET6_ADDRSTRLEN without the terminator


def parse_ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an address, v4-mapped v6 as v4; None if it isn't one."""
    if "%" in text or len(text) > _LONGEST:
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def print_ip(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """Give the RFC 5952 text."""
    return address.compressed


def pack_ip(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bytes:
    """Give the 16 bytes that ipcrypt works on: v6 as it is, v4 as v4-mapped."""
    return address.packed if address.version == 6 else _MAPPED + address.packed  # noqa: PLR2004 - IP version


def unpack_ip(packed: bytes) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Give the address of 16 bytes, as `pack_ip` gave them."""
    address = ipaddress.IPv6Address(packed)
    return address if address.ipv4_mapped is None else address.ipv4_mapped


def print_prefix(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """Give the network that a generalized address becomes: /24 or /48."""
    length = 24 if address.version == 4 else 48  # noqa: PLR2004 - IP version
    return ipaddress.ip_network((address, length), strict=False).compressed
