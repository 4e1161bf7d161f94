"""The log as others get it: exported by a Withhold that runs, verified by whoever holds a copy.

The exported copy of 1,000 entries is tampered with at every position, in every way there is.
"""

import asyncio
import errno
import functools
import itertools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tlog_scales.reader import TilesReader

from tests.ledger.copies import Copy, Log, entry_of
from tests.ledger.logs import signer_of, witness_of
from tests.running import Done, Running, run, starter
from withhold import config
from withhold.adapters.anchor import read_anchor, replace_anchor, write_anchor
from withhold.adapters.copies import STAGE, Stage, read_files, staged
from withhold.adapters.database import Database
from withhold.adapters.ledger import SqlLedger
from withhold.adapters.log import read_frontier
from withhold.keyring import ledger_keys
from withhold.ledger import course, growth, tiles, walk
from withhold.ledger.checkpoint import Checkpoint, sign_checkpoint
from withhold.ledger.copy import Keys, Trusted, Verdict, verify_copy
from withhold.ledger.growth import root_of_copy
from withhold.ledger.note import (
    Signer,
    add_signatures,
    cosign,
    parse_note,
    print_verifier_key,
)
from withhold.ledger.tree import Frontier, hash_leaf
from withhold.ledger.walk import Files
from withhold.starter import Starter

SIZE = 1_000
RANDOM = random.Random(3)


async def _append(database: Database, first: int, last: int) -> None:
    ledger = SqlLedger(database)
    for begin in range(first, last, 100):  # few commits, in the order of the log
        entries = [entry_of(index) for index in range(begin, min(begin + 100, last))]
        await asyncio.gather(*map(ledger.append, entries))


def fill(made: Starter, first: int, last: int) -> None:
    """Put entries into the log of a working folder; some come after what the node says itself."""
    database = Database(f"sqlite:///{made.folder}/config/var/withhold.db")
    try:
        asyncio.run(_append(database, first, last))
    finally:
        database.close()


def signer(made: Starter) -> Signer:
    deployment = config.load_deployment(made.file)
    keys = ledger_keys(config.open_keys(deployment).ring)
    return Signer(deployment.ledger_origin, keys[1])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(starter(tmp_path_factory.mktemp("ledger") / "made")) as running:
        size = exported(running, "measure")["size"]
        fill(running.starter, 0, SIZE - size)
        yield running


def exported(running: Running, folder: str, *words: str, code: int = 0) -> Any:  # noqa: ANN401 - JSON
    done = running.command("ledger", "export", folder, "--json", *words, caller="auditor")
    assert done.code == code, done.err
    return json.loads(done.out) if code == 0 else done.err


@pytest.fixture(scope="module")
def copy(running: Running) -> Path:
    """A copy of the whole log, with public parts."""
    said = exported(running, "copy", "--entries")
    assert (said["size"], said["had"], said["entries"]) == (SIZE, 0, True)
    return running.starter.folder / "copy"


@pytest.fixture(scope="module")
def vkey(running: Running) -> str:
    return print_verifier_key(signer(running.starter).verifier_key)


def verify(folder: Path, *words: str) -> Done:
    return run("ledger", "verify", str(folder), *words, cwd=folder.parent)


def verdict(folder: Path, *words: str) -> tuple[int, Any]:
    done = verify(folder, *words, "--json")
    return done.code, json.loads(done.out)


# --- A copy, as it was exported ---


def test_a_copy_is_whole_and_its_end_unproven_without_a_checkpoint(copy: Path, vkey: str) -> None:
    code, found = verdict(copy, "--key", vkey)
    assert (code, found["faults"], found["warnings"]) == (0, [], [])
    assert (found["size"], found["whole_to"], found["public_parts"]) == (SIZE, SIZE, SIZE)
    assert (found["whole"], found["proven_to"]) == (True, 0)
    said = verify(copy, "--key", vkey)
    assert "unproven" in said.out
    assert "all of it" in said.out
    other = print_verifier_key(signer_of("withhold/example-trial", 5).verifier_key)
    said = verify(copy, "--key", other)
    assert "hint: give --key every key that the log has had" in said.out


