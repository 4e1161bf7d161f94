"""`ledger prove`, against a control plane over HTTP, and the verifying of a proof."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.commands.served import VKEY, Served, printed, run
from tests.ledger.exhibits import (
    APPROVED,
    BODY,
    CANARIES,
    ENTRIES,
    HANDLE,
    ID,
    SIGNER,
    Case,
    closing,
    receipt,
)
from tests.ledger.logs import ORIGIN, checkpoint_of, entries_of, log_of, signer_of, witness_of
from tests.test_html import check_page
from withhold.commands.exhibit import UNWITNESSED
from withhold.commands.service import Refused, Unreachable
from withhold.errors import BadRequest, WithholdError
from withhold.ledger.entry import EntryType
from withhold.ledger.exhibit import print_exhibit
from withhold.ledger.note import add_signatures, cosign, parse_note, print_verifier_key
from withhold.ledger.receipt import NOTHING, Ending
from withhold.terminal import Exit

WITNESS = witness_of("witness.example/w")
WITNESS_VKEY = print_verifier_key(WITNESS.verifier_key)


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
        with pytest.raises(WithholdError, match="never replaced"):
            run("prove", ID, "--out", str(out))
        assert kept.read_bytes() == b"kept"
        assert not made.exists()
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
        (("--key", VKEY, "--checkpoint", "again", "--checkpoint", "other"), "blank line"),
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
    (proof.parent / "again").write_bytes(proof.read_bytes())
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


def test_what_may_be_no_forgery_is_said(proof: Path, capsys: pytest.CaptureFixture[str]) -> None:
    newer = print_verifier_key(signer_of(ORIGIN, 9).verifier_key)
    assert run("verify", "p.json", "--key", newer) == Exit.FAULT
    assert "hint: give --key every key that the log has had" in capsys.readouterr().err
    proof.write_text("<!doctype html>")
    assert run("verify", "p.json", "--key", VKEY) == Exit.FAULT
    assert "hint: a proof is the `.json`" in capsys.readouterr().err
    with pytest.raises(BadRequest, match="of itself it proves nothing"):
        run("verify", "p.json", "--key", VKEY, "--checkpoint", "p.json")
    with pytest.raises(BadRequest, match="no folder or file"):
        run("verify", "nothing", "--key", VKEY)


@pytest.mark.parametrize(
    "words",
    [("--key", "x"), ("--key", WITNESS_VKEY), ("--key", VKEY, "--witness", VKEY)],
    ids=["no vkey", "a witness's", "a log's"],
)
@pytest.mark.usefixtures("proof")
def test_wrong_keys_are_wrong_use(words: Sequence[str]) -> None:
    with pytest.raises(BadRequest):
        run("verify", "p.json", *words)
