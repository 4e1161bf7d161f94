import base64
import hashlib
import ipaddress
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from withhold.kinds.ip import pack_ip, parse_ip
from withhold.kinds.token import Tokenizer, key_id, key_id_of, reveal

VECTORS = [
    vector
    for vector in json.loads(Path("tests/vectors/ipcrypt.json").read_text())
    if vector["variant"] == "ipcrypt-deterministic"
]
KEY = bytes(range(16))

addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))


def token_of(text: str, key: bytes = KEY) -> str:
    address = parse_ip(text)
    assert address is not None
    return Tokenizer(key).tokens([pack_ip(address)])[0]


def packed(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bytes:
    """Pack as draft-denis-ipcrypt does, without any of our code."""
    if isinstance(address, ipaddress.IPv6Address):
        return address.packed
    return ipaddress.ip_address(f"::ffff:{address}").packed


def test_there_are_published_vectors() -> None:
    assert len(VECTORS) == 5


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v['ip']} {v['key'][:4]}")
def test_payloads_are_the_published_ciphertexts(vector: dict[str, str]) -> None:
    key = bytes.fromhex(vector["key"])
    payload = token_of(vector["ip"], key).rpartition("_")[2]
    ciphertext = base64.b32decode(payload.upper() + "=" * (-len(payload) % 8))
    assert ciphertext == ipaddress.ip_address(vector["encrypted_ip"]).packed


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v['ip']} {v['key'][:4]}")
def test_the_key_reveals_the_address(vector: dict[str, str]) -> None:
    key = bytes.fromhex(vector["key"])
    assert reveal(token_of(vector["ip"], key), key) == packed(ipaddress.ip_address(vector["ip"]))


@given(st.lists(addresses, max_size=5), st.binary(min_size=16, max_size=16))
def test_tokens_are_base32_of_one_block_each_in_order(
    some: list[ipaddress.IPv4Address | ipaddress.IPv6Address], key: bytes
) -> None:
    tokens = Tokenizer(key).tokens([packed(address) for address in some])
    assert [reveal(token, key) for token in tokens] == [packed(address) for address in some]
    for token in tokens:
        prefix, _, payload = token.rpartition("_")
        decoded = base64.b32decode(payload.upper() + "======")
        again = base64.b32encode(decoded).decode().lower().rstrip("=")
        assert (prefix, payload, len(decoded)) == (f"tok_ip_{key_id(key)}", again, 16)


@given(addresses)
def test_a_token_never_parses_as_an_address(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    token = Tokenizer(KEY).tokens([packed(address)])[0]
    assert parse_ip(token) is None
    with pytest.raises(ValueError, match="does not appear to be"):
        ipaddress.ip_address(token)


def test_equal_addresses_give_equal_tokens() -> None:
    tokenizer = Tokenizer(KEY)  # the same cipher context, used again and again
    mapped = tokenizer.tokens([packed(ipaddress.ip_address("::ffff:192.0.2.1"))])
    assert mapped == tokenizer.tokens([packed(ipaddress.ip_address("192.0.2.1"))])
    assert mapped == [token_of("::FFFF:192.0.2.1")]


def test_other_keys_give_unrelated_tokens() -> None:
    other = token_of("192.0.2.1", bytes(16))
    assert other.split("_")[2:] != token_of("192.0.2.1").split("_")[2:]
    assert other.rpartition("_")[2] != token_of("192.0.2.1").rpartition("_")[2]


def test_the_key_id_is_the_beginning_of_its_hash() -> None:
    digest = base64.b32encode(hashlib.sha256(KEY).digest()).decode().lower()
    assert key_id(KEY) == digest[:8]
    assert token_of("192.0.2.1").startswith(f"tok_ip_{digest[:8]}_")


def test_no_other_key_reveals_a_token() -> None:
    assert reveal(token_of("192.0.2.1"), bytes(16)) is None


def test_what_is_not_a_token_reveals_nothing() -> None:
    token = token_of("192.0.2.1")
    broken = [f"{token}a", token[:-1], token.upper(), f"x{token}", f"{token[:-1]}1", f"{token}\n"]
    for text in (*broken, "192.0.2.1", "tok_ip_", ""):
        assert reveal(text, KEY) is None


def test_an_address_has_one_token_and_no_other() -> None:
    token = token_of("192.0.2.1")
    spellings = [token[:-1] + c for c in "abcdefghijklmnopqrstuvwxyz234567"]
    same = [spelling for spelling in spellings if reveal(spelling, KEY) == reveal(token, KEY)]
    assert same == [token]


@pytest.mark.parametrize("size", [0, 15, 17, 32])
def test_a_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="a token key has 16 bytes"):
        Tokenizer(bytes(size))


def test_a_token_names_its_key_and_nothing_else_does() -> None:
    [token] = Tokenizer(bytes(16)).tokens([bytes(16)])
    assert key_id_of(token) == key_id(bytes(16))
    for text in ("", "192.0.2.7", token[:-1], f"{token}a", f" {token}", token.upper()):
        assert key_id_of(text) is None
    # The last character has two bits of nothing: another spelling is no token.
    assert key_id_of(token[:-1] + "b") is None


def test_threads_share_a_tokenizer() -> None:
    """A context that two threads use at once raises, if the column is long enough to wait for."""
    columns = [[bytes([i]) * 16] * 4_096 for i in range(3)]
    expected = [Tokenizer(KEY).tokens(column) for column in columns]
    tokenizer = Tokenizer(KEY)
    for _ in range(20):
        with ThreadPoolExecutor(3) as threads:
            assert list(threads.map(tokenizer.tokens, columns)) == expected
    assert len(tokenizer._spare) <= 3
