import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from withhold.kinds.ip import pack_ip, parse_ip, print_ip, print_prefix, unpack_ip


def normal(text: str) -> str | None:
    address = parse_ip(text)
    return None if address is None else print_ip(address)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # RFC 5952 §1 and §2: the same address in many ways
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("2001:0db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("2001:db8::1:0:0:1", "2001:db8::1:0:0:1"),
        ("2001:db8::0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("2001:0db8::1:0:0:1", "2001:db8::1:0:0:1"),
        ("2001:db8:0:0:1::1", "2001:db8::1:0:0:1"),
        ("2001:db8:0000:0:1::1", "2001:db8::1:0:0:1"),
        ("2001:DB8:0:0:1::1", "2001:db8::1:0:0:1"),
        # §4.1: leading zeros must be suppressed, a group of zeros is `0`
        ("2001:0db8::0001", "2001:db8::1"),
        ("2001:db8:aaaa:bbbb:cccc:dddd:0000:0001", "2001:db8:aaaa:bbbb:cccc:dddd:0:1"),
        # §4.2.1: shorten as much as possible
        ("2001:db8:0:0:0:0:2:1", "2001:db8::2:1"),
        ("2001:db8::0:1", "2001:db8::1"),
        # §4.2.2: one group alone is not shortened
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        # §4.2.3: the longest run is shortened, of equal ones the first
        ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
        ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        # §4.3: lower case
        ("2001:DB8:AAAA:BBBB:CCCC:DDDD:EEEE:FFFF", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff"),
        ("::", "::"),
        ("::1", "::1"),
        ("0:0:0:0:0:0:0:0", "::"),
        ("::1.2.3.4", "::102:304"),
        ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
    ],
)
def test_normal_form_is_rfc_5952(text: str, expected: str) -> None:
    assert normal(text) == expected


@pytest.mark.parametrize(
    "text", ["::ffff:192.0.2.1", "::FFFF:192.0.2.1", "::ffff:c000:201", "0:0:0:0:0:ffff:192.0.2.1"]
)
def test_a_mapped_address_is_the_v4_address(text: str) -> None:
    assert normal(text) == "192.0.2.1"


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "192.0.2", "192.0.2.1.1", "192.0.2.256", "192.0.2.01", "192.000.002.001",
        "0300.0.2.1",
        "0xc0.0.2.1", "3221225985", "192.0.2.1/32", "192.0.2.1:80", " 192.0.2.1", "192.0.2.1 ",
        "192.0.2.1\n",
        "192.0.2.-1", "192.0.2.+1", "192.0.2.1e0", "١٩٢.0.2.1", "192。0。2。1",
        "\uff11\uff19\uff12.0.2.1",
        "fe80::1%eth0", "fe80::1%", "192.0.2.1%1", "[::1]", "::1/128", ":::", ":", "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1::2::3", "12345::", "00001::", "::g",
        "::ffff:192.0.2.01",
        "::192.0.2", "1.2.3.4::", "::1.2.3.4:5", "localhost", "-", "\x00", "::\x00", "::1\x00",
        "192.0.2.1\x00",
    ],
)  # fmt: skip
def test_what_is_no_address_is_none(text: str) -> None:
    assert parse_ip(text) is None


def test_a_hostile_length_is_no_address() -> None:
    assert parse_ip("0" * 100_000) is None
    assert parse_ip(":" * 46) is None
    longest = "ABCD:ABCD:ABCD:ABCD:ABCD:ABCD:192.168.158.190"
    assert len(longest) == 45
    assert parse_ip(longest) is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", "192.0.2.0/24"),
        ("192.0.2.255", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("2001:db8::1", "2001:db8::/48"),
        ("::1", "::/48"),
    ],
)
def test_a_generalized_address_is_its_24_or_48(text: str, expected: str) -> None:
    address = parse_ip(text)
    assert address is not None
    assert print_prefix(address) == expected


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_the_normal_form_is_read_back_as_itself(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    for text in (address.compressed, address.exploded, address.exploded.upper()):
        found = parse_ip(text)
        assert found is not None
        assert parse_ip(print_ip(found)) == found
        assert normal(print_ip(found)) == print_ip(found)
        assert len(pack_ip(found)) == 16


@given(st.ip_addresses(v=4))
def test_v4_is_packed_as_mapped(address: ipaddress.IPv4Address) -> None:
    assert pack_ip(address) == ipaddress.ip_address(f"::ffff:{address}").packed


@pytest.mark.parametrize("text", ["192.0.2.7", "2001:db8::1", "::", "255.255.255.255"])
def test_what_was_packed_is_unpacked(text: str) -> None:
    address = parse_ip(text)
    assert address is not None
    assert unpack_ip(pack_ip(address)) == address
