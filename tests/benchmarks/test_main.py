"""The command: what it refuses, what it writes."""

import dataclasses
import re
from pathlib import Path

import pytest

from benchmarks import __main__ as suite
from benchmarks.effort import SMOKE
from benchmarks.run import parse_run
from tests.docs.tables import DOCS

SECTIONS = ["kernel", "transforms", "cache"]


def test_an_unknown_section_and_a_short_record_are_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert suite.main(["kernels"]) == 2
    assert "hint: there are kernel, transforms" in capsys.readouterr().err
    assert suite.main(["--record", "--quick", "kernel"]) == 2
    assert suite.main(["--record", "kernel"]) == 2


def test_a_run_is_written_with_its_table_and_plots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # As short as a smoke, which writes nothing.
    monkeypatch.setattr(suite, "QUICK", dataclasses.replace(SMOKE, name="test"))
    assert suite.main([*SECTIONS, "--quick", "--into", str(tmp_path)]) == 0
    found = parse_run((tmp_path / "run.json").read_bytes())
    assert found.sections() == SECTIONS
    assert found.machine["cores"]
    assert found.versions["msgspec"]
    assert re.fullmatch("[0-9a-f]{12}|unknown", found.commit)
    assert (tmp_path / "table.md").read_text(encoding="utf-8") == capsys.readouterr().out


def test_plots_show_what_was_measured(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="`make bench` installs matplotlib")
    run = suite._measure(["kernel", "transforms"], SMOKE)
    suite._write(run, None, tmp_path)
    names = {path.name for path in tmp_path.glob("*.png")}
    assert names == {"kernel.png", "kernel-by-covered.png", "transforms.png"}
    assert {path.with_suffix(".svg").name for path in tmp_path.glob("*.png")} == {
        path.name for path in tmp_path.glob("*.svg")
    }
    assert "messages, content withheld" in (tmp_path / "kernel.svg").read_text(encoding="utf-8")


def test_every_section_is_documented() -> None:
    page = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    said = re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)
    assert said == list(suite.SECTIONS)
