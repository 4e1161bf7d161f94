"""Copies on disk; what exports make of them is in tests/commands/test_ledger.py."""

import os
from pathlib import Path

import pytest

from withhold.adapters.copies import STAGE, read_files, staged
from withhold.errors import BadRequest, WithholdError


def test_all_files_are_listed_and_what_is_no_plain_file_reads_as_nothing(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_bytes(b"x")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/file").write_bytes(b"y")
    (tmp_path / "a/link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "pipe")
    files = read_files(tmp_path)
    assert files.paths == {"a/b/file", "a/link", "elsewhere/file", "pipe"}
    assert [files.read(path) for path in ("a/b/file", "a/link", "pipe", "none")] == [
        b"x",
        b"",
        b"",
        b"",
    ]


def test_where_there_is_no_folder_there_is_no_copy(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="there is no folder"):
        read_files(tmp_path / "none")


def test_what_is_staged_is_not_the_copys_until_it_is_moved(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "copy"
    with staged(folder) as stage:
        stage.write("tile/0/000", b"new")
        assert read_files(folder).paths == set()
        assert stage.read("tile/0/000") == b"new"
        stage.publish("tile/0/000")
        assert read_files(folder).paths == {"tile/0/000"}
        assert stage.read("tile/0/000") == b"new"
        stage.settle()
        stage.write("left", b"behind")
    assert not (folder / STAGE).exists()
    with staged(folder) as stage:
        stage.remove(["tile/0/000"])
    assert not (folder / "tile/0").exists()


def test_what_a_crash_left_staged_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / STAGE).mkdir()
    (tmp_path / STAGE / "checkpoint").write_bytes(b"old")
    (tmp_path / "deep" / STAGE).mkdir(parents=True)
    (tmp_path / "deep" / STAGE / "file").touch()
    assert read_files(tmp_path).paths == {f"deep/{STAGE}/file"}
    with staged(tmp_path) as stage, pytest.raises(FileNotFoundError):
        stage.read("checkpoint")


def test_one_export_at_a_time_has_a_folder(tmp_path: Path) -> None:
    with staged(tmp_path), pytest.raises(WithholdError, match="in use"), staged(tmp_path):
        pass
    with staged(tmp_path):
        pass
