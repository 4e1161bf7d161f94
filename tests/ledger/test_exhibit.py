import json

import pytest

from tests.ledger.exhibits import ID, SIGNER, Case
from tests.ledger.logs import ORIGIN, signer_of
from withhold.errors import Unproven
from withhold.ledger.checkpoint import parse_checkpoint
from withhold.ledger.entry import Json
from withhold.ledger.exhibit import (
    FORMAT,
    MAX_EXHIBIT_BYTES,
    MAX_SHOWN,
    parse_exhibit,
    print_exhibit,
    sign_exhibit,
    statement_of,
)

EXHIBIT = Case().exhibit()
FILE = print_exhibit(EXHIBIT)


def changed(**members: Json) -> bytes:
    return json.dumps({**json.loads(FILE), **members}).encode()


def shown(**members: Json) -> bytes:
    entries = json.loads(FILE)["entries"]
    return changed(entries=[{**entries[0], **members}, *entries[1:]])


def test_a_file_is_read_back() -> None:
    assert parse_exhibit(FILE) == EXHIBIT
    assert list(json.loads(FILE)) == [
        "format",
        "origin",
        "receipt",
        "entries",
        "warrant",
        "signatures",
    ]
    unopened = Case(receipt=None).exhibit()
    assert json.loads(print_exhibit(unopened))["receipt"] is None
    assert parse_exhibit(print_exhibit(unopened)) == unopened
    assert EXHIBIT.receipt == ID


def test_what_is_signed_is_the_file_without_its_signatures() -> None:
    members = json.loads(FILE)
    del members["signatures"]
    # What RFC 8785 gives, where no name is beyond ASCII and no number but integers are there.
    text = json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    statement = statement_of(EXHIBIT)
    assert statement == f"{FORMAT}\n{text}\n".encode()
    SIGNER.private_key.public_key().verify(EXHIBIT.signatures[0].value, statement)


def test_no_checkpoint_reads_like_a_statement() -> None:
    """Whatever the log is called: a key that signs both cannot be made to sign the other."""
    with pytest.raises(Unproven, match="decimal"):
        parse_checkpoint(statement_of(Case().exhibit()) + b"AAAA\n")


def test_signatures_are_of_those_who_signed_last() -> None:
    newer = signer_of(ORIGIN, 5)
    assert len(sign_exhibit(EXHIBIT, [SIGNER, newer]).signatures) == 2
    assert sign_exhibit(sign_exhibit(EXHIBIT, [newer]), [SIGNER]) == EXHIBIT


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(b"", "not JSON", id="nothing"),
        pytest.param(b"[]", "exactly the members", id="an array"),
        pytest.param(b"\xff", "not JSON", id="not UTF-8"),
        pytest.param(b"[" * 100_000, "not JSON", id="too deep"),
        pytest.param(b" " * (MAX_EXHIBIT_BYTES + 1), "more than", id="too large"),
        pytest.param(FILE.replace(b'"origin"', b'"format"'), "not JSON", id="a name twice"),
        pytest.param(changed(x=1), "exactly the members", id="one member more"),
        pytest.param(FILE.replace(b'"receipt": "R-', b'"receiqt": "R-'), "exactly", id="one less"),
        pytest.param(changed(format="withhold-receipt/2"), "`format` is not", id="another format"),
        pytest.param(changed(origin=1), "`origin` is not a string", id="no origin"),
        pytest.param(changed(receipt=1), "`receipt` is not a string", id="no receipt"),
        pytest.param(changed(entries={}), "`entries` is not an array", id="no entries"),
        pytest.param(changed(warrant=[[]]), "an entry of `warrant`", id="no entry"),
        pytest.param(changed(entries=[{}] * (MAX_SHOWN + 1)), "more than", id="too many"),
        pytest.param(changed(signatures=[]), "not whole lines", id="unsigned"),
        pytest.param(changed(signatures=[1]), "a signature is not a string", id="no signature"),
        pytest.param(changed(signatures=["\n"]), "more than one line", id="two lines"),
        pytest.param(changed(signatures=["x", "x"]), "there twice", id="a signature twice"),
        pytest.param(changed(signatures=["x"]), "a signature line", id="no signature line"),
        pytest.param(shown(x=1), "exactly the members", id="one more in an entry"),
        pytest.param(shown(index=True), "no integer", id="an index that is true"),
        pytest.param(shown(index="1"), "no integer", id="an index that is a string"),
        pytest.param(shown(index=1.5), "not JSON", id="a fraction"),
        pytest.param(shown(index=2**53), "not JSON", id="an integer that others round"),
        pytest.param(shown(public=[]), "no object", id="no public part"),
        pytest.param(shown(public={"x": "\ud800"}), "not JSON", id="half a character"),
        pytest.param(shown(proof=None), "is not a string", id="no proof"),
        pytest.param(FILE.replace(b'"index": 3', b'"index": NaN'), "not JSON", id="no number"),
    ],
)
def test_what_is_no_exhibit_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(Unproven, match=says):
        parse_exhibit(data)
