"""The certificate says what the file says, to people, and nothing else."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from tests.ledger.exhibits import (
    APPROVED,
    BODY,
    CANARIES,
    DIGEST,
    ENTRIES,
    HANDLE,
    ID,
    RELEASED,
    SIGNED,
    WARRANT,
    Case,
    closing,
    order,
    receipt,
)
from tests.ledger.logs import ORIGIN
from tests.test_html import HOSTILE, Reader, check_page
from withhold.digest import digest_of
from withhold.ledger.certificate import (
    ENDINGS,
    NO_ENDING,
    NOT_PROVED,
    STEPS,
    TREATMENTS,
    write_certificate,
)
from withhold.ledger.entry import Entry, EntryType
from withhold.ledger.facts import facts_of
from withhold.ledger.receipt import NOTHING, Ending, Released, commit_body
from withhold.names import Digest

FILE = "H-proof.json"
FILE_DIGEST = Digest("sha-256=:ZmlsZQ==:")


def read(case: Case, file: str = FILE) -> Reader:
    return check_page(write_certificate(facts_of(case.exhibit()), file=file, digest=FILE_DIGEST))


def text_of(*entries: Entry) -> str:
    return " ".join(read(Case(entries)).text.split())


def words(text: str) -> str:
    return " ".join(text.split())


def test_it_says_what_was_released_under_which_order_by_what() -> None:
    case = Case()
    text = words(read(case).text)
    log = case.log
    for said in (
        *(HANDLE, ID, FILE, FILE_DIGEST),
        *("synapse", "whois", "2026-11-24T14:05:00.25Z", "released for sending"),
        *("$.user_id", "$.ip", TREATMENTS["disclosed"], TREATMENTS["tokenized"]),
        "Records that left: 1.",
        *(WARRANT, DIGEST, "us-sca-subpoena", "US", "identifying, subscriber"),
        "from 2026-11-01T00:00:00Z until before 2027-01-01T00:00:00Z",
        "2026-10-31T00:00:00Z",  # served
        *("registered", "pending", "approved", "active", "revoked"),
        *("2026-11-02T09:00:00Z", "2026-11-02T10:00:00Z", "2026-11-25T10:00:00Z"),
        *("withhold/test", "sha-256=:YnVuZGxl:", "sha-256=:YWxsb3dsaXN0:"),
        *(ENDINGS[Ending.COMPLETE], f"Bytes handed over: {len(BODY)}."),
        *(str(len(BODY)), commit_body(ID, digest_of(BODY))),
        *(ORIGIN, str(len(ENTRIES)), log.entries[3].hex(), log.entries[5].hex()),
        *map(words, (*NOT_PROVED.split("\n\n"), *STEPS.split("\n\n"))),
        f"withhold ledger verify {FILE} --key VKEY --body BODY",
    ):
        assert said in text, said
    assert "secret until" not in text


def test_it_shows_no_value_nothing_sealed_and_no_other_case() -> None:
    page = write_certificate(facts_of(Case().exhibit()), file=FILE, digest=FILE_DIGEST)
    for secret in (*CANARIES, "OTHER"):
        assert secret not in page


def test_names_that_are_hostile_stay_names() -> None:
    first = receipt(
        resource=HOSTILE,
        instrument=HOSTILE,
        software=HOSTILE,
        released=structs.replace(RELEASED, disclosed={HOSTILE: 1}, generalized={HOSTILE: 1}),
        authorised={HOSTILE: 1},
    )
    hostile = {**SIGNED, "jurisdiction": HOSTILE, "categories": [HOSTILE], "instrument": HOSTILE}
    ordered = order(HOSTILE, "active", "2026-11-02T10:00:00Z", hostile)
    reader = read(Case((ordered, first)), file=f"{HOSTILE} '.json")
    assert reader.text.count(HOSTILE) == 9


def test_names_in_commands_are_quoted() -> None:
    assert "verify '$(rm -rf x).json' --key" in read(Case(), file="$(rm -rf x).json").text


@pytest.mark.parametrize("ending", list(Ending))
def test_it_says_what_became_of_it(ending: Ending) -> None:
    size = {Ending.COMPLETE: len(BODY), Ending.INCOMPLETE: 3, Ending.NOT_SENT: 0}.get(ending)
    text = text_of(APPROVED, receipt(), closing(ending, size_bytes=size))
    assert ENDINGS[ending] in text
    assert f"Bytes handed over: {'unknown' if size is None else size}." in text


def test_it_says_that_nobody_knows() -> None:
    text = text_of(APPROVED, receipt())
    assert words(NO_ENDING) in text


def test_a_failure_let_nothing_out() -> None:
    failed = receipt(EntryType.FAILURE, outcome="store-failed", released=NOTHING)
    text = text_of(APPROVED, failed)
    assert "store-failed: the store's answer could not be used, and nothing of it left" in text
    assert "No value left." in text
    assert "There was nothing to deliver." in text
    assert "The log commits to no body." in text


def test_a_stream_is_told_by_its_end() -> None:
    opening = receipt(EntryType.OPENING, released=NOTHING)
    begun = text_of(APPROVED, opening)
    assert "a stream was opened" in begun
    assert "what it released its closing entry would say" in begun
    ended = text_of(APPROVED, opening, closing(Ending.INCOMPLETE, stream=(ID, RELEASED)))
    assert "$.user_id" in ended
    assert ENDINGS[Ending.INCOMPLETE] in ended
    empty = text_of(APPROVED, opening, closing(stream=(ID, Released()), size_bytes=0))
    assert "No value left." in empty


def test_a_reveal_is_of_one_value() -> None:
    revealed = receipt(EntryType.REVEAL)
    revealed = replace(revealed, public={**revealed.public, "field": "$.ip"})
    assert "the value of one token was disclosed" in text_of(APPROVED, revealed)


def test_without_an_order_it_says_so() -> None:
    text = text_of(receipt())
    assert "The file shows no entry about the warrant." in text
    assert "jurisdiction" not in text


def test_an_order_under_secrecy_says_until_when() -> None:
    secret = order(
        "approved",
        "active",
        "2026-11-02T10:00:00Z",
        {
            **SIGNED,
            "secrecy_until": "2027-06-01T00:00:00Z",
            "served_at": None,
            "categories": [],
            "fields": 3,
        },
    )
    text = text_of(secret, receipt())
    assert "secret until" in text
    assert "2027-06-01T00:00:00Z" in text
    assert "2026-10-31" not in text


def test_without_the_id_it_says_who_can_open_the_commitment() -> None:
    text = words(read(Case(receipt=None)).text)
    assert ID not in text
    assert "The recipient has it (Withhold-Receipt); this file does not." in text


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_what_it_says_of_the_body_can_be_typed(tmp_path: Path) -> None:
    """The command prints what stands in the commitment between the colons."""
    (tmp_path / "BODY").write_bytes(BODY)
    page = read(Case()).text
    begin = page.index("printf 'withhold body v1")
    command = page[begin : page.index("Where it stands")].strip()
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert f"sha-256=:{done.stdout.strip()}:" == commit_body(ID, digest_of(BODY))
