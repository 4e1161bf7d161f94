"""A token from disclosure to address, and then its case pruned, against a Withhold that runs."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.running import Done, Running, run, starter
from withhold.adapters.keyfiles import make_token, write_private
from withhold.keyring import token_digest
from withhold.names import Role
from withhold.starter import caller_block

ADDRESS = "2001:db8::7"
SESSIONS = {
    "account_id": "u-10001",
    "sessions": [{"device": "D1", "ip": ADDRESS, "port": 1, "last_seen": 1_767_312_000_000}],
}
CLAIMS: dict[str, Any] = {
    "instrument": "us-sca-subpoena",
    "jurisdiction": "US",
    "authority": "Superior Court of California",
    "reference": "26-SW-70123",
    "targets": [{"kind": "id", "value": "u-10001"}],
    "categories": [],
    "fields": [],
    "period": {"from": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z"},
    "valid": {"from": "2020-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z"},
    "callers": ["disclosure-service"],
}
NAMED: dict[str, Any] = {
    "fields": [{"resource": "sample/sessions", "path": "$.sessions[*].ip"}],
    "callers": ["analyst"],
}
FIELD = "sample/sessions:$.sessions[*].ip"


class Store(BaseHTTPRequestHandler):
    """A store with one account."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps(SESSIONS).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Store) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        made = starter(tmp_path / "made", {"sample": url})
        token = make_token()
        write_private(made.folder / "analyst.token", token.encode())
        block = caller_block("analyst", token_digest(token), [Role.REVEAL], [])
        young = ["[retention]", "least_days = 0"]  # what is of today is pruned here
        made.file.write_text("\n".join([made.file.read_text(), *block, *young, ""]))
        try:
            with Running(made) as running:
                yield running
        finally:
            server.shutdown()
            thread.join()


def ok(done: Done) -> str:
    assert done.code == 0, done.err
    return done.out


def key(running: Running, signer: str) -> tuple[str, ...]:
    return ("--signer", signer, "--key", str(running.starter.signers[signer]))


def activate(running: Running, name: str, **changed: object) -> None:
    folder = running.starter.folder
    (folder / f"{name}.json").write_text(json.dumps({"id": name, **CLAIMS, **changed}))
    signed = running.command(
        *("warrant", "sign", f"{name}.json", "--role", "intake", "--deployment", "example-test"),
        *key(running, "intake-1"),
    )
    (folder / f"{name}.jws").write_text(ok(signed))
    ok(running.command("warrant", "register", f"{name}.jws"))
    ok(running.command("warrant", "approve", name, "--yes", *key(running, "approver-1")))


def disclose(running: Running, warrant: str) -> str:
    token = running.starter.tokens["disclosure-service"].read_text().strip()
    headers = {"Authorization": f"Bearer {token}", "Withhold-Warrant": warrant}
    url = f"{running.urls['data']}/stores/sample/accounts/u-10001/sessions"
    answer = httpx.get(url, headers=headers, trust_env=False)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["sessions"][0]["ip"])


def reveal(running: Running, token: str) -> Done:
    folder = running.starter.folder
    words = ("token", "reveal", token, "--approval", "reveal.jws", "--json")
    caller = folder / "analyst.token"
    return run(*words, cwd=folder, data_url=running.urls["data"], token=caller)


def approve(running: Running, token: str) -> None:
    signed = running.command(
        *("token", "sign", token, "--warrant", "W-NAMES", "--field", FIELD, "--caller", "analyst"),
        *("--reason", "attributed in 26-SW-70123", "--deployment", "example-test"),
        *key(running, "approver-1"),
    )
    (running.starter.folder / "reveal.jws").write_text(ok(signed))


def prune(running: Running, what: str) -> int:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    said = ok(running.command("prune", "--before", now, "--what", what, "--json"))
    return int(json.loads(said)["pruned"][what])


def test_from_a_disclosure_to_the_address_and_to_nothing(running: Running) -> None:
    activate(running, "W-EARLIER")
    activate(running, "W-NAMES", **NAMED)
    token = disclose(running, "W-EARLIER")
    assert token.startswith("tok_ip_")
    approve(running, token)
    found = json.loads(ok(reveal(running, token)))
    assert found["ip"] == ADDRESS
    assert found["receipt"].startswith("R-")
    again = reveal(running, token)
    assert (again.code, "approval-used" in again.err) == (3, True)
    # Over, and long enough ago: since this moment.
    ok(running.command("warrant", "revoke", "W-EARLIER"))
    while prune(running, "keys") == 0:
        pass
    assert prune(running, "sealed") > 0
    assert prune(running, "warrants") == 1
    listed = json.loads(ok(running.command("warrant", "list", "--json")))["warrants"]
    assert {each["id"]: each["pruned"] for each in listed} == {
        "W-EARLIER": True,
        "W-NAMES": False,
    }
    assert "pruned" in ok(running.command("warrant", "list"))
    assert "pruned" in ok(running.command("warrant", "show", "W-EARLIER"))
    for words in (
        ("warrant", "show", "W-EARLIER", "--document"),
        ("warrant", "resume", "W-EARLIER", "--yes", *key(running, "approver-1")),
    ):
        refused = running.command(*words)
        assert (refused.code, refused.out) == (3, "")
        assert "the document was pruned" in refused.err
    ok(running.command("status"))
    approve(running, token)
    gone = reveal(running, token)
    assert (gone.code, "token-unknown" in gone.err) == (3, True)
