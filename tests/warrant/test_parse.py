import pytest

from tests.warrants import INTAKE, approved, payload
from withhold.errors import WarrantError
from withhold.warrant.parse import parse_warrant


def test_a_plain_warrant_and_its_jws_are_the_same_warrant() -> None:
    assert (
        parse_warrant(payload())
        == parse_warrant(approved())
        == parse_warrant(INTAKE.sign(payload()))
    )


def test_a_jws_is_read_and_not_believed() -> None:
    forged = INTAKE.sign(payload()).replace(b'"signature":"', b'"signature":"AAAA', 1)
    with pytest.raises(WarrantError, match="must have 64 bytes"):
        parse_warrant(forged)
    document = approved()
    at = document.index(b'"signature":"') + 20
    other = b"A" if document[at : at + 1] != b"A" else b"B"
    assert parse_warrant(document[:at] + other + document[at + 1 :]) == parse_warrant(payload())


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"payload": 1}', b'{"signatures": []}'])
def test_what_is_neither_is_a_warrant_error(data: bytes) -> None:
    with pytest.raises(WarrantError):
        parse_warrant(data)


def test_words_in_a_note_make_no_jws() -> None:
    note = '{"payload": "x", "signatures": []}'
    assert parse_warrant(payload(note=note, reference="payload")).note == note
