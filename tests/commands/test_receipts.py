"""`ledger show`, against a control plane over HTTP."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.commands.served import VKEY, Served, printed, run, serves
from tests.control.audited import ALICE, BOB, RING, committed
from tests.ledger.exhibits import (
    BODY,
    CANARIES,
    ENTRIES,
    HANDLE,
    ID,
    WARRANT,
    closing,
    other,
    receipt,
)
from withhold.commands.service import Refused, Unreachable
from withhold.errors import BadRequest
from withhold.terminal import Exit


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


@pytest.mark.usefixtures("served")
def test_any_entry_is_shown_alone_by_its_index(capsys: pytest.CaptureFixture[str]) -> None:
    """One of a disclosure with what belongs to it; none of this is entered in the log."""
    assert printed(capsys, "show", "0").startswith("entry 0: warrant\n  at ")
    assert json.loads(printed(capsys, "show", "0", "--json"))["index"] == 0
    assert printed(capsys, "show", "3") == printed(capsys, "show", ID)
    with pytest.raises(Refused, match="no such entry") as refused:
        run("show", str(len(ENTRIES)))
    assert "data plane" not in refused.value.hint


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
    assert run(*about, "phone=+44 20 7946 0220") == Exit.DONE
    said = capsys.readouterr()
    assert said.out.startswith("yes: one of the 1 target ")
    assert said.err == "warning: entry 2 of the log says that you asked\n"
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
