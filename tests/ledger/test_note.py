import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from tests.ledger.logs import flips, signer_of, witness_of
from withhold.errors import Unproven
from withhold.ledger.lines import MAX_SIZE
from withhold.ledger.note import (
    MAX_NAME,
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    KeyType,
    Note,
    NoteSignature,
    Signed,
    VerifierKey,
    add_signatures,
    cosign,
    key_id,
    parse_note,
    parse_verifier_key,
    print_note,
    print_verifier_key,
    sign,
    sign_note,
    verify_note,
)

TEXT = "What is written here,\n\nis signed; é.\n".encode()
ALICE = signer_of("alice.example/log", 1)
BOB = signer_of("bob.example/log", 2)
WITNESS = witness_of("witness.example/w", 3)
NOTE = sign_note(TEXT, [ALICE, BOB])
STRANGER = NoteSignature("stranger.example", b"abcd", b"x")

names = st.text(
    st.characters(exclude_characters="+", exclude_categories=["Cs", "Cc", "Z"]),
    min_size=1,
    max_size=30,
)


def encoded(*parts: bytes) -> str:
    return base64.b64encode(b"".join(parts)).decode()


def test_a_note_is_written_as_specified() -> None:
    """Source: c2sp.org/signed-note, Format; Signatures; Ed25519 signatures."""
    public = ALICE.private_key.public_key().public_bytes_raw()
    identifier = hashlib.sha256(b"alice.example/log\n\x01" + public).digest()[:4]
    line = f"\u2014 alice.example/log {encoded(identifier, ALICE.private_key.sign(TEXT))}\n"
    assert sign_note(TEXT, [ALICE]) == TEXT + b"\n" + line.encode()


def test_a_verifier_key_is_written_as_specified() -> None:
    """Source: c2sp.org/signed-note, Verifier keys."""
    public = WITNESS.private_key.public_key().public_bytes_raw()
    identifier = hashlib.sha256(b"witness.example/w\n\x04" + public).hexdigest()[:8]
    expected = f"witness.example/w+{identifier}+{encoded(bytes([4]), public)}"
    assert print_verifier_key(WITNESS.verifier_key) == expected


@given(names, st.sampled_from(KeyType), st.binary(min_size=32, max_size=32))
def test_a_verifier_key_is_read_back(name: str, key_type: KeyType, public: bytes) -> None:
    key = VerifierKey(name, key_type, public)
    assert parse_verifier_key(print_verifier_key(key)) == key


def test_no_part_and_no_alteration_of_a_verifier_key_is_one() -> None:
    text = print_verifier_key(ALICE.verifier_key)
    altered = [text[:at] + chr(ord(text[at]) + 1) + text[at + 1 :] for at in range(len(text))]
    for begin in range(len(text)):
        altered += [
            text[begin:end] for end in range(begin, len(text) + 1) if end - begin < len(text)
        ]
    for each in altered:
        with pytest.raises(Unproven):
            parse_verifier_key(each)


def test_a_verifier_key_has_a_known_type_and_a_good_name() -> None:
    public = bytes(32)
    for name, key_type in (("a", 2), ("a", 6), ("a", 0), ("a b", 1), ("a\n", 1), ("\u2003", 1)):
        identifier = key_id(name, key_type, public).hex()
        with pytest.raises(Unproven, match="a name or a type that is not known here"):
            parse_verifier_key(f"{name}+{identifier}+{encoded(bytes([key_type]), public)}")
    identifier = key_id("a", 1, public + b"x").hex()
    with pytest.raises(Unproven, match="has 34 bytes, not 33"):
        parse_verifier_key(f"a+{identifier}+{encoded(bytes([1]), public, b'x')}")


@pytest.mark.parametrize(
    "name", ["", "a b", "a+b", "a\u00a0b", "a\nb", "a\0b", "a" * (MAX_NAME + 1)]
)
def test_a_key_has_a_good_name(name: str) -> None:
    with pytest.raises(ValueError, match="a key's name"):
        VerifierKey(name, KeyType.ED25519, bytes(32))


def test_a_public_key_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="a public key has 32 bytes"):
        VerifierKey("a", KeyType.ED25519, bytes(31))


def test_a_signer_does_not_show_its_private_key() -> None:
    assert "private" not in repr(ALICE)


