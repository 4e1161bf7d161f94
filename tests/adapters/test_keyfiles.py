import os
import stat
from pathlib import Path

import pytest

from withhold.adapters.keyfiles import (
    load_keys,
    load_signer_key,
    make_keys,
    make_signer_key,
    make_token,
    read_private,
    write_private,
)
from withhold.errors import KeyUnavailable
from withhold.keyring import KeyKind

ROOT = os.geteuid() == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "var" / "keys"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_keys_are_made_once_and_read(folder: Path) -> None:
    made = make_keys(folder)
    names = ["encryption-1.key", "cache-1.key", "ledger-1.key", "commitment-1.key"]
    assert [path.name for path in made] == names
    assert mode(folder) == 0o700
    assert {mode(path) for path in folder.iterdir()} == {0o600}
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    ring = load_keys(folder)
    keys = {ring.of(kind)[1] for kind in KeyKind}
    assert len(keys) == 4
    assert {len(key) for key in keys} == {32}
    assert make_keys(folder) == []
    assert load_keys(folder) == ring


@pytest.mark.parametrize("kind", KeyKind)
def test_what_is_missing_is_made_and_nothing_else_touched(folder: Path, kind: KeyKind) -> None:
    make_keys(folder)
    kept = load_keys(folder)
    (folder / f"{kind}-1.key").unlink()
    with pytest.raises(KeyUnavailable, match=f"has no {kind} key") as caught:
        load_keys(folder)
    assert caught.value.hint == "`withhold keys init` makes what is missing"
    assert [path.name for path in make_keys(folder)] == [f"{kind}-1.key"]
    ring = load_keys(folder)
    assert {each for each in KeyKind if ring.of(each) != kept.of(each)} == {kind}


def test_a_higher_number_is_newer_and_other_files_are_none_of_ours(folder: Path) -> None:
    make_keys(folder)
    write_private(folder / "encryption-12.key", b"n" * 32)
    write_private(folder / "cache-0.key", b"x" * 32)
    write_private(folder / "README", b"")
    ring = load_keys(folder)
    assert (ring.encryption_version, sorted(ring.encryption)) == (12, [1, 12])
    assert sorted(ring.cache) == [1]
    assert make_keys(folder) == []


@pytest.mark.parametrize("bits", [0o644, 0o640, 0o602, 0o601])
def test_a_key_that_others_could_read_is_not_used(folder: Path, bits: int) -> None:
    make_keys(folder)
    (folder / "cache-1.key").chmod(bits)
    with pytest.raises(KeyUnavailable, match=r"cache-1\.key` can be read or changed by others"):
        load_keys(folder)


@pytest.mark.parametrize("bits", [0o755, 0o750, 0o702])
def test_a_folder_that_others_could_look_into_is_not_used(folder: Path, bits: int) -> None:
    make_keys(folder)
    folder.chmod(bits)
    for use in (load_keys, make_keys):
        with pytest.raises(
            KeyUnavailable, match="keys` can be read or changed by others"
        ) as caught:
            use(folder)
        assert "chmod" in caught.value.hint


@pytest.mark.skipif(not ROOT, reason="only root can give a file away")
def test_a_key_of_somebody_else_is_not_used(folder: Path) -> None:
    make_keys(folder)
    os.chown(folder / "cache-1.key", 12345, -1)
    with pytest.raises(KeyUnavailable, match=r"cache-1\.key` belongs to somebody else"):
        load_keys(folder)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_size_is_none(folder: Path, size: int) -> None:
    make_keys(folder)
    (folder / "cache-1.key").write_bytes(bytes(size))
    with pytest.raises(KeyUnavailable, match="it has not 32 bytes"):
        load_keys(folder)


def test_a_folder_or_a_file_that_is_none_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable, match="can't be used: no such file or directory"):
        load_keys(folder)
    file = tmp_path / "file"
    write_private(file, b"")
    with pytest.raises(KeyUnavailable, match="is not a folder"):
        load_keys(file)
    with pytest.raises(KeyUnavailable, match="can't be used"):
        make_keys(file / "keys")
    make_keys(folder)
    (folder / "cache-1.key").unlink()
    (folder / "cache-1.key").mkdir(mode=0o700)
    with pytest.raises(KeyUnavailable, match=r"can't be used|is not a file"):
        load_keys(folder)


def test_a_pipe_is_no_key_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(KeyUnavailable, match="is not a file"):
        read_private(tmp_path / "pipe")


def test_a_private_file_is_whole_or_not_there_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "intake-1.key"
    write_private(path, b"one")
    with pytest.raises(KeyUnavailable, match="is there already, and a key is never replaced"):
        write_private(path, b"two")
    assert read_private(path) == b"one"
    assert [each.name for each in tmp_path.iterdir()] == ["intake-1.key"]
    with pytest.raises(KeyUnavailable, match="can't be used: no such file or directory"):
        write_private(tmp_path / "missing" / "x.key", b"")


def test_a_signers_key_is_made_private_and_read(tmp_path: Path) -> None:
    path = tmp_path / "intake-1.key"
    key = make_signer_key(path)
    assert mode(path) == 0o600
    assert load_signer_key(path).private_bytes_raw() == key.private_bytes_raw()
    path.chmod(0o640)
    with pytest.raises(KeyUnavailable, match="can be read or changed by others"):
        load_signer_key(path)


def test_every_token_is_another() -> None:
    tokens = {make_token() for _ in range(10)}
    assert len(tokens) == 10
    assert {len(token) for token in tokens} == {46}