def test_a_checkpoint_from_elsewhere_proves_its_end(
    running: Running, copy: Path, vkey: str, tmp_path: Path
) -> None:
    """As does what an auditor noted before, up to where the log was then."""
    (tmp_path / "keys").write_text(f"\n{vkey}\n")
    leaves = leaves_of(files_of(copy))
    for size, end in ((SIZE, "proven"), (600, "proven up to size 600"), (1, "up to size 1;")):
        (tmp_path / "noted").write_bytes(noted(leaves[:size], signer(running.starter)))
        words = ("--key", str(tmp_path / "keys"), "--checkpoint", str(tmp_path / "noted"))
        code, found = verdict(copy, *words)
        assert (code, found["proven_to"]) == (0, size)
        assert end in verify(copy, *words).out


def test_a_log_that_went_on_proves_that_a_copy_ends_early(
    running: Running, copy: Path, vkey: str, tmp_path: Path
) -> None:
    leaves = [*leaves_of(files_of(copy)), bytes(32)]
    (tmp_path / "later").write_bytes(noted(leaves, signer(running.starter)))
    code, found = verdict(copy, "--key", vkey, "--checkpoint", str(tmp_path / "later"))
    assert code == 1
    assert "ends early: it has 1000 entries of 1001" in found["faults"][0]["message"]
    assert found["whole_to"] == SIZE


def test_a_witness_proves_its_end_and_says_when(
    running: Running, copy: Path, vkey: str, tmp_path: Path
) -> None:
    """The log's own checkpoint, with what a witness added; and one that no witness signed."""
    witness, other = witness_of("witness.example/w"), witness_of("witness.example/other", 5)
    note = noted(leaves_of(files_of(copy)), signer(running.starter))
    cosigned = add_signatures(note, [cosign(parse_note(note).text, witness, 1_795_000_000)])
    (tmp_path / "witnessed").write_bytes(cosigned)
    keys = ("--key", vkey, "--checkpoint", str(tmp_path / "witnessed"), "--witness")
    code, found = verdict(copy, *keys, print_verifier_key(witness.verifier_key))
    assert (code, found["proven_to"]) == (0, SIZE)
    seen = {"name": "witness.example/w", "size": SIZE, "time_s": 1_795_000_000}
    assert found["witnesses"] == [seen]
    said = verify(copy, *keys, print_verifier_key(witness.verifier_key)).out
    assert "by witness.example/w, size 1000, at 2026-11-18T" in said
    code, found = verdict(copy, *keys, print_verifier_key(other.verifier_key))
    assert (code, found["faults"][0]["place"]) == (1, "witnesses")


def test_another_key_or_another_log_is_a_fault(copy: Path, vkey: str) -> None:
    name = vkey.partition("+")[0]
    stranger = print_verifier_key(signer_of(name, 9).verifier_key)
    code, found = verdict(copy, "--key", stranger)
    assert (code, found["faults"][0]["place"]) == (1, "checkpoint")
    code, found = verdict(copy, "--key", vkey, "--origin", "log.example/other")
    assert (code, "another log" in found["faults"][0]["message"]) == (1, True)
    assert "fault:" in verify(copy, "--key", stranger).out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--key", "nonsense"], 2, "no file has this name"),
        (["--key", "WITNESS"], 2, "takes a log's key"),
        (["--key", "VKEY", "--witness", "VKEY"], 2, "key for cosignatures"),
        (["--key", "VKEY", "--key", "OTHER"], 2, "several names"),
        (["--key", "VKEY", "--body", "x"], 2, "for the proof of one receipt"),
        (["--key", "VKEY", "--checkpoint", "nowhere"], 3, "no such file"),
        (["--key", "EMPTY"], 2, "no key in the file"),
        (["--key", "VKEY", "--checkpoint", "BAD"], 2, "is no checkpoint"),
        (["--key", "VKEY", "--checkpoint", "ITS"], 2, "of itself it proves nothing"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_use_is_told(
    copy: Path,
    vkey: str,
    tmp_path: Path,
    *,
    words: list[str],
    code: int,
    said: str,
) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "bad").write_text('{"format": "withhold-receipt/1"}')
    names = {
        "VKEY": vkey,
        "WITNESS": print_verifier_key(witness_of("w.example").verifier_key),
        "OTHER": print_verifier_key(signer_of("log.example/other").verifier_key),
        "EMPTY": str(tmp_path / "empty"),
        "BAD": str(tmp_path / "bad"),
        "ITS": str(copy / "checkpoint"),
    }
    done = verify(copy, *(names.get(word, word) for word in words))
    assert (done.code, done.out) == (code, "")
    assert said in done.err


