import ipaddress

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from withhold.kinds.ip import pack_ip, parse_ip, print_ip, print_prefix
from withhold.minimize.ip import are_v4, normal, pack, prefix

ALMOST = st.one_of(
    st.text("0123456789abcdefABCDEFg:.%/x ", max_size=50),
    st.lists(st.text("0123456789afF", max_size=5), min_size=1, max_size=9).map(":".join),
    st.lists(st.integers(-1, 300).map(str), min_size=3, max_size=5).map(".".join),
    st.builds(
        lambda v6, v4: f"{v6}{v4}",
        st.sampled_from(["::", "::ffff:", "64:ff9b::", "::1:", "1:2:3:4:5:6:", "1:2:3:4:5:6:7:"]),
        st.lists(st.integers(0, 256).map(str), min_size=3, max_size=4).map(".".join),
    ),
)


def agree(text: str) -> None:
    address = parse_ip(text)
    assert normal(text) == (None if address is None else print_ip(address))
    assert prefix(text) == (None if address is None else print_prefix(address))
    assert pack(text) == (None if address is None else pack_ip(address))


@given(st.one_of(st.text(max_size=50), ALMOST))
def test_fast_addresses_equal_the_kind_on_any_text(text: str) -> None:
    agree(text)


@given(
    st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)),
    st.sampled_from(["", "%eth0", "\n", " ", "\x00", "/24", ":", "."]),
)
def test_fast_addresses_equal_the_kind_on_addresses_and_nearly(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, tail: str
) -> None:
    for text in (address.compressed, address.exploded, address.exploded.upper()):
        agree(text)
        agree(f"{text}{tail}")
        agree(f"{tail}{text}")
        agree(f"::ffff:{text}")
        agree(f"0{text}")


@given(
    st.lists(
        st.one_of(
            st.ip_addresses().map(str), ALMOST, st.sampled_from([None, UNSET, 1, True, b"1.1.1.1"])
        ),
        max_size=3,
    )
)
def test_a_column_is_of_v4_if_each_is_one_and_in_normal_form(values: list[object]) -> None:
    assert are_v4(values) is all(
        isinstance(each, str) and ":" not in each and normal(each) == each for each in values
    )


def test_they_agree_on_what_address_parsers_differ_about() -> None:
    for text in (
        *(
            "",
            ":",
            "::",
            ":::",
            "1",
            "1.2",
            "1.2.3",
            "01.2.3.4",
            "1.2.3.04",
            "0x1.2.3.4",
            "1.2.3.4 ",
        ),
        *("00001::", "::00001", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8::", "1::8:"),
        *("::1.2.3.4", "::01.2.3.4", "::1.2.3", "1.2.3.4::", "::ffff:1.2.3.4", "::ffff:0:1.2.3.4"),
        *(
            "fe80::1%1",
            "fe80::1%",
            "%",
            "::%",
            "\ud800",
            "::\ud800",
            "\x00",
            "1.2.3.4\x00",
            "::\x00",
        ),
        *("0" * 46 + "::", "::" + "0" * 100, "1.2.3.4" * 20, "ABCD:" * 6 + "192.168.158.190"),
        *("\uff11.2.3.4", "1.2.3.\u0664", "::\uff11"),
    ):
        agree(text)


def test_they_agree_whichever_groups_are_zero() -> None:
    """C libraries differ about which zeros are shortened, and what is written with dots."""
    for zeros in range(256):
        for group in ("1", "ffff", "0a00"):
            agree(":".join("0" if zeros >> i & 1 else group for i in range(8)))
