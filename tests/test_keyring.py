import base64
import hashlib
import hmac
import re
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from withhold.errors import KeyUnavailable
from withhold.keyring import (
    KeyKind,
    KeyRing,
    commit_target,
    known_keys,
    ledger_keys,
    opens_target,
    parse_private_key,
    parse_public_key,
    print_private_key,
    print_public_key,
    print_token,
    token_digest,
    unwrap_key,
    verifier_keys,
    wrap_key,
)
from withhold.ledger.note import print_verifier_key
from withhold.names import Kind, WarrantId

W1, W2 = WarrantId("W-1"), WarrantId("W-2")
RING = KeyRing(
    encryption={1: b"\x01" * 32, 2: b"\x02" * 32},
    cache={3: b"c" * 32, 1: b"d" * 32},
    ledger={10: b"new" + bytes(29), 2: b"old" + bytes(29)},
    commitment={1: b"\x03" * 32, 2: b"\x04" * 32},
)
PHONE = "+442079460220"
KEY = bytes(range(16))
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(32))


@given(st.binary(min_size=16, max_size=16), st.text(min_size=1, max_size=20))
def test_what_was_wrapped_for_a_warrant_opens_for_it(key: bytes, name: str) -> None:
    warrant = WarrantId(name)
    version, wrapped = wrap_key(RING, warrant, key)
    assert version == 2
    assert key not in wrapped
    assert unwrap_key(RING, warrant, version, wrapped) == key


def test_wrapping_is_what_it_was() -> None:
    # What is in a database must open in ten years: this never changes.
    assert wrap_key(RING, W1, KEY)[1].hex() == "b8ad46c971fa664cd7e346a14cc7dadac623eed12dfbf615"


def test_a_wrapped_key_opens_for_its_warrant_alone() -> None:
    version, wrapped = wrap_key(RING, W1, KEY)
    with pytest.raises(KeyUnavailable, match="the token key of `W-2` does not open"):
        unwrap_key(RING, W2, version, wrapped)


def test_a_wrapped_key_opens_by_its_version_alone() -> None:
    _, wrapped = wrap_key(RING, W1, KEY)
    with pytest.raises(KeyUnavailable, match="does not open"):
        unwrap_key(RING, W1, 1, wrapped)
    with pytest.raises(KeyUnavailable, match="version 9 of the key-encryption key is missing"):
        unwrap_key(RING, W1, 9, wrapped)


@given(st.integers(0, 24 * 8 - 1))
def test_any_flipped_bit_of_a_wrapped_key_is_found(bit: int) -> None:
    version, wrapped = wrap_key(RING, W1, KEY)
    flipped = bytearray(wrapped)
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(KeyUnavailable):
        unwrap_key(RING, W1, version, bytes(flipped))


@pytest.mark.parametrize("size", [0, 7, 16, 32, 40])
def test_a_wrapped_key_of_another_size_does_not_open(size: int) -> None:
    with pytest.raises(KeyUnavailable):
        unwrap_key(RING, W1, 2, bytes(size))


def test_only_a_key_of_its_size_is_wrapped_and_a_longer_one_not_opened() -> None:
    with pytest.raises(ValueError, match="16 bytes, not 24"):
        wrap_key(RING, W1, bytes(24))


def test_the_highest_version_is_used() -> None:
    assert RING.encryption_version == 2
    assert RING.cache_key == b"c" * 32


@pytest.mark.parametrize("kind", KeyKind)
def test_a_ring_has_keys_of_every_kind(kind: KeyKind) -> None:
    assert RING.of(kind) is getattr(RING, kind.value)


def test_every_version_signs_the_ledger_oldest_first() -> None:
    keys = ledger_keys(RING)
    assert {version: key.private_bytes_raw()[:3] for version, key in keys.items()} == {
        2: b"old",
        10: b"new",
    }
    assert list(keys) == [2, 10]


def test_what_anybody_may_know_of_a_ring_is_its_versions_and_public_keys() -> None:
    known = known_keys(RING, "example.test/log")
    assert {key for key, public in known.items() if public is None} == {
        *((KeyKind.ENCRYPTION, version) for version in (1, 2)),
        *((KeyKind.CACHE, version) for version in (1, 3)),
        *((KeyKind.COMMITMENT, version) for version in (1, 2)),
    }
    public = verifier_keys(RING, "example.test/log")
    assert list(public) == [2, 10]
    for version, key in public.items():
        assert key.name == "example.test/log"
        assert known[KeyKind.LEDGER, version] == print_verifier_key(key)
        assert key.public_key == ledger_keys(RING)[version].public_key().public_bytes_raw()