def test_a_copy_that_is_not_there_is_wrong_use(tmp_path: Path, vkey: str) -> None:
    assert verify(tmp_path / "nowhere", "--key", vkey).code == 2


def test_what_is_unreadable_is_no_verdict(copy: Path, vkey: str, tmp_path: Path) -> None:
    """Where even root can't read: a folder in a file's place is no file, and a fault."""
    other = rewritten(tmp_path / "copy", files_of(copy))
    (other / "tile/0/000").unlink()
    (other / "tile/0/000").symlink_to("000")
    code, found = verdict(other, "--key", vkey)
    assert (code, found["faults"][0]["place"]) == (1, "tile/0/000")


def test_a_reader_of_other_origin_reads_the_copy(copy: Path) -> None:
    """tlog-scales reads the tiles and makes the root of them, as it was signed."""
    reader = TilesReader(_Folder(copy))
    checkpoint = reader.get_checkpoint()
    assert checkpoint.size == SIZE
    assert reader.calculate_root_hash() == checkpoint.root_hash
    leaves = leaves_of(files_of(copy))
    assert [reader.get_entry(index) for index in range(SIZE)] == leaves


class _Folder:
    """A copy, as their reader asks for its files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, *path: str) -> bytes | None:
        place = self._folder.joinpath(*path)
        return place.read_bytes() if place.is_file() else None


# --- Tampering, at every position ---

Tree = list[bytes]
Change = Callable[[list[bytes], int], list[bytes]]


def flipped(data: bytes) -> bytes:
    """Give the data with one of its bits another."""
    bit = RANDOM.randrange(8 * len(data))
    return data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]


def flip(each: Tree, at: int) -> Tree:
    return [*each[:at], flipped(each[at]), *each[at + 1 :]]


def drop(each: Tree, at: int) -> Tree:
    return each[:at] + each[at + 1 :]


def swap(each: Tree, at: int) -> Tree:
    other = at + 1 if at + 1 < len(each) else 0
    changed = list(each)
    changed[at], changed[other] = each[other], each[at]
    return changed


def double(each: Tree, at: int) -> Tree:
    return [*each[:at], each[at], *each[at:]]


def insert(each: Tree, at: int) -> Tree:
    return [*each[:at], bytes(32), *each[at:]]


def replace_by_the_last(each: Tree, at: int) -> Tree:
    """Take one out, and keep the size by making one up."""
    return [*drop(each, at), bytes(32)]


def truncate(each: Tree, at: int) -> Tree:
    return each[:at]


WAYS: tuple[Change, ...] = (flip, drop, swap, double, insert, replace_by_the_last, truncate)


class Case:
    """The copy in memory, and what verifies it: the log's key, and a checkpoint from elsewhere."""

    def __init__(self, copy: Copy, signed_by: Signer) -> None:
        self.copy = copy
        self.signer = signed_by
        self.leaves = leaves_of(copy)
        self.keys = Keys(signed_by.name, (signed_by.verifier_key,))
        self.trusted = (Trusted("trusted", noted(self.leaves, signed_by)),)
        self.hashes = {n: data for n, data in copy.items() if not n.startswith("entries/")}

    def resigned(self, leaves: Sequence[bytes]) -> Copy:
        """Give the copy of another log, all of it as it should be, signed by the same key."""
        made = Log(leaves, ()).tree()
        root = root_of_copy(len(leaves), made.__getitem__)
        checkpoint = Checkpoint(self.signer.name, len(leaves), root)
        return {**made, "checkpoint": sign_checkpoint(checkpoint, [self.signer])}

    def verify(self, copy: Copy) -> Verdict:
        return verify_copy(Files(frozenset(copy), copy.__getitem__), self.keys, self.trusted)

    def finds(self, copy: Copy, place: str = "") -> bool:
        found = self.verify(copy)
        return any(each.place == place or not place for each in found.faults)


