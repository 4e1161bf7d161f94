"""Signing an approval, and having a token revealed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.canned import Canned, canned
from tests.running import Done, run
from withhold.adapters.keyfiles import make_signer_key
from withhold.clock import read_clock
from withhold.names import CallerName, SignerRole
from withhold.terminal import Exit
from withhold.warrant.model import Signer
from withhold.warrant.reveal import Approved, parse_approval, verify_approval

TOKEN = f"tok_ip_{'a' * 8}_{'b' * 25}a"
OTHER = f"tok_ip_{'a' * 8}_{'b' * 25}q"


@pytest.fixture
def service() -> Iterator[Canned]:
    with canned() as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("a-token")
    return tmp_path


def sign(folder: Path, *more: str, token: str = TOKEN, field: str = "synapse/whois:$.a.ip") -> Done:
    key = folder / "approver-1.key"
    if not key.exists():
        make_signer_key(key)
    return run(
        *("token", "sign", token, "--warrant", "W-1", "--field", field, "--reason", "why so"),
        *("--caller", "analyst-1", "--signer", "approver-1", "--key", str(key)),
        *("--deployment", "example-test", *more),
        cwd=folder,
    )


def reveal(folder: Path, service: Canned, *more: str, token: str = TOKEN) -> Done:
    words = ("token", "reveal", token, "--approval", "reveal.jws", *more)
    return run(*words, cwd=folder, data_url=service.url, token=folder / "token")


def test_what_an_approver_signs_is_believed(folder: Path) -> None:
    public = make_signer_key(folder / "approver-1.key").public_key().public_bytes_raw()
    done = sign(folder)
    assert done.code == Exit.DONE, done.err
    signers = [Signer("approver-1", "A. Approver", SignerRole.APPROVE, public)]
    found = verify_approval(
        parse_approval(done.out.strip().encode()),
        signers,
        "example-test",
        CallerName("analyst-1"),
        read_clock(),
    )
    assert isinstance(found, Approved)
    assert found.approval.token == TOKEN
    assert 14 * 60 < found.approval.expires.second - read_clock().second <= 15 * 60
    for shown in (TOKEN, "W-1", "synapse/whois $.a.ip", "analyst-1", "why so"):
        assert shown in done.err


@pytest.mark.parametrize(
    ("done", "code", "message"),
    [
        ({"token": "192.0.2.7"}, Exit.USAGE, "no token of an address"),
        ({"field": "$.a.ip"}, Exit.USAGE, "is STORE/NAME:PATH"),
        ({"field": "synapse/whois:"}, Exit.FAILED, "is not a path"),
    ],
    ids=range(3),
)
def test_a_slip_of_the_pen_is_not_signed(
    folder: Path, done: dict[str, str], code: int, message: str
) -> None:
    found = sign(folder, **done)
    assert found.code == code
    assert found.out == ""
    assert message in found.err


@pytest.mark.parametrize("minutes", ["0", "61", "-5"])
def test_an_approval_is_for_an_hour_at_most(folder: Path, minutes: str) -> None:
    found = sign(folder, f"--minutes={minutes}")
    assert (found.code, found.out) == (Exit.USAGE, "")
    assert "`--minutes` is 1 to 60" in found.err


def test_reveals(folder: Path, service: Canned) -> None:
    document = sign(folder).out
    (folder / "reveal.jws").write_text(document)
    for _ in range(2):
        service.say({"ip": "192.0.2.7"}, Withhold_Receipt="R-1")
    found = reveal(folder, service)
    assert (found.code, found.out) == (Exit.DONE, "192.0.2.7\n")
    assert "receipt R-1" in found.err
    path, headers, body = service.asked[0]
    assert (path, body) == ("/reveal", document.strip().encode())
    assert headers["Authorization"] == "Bearer a-token"
    as_json = json.loads(reveal(folder, service, "--json").out)
    assert as_json == {"ip": "192.0.2.7", "receipt": "R-1"}


def test_says_what_the_service_says(folder: Path, service: Canned) -> None:
    (folder / "reveal.jws").write_text(sign(folder).out)
    service.say({"code": "approval-used", "detail": "the approval was used before"}, 403)
    found = reveal(folder, service)
    assert (found.code, found.out) == (Exit.FAILED, "")
    assert "approval-used: the approval was used before" in found.err
    assert f"asked {service.url} (WITHHOLD_DATA_URL)" in found.err
    service.say(
        {"code": "no-such-resource", "detail": "there is nothing here that takes this"}, 404
    )
    assert "is it the control plane's address?" in reveal(folder, service).err


@pytest.mark.parametrize("document", [{}, [], {"ip": 1}], ids=range(3))
def test_an_answer_that_is_none(folder: Path, service: Canned, document: object) -> None:
    (folder / "reveal.jws").write_text(sign(folder).out)
    service.say(document)
    assert "did not answer with an address" in reveal(folder, service).err


def test_an_approval_of_another_token_is_not_sent(folder: Path, service: Canned) -> None:
    (folder / "reveal.jws").write_text(sign(folder, token=OTHER).out)
    found = reveal(folder, service)
    assert "the approval is for another token" in found.err
    (folder / "reveal.jws").write_text("{}")
    assert reveal(folder, service).code == Exit.FAILED
    assert service.asked == []


def test_without_a_token_of_the_caller(folder: Path) -> None:
    (folder / "reveal.jws").write_text(sign(folder).out)
    words = ("token", "reveal", TOKEN, "--approval", "reveal.jws")
    assert "no token to call with" in run(*words, cwd=folder).err
    elsewhere = run(*words, cwd=folder, data_url="ftp://x", token=folder / "token")
    assert "WITHHOLD_DATA_URL is no http" in elsewhere.err
