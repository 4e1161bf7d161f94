"""The demo from end to end, as somebody who has just cloned it runs it."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from withhold.demo.people import ACCOUNTS, ALICE, CANARY
from withhold.demo.stage import stage
from withhold.demo.story import EPOC, SEARCH, SUBPOENA, approve, ask_when_active

COMMAND = (sys.executable, "-m", "withhold", "demo")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def played() -> subprocess.CompletedProcess[str]:
    return run("--once")


def test_ends_well_and_quietly(played: subprocess.CompletedProcess[str]) -> None:
    assert played.returncode == 0
    assert played.stderr == ""


def test_shows_five_disclosures_in_a_hundred_columns(
    played: subprocess.CompletedProcess[str],
) -> None:
    lines = played.stdout.splitlines()
    assert [line[0] for line in lines if re.match(r"[1-9]  ", line)] == list("12345")
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in played.stdout


def test_withholds_what_no_catalogue_declares(played: subprocess.CompletedProcess[str]) -> None:
    withheld = [line for line in played.stdout.splitlines() if CANARY in line]
    assert len(withheld) >= 8
    assert all(line.endswith(" -") for line in withheld)


def test_refuses_who_is_no_target_and_what_is_revoked(
    played: subprocess.CompletedProcess[str],
) -> None:
    assert "403 not-a-target" in played.stdout
    assert "403 warrant-not-active" in played.stdout
    assert "tok_ip_" in played.stdout


def test_leaves_nothing_behind(played: subprocess.CompletedProcess[str]) -> None:
    found = re.search(r"folder +(\S+)", played.stdout)
    assert found is not None
    assert not Path(found.group(1)).exists()


def test_stays_up_with_commands_that_work_as_they_stand() -> None:
    # Buffered as for anybody: what is shown must have left before the demo waits.
    environment = {name: v for name, v in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(
        COMMAND,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        stdin=subprocess.DEVNULL,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        shown = []
        for line in process.stdout:
            shown.append(line)
            if "withhold thaw" in line:
                break
        text = "".join(shown)
        try:
            header = re.search(r"-H @(\S+)", text)
            url = re.search(r"(http://\S+/stores/sample/accounts/\S+)", text)
            assert header is not None
            assert url is not None
            assert "Bearer" not in text
            file = Path(header.group(1))
            assert file.stat().st_mode & 0o777 == 0o600
            name, _, value = file.read_text().strip().partition(": ")
            answer = httpx.get(
                url.group(1), headers={name: value, "Withhold-Warrant": EPOC.id}, trust_env=False
            )
            assert answer.status_code == 200
            assert answer.json()["name"] == ACCOUNTS[ALICE]["name"]
            status = re.search(r"withhold (status .*)", text)
            control = re.search(r"WITHHOLD_URL=(\S+)", text)
            assert status is not None
            assert control is not None
            told = subprocess.run(
                [sys.executable, "-m", "withhold", *status.group(1).split()],
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
                env={**os.environ, "WITHHOLD_URL": control.group(1)},
            )
            assert told.returncode == 0, told.stdout + told.stderr
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
        assert process.returncode == 0


async def test_every_resource_of_the_sample_store_keeps_its_canaries() -> None:
    paths = (
        f"/accounts/{ALICE}",
        f"/accounts/{ALICE}/devices",
        f"/accounts/{ALICE}/sessions",
        f"/accounts/{ALICE}/messages",
        f"/accounts/{ALICE}/calls",
        f"/accounts/{ALICE}/export",
        "/groups/g-1/members",
    )
    async with stage() as set_up:
        await approve(set_up, SEARCH)
        for path in paths:
            before = await set_up.store.get(path)
            assert CANARY in before.text, path
            after = await ask_when_active(set_up, SEARCH, path)
            assert after.status_code == 200, (path, after.text)
            assert CANARY not in after.text, path
            assert after.text not in {"{}", ""}, path


async def test_pages_are_walked_and_streams_streamed() -> None:
    async with stage() as set_up:
        await approve(set_up, SEARCH)
        calls = (await ask_when_active(set_up, SEARCH, f"/accounts/{ALICE}/calls")).json()
        assert [each["id"] for each in calls["calls"]] == [f"c-{n}" for n in range(7)]
        assert "next" not in calls
        export = await ask_when_active(set_up, SEARCH, f"/accounts/{ALICE}/export")
        lines = [json.loads(line) for line in export.text.splitlines()]
        assert len(lines) == 500
        assert {line["event"] for line in lines} >= {"login", "message"}


async def test_what_the_sample_store_has_not_is_absent() -> None:
    async with stage() as set_up:
        for path in (
            "/accounts/u-99999",
            "/accounts/u-99999/calls",
            "/accounts/u-99999/export",
            "/groups/none/members",
        ):
            assert (await set_up.store.get(path)).status_code == 404
        await approve(set_up, SUBPOENA)
        answer = await ask_when_active(set_up, SUBPOENA, "/groups/none/members")
        assert (answer.status_code, answer.json()) == (200, {})