@pytest.fixture(scope="module")
def case(running: Running, copy: Path) -> Iterator[Case]:
    """What is done thousands of times is remembered: these are functions of their arguments."""
    with pytest.MonkeyPatch.context() as patching:
        for room, names in REMEMBERED.items():
            for name in names:
                patching.setattr(room, name, functools.cache(getattr(room, name)))
        yield Case(files_of(copy), signer(running.starter))


REMEMBERED = {
    course: ("_parse_time",),
    growth: ("fold", "hash_leaf", "parse_entries", "print_entries", "print_tile"),
    tiles: ("fold",),
    walk: ("fold", "hash_leaf", "parse_entries", "parse_statements", "read_line"),
}


def test_nothing_is_found_where_nothing_is_wrong(case: Case) -> None:
    assert case.verify(case.copy).faults == ()
    assert case.verify(case.hashes).proven == SIZE
    assert case.verify(case.resigned(case.leaves)).faults == ()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_whoever_has_the_key_and_rewrites_the_log_is_found_out(case: Case, way: Change) -> None:
    """At every position: all hashes are made anew, and the log signs what it now is."""
    last = SIZE - 1 if way is double else SIZE  # to double the last is to append, as logs do
    missed = [
        at for at in range(last) if not case.finds(case.resigned(way(case.leaves, at)), "trusted")
    ]
    assert missed == []


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        *(("entries", way) for way in (flip, drop, swap, double, truncate)),
        *(("tile/entries", way) for way in (flip, drop, swap, double)),
        *(("tile/0", way) for way in (flip, swap)),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_whoever_changes_one_file_is_found_out(case: Case, kind: str, way: Change) -> None:
    """At every position of its entries; what is found names the file.

    One entry too few or too many is found whichever it is, so there the ends of files will do.
    """
    whole = case.copy if kind == "entries" else case.hashes
    missed = []
    for at in range(SIZE) if way in {flip, swap} else (0, 1, 254, 255, 256, 767, 768, SIZE - 1):
        path, pieces = pieces_of(whole, kind, at // 256)
        changed = way(pieces, at % 256)
        # The last of a file changes places with the first, which is another.
        if not case.finds(
            {**whole, path: b"".join(changed)}, "" if kind == "tile/entries" else path
        ):
            missed.append(at)
    assert missed == []


def test_every_byte_of_the_checkpoint_counts(case: Case) -> None:
    note = case.copy["checkpoint"]
    for at in range(len(note)):
        changed = note[:at] + flipped(note[at : at + 1]) + note[at + 1 :]
        assert case.finds({**case.hashes, "checkpoint": changed}), at


def test_every_file_counts_and_no_other_is_there(case: Case) -> None:
    for path in case.copy:
        assert case.finds({n: data for n, data in case.copy.items() if n != path}), path
        assert case.finds({**case.copy, path: b""}), path
        assert case.finds({**case.copy, path: case.copy[path] * 2}), path
        assert case.finds({**case.copy, f"{path}~": case.copy[path]}, f"{path}~"), path
    for path in ("tile/0/004", "tile/entries/004.p/1", "entries/004.jsonl", "tile/2/000.p/1"):
        assert case.finds({**case.copy, path: b""}, path)
    for one in case.copy:  # one in the other's place
        for other in case.copy:
            if one != other:
                changed = {**case.copy, one: case.copy[other], other: case.copy[one]}
                assert case.finds(changed), (one, other)


@pytest.mark.deep
@pytest.mark.parametrize("part", range(32))
def test_every_byte_of_every_file_counts(case: Case, part: int) -> None:
    for path, data in case.copy.items():
        whole = case.copy if path.startswith("entries/") else case.hashes
        for at in range(part, len(data), 32):
            changed = data[:at] + flipped(data[at : at + 1]) + data[at + 1 :]
            assert case.finds({**whole, path: changed}), (path, at)


def pieces_of(copy: Copy, kind: str, index: int) -> tuple[str, list[bytes]]:
    """Give the file of a kind with this index, in pieces: one an entry."""
    (path,) = [n for n in copy if n.startswith(f"{kind}/{index:03}")]
    data = copy[path]
    if kind == "entries":
        return path, data.splitlines(keepends=True)
    length = 32 if kind == "tile/0" else 34
    return path, [data[at : at + length] for at in range(0, len(data), length)]


# --- Exporting again ---


def test_what_is_new_is_added_and_hashes_alone_are_what_anybody_may_have(
    running: Running, vkey: str
) -> None:
    made, folder = running.starter, running.starter.folder
    had = exported(running, "grown", "--entries", "--key", vkey)["size"]
    before = files_of(folder / "grown")
    fill(made, SIZE, SIZE + 300)
    said = exported(running, "grown", "--key", vkey)
    size = said["size"]
    assert (said["had"], said["entries"], size >= had + 300) == (had, True, True)
    exported(running, "at-once", "--entries")
    assert files_of(folder / "grown") == files_of(folder / "at-once")
    after = files_of(folder / "grown")
    assert {n for n in before if n in after and before[n] != after[n]} == {"checkpoint"}
    done = running.command("ledger", "export", "hashes", caller="operator")
    assert (done.code, "hashes only" in done.out) == (0, True)
    hashes = files_of(folder / "hashes")
    assert hashes == {n: data for n, data in after.items() if not n.startswith("entries/")}
    done = running.command("ledger", "export", "hashes", "--entries", caller="operator")
    assert (done.code, "role-not-allowed" in done.err) == (3, True)
    assert files_of(folder / "hashes") == hashes

    # What the older copy has is left out of an addition to it, which may be laid over it.
    exported(running, "addition", "--entries", "--since-size", str(had))
    laid = {**before, **files_of(folder / "addition")}
    code, found = verdict(rewritten(folder / "laid", laid), "--key", vkey)
    assert (code, found["size"], found["public_parts"]) == (0, size, size)
    assert not {n for n in files_of(folder / "addition") if "/000" in n and "tile/1" not in n}
    # And a copy of hashes is given the public parts later.
    exported(running, "hashes", "--entries")
    assert files_of(folder / "hashes") == after
    assert exported(running, "hashes")["had"] >= size


@pytest.mark.parametrize("words", [["--since-size", "3"], ["--since-size", "99999999"]])
def test_an_addition_is_of_a_size_that_was(running: Running, words: list[str]) -> None:
    (running.starter.folder / "used").mkdir(exist_ok=True)
    (running.starter.folder / "used/file").touch()
    folder = "used" if words[1] == "3" else "unused"
    assert "size" in exported(running, folder, *words, code=2)


def test_a_folder_of_something_else_is_left_alone(running: Running) -> None:
    (running.starter.folder / "other").mkdir()
    (running.starter.folder / "other/letter").write_text("to a friend")
    assert "holds no copy" in exported(running, "other", code=2)
    assert files_of(running.starter.folder / "other") == {"letter": b"to a friend"}


def test_another_export_in_the_folder_is_waited_for_by_nobody(running: Running) -> None:
    folder = running.starter.folder / "busy"
    with staged(folder):
        assert "another export" in exported(running, "busy", code=3)


@pytest.mark.parametrize("stage", ["staged", "moved"])
def test_an_export_that_broke_off_is_made_good(running: Running, vkey: str, stage: str) -> None:
    """SIGKILL before, or while, the files are moved to their place: the next one does it again."""
    folder = running.starter.folder / f"broken-{stage}"
    exported(running, folder.name)
    whole = files_of(folder)
    size = int(whole["checkpoint"].split(b"\n")[1])
    beyond = f"tile/0/{size // 256 + 1:03}" if stage == "moved" else f"{STAGE}/tile/0/900"
    (folder / beyond).parent.mkdir(parents=True, exist_ok=True)
    (folder / beyond).write_bytes(bytes(8_192))
    code, found = verdict(folder, "--key", vkey)
    assert (code, found["whole_to"]) == (int(stage == "moved"), size)
    if stage == "moved":
        assert "export again" in found["faults"][0]["message"]
        fill(running.starter, 2_000, 2_000 + 512)
    exported(running, folder.name)
    assert verdict(folder, "--key", vkey)[0] == 0
    assert not (folder / STAGE).exists()


def test_a_crash_while_files_are_moved_leaves_the_old_copy_as_it_was(
    running: Running, vkey: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After any number of files, the checkpoint's included: it is the last of all."""
    folder = running.starter.folder / "crashed"
    exported(running, "crashed", "--entries")
    before = files_of(folder)
    moved: list[str] = []
    fill(running.starter, 3_000, 3_300)
    publish = Stage.publish

    def crash(stage: Stage, path: str) -> None:
        if len(moved) == left:
            raise OSError(errno.EIO, "the power went")
        moved.append(path)
        publish(stage, path)

    monkeypatch.setattr(Stage, "publish", crash)
    for left in itertools.count():
        moved.clear()
        done = running.command("ledger", "export", "crashed", caller="auditor")
        if done.code == 0:
            break
        assert (done.err, len(moved)) == ("error: the power went\n", left)
        assert before.items() <= files_of(folder).items()
        _, found = verdict(folder, "--key", vkey)
        assert {each["place"] for each in found["faults"]} == set(moved)
        assert found["whole_to"] == len(leaves_of(before))
    assert (moved[-1], len(moved)) == ("checkpoint", left)
    monkeypatch.undo()
    assert verdict(folder, "--key", vkey)[0] == 0
    exported(running, "uncrashed", "--entries")
    assert files_of(folder) == files_of(running.starter.folder / "uncrashed")


# --- Logs that are not what they were ---


def test_a_log_that_was_rewritten_is_refused_and_the_copy_kept(
    running: Running, copy: Path
) -> None:
    """Somebody exported another beginning before: that is what the log now contradicts."""
    kept = files_of(copy)
    size = 700
    for name, at, said in (
        ("first", 5, "was rewritten: its first 700 entries"),
        ("last", size - 1, f"entry {size - 1} is not what it was"),
    ):
        log = Log(flip(leaves_of(kept)[:size], at), ())
        forged = log.export(size, entries=False)
        forged["checkpoint"] = noted(log.leaves, signer(running.starter))
        rewritten(running.starter.folder / name, forged)
        assert said in exported(running, name, code=3)
        assert files_of(running.starter.folder / name) == forged


def test_a_copy_of_another_log_and_one_that_is_damaged_are_refused(
    running: Running, copy: Path
) -> None:
    folder, kept = running.starter.folder, files_of(copy)
    other = {**kept, "checkpoint": noted(leaves_of(kept), signer_of("log.example/other"))}
    rewritten(folder / "foreign", other)
    assert "copy of another log" in exported(running, "foreign", code=3)
    rewritten(folder / "damaged", {**kept, "tile/1/000.p/3": bytes(96)})
    assert "damaged" in exported(running, "damaged", code=3)
    rewritten(folder / "torn", {n: data for n, data in kept.items() if n != "tile/1/000.p/3"})
    assert "damaged" in exported(running, "torn", code=3)
    leaves = [*leaves_of(kept), *[bytes(32)] * 9_999]
    longer = {**kept, "checkpoint": noted(leaves, signer(running.starter))}
    rewritten(folder / "longer", longer)
    assert "was set back" in exported(running, "longer", code=3)


def test_a_key_that_did_not_sign_stops_an_export(running: Running) -> None:
    name = signer(running.starter).name
    stranger = print_verifier_key(signer_of(name, 9).verifier_key)
    assert "known key" in exported(running, "unsigned", "--key", stranger, code=3)
    assert files_of(running.starter.folder / "unsigned") == {}


# --- Accepting a database that was set back ---


def set_back(made: Starter, first: int, last: int) -> None:
    """Make a log, note it as a node does, and put a shorter one in its place."""
    fill(made, 0, last)
    place = made.folder / "config/var/withhold.db"
    write_anchor(config.anchor_file(config.load_deployment(made.file)), frontier_of(made))
    for file in place.parent.glob("withhold.db*"):
        file.unlink()
    fill(made, 0, first)


def frontier_of(made: Starter) -> Frontier:
    database = Database(f"sqlite:///{made.folder}/config/var/withhold.db")
    try:
        return asyncio.run(database.read(read_frontier))
    finally:
        database.close()


def accept(made: Starter, *words: str, typed: str | None = None) -> Done:
    return run("ledger", "accept", *words, cwd=made.folder, typed=typed)


def test_a_database_that_was_set_back_is_accepted_by_a_person(tmp_path: Path) -> None:
    made = starter(tmp_path / "made")
    set_back(made, 20, 30)
    for refusal in (accept(made), accept(made, typed="n\n")):
        assert refusal.code in {2, 3}
        assert "the log has 20 entries and had 30" in refusal.err
    anchor = config.anchor_file(config.load_deployment(made.file))
    assert (read_anchor(anchor).size, frontier_of(made).size) == (30, 20)

    done = accept(made, typed="y\n")
    assert (done.code, done.out) == (0, "accepted: entry 20 of the log says so\n")
    assert read_anchor(anchor) == frontier_of(made)
    again = accept(made, "--json")
    assert json.loads(again.out) == {"accepted": False, "had": 21, "size": 21, "entry": None}
    assert "nothing to accept" in accept(made).out
    with Running(made) as running:
        assert running.command("status").code == 0
        exported(running, "copy", "--entries")
        key = print_verifier_key(signer(made).verifier_key)
        code, found = verdict(made.folder / "copy", "--key", key)
    assert code == 0
    assert "30 had been seen, 20 were left" in str(found["warnings"])


def test_where_the_note_is_damaged_nobody_knows_what_was_there(tmp_path: Path) -> None:
    made = starter(tmp_path / "made")
    fill(made, 0, 3)
    anchor = config.anchor_file(config.load_deployment(made.file))
    anchor.write_bytes(b"?")
    done = accept(made, "--yes", "--json")
    assert json.loads(done.out) == {"accepted": True, "had": None, "size": 3, "entry": 3}
    assert read_anchor(anchor).size == 4


def test_another_log_of_the_same_size_is_set_back_too(tmp_path: Path) -> None:
    made = starter(tmp_path / "made")
    fill(made, 0, 3)
    anchor = config.anchor_file(config.load_deployment(made.file))
    replace_anchor(anchor, Frontier().append([bytes(32)] * 3))
    done = accept(made, "--yes")
    assert (done.code, "first 3 entries of the log are not what they were" in done.err) == (0, True)


# --- What the tests look at ---


def files_of(folder: Path) -> Copy:
    files = read_files(folder)
    return {path: files.read(path) for path in files.paths}


def leaves_of(copy: Copy) -> list[bytes]:
    """Give the leaves of a copy, in order."""
    bundles = sorted(path for path in copy if path.startswith("tile/entries/"))
    return [
        copy[path][at + 2 : at + 34] for path in bundles for at in range(0, len(copy[path]), 34)
    ]


def noted(leaves: Sequence[bytes], signed_by: Signer) -> bytes:
    """Sign a log of these leaves."""
    root = Frontier().append(map(hash_leaf, leaves)).root
    return sign_checkpoint(Checkpoint(signed_by.name, len(leaves), root), [signed_by])


def rewritten(folder: Path, copy: Copy) -> Path:
    for path, data in copy.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder
