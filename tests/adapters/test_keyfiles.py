import logging
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from withhold.adapters.keyfiles import (
    KeyFolder,
    destroy_key,
    load_keys,
    load_signer_key,
    make_keys,
    make_next_key,
    make_signer_key,
    make_token,
    read_private,
    write_private,
)
from withhold.errors import KeyUnavailable
from withhold.keyring import KeyKind

ROOT = os.geteuid() == 0
SECOND_NS = 1_000_000_000


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


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", KeyKind)
def test_a_next_version_is_made_beside_the_older_ones(folder: Path, kind: KeyKind) -> None:
    make_keys(folder)
    before = load_keys(folder)
    assert make_next_key(folder, kind) == 2
    assert make_next_key(folder, kind) == 3
    after = load_keys(folder)
    assert {each: sorted(after.of(each)) for each in KeyKind} == {
        each: [1, 2, 3] if each is kind else [1] for each in KeyKind
    }
    assert after.of(kind)[1] == before.of(kind)[1]
    assert len(set(after.of(kind).values())) == 3
    assert {mode(path) for path in folder.iterdir()} == {0o600}
    assert make_next_key(folder, kind, above=8) == 9


def test_two_who_rotate_at_once_make_two_versions_or_one_is_told(folder: Path) -> None:
    make_keys(folder)
    made, refused = [], []
    begin = threading.Barrier(8)

    def rotate() -> None:
        begin.wait()
        try:
            made.append(make_next_key(folder, KeyKind.CACHE))
        except KeyUnavailable as error:
            refused.append(error.message)

    threads = [threading.Thread(target=rotate) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) + len(refused) == 8
    assert sorted(made) == list(range(2, len(made) + 2))
    assert all("is there already" in message for message in refused)
    assert sorted(load_keys(folder).cache) == [1, *sorted(made)]


def test_an_older_version_is_destroyed_and_nothing_else(folder: Path) -> None:
    make_keys(folder)
    make_next_key(folder, KeyKind.LEDGER)
    newest = load_keys(folder).ledger[2]
    destroy_key(folder, KeyKind.LEDGER, 1)
    assert names(folder) == sorted(
        ["cache-1.key", "commitment-1.key", "encryption-1.key", "ledger-2.key"]
    )
    assert load_keys(folder).ledger == {2: newest}
    with pytest.raises(KeyUnavailable, match="there is no version 1 of the ledger key"):
        destroy_key(folder, KeyKind.LEDGER, 1)


@pytest.mark.parametrize("version", [2, 3])
def test_the_newest_version_is_not_destroyed(folder: Path, version: int) -> None:
    make_keys(folder)
    make_next_key(folder, KeyKind.CACHE)
    with pytest.raises(KeyUnavailable, match="is not older than the newest") as caught:
        destroy_key(folder, KeyKind.CACHE, version)
    assert caught.value.hint == "`withhold keys rotate cache` makes a newer one"
    assert sorted(load_keys(folder).cache) == [1, 2]


def test_a_destroyed_key_is_overwritten_under_every_name_it_has(folder: Path) -> None:
    make_keys(folder)
    make_next_key(folder, KeyKind.CACHE)
    kept = folder.parent / "kept"
    kept.hardlink_to(folder / "cache-1.key")
    # What a crash left when the key was made: the same file under the name it had till then.
    (folder / ".cache-1.key.0123456789abcdef").hardlink_to(kept)
    destroy_key(folder, KeyKind.CACHE, 1)
    assert kept.read_bytes() == bytes(32)
    assert [name for name in names(folder) if "cache-1" in name] == []


def test_what_cannot_be_overwritten_is_said(folder: Path) -> None:
    make_keys(folder)
    make_next_key(folder, KeyKind.CACHE)
    (folder / ".cache-1.key.folder").mkdir()
    with pytest.raises(KeyUnavailable, match=r"cache-1\.key` can't be used: is a directory"):
        destroy_key(folder, KeyKind.CACHE, 1)
    assert sorted(load_keys(folder).cache) == [2]


# For each call that changes or reads a folder: a copy of the folder, and a process that is killed
# just before that call, as a power cut would. The last copy is of one that came to its end.
KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from withhold.adapters.keyfiles import destroy_key, make_next_key
from withhold.keyring import KeyKind

folder, what = Path(sys.argv[1]), sys.argv[2]
left = 0

def mortal(call):
    def counted(*arguments, **named):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return call(*arguments, **named)
    return counted

for step in range(1000):
    copy = folder.with_name(f"step-{step:03}")
    shutil.copytree(folder, copy)
    child = os.fork()
    if child == 0:
        left = step
        for name in ("open", "fsync", "link", "unlink", "rename"):
            setattr(os, name, mortal(getattr(os, name)))
        if what == "make":
            make_next_key(copy, KeyKind.CACHE)
        else:
            destroy_key(copy, KeyKind.CACHE, 1)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
