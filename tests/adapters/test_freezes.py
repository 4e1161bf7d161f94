from pathlib import Path

import pytest

from tests.durable import SUBPOENA, SYNAPSE
from withhold.adapters.freezes import add_freeze, list_freezes, make_folder, remove_freeze
from withhold.errors import DatabaseUnavailable
from withhold.names import InstrumentName, StoreName
from withhold.ports import Freeze

EVERYTHING = Freeze()
ALL = [
    EVERYTHING,
    Freeze(store=SYNAPSE),
    Freeze(instrument=SUBPOENA),
    Freeze(store=SYNAPSE, instrument=SUBPOENA),
    Freeze(store=StoreName("../../etc/passwd\n"), instrument=InstrumentName("é")),
    Freeze(instrument=InstrumentName("synapse")),
]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("freeze", ALL)
def test_a_freeze_is_in_force_until_it_is_lifted(tmp_path: Path, freeze: Freeze) -> None:
    path = add_freeze(tmp_path, freeze)
    assert path.parent == tmp_path
    assert list_freezes(tmp_path) == {freeze}
    assert add_freeze(tmp_path, freeze) == path
    assert names(tmp_path) == [path.name]
    remove_freeze(tmp_path, freeze)
    assert list_freezes(tmp_path) == frozenset()
    remove_freeze(tmp_path, freeze)


def test_several_are_in_force_and_exactly_one_is_lifted(tmp_path: Path) -> None:
    for freeze in ALL:
        add_freeze(tmp_path, freeze)
    assert list_freezes(tmp_path) == set(ALL)
    remove_freeze(tmp_path, EVERYTHING)
    assert list_freezes(tmp_path) == set(ALL[1:])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"store": "synapse"}',
        b'{"store": "synapse", "instrument": null, "until": "tomorrow"}',
        b'{"store": 1, "instrument": null}',
        b'{"store": "", "instrument": null}',
        b'{"store": "synapse", "instrument": ["x"]}',
        b"\xff\xfe",
        b"[" * 4_000,
        b'{"store": "' + b"x" * 5_000 + b'", "instrument": null}',
    ],
)
def test_a_file_that_says_nothing_we_understand_freezes_everything(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "made-by-hand").write_bytes(content)
    assert list_freezes(tmp_path) == {EVERYTHING}
    remove_freeze(tmp_path, EVERYTHING)
    assert names(tmp_path) == []


def test_what_cannot_be_read_freezes_everything(tmp_path: Path) -> None:
    (tmp_path / "a-folder").mkdir()
    assert list_freezes(tmp_path) == {EVERYTHING}


def test_a_file_under_way_freezes_nothing(tmp_path: Path) -> None:
    (tmp_path / ".everything.0123456789abcdef").write_bytes(b"")
    assert list_freezes(tmp_path) == frozenset()


def test_a_file_that_goes_while_it_is_read_is_no_freeze(tmp_path: Path) -> None:
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert list_freezes(tmp_path) == frozenset()


def test_the_folder_is_made_for_its_owner(tmp_path: Path) -> None:
    folder = tmp_path / "var" / "freezes"
    make_folder(folder)
    make_folder(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert list_freezes(folder) == frozenset()


def test_without_its_folder_nothing_is_known(tmp_path: Path) -> None:
    folder = tmp_path / "missing"
    for use in (
        lambda: list_freezes(folder),
        lambda: add_freeze(folder, EVERYTHING),
        lambda: remove_freeze(folder, EVERYTHING),
    ):
        with pytest.raises(DatabaseUnavailable, match="can't be used: no such file or directory"):
            use()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DatabaseUnavailable, match="can't be used"):
        make_folder(tmp_path / "file" / "freezes")
