"""The command, against a service that answers over HTTP as the control plane does."""

import asyncio
import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.commands.listening import Quiet, listening
from tests.control.test_report import NOW, ledger_of
from tests.report.day import a_day
from tests.running import Done, run
from withhold.control.problems import problem
from withhold.control.report import report
from withhold.errors import WithholdError
from withhold.terminal import Exit

PERIOD = ("--from", "2026-03-02", "--until", "2026-03-03")


class Service:
    """`GET /report` over the day; `change` alters what is answered."""

    def __init__(self) -> None:
        self.change: dict[str, Any] = {}
        self.url = ""


@contextmanager
def serving(service: Service) -> Iterator[None]:
    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            assert asked.path == "/report"
            status, body = 200, b""
            try:
                body = json.dumps({**asyncio.run(_report(asked.query)), **service.change}).encode()
            except WithholdError as error:
                status, body = problem(error)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

    with listening(Handler) as service.url:
        yield


async def _report(query: str) -> dict[str, Any]:
    ledger = await ledger_of(a_day())
    return await report(
        ledger,
        parse_qsl(query),
        NOW,
        deployment="example",
        software="0.1.0",
        sign=lambda frontier: f"of {frontier.size}",
    )


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    with serving(made):
        yield made


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("token")
    return path


def reported(service: Service, token: Path, *words: str) -> Done:
    return run("report", *PERIOD, *words, cwd=token.parent, url=service.url, token=token)


@pytest.mark.parametrize(
    ("format_", "begins"),
    [
        ("html", "<!DOCTYPE html>\n"),
        ("csv", "period,country,"),
        ("json", '{\n  "report": "withhold-transparency-report",\n  "version": 1,\n'),
    ],
)
def test_it_is_written_as_asked(service: Service, token: Path, format_: str, begins: str) -> None:
    done = reported(service, token, "--format", format_)
    assert (done.code, done.err) == (Exit.DONE, "")
    assert done.out.startswith(begins)
    assert "INTERNAL" not in done.out


def test_a_file_has_the_line_ends_of_its_format(service: Service, token: Path) -> None:
    out = token.parent / "report.csv"
    done = reported(service, token, "--format", "csv", "--out", str(out))
    assert (done.code, done.out) == (Exit.DONE, "")
    assert out.read_bytes().endswith(b"\r\n")


def test_exact_numbers_are_internal_and_their_owners_alone(service: Service, token: Path) -> None:
    out = token.parent / "report.json"
    out.write_text("what was there before, and is longer than nothing" * 10_000)
    out.chmod(0o644)
    done = reported(service, token, "--format", "json", "--exact", "--out", str(out))
    assert done.code == Exit.DONE
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    document = json.loads(out.read_text())
    assert document["audience"] == "INTERNAL"
    assert "UK" in {cell["country"] for cell in document["cells"]}


def test_the_form_and_the_countries_are_asked_for(service: Service, token: Path) -> None:
    words = ("--suppress", "7", "--country", "EU", "--country", "a&b")
    document = json.loads(reported(service, token, "--format", "json", *words).out)
    assert document["form"] == {"numbers": "suppressed", "threshold": 7}
    assert document["countries"] == ["EU", "a&b"]


def test_bands_warn_of_conditions_that_are_not_met(service: Service, token: Path) -> None:
    done = reported(service, token, "--format", "json", "--bands", "100")
    assert (done.code, json.loads(done.out)["form"]["size"]) == (Exit.DONE, 100)
    assert done.err == (
        "warning: 50 U.S.C. 1874(b) is not met: the period ended at least 365 days before "
        "publication\n"
    )


def test_what_is_probably_not_meant_is_warned_of(service: Service, token: Path) -> None:
    done = reported(service, token, "--format", "json", "--country", "EU", "--country", "E\x1bU")
    assert "warning: no number is about `E" in done.err
    assert "`EU`" not in done.err
    assert "\x1b" not in done.err
    service.change = {"as_of": "2026-03-02T23:59:59.999Z"}
    assert "the period has not ended" in reported(service, token, "--format", "json").err
    service.change = {"as_of": "2026-03-03T00:00:00Z"}
    assert reported(service, token, "--format", "json").err == ""


def test_forms_exclude_each_other(service: Service, token: Path) -> None:
    done = reported(service, token, "--format", "json", "--exact", "--bands", "100")
    assert (done.code, done.out) == (Exit.USAGE, "")


def test_what_the_service_refuses_is_said(service: Service, token: Path) -> None:
    done = reported(service, token, "--format", "html", "--suppress", "2")
    assert (done.code, done.out) == (Exit.FAILED, "")
    assert done.err.startswith(
        "error: bad-request: `suppress` is a whole number from 3 to 1000000\n"
    )


def test_a_report_of_another_version_is_not_guessed_at(service: Service, token: Path) -> None:
    service.change = {"version": 2}
    done = reported(service, token, "--format", "html")
    assert (done.code, done.out) == (Exit.FAILED, "")
    assert "a version that this command does not know" in done.err