@given(st.text(max_size=10), st.sampled_from(Kind), st.text(max_size=20))
def test_a_commitment_opens_to_its_target(name: str, kind: Kind, value: str) -> None:
    warrant = WarrantId(name)
    commitment = commit_target(RING, warrant, kind, value)
    assert re.fullmatch(r"2\.[A-Za-z0-9_-]{43}", commitment)
    assert commit_target(RING, warrant, kind, value) == commitment
    assert opens_target(RING, commitment, warrant, kind, value)


def test_a_commitment_is_what_it_was() -> None:
    # What the ledger holds must open in ten years: this never changes.
    parts = b"withhold target commitment v1\0" + b"".join(
        len(part).to_bytes(8, "big") + part for part in (b"W-1", b"phone", PHONE.encode())
    )
    mac = hmac.digest(b"\x04" * 32, parts, "sha256")
    expected = "2.pc5E717PultBHbQtK9hUyvRrfCr43BPotdQzr2ASiWc"
    assert commit_target(RING, W1, Kind.PHONE, PHONE) == expected
    assert expected == "2." + base64.urlsafe_b64encode(mac).decode().rstrip("=")


@pytest.mark.parametrize(
    ("warrant", "kind", "value"),
    [
        (W2, "phone", PHONE),
        (W1, "id", PHONE),
        (W1, "phone", "+442079460221"),
        # The same characters, divided in another way.
        (WarrantId("W-1p"), "hone", PHONE),
        (W1, f"phone{PHONE[0]}", PHONE[1:]),
    ],
)
def test_a_commitment_opens_to_no_other_target(warrant: WarrantId, kind: str, value: str) -> None:
    commitment = commit_target(RING, W1, Kind.PHONE, PHONE)
    assert not opens_target(RING, commitment, warrant, kind, value)
    assert commit_target(RING, warrant, kind, value) != commitment


def test_a_commitment_opens_by_the_key_that_made_it() -> None:
    older = replace(RING, commitment={1: RING.commitment[1]})
    commitment = commit_target(older, W1, Kind.PHONE, PHONE)
    assert commitment.startswith("1.")
    assert opens_target(RING, commitment, W1, Kind.PHONE, PHONE)
    assert not opens_target(RING, f"2{commitment[1:]}", W1, Kind.PHONE, PHONE)
    newer = replace(RING, commitment={2: RING.commitment[2]})
    with pytest.raises(KeyUnavailable, match="version 1 of the commitment key is missing"):
        opens_target(newer, commitment, W1, Kind.PHONE, PHONE)


@pytest.mark.parametrize("index", range(2, 45))
def test_any_changed_character_of_a_commitment_is_found(index: int) -> None:
    # The last character has two bits to spare: another spelling of the same bytes is no commitment.
    commitment = commit_target(RING, W1, Kind.PHONE, PHONE)
    for character in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        changed = commitment[:index] + character + commitment[index + 1 :]
        assert opens_target(RING, changed, W1, Kind.PHONE, PHONE) == (changed == commitment)


@pytest.mark.parametrize(
    "commitment", ["", "2", "2.", "2." + "A" * 42, "02." + "A" * 43, "2." + "é" * 43, "2.\n"]
)
def test_what_is_no_commitment_opens_to_nothing(commitment: str) -> None:
    assert not opens_target(RING, commitment, W1, Kind.PHONE, PHONE)


def test_no_repr_holds_a_key() -> None:
    assert repr(RING) == "KeyRing()"


def test_a_private_key_is_read_as_it_was_printed() -> None:
    text = print_private_key(SIGNER)
    assert text.startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert parse_private_key(text).private_bytes_raw() == bytes(32)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not unencrypted PKCS #8"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "is not unencrypted"),
        (
            SIGNER.private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
            ),
            "is not unencrypted PKCS #8",
        ),
        (
            generate_private_key(SECP256R1()).private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            ),
            "is not one for Ed25519",
        ),
    ],
)
def test_another_private_key_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(KeyUnavailable, match=message):
        parse_private_key(data)


def test_a_public_key_is_read_as_it_was_printed() -> None:
    text = print_public_key(SIGNER)
    assert len(text) == 44
    assert parse_public_key(text) == SIGNER.public_key().public_bytes_raw()


@pytest.mark.parametrize("text", ["", "AAAA", "é", "A" * 43, "A" * 44, "A" * 44 + "=", "*" * 44])
def test_another_public_key_is_none(text: str) -> None:
    assert parse_public_key(text) is None


def test_a_token_is_known_by_sight_and_its_digest_is_of_it_as_sent() -> None:
    token = print_token(bytes(range(32)))
    assert token == "wh_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    assert token_digest(token) == hashlib.sha256(token.encode()).hexdigest()
    with pytest.raises(ValueError, match="32 bytes, not 16"):
        print_token(bytes(16))