def test_all_known_keys_that_signed_are_told() -> None:
    alice, bob = ALICE.verifier_key, BOB.verifier_key
    assert verify_note(NOTE, [bob, alice]) == (TEXT, (Signed(alice, None), Signed(bob, None)))
    assert verify_note(NOTE, [bob]) == (TEXT, (Signed(bob, None),))
    assert verify_note(NOTE, [bob, bob]) == (TEXT, (Signed(bob, None),))


def test_signatures_of_unknown_keys_are_ignored() -> None:
    alice = ALICE.verifier_key
    same_name = NoteSignature(alice.name, b"abcd", b"x")
    same_id = NoteSignature("stranger.example", alice.id, b"x")
    data = add_signatures(NOTE, [STRANGER, same_name, same_id])
    assert verify_note(data, [alice]) == (TEXT, (Signed(alice, None),))
    with pytest.raises(Unproven, match="no signature of a known key"):
        verify_note(data, [WITNESS.verifier_key])
    with pytest.raises(Unproven, match="no signature of a known key"):
        verify_note(data, [])


def test_one_bad_signature_of_a_known_key_refuses_the_note() -> None:
    bad = NoteSignature(BOB.name, BOB.verifier_key.id, bytes(64))
    for signature in (bad, NoteSignature(bad.name, bad.key_id, b"short")):
        data = add_signatures(NOTE, [signature])
        with pytest.raises(
            Unproven, match=r"the signature of `bob\.example/log` is not of this text"
        ):
            verify_note(data, [ALICE.verifier_key, BOB.verifier_key])
        verify_note(data, [ALICE.verifier_key])


def test_a_key_of_the_same_name_and_id_does_not_do() -> None:
    """Ids are short and easily met by accident or malice; only the key counts."""
    alice = ALICE.verifier_key
    forged = NoteSignature(alice.name, alice.id, BOB.private_key.sign(TEXT))
    with pytest.raises(Unproven, match="is not of this text"):
        verify_note(print_note(Note(TEXT, (forged,))), [alice])


def test_keys_that_are_not_told_apart_are_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("withhold.ledger.note.key_id", lambda *_: b"same")
    one, other = (
        VerifierKey("a", KeyType.ED25519, bytes(32)),
        VerifierKey("a", KeyType.ED25519, b"1" * 32),
    )
    with pytest.raises(ValueError, match="two keys have one name and one id"):
        verify_note(NOTE, [one, other])


def test_every_flipped_bit_is_found() -> None:
    keys = [ALICE.verifier_key, BOB.verifier_key]
    expected = verify_note(NOTE, keys)
    for flipped in flips(NOTE):
        try:
            found = verify_note(flipped, keys)
        except Unproven:
            continue
        # All that may change is whose a signature is: it is a stranger's then.
        assert found[0] == expected[0]
        assert len(found[1]) == 1


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(TEXT, id="no signatures"),
        pytest.param(TEXT + b"\n", id="a blank line and no signatures"),
        pytest.param(b"text\n", id="no blank line"),
        pytest.param(NOTE[:-1], id="no line feed at the end"),
        pytest.param(NOTE + b"\n", id="a blank line at the end"),
        pytest.param(NOTE + b"another line\n", id="a line that is no signature"),
        pytest.param(b"\x01" + NOTE, id="a control character"),
        pytest.param(b"\xff" + NOTE, id="not UTF-8"),
        pytest.param(NOTE.replace(b"\n", b"\r\n"), id="other line ends"),
        pytest.param(b"x" * MAX_NOTE_BYTES + NOTE, id="too large"),
        pytest.param("a\n\n\u2014 a b YWJjZGU=\n".encode(), id="a name with a space"),
        pytest.param("a\n\n\u2014 a+b YWJjZGU=\n".encode(), id="a name with a plus"),
        pytest.param("a\n\n\u2014  YWJjZGU=\n".encode(), id="no name"),
        pytest.param("a\n\n\u2014 YWJjZGU=\n".encode(), id="no space"),
        pytest.param("a\n\n\u2014 a YWJjZGU\n".encode(), id="base64 without its padding"),
        pytest.param("a\n\n\u2014 a YWJjZGV=\n".encode(), id="base64 in another spelling"),
        pytest.param("a\n\n\u2014 a YWJjZA==\n".encode(), id="an id and no signature"),
        pytest.param(b"a\n\n- a YWJjZGU=\n", id="another dash"),
    ],
)
def test_what_is_no_note_is_refused(data: bytes) -> None:
    with pytest.raises(Unproven):
        parse_note(data)