"""


def killed_at_each_step(folder: Path, what: str) -> list[Path]:
    subprocess.run([sys.executable, "-c", KILLED, str(folder), what], timeout=60, check=True)
    return sorted(folder.parent.glob("step-*"))


def test_a_rotation_that_is_killed_leaves_keys_that_load(folder: Path) -> None:
    make_keys(folder)
    kept = load_keys(folder).cache[1]
    *killed, whole = killed_at_each_step(folder, "make")
    assert sorted(load_keys(whole).cache) == [1, 2]
    made = 0
    for copy in killed:
        ring = load_keys(copy)
        assert ring.cache[1] == kept
        assert len(set(ring.cache.values())) == len(ring.cache)
        made += 2 in ring.cache
        assert make_next_key(copy, KeyKind.CACHE) == len(ring.cache) + 1
    assert len(killed) >= 8
    assert 0 < made < len(killed)  # some came too early to have made it, some did not


def test_a_destruction_that_is_killed_leaves_keys_that_load(folder: Path) -> None:
    make_keys(folder)
    make_next_key(folder, KeyKind.CACHE)
    first, newest = load_keys(folder).cache.values()
    *killed, whole = killed_at_each_step(folder, "destroy")
    assert load_keys(whole).cache == {2: newest}
    for copy in killed:
        # Whole or no key at all: never one that is half overwritten.
        assert load_keys(copy).cache in ({1: first, 2: newest}, {2: newest})
        if any("cache-1" in name for name in names(copy)):
            destroy_key(copy, KeyKind.CACHE, 1)  # the same command ends what is left of it
        assert load_keys(copy).cache == {2: newest}
        assert [name for name in names(copy) if "cache" in name] == ["cache-2.key"]
    assert len(killed) >= 8


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now_ns = 5

    def __call__(self) -> int:
        return self.now_ns

    def pass_ns(self, time_ns: int) -> None:
        self.now_ns += time_ns


def test_a_folder_of_keys_is_looked_at_every_second(folder: Path) -> None:
    make_keys(folder)
    clock = Clock()
    keys = KeyFolder(folder, clock)
    ring = keys.ring
    clock.pass_ns(SECOND_NS)
    assert keys.ring is ring  # nothing changed, so nothing is read
    make_next_key(folder, KeyKind.CACHE)
    clock.pass_ns(SECOND_NS - 1)
    assert keys.ring is ring
    clock.pass_ns(1)
    assert sorted(keys.ring.cache) == [1, 2]
    destroy_key(folder, KeyKind.CACHE, 1)
    clock.pass_ns(SECOND_NS)
    assert sorted(keys.ring.cache) == [2]


def test_a_folder_of_keys_is_looked_at_when_a_key_is_missing(folder: Path) -> None:
    make_keys(folder)
    keys = KeyFolder(folder, Clock())
    make_next_key(folder, KeyKind.ENCRYPTION)
    assert sorted(keys.ring.encryption) == [1]
    assert sorted(keys.reload().encryption) == [1, 2]
    assert sorted(keys.ring.encryption) == [1, 2]


def replace_key(folder: Path) -> None:
    path = folder / "cache-1.key"
    before = path.stat()
    path.unlink()
    write_private(path, b"r" * 32)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_key_that_was_replaced_is_noticed_whatever_its_date(folder: Path) -> None:
    make_keys(folder)
    keys = KeyFolder(folder, Clock())
    replace_key(folder)
    assert keys.reload().cache_key == b"r" * 32


def break_mode(folder: Path) -> None:
    (folder / "cache-1.key").chmod(0o644)


def break_size(folder: Path) -> None:
    (folder / "cache-1.key").write_bytes(b"short and secret")


def take_away(folder: Path) -> None:
    (folder / "cache-1.key").unlink()


def move_folder(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))


def link_nowhere(folder: Path) -> None:
    (folder / "cache-7.key").symlink_to(folder / "nowhere")


@pytest.mark.parametrize("harm", [break_mode, break_size, take_away, move_folder, link_nowhere])
def test_a_broken_folder_keeps_the_last_good_ring_and_says_so_once(
    folder: Path, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    make_keys(folder)
    clock = Clock()
    keys = KeyFolder(folder, clock)
    ring = keys.ring
    harm(folder)
    for _ in range(3):
        clock.pass_ns(SECOND_NS)
        assert keys.ring is ring
        assert keys.reload() is ring
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert caplog.messages[0].startswith(f"the keys stay as they were: `{folder}")
    assert "secret" not in caplog.text
    assert not any(key.hex() in caplog.text for kind in KeyKind for key in ring.of(kind).values())


def test_a_folder_that_is_mended_is_read_again_and_may_break_again(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_keys(folder)
    keys = KeyFolder(folder, Clock())
    for times in range(1, 3):
        break_mode(folder)
        keys.reload()
        assert len(caplog.records) == times
        (folder / "cache-1.key").chmod(0o600)
        make_next_key(folder, KeyKind.LEDGER)
        assert sorted(keys.reload().ledger) == list(range(1, times + 2))


def test_no_folder_no_ring(folder: Path) -> None:
    with pytest.raises(KeyUnavailable, match="no such file or directory"):
        KeyFolder(folder)
    make_keys(folder)
    assert KeyFolder(folder).ring == load_keys(folder)


def test_who_asks_while_somebody_looks_does_not_wait(folder: Path) -> None:
    make_keys(folder)
    clock = Clock()
    keys = KeyFolder(folder, clock)
    ring = keys.ring
    make_next_key(folder, KeyKind.CACHE)
    clock.pass_ns(SECOND_NS)
    with keys._looking:
        assert keys.ring is ring
    assert sorted(keys.ring.cache) == [1, 2]
