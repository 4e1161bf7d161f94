from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from withhold.errors import ConfigError, Fault
from withhold.toml.faults import MAX_FAULTS, Faults, did_you_mean, listed
from withhold.toml.read import MAX_FILE_BYTES, read_toml


def fault_of(data: bytes) -> Fault:
    faults = Faults()
    assert read_toml("f.toml", data, faults) is None
    (fault,) = faults.error().faults
    assert fault.file == "f.toml"
    return fault


def test_a_document_is_read() -> None:
    faults = Faults()
    table = read_toml("f.toml", b"a = 1\r\n[b]\r\nc = 'd'", faults)
    assert table is not None
    assert table.members == {"a": 1, "b": {"c": "d"}}
    assert not faults
    faults.check()


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        (b"\n\na = \xff", 3, "the file is not UTF-8: save it as UTF-8"),
        (
            b"\xef\xbb\xbfa = 1",
            1,
            "the file begins with a byte order mark: save it as UTF-8 without",
        ),
        (b"#" * (MAX_FILE_BYTES + 1), 0, "the file is too large: 1048577 bytes, and 1048576 are"),
        (b"\na = " + b"[" * 10_000, 2, "the document nests too deeply"),
        (b"a = 1\nb = " + b"9" * 5_000, 0, "an integer has too many digits"),
        # What follows `not TOML` are the words of `tomllib`, and its own affair.
        (b"a = 1\nb = True", 2, "not TOML: "),
        (b"a = 1\n$.x = 2", 2, "not TOML: "),
        (b"a = 1\nb = 'x\n", 2, "not TOML: "),
        (b'a = """x\n\n', 1, "not TOML: "),
        (b"a = 1\nb = [\n 1,\n", 3, "not TOML: "),
        (b"a = 1\nb = 2 c = 3", 2, "not TOML: "),
        (b"a.b = 1\na = 2", 2, "not TOML: "),
        (b"a = []\n[[a]]", 2, "not TOML: "),
        (b"a = 1\n\na = 2", 3, "`a` is written twice: first in line 1"),
        (b"[a]\nb = 1\n[a]", 3, "`a` is written twice: first in line 1"),
        (b"[[r]]\n[[r]]\nn = { x = 1, x = 2 }", 3, "`r.n.x` is written twice: first in line 3"),
    ],
)
def test_what_is_no_toml_is_a_fault_with_its_line(data: bytes, line: int, message: str) -> None:
    fault = fault_of(data)
    assert fault.line == line
    assert fault.message.startswith(message)


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (b"$.x = 1", "a key with `$`, `[` or `*` in it stands in quotes"),
        (b"a = yes", "a string stands in quotes; true and false are in lower case"),
        (b'a = "\\d"', "in single quotes a backslash is only itself"),
        (b"#" * (MAX_FILE_BYTES + 1), "a catalogue or policy may be split into several files"),
    ],
)
def test_a_fault_says_what_to_write_instead(data: bytes, hint: str) -> None:
    assert fault_of(data).hint == hint


def test_every_repeat_is_listed() -> None:
    faults = Faults()
    read_toml("f.toml", b"a = 1\na = 2\nb = 1\nb = 2\n", faults)
    assert [fault.line for fault in faults.error().faults] == [2, 4]


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_no_bytes_are_a_traceback(data: bytes) -> None:
    faults = Faults()
    assert (read_toml("f.toml", data, faults) is None) == bool(faults)


def test_faults_are_listed_by_file_and_line() -> None:
    faults = Faults()
    for file, line in [("b", 1), ("a", 2), ("a", 1)]:
        faults.add(file, line, "x", "h")
    with pytest.raises(ConfigError, match=r"a:1: x\n  hint: h") as caught:
        faults.check()
    assert [(fault.file, fault.line) for fault in caught.value.faults] == [
        ("a", 1), ("a", 2), ("b", 1)
    ]  # fmt: skip


def test_a_file_with_too_many_faults_is_given_up() -> None:
    faults = Faults()
    for line in range(MAX_FAULTS - 1):
        faults.add("f", line, "x")
    with pytest.raises(ConfigError) as caught:
        faults.add("f", MAX_FAULTS, "x")
    assert len(caught.value.faults) == MAX_FAULTS


def test_the_nearest_word_is_suggested() -> None:
    assert did_you_mean("trafic", ["traffic", "content"]) == "did you mean `traffic`?"
    assert did_you_mean("x", ["traffic", "content"]) == "known: `content`, `traffic`"
    assert did_you_mean("x", []) == ""
    assert listed(str(i) for i in range(12)).endswith("`9` and 2 more")


def test_files_of_the_repository_are_read() -> None:
    faults = Faults()
    for path in sorted((Path(__file__).parents[2] / "config").rglob("*.toml")):
        assert read_toml(path.name, path.read_bytes(), faults) is not None
    assert not faults
