import contextlib
import threading
from pathlib import Path

import pytest

from withhold.adapters.anchor import read_anchor, replace_anchor, write_anchor
from withhold.errors import LedgerUnavailable
from withhold.ledger.tree import Frontier


def log(size: int, kind: bytes = b"\0") -> Frontier:
    return Frontier().append([kind * 32] * size)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger-anchor"


def test_before_anything_was_noted_the_log_is_empty(path: Path) -> None:
    assert read_anchor(path) == Frontier()


def test_what_was_noted_is_read(path: Path) -> None:
    for size in (1, 2, 300):
        write_anchor(path, log(size))
        assert read_anchor(path) == log(size)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_an_empty_log_is_not_noted(path: Path) -> None:
    write_anchor(path, Frontier())
    assert not path.exists()


@pytest.mark.parametrize("size", [0, 1, 5, 6, 7])
def test_it_never_goes_back(path: Path, size: int) -> None:
    write_anchor(path, log(7))
    write_anchor(path, log(size, b"\1"))
    assert read_anchor(path) == log(7)


def test_unless_a_person_says_so(path: Path) -> None:
    write_anchor(path, log(7))
    replace_anchor(path, log(3))
    assert read_anchor(path) == log(3)


@pytest.mark.parametrize("size", [0, 1, 7, 8, 39, 41, 71, 5_000])
def test_one_that_is_damaged_is_none(path: Path, size: int) -> None:
    write_anchor(path, log(3))
    whole = path.read_bytes()
    assert len(whole) == 72
    path.write_bytes((whole + bytes(5_000))[:size])
    for attempt in (lambda: read_anchor(path), lambda: write_anchor(path, log(9))):
        with pytest.raises(LedgerUnavailable, match="is damaged: it should say how far") as caught:
            attempt()
        assert "withhold ledger accept" in caught.value.hint
    assert len(path.read_bytes()) == size  # it stays, to be looked at
    replace_anchor(path, log(9))
    assert read_anchor(path) == log(9)


def test_a_flipped_bit_of_its_size_is_found(path: Path) -> None:
    write_anchor(path, log(3))
    whole = path.read_bytes()
    for bit in range(64):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with contextlib.suppress(LedgerUnavailable):
            assert read_anchor(path) != log(3)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "ledger-anchor"
    assert read_anchor(path) == Frontier()
    for write in (write_anchor, replace_anchor):
        with pytest.raises(LedgerUnavailable, match="can't be used: no such file or directory"):
            write(path, log(1))


def test_what_is_no_file_is_said(path: Path) -> None:
    path.mkdir()
    for attempt in (lambda: read_anchor(path), lambda: replace_anchor(path, log(1))):
        with pytest.raises(LedgerUnavailable, match="can't be used: is a directory"):
            attempt()
    assert [file.name for file in path.parent.iterdir()] == [path.name]  # nothing is left over


def test_writers_beside_each_other_never_let_it_go_back(path: Path) -> None:
    logs = [log(size) for size in range(1, 400)]
    ended = threading.Event()
    seen: list[int] = []

    def read() -> None:
        while not ended.is_set():
            seen.append(read_anchor(path).size)

    def write(offset: int) -> None:
        for each in logs[offset::4]:
            write_anchor(path, each)

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(offset,)) for offset in range(4)]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    ended.set()
    reader.join()
    assert seen == sorted(seen)
    assert read_anchor(path) == logs[-1]
    assert [file.name for file in path.parent.iterdir()] == [path.name]
