"""`show`, `prove` and the verifying of a proof, against a control plane over HTTP."""

import argparse
import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.control.audited import ALICE, BOB, RING, Audited, audited, committed
from tests.ledger.exhibits import (
    APPROVED,
    BODY,
    CANARIES,
    ENTRIES,
    HANDLE,
    ID,
    SIGNER,
    WARRANT,
    Case,
    closing,
    other,
    receipt,
)
from tests.ledger.logs import ORIGIN, checkpoint_of, entries_of, log_of, signer_of, witness_of
from tests.test_html import check_page
from withhold.commands import ledger
from withhold.commands.receipts import UNWITNESSED
from withhold.commands.service import Refused, Unreachable
from withhold.errors import BadRequest
from withhold.ledger.entry import Entry, EntryType
from withhold.ledger.exhibit import print_exhibit
from withhold.ledger.note import add_signatures, cosign, parse_note, print_verifier_key
from withhold.ledger.receipt import NOTHING, Ending
from withhold.terminal import Exit

WITNESS = witness_of("witness.example/w")
VKEY = print_verifier_key(SIGNER.verifier_key)
WITNESS_VKEY = print_verifier_key(WITNESS.verifier_key)


@dataclass
class Served:
    """A control plane on a socket; `answers` take the place of what it says, by path."""

    plane: Audited
    folder: Path
    url: str = ""
    answers: dict[str, Any] = field(default_factory=dict)


