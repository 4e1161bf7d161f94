import io
import json

import pytest

from withhold.errors import BadRequest, ConfigError, Fault
from withhold.terminal import Ink, complain, count, out_json, paint, printable, table, warn


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_colour_is_for_a_terminal() -> None:
    assert paint("x", Ink.RED, Ink.BOLD, stream=Tty()) == "\x1b[31;1mx\x1b[0m"
    assert paint("x", Ink.RED, stream=io.StringIO()) == "x"
    assert paint("x", stream=Tty()) == "x"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colour_is_not_for_who_wants_none(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert paint("x", Ink.RED, stream=Tty()) == "x"


def test_an_empty_no_color_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")  # no-color.org: "when present and not an empty string"
    assert paint("x", Ink.RED, stream=Tty()) != "x"


def test_no_name_moves_a_cursor() -> None:
    assert printable("a\x1b[2Jb\n\u202e") == "a\\x1b[2Jb\\n\\u202e"
    assert printable("Zoë 雪") == "Zoë 雪"


def test_lays_out_columns() -> None:
    assert table([["a", "bb", "c"], ["dddd", "e"]], indent=" ") == [" a     bb  c", " dddd  e"]
    assert table([]) == []


def test_counts_things() -> None:
    assert (count(0, "fault"), count(1, "fault"), count(2, "fault")) == (
        "0 faults",
        "1 fault",
        "2 faults",
    )


def test_complains_and_hints(capsys: pytest.CaptureFixture[str]) -> None:
    complain(BadRequest("what: why", "do this"))
    complain(ConfigError(Fault("a.toml", 3, "wrong", "right"), Fault("b.toml", 0, "missing")))
    warn("careful", "so")
    assert capsys.readouterr().err.splitlines() == [
        "error: what: why",
        "hint: do this",
        "error: a.toml:3: wrong",
        "hint: right",
        "error: b.toml: missing",
        "warning: careful",
        "hint: so",
    ]


def test_writes_json_as_it_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    out_json({"a": "雪"})
    text = capsys.readouterr().out
    assert json.loads(text) == {"a": "雪"}
    assert "雪" in text
