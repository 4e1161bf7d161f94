"""The command line as a whole: its help, its ways out."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import run
from withhold import cli
from withhold.cli import COMMANDS, ENDING, main, parser
from withhold.commands import keys
from withhold.terminal import Exit

FOLDER = Path(__file__).parent / "folder"


def helps(*words: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as leaving:
        main([*words, "--help"])
    assert leaving.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = helps(command, capsys=capsys)
    assert f"withhold {command}" in text
    assert max(map(len, text.splitlines())) <= 100
    assert "  withhold " in text  # an example


@pytest.mark.parametrize(
    ("command", "verbs"),
    [
        (
            "warrant",
            ["sign", "register", "approve", "suspend", "resume", "revoke", "close", "list", "show"],
        ),
        ("keys", ["init", "list", "show", "rotate", "rewrap", "destroy", "signer", "caller"]),
    ],
)
def test_every_verb_has_its_help(
    command: str, verbs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    of_command = helps(command, capsys=capsys)
    for verb in verbs:
        assert f"    {verb} " in of_command
        assert f"withhold {command} {verb}" in helps(command, verb, capsys=capsys)


def test_no_option_takes_a_secret() -> None:
    for command in COMMANDS:
        text = parser(command).format_help()
        assert "--token " not in text
        assert "--password" not in text
    assert "--token-file" in ENDING


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupt(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(keys, "_signer", interrupt)
    assert run("keys", "signer", "x", cwd=tmp_path).code == 130


def test_what_the_system_refuses_is_said_without_a_trace(tmp_path: Path) -> None:
    done = run(
        *("explain", "--warrant", str(tmp_path), "--resource", "chat/whois"),
        cwd=FOLDER,
    )
    assert (done.code, done.out) == (Exit.FAILED, "")
    assert done.err == f"error: `{tmp_path}`: is a directory\n"


def test_whoever_reads_may_stop_reading() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "withhold", "learn", "chat/x"],
        cwd=FOLDER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write(b'{"a": 1}')
        process.stdin.close()
        assert b"Traceback" not in process.stderr.read()
    assert process.returncode == Exit.FAILED


def test_an_answer_that_is_too_large_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("withhold.commands.recorded.MAX_INPUT_BYTES", 100)
    body = b'{"a": "' + b"x" * 200 + b'"}'
    for ndjson in ((), ("--ndjson",)):
        done = run("learn", "chat/x", *ndjson, cwd=FOLDER, given=body)
        assert done.code == Exit.FAILED
        assert "larger than 100 bytes" in done.err
    redact = ("redact", "--warrant", "search.json", "--resource", "chat/log")
    done = run(
        *redact, "--param", "user_id=@alice:example.test", "--ndjson", cwd=FOLDER, given=body
    )
    assert "larger than 100 bytes" in done.err


def test_a_warrant_that_is_too_large_is_refused(tmp_path: Path) -> None:
    large = tmp_path / "W.json"
    large.write_bytes(b" " * (2**20 + 1))
    done = run("explain", "--warrant", str(large), "--resource", "chat/whois", cwd=FOLDER)
    assert "larger than a warrant may be" in done.err


def test_learns_odd_names_without_moving_a_cursor() -> None:
    body = '{"\\u001b[2J": {"😀": 1, "q\\"\\\\": 2}, "x": [1, {"y": null}]}'.encode()
    done = run("learn", "chat/x", cwd=FOLDER, given=body)
    assert done.code == 0
    assert done.out.isascii()
    assert "\x1b" not in done.out
    assert "it can't be declared" in done.out
    assert "only null was seen" in done.out


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"withhold {cli._version()}\n"
