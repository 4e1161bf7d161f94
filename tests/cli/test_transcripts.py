"""Every transcript of tests/transcripts/cli, run with real processes."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "transcripts" / "cli"
PREPARED = Path(__file__).parent / "folder"
VARYING = (
    (re.compile(r"wh_[A-Za-z0-9_-]{43}"), "<token>"),
    (re.compile(r"sha-256=:[A-Za-z0-9+/=]{44}:"), "<digest>"),
    (re.compile(r"\"[A-Za-z0-9+/]{43}=\""), '"<public key>"'),
    (re.compile(r"\"[0-9a-f]{64}\""), '"<sha-256>"'),
    (re.compile(r"tok_ip_[a-z2-7]{8}_[a-z2-7]{26}"), "<address token>"),
)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_the_session_is_as_recorded(path: Path, tmp_path: Path) -> None:
    shutil.copytree(PREPARED, tmp_path, dirs_exist_ok=True)
    recorded = path.read_text(encoding="utf-8")
    commands = [line[2:] for line in recorded.splitlines() if line.startswith("$ ")]
    comments = re.match(r"(?:#.*\n)*", recorded)
    assert comments is not None
    session = comments.group() + "\n".join(run(command, tmp_path) for command in commands)
    if os.environ.get("RECORD"):
        path.write_text(session, encoding="utf-8")
    assert session == recorded


def run(command: str, folder: Path) -> str:
    """Run one command and write it down."""
    words = shlex.split(command)
    given, taken = None, None
    while len(words) > 2 and words[-2] in {"<", ">"}:
        if words[-2] == "<":
            given = (folder / words[-1]).read_bytes()
        else:
            taken = folder / words[-1]
        del words[-2:]
    assert words[0] == "withhold"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("WITHHOLD_")
    }
    done = subprocess.run(
        [sys.executable, "-m", "withhold", *words[1:]],
        cwd=folder,
        input=given if given is not None else b"",
        capture_output=True,
        env={**environment, "COLUMNS": "80"},
        timeout=60,
        check=False,
    )
    if taken is not None:
        taken.write_bytes(done.stdout)
    out = "" if taken is not None else done.stdout.decode()
    err = "".join(f"! {line}\n".replace(" \n", "\n") for line in done.stderr.decode().splitlines())
    code = f"[exit {done.returncode}]\n" if done.returncode else ""
    shown = f"{out}{err}".replace(str(folder), "<folder>")
    for varying, so in VARYING:
        shown = varying.sub(so, shown)
    return f"$ {command}\n{shown}{code}"
