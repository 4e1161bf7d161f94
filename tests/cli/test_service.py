"""The commands that talk to a running Withhold, against one."""

import gzip
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.commands.listening import Quiet, listening
from tests.running import Done, Running, run, starter
from tests.servers import free_port
from withhold.commands import service
from withhold.commands.service import Service, Unreachable

CLAIMS: dict[str, Any] = {
    "instrument": "us-search-warrant",
    "jurisdiction": "US",
    "authority": "Superior Court of California",
    "reference": "26-SW-70123",
    "targets": [{"kind": "id", "value": "u-10001"}],
    "categories": [],
    "fields": [{"resource": "sample/account", "path": "$.name"}],
    "period": {"from": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z"},
    "valid": {"from": "2020-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z"},
    "callers": ["disclosure-service"],
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(starter(tmp_path_factory.mktemp("service") / "made")) as running:
        yield running


def ok(done: Done) -> str:
    assert done.code == 0, done.err
    return done.out


def refused(done: Done, code: int = 3) -> str:
    assert done.code == code, done.out
    assert done.out == ""
    return done.err


def key(running: Running, signer: str) -> str:
    return str(running.starter.signers[signer])


def register(running: Running, name: str) -> str:
    """Sign as intake and register; gives what the command said."""
    folder = running.starter.folder
    (folder / f"{name}.json").write_text(json.dumps({"id": name, **CLAIMS}))
    signed = running.command(
        *("warrant", "sign", "--key", key(running, "intake-1"), "--role", "intake"),
        *("--signer", "intake-1", "--deployment", "example-test", f"{name}.json"),
    )
    (folder / f"{name}.jws").write_text(ok(signed))
    return ok(running.command("warrant", "register", f"{name}.jws"))


def approve(running: Running, name: str, signer: str, *more: str) -> str:
    done = running.command(
        *("warrant", "approve", name, "--key", key(running, signer)),
        *("--signer", signer, "--yes", *more),
    )
    return ok(done)


def activate(running: Running, name: str) -> None:
    register(running, name)
    approve(running, name, "approver-1")
    approve(running, name, "approver-2")


def test_a_warrant_from_registration_to_its_end(running: Running) -> None:
    assert register(running, "W-1") == "W-1 is pending: needs 2 more approvals\n"
    assert approve(running, "W-1", "approver-1") == "W-1 is pending: needs 1 more approval\n"
    assert approve(running, "W-1", "approver-2") == "W-1 is active\n"
    assert ok(running.command("warrant", "suspend", "W-1")) == "W-1 is suspended\n"
    resumed = running.command(
        *("warrant", "resume", "W-1", "--key", key(running, "approver-2")),
        *("--signer", "approver-2", "--yes"),
    )
    assert ok(resumed) == "W-1 is active\n"
    assert ok(running.command("warrant", "close", "W-1")) == "W-1 is closed\n"
    assert "wrong-state" in refused(running.command("warrant", "revoke", "W-1"))


def test_an_approver_sees_what_is_approved(running: Running) -> None:
    register(running, "W-2")
    done = running.command(
        *("warrant", "approve", "W-2", "--key", key(running, "approver-1")),
        *("--signer", "approver-1", "--yes", "--json"),
    )
    assert json.loads(ok(done))["state"] == "pending"
    shown = done.err
    for text in ("id u-10001", "26-SW-70123", "sample/account $.name", "disclosure-service"):
        assert text in shown


def test_a_person_at_a_terminal_is_asked(running: Running) -> None:
    register(running, "W-7")
    words = (
        *("warrant", "approve", "W-7", "--key", key(running, "approver-1")),
        *("--signer", "approver-1"),
    )
    for typed in ("n\n", "", "perhaps\n"):
        said = refused(running.command(*words, typed=typed))
        assert said.endswith(
            "approve this warrant? [y/N] error: not signed, and nothing was sent\n"
        )
    assert "1 more" in ok(running.command(*words, typed="y\n"))
    more = (*words[:4], key(running, "approver-2"), *words[5:6], "approver-2", "--yes")
    assert ok(running.command(*more, typed="n\n")) == "W-7 is active\n"


@pytest.mark.parametrize("verb", ["approve", "resume"])
def test_where_nobody_can_be_asked_nothing_is_signed(running: Running, verb: str) -> None:
    words = ("--key", key(running, "approver-1"), "--signer", "approver-1")
    said = refused(running.command("warrant", verb, "W-none", *words), code=2)
    assert said == (
        "error: nobody can be asked: this is no terminal\nhint: --yes signs without asking\n"
    )


def test_a_service_that_answers_with_another_warrant_is_not_believed(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    activate(running, "W-8")
    answers: list[Any] = []

    def answer(_service: Service, _path: str) -> object:
        return answers[0]

    document = json.loads(
        ok(running.command("warrant", "show", "W-8", "--document", caller="auditor"))
    )
    monkeypatch.setattr(Service, "get", answer)
    words = (
        *("warrant", "approve", "W-9", "--key", key(running, "approver-1")),
        *("--signer", "approver-1", "--yes"),
    )
    for said, told in (
        ({"document": document, "deployment": "example-test"}, "another warrant"),
        ({"document": document}, "did not answer with the warrant"),
        ([], "did not answer with the warrant"),
    ):
        answers[:] = [said]
        assert told in refused(running.command(*words))
    answers[:] = [{"files": {"policy/a.toml": "not base64"}}]
    done = running.command("diff", "live", "live", caller="security")
    assert "did not answer with its bundle" in refused(done)


def test_an_approval_by_the_wrong_key_is_refused(running: Running) -> None:
    register(running, "W-3")
    done = running.command(
        *("warrant", "approve", "W-3", "--key", key(running, "approver-2")),
        *("--signer", "approver-1", "--yes"),
    )
    assert "error: bad-signature" in refused(done)


def test_lists_and_shows_warrants(running: Running) -> None:
    activate(running, "W-4")
    listed = ok(running.command("warrant", "list", caller="auditor"))
    assert "W-4  active" in listed
    assert "u-10001" not in listed
    as_json = json.loads(ok(running.command("warrant", "list", "--json", caller="auditor")))
    assert "W-4" in [each["id"] for each in as_json["warrants"]]
    shown = ok(running.command("warrant", "show", "W-4", caller="auditor"))
    assert "id u-10001" in shown
    assert "by approver-2, approve" in shown
    document = ok(running.command("warrant", "show", "W-4", "--document", caller="auditor"))
    assert len(json.loads(document)["signatures"]) == 3
    whole = json.loads(ok(running.command("warrant", "show", "W-4", "--json", caller="auditor")))
    assert whole["document"] == json.loads(document)
    assert "warrant-unknown" in refused(running.command("warrant", "show", "W-none"))


def test_revokes(running: Running) -> None:
    activate(running, "W-5")
    done = running.command("warrant", "revoke", "W-5", "--json")
    assert json.loads(ok(done)) == {"id": "W-5", "state": "revoked"}


def test_freezes_and_thaws(running: Running) -> None:
    assert ok(running.command("freeze")) == "frozen on all nodes: everything\n"
    instrument = ("--instrument", "us-sca-subpoena")
    assert ok(running.command("freeze", "--store", "sample", *instrument)) == (
        "frozen on all nodes: store sample and instrument us-sca-subpoena\n"
    )
    status = ok(running.command("status"))
    assert "everything" in status
    assert "store sample and instrument us-sca-subpoena" in status
    assert ok(running.command("thaw")) == (
        "thawed on all nodes, and by file on the control plane's machine: everything\n"
        "still frozen: store sample and instrument us-sca-subpoena\n"
    )
    assert ok(running.command("thaw", "--store", "sample", *instrument)).endswith("subpoena\n")
    assert "there is no such store" in refused(running.command("freeze", "--store", "other"))


def test_freezes_by_file(running: Running) -> None:
    file = str(running.starter.file)
    ok(running.command("freeze", "-c", file, "--json", caller=None))
    assert "everything" in ok(running.command("status"))
    ok(running.command("thaw", "-c", file, caller=None))
    assert "everything" not in ok(running.command("status"))


def test_says_how_things_stand(running: Running) -> None:
    register(running, "W-6")
    status = ok(running.command("status", caller="auditor"))
    assert "example-test" in status
    assert "W-6: needs 2 more approvals" in status
    as_json = json.loads(ok(running.command("status", "--json", caller="auditor")))
    assert as_json["health"] == {"data plane": "ok", "ledger": "ok", "database": "ok"}


def test_compares_with_what_is_served(running: Running) -> None:
    config = str(running.starter.file.parent)
    assert ok(running.command("diff", "live", config, caller="security")) == "equal\n"
    assert "role-not-allowed" in refused(running.command("diff", "live", config, caller="auditor"))


def test_a_token_may_come_from_a_file(running: Running) -> None:
    token = str(running.starter.tokens["auditor"])
    ok(running.command("status", "--token-file", token, caller=None))
    open_to_all = running.starter.folder / "open.token"
    open_to_all.write_text("x")
    done = running.command("status", "--token-file", str(open_to_all), caller=None)
    assert "can be read or changed by others" in refused(done)


def test_who_may_not_is_told_what_it_takes(running: Running) -> None:
    done = running.command("warrant", "revoke", "W-1", caller="auditor")
    assert refused(done) == (
        "error: role-not-allowed: this takes the role `operate`\n"
        f"hint: asked {running.urls['control']} (WITHHOLD_URL)\n"
    )
    done = running.command("status", caller="disclosure-service")
    assert "role-not-allowed" in refused(done)
    wrong = run(
        *("status",),
        cwd=running.starter.folder,
        url=running.urls["control"],
        token=running.starter.signers["intake-1"],
    )
    assert refused(wrong, 2) != ""


def test_nobody_there_is_said_so(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("wh_token")
    for url in (f"http://127.0.0.1:{free_port()}", "http://[", "http://127.0.0.1:1/x y"):
        done = run("status", cwd=tmp_path, url=url, token=token)
        said = refused(done)
        assert "did not answer" in said
        assert f"hint: asked {url} (WITHHOLD_URL)\n" in said
    done = run("status", cwd=tmp_path, url="ftp://x", token=token)
    assert "no http or https address" in refused(done, 2)


def test_the_data_plane_is_no_control_plane(running: Running) -> None:
    done = run(
        *("status",),
        cwd=running.starter.folder,
        url=running.urls["data"],
        token=running.starter.tokens["operator"],
    )
    said = refused(done)
    assert said.startswith("error: no-such-resource")
    assert "hint: is it the data plane's address? commands ask the control plane\n" in said
    assert said.endswith(f"hint: asked {running.urls['data']} (WITHHOLD_URL)\n")


def test_another_kind_of_server_is_told_apart(running: Running) -> None:
    done = run(
        *("status",),
        cwd=running.starter.folder,
        url=f"{running.urls['control']}/healthz/../metrics?x=",
        token=running.starter.tokens["operator"],
    )
    assert refused(done).startswith("error: ")


def test_an_answer_is_read_no_further_than_it_may_go(monkeypatch: pytest.MonkeyPatch) -> None:
    class Expanding(Quiet, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = gzip.compress(bytes(int(self.path[1:])))
            self.send_response(200)
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    monkeypatch.setattr(service, "MAX_ANSWER_BYTES", 2**16)
    with listening(Expanding) as url:
        asking = Service(url, "token")
        assert asking.fetch("/65536") == bytes(2**16)
        with pytest.raises(Unreachable, match="has more than 65536 bytes"):
            asking.fetch("/65537")