@contextmanager
def serving(entries: Sequence[Entry], folder: Path) -> Iterator[Served]:
    served = Served(asyncio.run(audited(entries)), folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.answer()

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            said = asyncio.run(self.ask(body))
            self.send_response(said.status_code)
            self.end_headers()
            altered = served.answers.get(self.path)
            self.wfile.write(said.content if altered is None else json.dumps(altered).encode())

        async def ask(self, body: bytes) -> httpx.Response:
            return await served.plane.ask(self.command, self.path, body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(params=[ENTRIES], ids=[""])
def served(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Served]:
    with serving(request.param, tmp_path) as made:
        monkeypatch.setenv("WITHHOLD_URL", made.url)
        monkeypatch.setenv("WITHHOLD_TOKEN", "audit")
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.chdir(tmp_path)
        yield made


def serves(*entries: Entry) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("served", [entries], ids=["other"], indirect=True)


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    ledger.add_arguments(parser)
    arguments = parser.parse_args(words)
    code = arguments.run(arguments)
    assert isinstance(code, int)
    return code


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(*words) == Exit.DONE
    return capsys.readouterr().out


# --- show ---


@pytest.mark.usefixtures("served")
def test_disclosures_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    head, row = printed(capsys, "show").splitlines()
    assert head.split() == [
        *("entry", "at", "receipt", "warrant", "resource", "outcome", "delivery", "bytes")
    ]
    assert row.split() == [
        "3",
        "2026-11-24T14:05:00.25Z",
        HANDLE,
        WARRANT,
        "synapse/whois",
        "disclosed",
        "complete",
        str(len(BODY)),
    ]


@serves(receipt(), other(1))
@pytest.mark.usefixtures("served")
def test_a_list_says_what_nobody_knows(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "show").splitlines()[1].split()[-2:] == ["-", "-"]
    more = printed(capsys, "show", "--since", "0", "--limit", "0")
    assert more.splitlines()[-1] == "more: --since 0"
    assert len(printed(capsys, "show", "--warrant", "W & 3").splitlines()) == 1


@pytest.mark.usefixtures("served")
def test_a_receipt_is_shown_entry_by_entry(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "show", ID)
    heads = [line for line in text.splitlines() if not line.startswith(" ")]
    assert heads == [
        "entry 0: warrant",
        "entry 2: warrant",
        "entry 6: warrant",
        "entry 3: release",
        "entry 5: closing",
    ]
    assert "  disclosed          $.user_id: 1\n" in text
    assert "  generalized        none\n" in text
    assert "  categories     identifying, subscriber\n" in text
    for secret in CANARIES:
        assert secret not in text


def test_sealed_parts_are_opened_and_held_to_what_commits_to_them(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("show", ID, "--sealed") == Exit.DONE
    said = capsys.readouterr()
    assert "    caller        SEALED-caller\n" in said.out
    assert "    withheld      SEALED-reason: SEALED-place: 3\n" in said.out
    assert f"entry {len(ENTRIES)} of the log says that you opened this" in said.err
    document = json.loads(printed(capsys, "show", ID, "--sealed", "--json"))
    document["entries"][0]["sealed"]["caller"] = "somebody-else"
    served.answers[f"/ledger/receipts/{ID}/sealed"] = document
    with pytest.raises(Unreachable, match="not the one that the entry commits to"):
        run("show", ID, "--sealed")


def test_what_was_pruned_is_not_there_to_open(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    entry: dict[str, Any] = {"index": 3, "public": None, "salt": None, "sealed": None}
    served.answers["/ledger/receipts/3/sealed"] = {"reading": 8, "entries": [entry]}
    text = printed(capsys, "show", "3", "--sealed")
    assert text == "entry 3: of a type that was pruned\n  the sealed part was pruned\n"
    entry |= {"salt": "AA==", "sealed": {}}
    assert "sealed" in printed(capsys, "show", "3", "--sealed")


@serves(committed(RING, receipt(), ALICE), closing())
@pytest.mark.usefixtures("served")
def test_whether_somebody_was_a_target_can_be_asked(capsys: pytest.CaptureFixture[str]) -> None:
    about = ("show", ID, "--target")
    assert printed(capsys, *about, "phone=+44 20 7946 0220").startswith("yes: one of the 1 target ")
    assert printed(capsys, *about, f"phone={BOB.value}").startswith("no: none of the 1 target ")
    found = json.loads(printed(capsys, *about, f"phone={BOB.value}", "--json"))
    assert found == {"reading": 4, "is_target": False, "targets": 1}


@pytest.mark.usefixtures("served")
def test_what_the_service_says_is_given_to_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(printed(capsys, "show", "--json"))["receipts"][0]["receipt"] == HANDLE
    assert json.loads(printed(capsys, "show", ID, "--json"))["receipt"] == ID
    with pytest.raises(Refused, match="no such receipt"):
        run("show", "R-" + "b" * 26)


@pytest.mark.parametrize(
    "words",
    [
        ("--sealed",),
        ("--target", "id=x"),
        (ID, "--limit", "3"),
        (ID, "--warrant", "W"),
        (ID, "--sealed", "--target", "id=x"),
        (ID, "--target", "x"),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("served")
def test_what_makes_no_sense_is_refused(words: Sequence[str]) -> None:
    with pytest.raises(BadRequest):
        run("show", *words)


@serves(receipt(resource="\x1b[2Jx"), closing())
@pytest.mark.usefixtures("served")
def test_no_name_moves_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("show",), ("show", ID), ("show", ID, "--sealed")):
        assert "\x1b" not in printed(capsys, *words)
    assert run("prove", ID, "--out", "p.json") == Exit.DONE
    capsys.readouterr()
    assert run("verify", "p.json", "--key", VKEY) == Exit.DONE
    assert "\x1b" not in "".join(capsys.readouterr())


# --- prove ---


def test_a_receipt_is_proved_by_a_file_and_a_page(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, "prove", ID)
    assert text.splitlines() == [
        f"{HANDLE}.json: receipt {HANDLE}, entry 3 of 8",
        f"{HANDLE}.html: the same in words",
        f"verify: withhold ledger verify {HANDLE}.json --key VKEY",
    ]
    page = (served.folder / f"{HANDLE}.html").read_text(encoding="utf-8")
    assert ID in check_page(page).text
    proof = (served.folder / f"{HANDLE}.json").read_bytes()
    assert proof == print_exhibit_of(proof)
    for secret in (*CANARIES, "OTHER"):
        assert secret not in page + proof.decode()


def print_exhibit_of(proof: bytes) -> bytes:
    return json.dumps(json.loads(proof), indent=2, ensure_ascii=False).encode() + b"\n"


def test_no_file_takes_anothers_place(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    out = served.folder / "a proof.json"
    assert json.loads(printed(capsys, "prove", ID, "--out", str(out), "--json")) == {
        "proof": str(out),
        "certificate": str(out.with_suffix(".html")),
        "size": len(ENTRIES),
    }
    page = out.with_suffix(".html")
    for kept, made in ((out, page), (page, out)):
        kept.write_bytes(b"kept")
        made.unlink(missing_ok=True)
        with pytest.raises(FileExistsError):
            run("prove", ID, "--out", str(out))
        assert kept.read_bytes() == b"kept"
    with pytest.raises(BadRequest, match="certificate"):
        run("prove", ID, "--out", "x.html")


def test_what_is_no_proof_is_not_written(served: Served) -> None:
    served.answers[f"/ledger/receipts/{ID}"] = {"format": "other"}
    with pytest.raises(Unreachable, match="no proof"):
        run("prove", ID)
    assert list(served.folder.iterdir()) == []


def test_a_proof_by_witnesses_takes_one(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Refused, match="no witness has signed"):
        run("prove", ID, "--witnessed")
    log = log_of([each.leaf for each in served.plane.database.log])
    note = checkpoint_of(log, SIGNER)
    note = add_signatures(note, [cosign(parse_note(note).text, WITNESS, 1_790_000_000)])
    asyncio.run(served.plane.ledger.keep_checkpoint(len(ENTRIES), note))
    run("prove", ID, "--witnessed", "--out", "p.json")
    capsys.readouterr()
    assert run("verify", "p.json", "--key", VKEY, "--witness", WITNESS_VKEY) == Exit.DONE
    said = capsys.readouterr()
    assert "witnesses   witness.example/w\n" in said.out
    assert said.err == ""


# --- verify ---


@pytest.fixture
def proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    path = tmp_path / "p.json"
    path.write_bytes(print_exhibit(Case().exhibit()))
    return path


@pytest.mark.usefixtures("proof")
def test_a_proof_verifies_with_the_key_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", "p.json", "--key", VKEY) == Exit.DONE
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == f"verified    receipt {HANDLE}"
    assert f"log         {ORIGIN}, at size 8\n" in said.out
    assert f"delivery    complete, {len(BODY)} bytes\n" in said.out
    assert "            approved at 2026-11-02T10:00:00Z: active\n" in said.out
    assert "body" not in said.out
    assert f"warning: {UNWITNESSED}" in said.err


def test_the_body_and_a_trusted_checkpoint_are_compared(
    proof: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (proof.parent / "body").write_bytes(BODY)
    (proof.parent / "trusted").write_bytes(checkpoint_of(Case().log, SIGNER))
    words = ("verify", "p.json", "--key", VKEY, "--body", "body", "--checkpoint", "trusted")
    assert run(*words) == Exit.DONE
    said = capsys.readouterr()
    assert "body        is the one that was released\n" in said.out
    assert said.err == ""
    found = json.loads(printed(capsys, *words, "--json"))
    assert (found["verified"], found["body"], found["size"]) == (True, True, 8)
    assert [each["index"] for each in found["entries"]] == [3, 5, 0, 2, 6]
    assert (found["remarks"], found["witnesses"]) == ([], [])


def test_what_can_not_be_told_is_said(proof: Path, capsys: pytest.CaptureFixture[str]) -> None:
    proof.write_bytes(print_exhibit(Case((APPROVED, receipt())).exhibit()))
    (proof.parent / "old").write_bytes(checkpoint_of(log_of(entries_of(1)), SIGNER))
    assert run("verify", "p.json", "--key", VKEY, "--checkpoint", "old") == Exit.DONE
    said = capsys.readouterr()
    assert "delivery    no entry says\n" in said.out
    assert "whether it was delivered is not known" in said.err
    assert "can't be told from this file" in said.err
    lost = receipt(EntryType.OPENING, released=NOTHING), closing(Ending.UNKNOWN, size_bytes=None)
    proof.write_bytes(print_exhibit(Case((APPROVED, *lost)).exhibit()))
    assert "delivery    unknown\n" in printed(capsys, "verify", "p.json", "--key", VKEY)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--key", VKEY, "--body", "other"), "is not the one that was released"),
        (("--key", VKEY, "--checkpoint", "other"), "blank line"),
        (("--key", VKEY, "--checkpoint", "p.json", "--checkpoint", "other"), "blank line"),
        (("--key", VKEY, "--witness", WITNESS_VKEY), "cosignatures"),
        (("--key", print_verifier_key(signer_of(ORIGIN, 9).verifier_key)), "no signature of"),
        (("--key", print_verifier_key(signer_of("log.example").verifier_key)), "of another log"),
    ],
    ids=["body", "checkpoint", "one of two", "witness", "key", "origin"],
)
def test_a_fault_is_a_fault(
    proof: Path, capsys: pytest.CaptureFixture[str], words: Sequence[str], says: str
) -> None:
    (proof.parent / "other").write_bytes(b"other")
    assert run("verify", "p.json", *words) == Exit.FAULT
    said = capsys.readouterr()
    assert said.out == ""
    assert says in said.err
    assert run("verify", "p.json", *words, "--json") == Exit.FAULT
    assert json.loads(capsys.readouterr().out)["verified"] is False


def test_an_altered_file_is_a_fault(proof: Path, capsys: pytest.CaptureFixture[str]) -> None:
    proof.write_bytes(proof.read_bytes().replace(b'"state": "active"', b'"state": "closed"'))
    assert run("verify", "p.json", "--key", VKEY) == Exit.FAULT
    assert "not as the log signed it" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [("--key", "x"), ("--key", WITNESS_VKEY), ("--key", VKEY, "--witness", VKEY)],
    ids=["no vkey", "a witness's", "a log's"],
)
@pytest.mark.usefixtures("proof")
def test_wrong_keys_are_wrong_use(words: Sequence[str]) -> None:
    with pytest.raises(BadRequest):
        run("verify", "p.json", *words)