def test_the_number_of_signatures_is_bounded() -> None:
    line = "\u2014 a YWJjZGU=\n"
    assert len(parse_note(f"a\n\n{line * MAX_SIGNATURES}".encode()).signatures) == MAX_SIGNATURES
    with pytest.raises(Unproven, match=f"more than {MAX_SIGNATURES} signatures"):
        parse_note(f"a\n\n{line * (MAX_SIGNATURES + 1)}".encode())


@pytest.mark.parametrize("text", [b"", b"no line feed", b"\x01\n", b"\xff\n", b"a\r\n"])
def test_a_text_that_could_not_be_read_is_not_signed(text: bytes) -> None:
    with pytest.raises(ValueError, match="the note could not be read"):
        sign_note(text, [ALICE])


def test_a_note_without_signatures_is_not_written() -> None:
    with pytest.raises(ValueError, match="the note could not be read"):
        sign_note(TEXT, [])
    with pytest.raises(ValueError, match="the note could not be read"):
        # As a text it would end elsewhere than it was meant to.
        print_note(Note(NOTE, (NoteSignature("a b", b"abcd", b"x"),)))


@given(
    st.text(st.characters(exclude_categories=["Cs"], min_codepoint=32)).map(
        lambda t: f"{t}\n".encode()
    ),
    st.lists(
        st.builds(
            NoteSignature,
            names,
            st.binary(min_size=4, max_size=4),
            st.binary(min_size=1, max_size=80),
        ),
        min_size=1,
        max_size=5,
    ).map(tuple),
)
def test_a_note_is_read_back(text: bytes, signatures: tuple[NoteSignature, ...]) -> None:
    note = Note(text, signatures)
    assert parse_note(print_note(note)) == note


def test_signatures_are_added_once() -> None:
    data = add_signatures(NOTE, [STRANGER, STRANGER, sign(TEXT, ALICE)])
    assert data == add_signatures(data, [STRANGER])
    assert [s.name for s in parse_note(data).signatures] == [ALICE.name, BOB.name, STRANGER.name]


def test_a_cosignature_is_made_as_specified() -> None:
    """Source: c2sp.org/tlog-cosignature, Ed25519 signed message."""
    signature = cosign(TEXT, WITNESS, 1679315147)
    assert signature.key_id == WITNESS.verifier_key.id
    assert signature.value[:8] == (1679315147).to_bytes(8, "big")
    message = b"cosignature/v1\ntime 1679315147\n" + TEXT
    Ed25519PublicKey.from_public_bytes(WITNESS.verifier_key.public_key).verify(
        signature.value[8:], message
    )
    data = add_signatures(NOTE, [signature])
    assert verify_note(data, [WITNESS.verifier_key]) == (
        TEXT,
        (Signed(WITNESS.verifier_key, 1679315147),),
    )


def test_of_several_cosignatures_the_first_counts() -> None:
    later, earlier = cosign(TEXT, WITNESS, 2), cosign(TEXT, WITNESS, 1)
    data = print_note(Note(TEXT, (later, earlier)))
    assert verify_note(data, [WITNESS.verifier_key])[1] == (Signed(WITNESS.verifier_key, 2),)


@pytest.mark.parametrize("time_s", [0, MAX_SIZE + 1])
def test_the_time_of_a_cosignature_is_in_range(time_s: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        cosign(TEXT, WITNESS, time_s)
    message = f"cosignature/v1\ntime {time_s}\n".encode() + TEXT
    value = time_s.to_bytes(8, "big") + WITNESS.private_key.sign(message)
    signature = NoteSignature(WITNESS.name, WITNESS.verifier_key.id, value)
    with pytest.raises(Unproven, match="out of range"):
        verify_note(print_note(Note(TEXT, (signature,))), [WITNESS.verifier_key])


def test_a_key_signs_what_its_type_says() -> None:
    with pytest.raises(ValueError, match="signs with a time"):
        sign(TEXT, WITNESS)
    with pytest.raises(ValueError, match="signs without a time"):
        cosign(TEXT, ALICE, 1)
