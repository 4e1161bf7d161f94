import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.bench.test_processes import descendants, is_gone
from tests.running import Done, run, starter
from withhold.starter import Starter

QUICK = ("--seconds", "0.2", "--connections", "4")


@pytest.fixture
def made(tmp_path: Path) -> Starter:
    return starter(tmp_path / "withhold")


def bench(made: Starter, *words: str) -> Done:
    return run("bench", "-c", str(made.file), *words, cwd=made.folder)


def files_of(made: Starter) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in made.folder.rglob("*") if path.is_file()}


def test_a_deployment_is_measured_and_stays_as_it_was(made: Starter) -> None:
    before = files_of(made)
    done = bench(made, *QUICK, "--resource", "sample/phone-lookup", "--json", "--records", "3")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    (row,) = found["resources"]
    assert row["resource"] == "sample/phone-lookup"
    assert row["count"] > 0
    assert row["errors"] == 0
    assert 2 < row["out_bytes"] < row["in_bytes"]
    assert sum(row["shares"].values()) == pytest.approx(1)
    assert found["database"].endswith(str(made.file.parent / "var"))
    assert files_of(made) == before


def test_every_resource_at_a_rate_with_workers(made: Starter) -> None:
    words = ("--seconds", "0.2", "--rate", "50", "--workers", "2", "--size-bytes", "9000")
    done = bench(made, *words, "--json")
    assert done.code == 0, done.err
    rows = json.loads(done.out)["resources"]
    assert len(rows) == 8
    for row in rows:
        assert (row["count"], row["errors"]) == (10, 0)
        assert row["in_bytes"] == 9_000


def test_a_scratch_database_is_used_and_refused_the_second_time(
    made: Starter, tmp_path: Path
) -> None:
    reference = tmp_path / "url"
    reference.write_text(f"sqlite:///{tmp_path / 'scratch.db'}\n")
    reference.chmod(0o600)
    words = (*QUICK, "--resource", "sample/account", "--database-url", f"file:{reference}")
    done = bench(made, *words)
    assert done.code == 0, done.err
    assert f"database    the scratch database of `file:{reference}`" in done.out
    assert (tmp_path / "scratch.db").exists()
    again = bench(made, *words)
    assert again.code == 3
    assert "the database is no scratch database" in again.err


def test_postgresql_is_not_what_is_measured_and_that_is_said(
    made: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    text = made.file.read_text()
    made.file.write_text(text.replace("sqlite:///var/withhold.db", "postgresql://nobody/nothing"))
    done = bench(made, *QUICK, "--resource", "sample/account")
    assert done.code == 0, done.err
    assert "warning: the deployment has PostgreSQL" in done.err
    assert "the deployment has PostgreSQL" in done.out
    assert list((tmp_path / "temporary").iterdir()) == []


def test_the_minimizer_alone_needs_no_database(made: Starter) -> None:
    made.file.write_text(made.file.read_text().replace("sqlite:///var", "sqlite:////nowhere"))
    done = bench(made, "--kernel", "--seconds", "0.1", "--resource", "sample/account")
    assert done.code == 0, done.err
    assert "MB/s" in done.out


def test_what_is_left_out_is_said(made: Starter) -> None:
    words = ("--kernel", "--seconds", "0.1", "--instrument", "eu-epoc-subscriber")
    done = bench(made, *words)
    assert done.code == 0, done.err
    assert "left out: nothing of `sample/messages` is covered" in done.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--seconds", "601"), "`--seconds` is a number from 0.1 to 600"),
        (("--seconds", "nan"), "`--seconds` is a number from 0.1 to 600"),
        (("--connections", "1025"), "`--connections` is a number from 1 to 1,024"),
        (("--rate", "0"), "`--rate` is a number from 0.1 to 1,000,000"),
        (("--workers", "0"), "`--workers` is a number from 1 to 256"),
        (("--size-bytes", "1"), "`--size-bytes` is a number from 2 to 1,073,741,824"),
        (("--kernel", "--rate", "1"), "`--kernel` measures no service"),
        (("--database-url", "postgresql://a:secret@b/c"), "`--database-url` holds a URL"),
        (("--database-url", "env:"), "`--database-url` holds a URL"),
        (("--resource", "sample/x"), "`sample/x` is no resource"),
        (
            ("--resource", "sample/account", "--size-bytes", "99999999"),
            "an answer of `sample/account` would be larger than the limit",
        ),
    ],
    ids=str,
)
def test_wrong_use(made: Starter, words: Sequence[str], message: str) -> None:
    done = bench(made, *words)
    assert done.code == 2
    assert f"error: {message}" in done.err
    assert "secret" not in done.err
    assert done.out == ""


def test_what_could_not_be_done(made: Starter) -> None:
    done = bench(made, "--database-url", "env:WITHHOLD_TEST_NOT_SET")
    assert done.code == 3
    assert "`WITHHOLD_TEST_NOT_SET` is not set" in done.err


def test_an_answer_that_is_refused_by_the_service_is_not_measured(made: Starter) -> None:
    made.file.write_text(made.file.read_text() + "\n[limits]\nmax_line_bytes = 50\n")
    done = bench(made, *QUICK, "--resource", "sample/export")
    assert done.code == 3
    assert "error: " in done.err
    assert done.out == ""
    assert not list((made.file.parent / "var").glob("withhold-bench-*"))


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_what_was_started_ends_with_it(made: Starter, number: signal.Signals, code: int) -> None:
    command = [sys.executable, "-m", "withhold", "bench", "-c", str(made.file), "--seconds", "60"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("measuring ")
        group = descendants(process.pid) - {process.pid}
        assert len(group) == 2
        assert list((made.file.parent / "var").glob("withhold-bench-*"))
        os.kill(process.pid, number)
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, "")
    assert all(map(is_gone, group))
    assert not list((made.file.parent / "var").glob("withhold-bench-*"))
