"""Copies in memory: what is found, where, and how copies grow. Exported ones: tests/commands."""

import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ledger.copies import (
    KEYS,
    SIGNER,
    Copy,
    Log,
    closing,
    entry_of,
    handle,
    key,
    log_over,
    publics_of,
    release,
    verify,
    warrant,
)
from tests.ledger.logs import ORIGIN, signer_of, witness_of
from withhold.errors import Unproven
from withhold.ledger.checkpoint import Checkpoint, sign_checkpoint
from withhold.ledger.copy import Keys, Verdict
from withhold.ledger.entry import Entry, EntryType, leaf_of, write_entry
from withhold.ledger.findings import MAX_FINDINGS, Findings
from withhold.ledger.growth import (
    extend_statements,
    extend_tiles,
    place_of,
    root_of_copy,
    width_in,
)
from withhold.ledger.note import add_signatures, cosign, parse_note, sign_note
from withhold.ledger.statements import parse_statements_path, statements_path
from withhold.ledger.tiles import Bundle, Tile, bundles_of, print_entries
from withhold.ledger.tree import EMPTY_ROOT, Frontier, hash_leaf
from withhold.names import WarrantId

LOG = log_over(publics_of(600))
AT = "2099-01-02T00:00:00Z"
BIG = Log([bytes([i % 251]) * 32 for i in range(70_000)], ())


def places(found: Verdict) -> set[str]:
    return {each.place for each in found.faults}


def messages(found: Verdict) -> str:
    return "\n".join(each.message for each in found.faults)


def changed(copy: Copy, **files: bytes) -> Copy:
    """Change files; `__` in a name is `/`, and nothing takes one away."""
    made = {**copy, **{name.replace("__", "/"): data for name, data in files.items()}}
    return {path: data for path, data in made.items() if data}


# --- What is whole ---


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 512, 513, 600])
@pytest.mark.parametrize("entries", [True, False])
def test_a_copy_of_any_size_is_whole(size: int, entries: bool) -> None:
    found = verify(LOG.export(size, entries=entries), LOG.note(size))
    assert (found.faults, found.warnings if size > 8 else ()) == ((), ())
    assert (found.whole, found.proven) == (size, size)
    assert found.statements == (size if entries and size else None)


def test_a_copy_of_three_levels_of_tiles_is_whole() -> None:
    copy = BIG.export(70_000, entries=False)
    assert {"tile/2/000.p/1", "tile/1/001.p/17", "tile/0/273.p/112"} <= copy.keys()
    for size in (1, 65_536, 65_537, 69_999, 70_000):
        assert verify(copy, BIG.note(size)).proven == size


@given(st.lists(st.integers(0, 600), max_size=6), st.booleans())
def test_to_export_at_any_sizes_is_to_export_at_once(sizes: list[int], entries: bool) -> None:
    copy = Copy()
    for size in sorted(sizes):
        copy = LOG.export(size, copy, entries=entries)
    at_once = LOG.export(max(sizes), entries=entries) if sizes else {}
    assert copy == at_once


@pytest.mark.parametrize(
    "sizes", [(65_535, 65_536, 65_537), (300, 65_800, 66_000)], ids=lambda sizes: str(sizes[0])
)
def test_and_so_it_is_where_a_tile_of_the_second_level_fills(sizes: tuple[int, ...]) -> None:
    copy = Copy()
    for size in sizes:
        copy = BIG.export(size, copy, entries=False)
    assert copy == BIG.export(sizes[-1], entries=False)


# --- What is found, and where ---


def test_files_that_have_been_outgrown_may_be_left_and_count_too() -> None:
    old, copy = LOG.export(300), LOG.export(600)
    both = {**old, **copy}
    assert verify(both).faults == ()
    for path in old.keys() - copy.keys():
        data = both[path]
        for other in (data[:-1], data + data, data[:-1] + bytes([data[-1] ^ 1]), b""):
            assert places(verify({**both, path: other})) == {path}


def test_what_is_missing_is_named_once_and_the_rest_still_looked_at() -> None:
    copy = LOG.export(600)
    found = verify(changed(copy, tile__entries__000=b""), LOG.note(600))
    assert places(found) == {"tile/entries/000"}
    assert (found.whole, found.statements) == (0, 344)
    assert found.proven == 600  # that the log is this one, its tile says still
    found = verify(changed(copy, tile__0__001=b""))
    assert places(found) == {"tile/0/001"}
    found = verify(changed(copy, tile__0__001=b"", tile__entries__001=b""))
    assert (places(found), found.whole) == ({"tile/0/001", "tile/entries/001"}, 256)
    found = verify({n: data for n, data in copy.items() if n != "entries/001.jsonl"})
    assert (places(found), found.whole) == ({"entries/001.jsonl"}, 256)


def test_a_bundle_that_cannot_be_read_and_a_tile_that_cannot_either() -> None:
    copy = LOG.export(600)
    found = verify({**copy, "tile/entries/001": b"\0", "tile/0/001": b"\0"})
    assert {"tile/entries/001", "tile/0/001"} <= places(found)
    assert found.whole == 256
    found = verify({**copy, "tile/entries/002.p/88": b"\0", "tile/0/001": b"\0"}, LOG.note(512))
    assert (places(found), found.proven) == ({"tile/entries/002.p/88", "tile/0/001"}, 512)
    found = verify({**copy, "tile/entries/002.p/88": b"\0", "tile/0/002.p/88": b"\0"})
    assert (places(found), found.whole) == ({"tile/entries/002.p/88", "tile/0/002.p/88"}, 512)
    found = verify({**copy, "tile/0/001": b"\0"})
    assert (places(found), found.whole) == ({"tile/0/001"}, 256)
    short = print_entries([bytes(31), *[bytes(32)] * 255])
    found = verify({**copy, "tile/entries/001": short})
    assert "entry 256 has 31 bytes, not 32" in messages(found)


def test_a_hash_that_is_not_its_entrys_is_named() -> None:
    copy = LOG.export(600)
    tile = copy["tile/0/001"]
    found = verify({**copy, "tile/0/001": tile[:64] + bytes(32) + tile[96:]})
    assert (places(found), found.whole) == ({"tile/0/001"}, 258)
    assert "entry 258: its hash is not that of the entry" in messages(found)


def test_a_tile_above_is_compared_with_what_is_below() -> None:
    copy = LOG.export(600)
    tile = copy["tile/1/000.p/2"]
    assert "hash 1 is not that" in messages(
        verify({**copy, "tile/1/000.p/2": tile[:-1] + bytes([tile[-1] ^ 1])})
    )
    found = verify({**copy, "tile/1/000.p/2": tile[:-1]})
    assert (places(found), found.whole) == ({"tile/1/000.p/2"}, 600)


def test_public_parts_are_held_to_their_leaves() -> None:
    copy = LOG.export(600)
    lines = copy["entries/001.jsonl"].split(b"\n")
    for at, line, said in (
        (3, b"{}", "entry 259: its public part is not the one"),
        (3, lines[4], "entry 259: its public part is not the one"),
        (0, b"", "entry 256: its public part is not the one"),
    ):
        data = b"\n".join([*lines[:at], line, *lines[at + 1 :]])
        found = verify({**copy, "entries/001.jsonl": data})
        assert said in messages(found)
        assert (found.whole, found.statements) == (256 + at, 599)
    for data, said in (
        (b"\n".join(lines[1:]), "255 lines"),
        (b"\n".join(lines)[:-1], "255 lines"),
        (b"\n".join(lines) + b"{}", "whole line"),
    ):
        found = verify({**copy, "entries/001.jsonl": data})
        assert (said in messages(found), found.whole) == (True, 256)


@pytest.mark.parametrize("path", ["tile/entries/001", "entries/001.jsonl"])
@pytest.mark.parametrize("byte", [b"\0", b"\n"], ids=["nought", "line"])
def test_a_file_of_nothing_takes_little_more_than_its_own_space(path: str, byte: bytes) -> None:
    data = byte * 2**20
    copy = {**LOG.export(600), path: data}
    tracemalloc.start()
    try:
        found = verify(copy)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.whole == 256
    assert most < 4 * len(data)


def test_what_is_not_canonical_is_a_fault_though_its_leaf_is_right() -> None:
    public = b'{"type": "prune", "at": "2026-11-24T00:00:00Z", "sealed": ""}'
    log = log_over([public])
    assert "canonical" in messages(verify(log.export(1)))


def test_what_was_pruned_says_so_and_keeps_its_leaf() -> None:
    publics = publics_of(20)
    log = Log([leaf_of(each) for each in publics], [None, *publics[1:10], None, *publics[11:]])
    copy = log.export(20)
    assert copy["entries/000.p/20.jsonl"].count(b'"pruned":true') == 2
    found = verify(copy, log.note(20))
    # That the closing of what was pruned closes nothing is no fault.
    assert (found.faults, found.statements, found.whole) == ((), 18, 20)


def test_a_checkpoint_that_is_missing_or_nonsense_is_all_that_can_be_said() -> None:
    copy = LOG.export(3)
    del copy["checkpoint"]
    for note in ({}, {"checkpoint": b"nonsense"}, {"checkpoint": sign_note(b"x\n", [SIGNER])}):
        found = verify({**copy, **note})
        assert (places(found), found.checkpoint, found.whole) == ({"checkpoint"}, None, 0)


def test_a_size_that_nobody_signed_is_not_believed_and_costs_nothing() -> None:
    note = sign_checkpoint(Checkpoint(ORIGIN, 2**63 - 1, bytes(32)), [signer_of(ORIGIN, 9)])
    found = verify({**LOG.export(300), "checkpoint": note}, LOG.note(300))
    assert len(found.faults) == MAX_FINDINGS
    # All that is there was once a copy's; the first bundle that isn't is the end of it.
    assert found.whole == 256


def test_a_log_without_entries_has_no_files() -> None:
    copy = LOG.export(0)
    assert copy.keys() == {"checkpoint"}
    assert verify(copy, LOG.note(0)).faults == ()
    assert places(verify({**copy, "entries/000.jsonl": b""})) == {"entries/000.jsonl"}
    assert verify(copy).checkpoint == Checkpoint(ORIGIN, 0, EMPTY_ROOT)


def test_entries_that_make_another_root_are_whole_only_as_far_as_is_proven() -> None:
    other = log_over([*publics_of(500), *publics_of(100)]).export(600, entries=False)
    other["checkpoint"] = LOG.note(600)
    found = verify(other, LOG.note(400))
    assert (places(found), found.whole, found.proven) == ({"checkpoint"}, 400, 400)
    assert verify(other).whole == 0


def test_what_is_more_is_a_fault() -> None:
    copy = LOG.export(600)
    for path, said in (
        ("tile/entries/002.p/89", "beyond the 600 entries"),
        ("tile/3/000", "beyond the 600 entries"),
        ("entries/900.jsonl", "export again"),
        ("notes.txt", "no part of a copy"),
        ("tile/0/0", "no part of a copy"),
        ("checkpoint/checkpoint", "no part of a copy"),
    ):
        found = verify({**copy, path: b"\n"})
        assert (places(found), found.whole) == ({path}, 600)
        assert said in messages(found)


def test_a_log_that_went_on_shows_that_the_copy_ends_early() -> None:
    found = verify(LOG.export(300), LOG.note(301), LOG.note(200))
    assert (places(found), found.whole, found.proven) == ({"trusted-0"}, 300, 200)
    assert "ends early: it has 300 entries of 301" in messages(found)


def test_findings_are_bounded() -> None:
    found = Findings()
    for index in range(2 * MAX_FINDINGS):
        found.fault("a", "b", 300 - index)
        found.warn("a", "b")
    assert (len(found.faults), len(found.warnings)) == (MAX_FINDINGS, MAX_FINDINGS)
    assert found.first == 300 - 2 * MAX_FINDINGS + 1


# --- Checkpoints from elsewhere ---


def test_trusted_checkpoints_are_held_to_the_log_and_to_its_key() -> None:
    copy = LOG.export(600)
    stranger = LOG.note(300, signer_of(ORIGIN, 9))
    foreign = sign_checkpoint(Checkpoint("log.example/other", 0, EMPTY_ROOT), [SIGNER])
    other = log_over(publics_of(300)[::-1])
    for note, said in (
        (stranger, "no signature of a known key"),
        (foreign, "another log"),
        (other.note(300), "first 300 entries are not those"),
        (b"nonsense", "blank line"),
    ):
        found = verify(copy, LOG.note(100), note)
        assert (places(found), found.proven) == ({"trusted-1"}, 100)
        assert said in messages(found)


def test_signatures_of_keys_that_were_not_given_are_told() -> None:
    copy = LOG.export(300)
    witness = witness_of("witness.example/w")
    note = copy["checkpoint"]
    cosigned = add_signatures(note, [cosign(parse_note(note).text, witness, 1_795_000_000)])
    found = verify({**copy, "checkpoint": cosigned})
    assert (found.faults, found.proven) == ((), 0)
    assert found.warnings[0].message == "1 of its signatures are by keys that were not given"


@pytest.mark.parametrize("path", ["checkpoint", "witnessed"])
def test_a_witness_that_is_given_proves_the_copys_own_checkpoints(path: str) -> None:
    copy = LOG.export(300)
    witness = witness_of("witness.example/w")
    keys = Keys(ORIGIN, KEYS.log, (witness.verifier_key,))
    size = 300 if path == "checkpoint" else 200
    note = LOG.note(size)
    line = cosign(parse_note(note).text, witness, 1_795_000_000)
    found = verify({**copy, path: add_signatures(note, [line])}, keys=keys)
    assert (found.faults, found.proven) == ((), size)
    assert [(s.witness, s.size, s.time_s) for s in found.sightings] == [
        ("witness.example/w", size, 1_795_000_000)
    ]
    bad = type(line)(line.name, line.key_id, line.value[:-1] + bytes([line.value[-1] ^ 1]))
    found = verify({**copy, path: add_signatures(note, [bad])}, keys=keys)
    assert places(found) == {path, "witnesses"}


def test_what_witnesses_signed_of_another_log_is_a_fault() -> None:
    """That a copy brings such a note proves that the log was shown twice."""
    other = log_over(publics_of(300)[::-1])
    found = verify({**LOG.export(300), "witnessed": other.note(200)})
    assert (places(found), found.proven) == ({"witnessed"}, 0)
    assert verify({**LOG.export(300), "witnessed": LOG.note(200)}).proven == 0


# --- What the entries say ---


def course(*entries: Entry, pruned: int | None = None) -> Verdict:
    """Verify a log of these, after one that names the key."""
    all_of_them = (key(SIGNER, AT), *entries)
    publics = [write_entry(entry, bytes(32)).public for entry in all_of_them]
    shown = [None if at == pruned else each for at, each in enumerate(publics)]
    return verify(Log([leaf_of(each) for each in publics], shown).export(len(publics)))


def reveal(index: int, order: str) -> Entry:
    return release(index, AT, EntryType.REVEAL, order=order)


ENDED = warrant("W-1", "revoked", "revoked", AT)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ((closing(1, AT),), f"closes `{handle(1)}`, which nothing before it begins"),
        ((release(1, AT), release(1, AT)), f"`{handle(1)}` was begun by entry 1 already"),
        ((release(1, AT), closing(1, AT), closing(1, AT)), "was closed by entry 2 already"),
        ((ENDED, release(1, AT)), "entry 2: it discloses under a warrant that entry 1 ended"),
        ((ENDED, ENDED, reveal(1, "W-1")), "entry 3: it discloses under a warrant that entry 1"),
        ((release(1, "yesterday"),), "entry 1: its `at` is no time"),
        ((release(1, "2026-11-24"),), "entry 1: its `at` is no time"),
    ],
    ids=["closing", "two-releases", "two-closings", "revoked", "reveal", "no-time", "no-zone"],
)
def test_what_the_proxy_never_does_is_a_fault(entries: tuple[Entry, ...], said: str) -> None:
    found = course(*entries)
    assert said in messages(found)
    assert found.whole == len(entries)
    assert found.faults[0].place.startswith("entries/000.p/")


@pytest.mark.parametrize(
    "entries",
    [
        (release(1, AT), ENDED, closing(1, AT)),
        (ENDED, release(1, AT, EntryType.FAILURE, "store-failed")),
        (ENDED, release(1, AT, outcome="store-failed")),
        (warrant("W-1", "suspended", "suspended", AT), release(1, AT)),
        (warrant("W-2", "closed", "closed", AT), release(1, AT)),
        (Entry(EntryType.WARRANT, AT, {"state": ["revoked"]}, {}, None, WarrantId("W-1")),),
    ],
    ids=["closed-later", "failure", "nothing-left", "suspended", "another", "no-state"],
)
def test_what_the_proxy_does_is_none(entries: tuple[Entry, ...]) -> None:
    found = course(*entries)
    assert (found.faults, found.warnings) == ((), ())


def test_what_was_pruned_is_given_the_benefit_of_the_doubt() -> None:
    entries = (release(1, AT), closing(1, AT))
    assert course(*entries, pruned=1).faults == ()


def warned(found: Verdict) -> str:
    assert found.faults == ()
    return "\n".join(each.message for each in found.warnings)


def restore(had: int | None) -> Entry:
    return Entry(EntryType.RESTORE, AT, {"had": had, "size": 2})


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ((release(1, "2099-01-01T22:59:59Z"),), "1.0 h before that of the entry above it"),
        ((restore(7),), "another log was accepted here, as after restoring a backup: 7 had"),
        ((restore(None),), "nobody knows how many"),
        ((key(SIGNER, AT, "destroyed"),), "is none that the log names"),
    ],
    ids=["backwards", "restore", "restore-unknown", "key"],
)
def test_what_may_be_is_a_warning(entries: tuple[Entry, ...], said: str) -> None:
    assert said in warned(course(*entries))


def test_a_key_that_the_log_does_not_name_is_told_unless_something_was_pruned() -> None:
    publics = [write_entry(entry_of(0), bytes(32)).public]
    leaves = [leaf_of(each) for each in publics]
    assert "none that the log names" in warned(verify(Log(leaves, publics).export(1)))
    assert warned(verify(Log(leaves, [None]).export(1))) == ""


# --- Growth: what a log gives is held to what was there ---


def test_a_log_that_gives_another_beginning_is_refused_at_the_entry() -> None:
    copy, other = LOG.export(300), Log([*LOG.leaves[:299], bytes(32)] + [bytes(32)] * 10, ())
    with pytest.raises(Unproven, match="entry 299 is not what it was"):
        list(extend_tiles(300, 310, copy.__getitem__, other.there))


def test_a_public_part_that_is_not_its_leafs_is_refused() -> None:
    copy = LOG.export(300, entries=False)
    publics = [*LOG.publics[:7], LOG.publics[8], *LOG.publics[8:]]

    def swapped(first: int, count: int) -> list[bytes | None]:
        return publics[first : first + count]

    read: Callable[[str], bytes] = copy.__getitem__
    with pytest.raises(Unproven, match="entry 7: the log gives another public part"):
        list(extend_statements(0, 300, read, read, swapped))


def test_a_root_is_made_of_the_tiles_alone() -> None:
    copy = LOG.export(600, entries=False)
    assert root_of_copy(600, copy.__getitem__) == Frontier().append(map(hash_leaf, LOG.leaves)).root
    with pytest.raises(Unproven):
        root_of_copy(600, lambda _path: b"")


def test_places_have_one_name() -> None:
    for bundle in bundles_of(600):
        assert parse_statements_path(statements_path(bundle)) == bundle
    for path in ("entries/0.jsonl", "entries/000", "tile/000.jsonl", "entries/../000.jsonl"):
        assert place_of(path) is None
        with pytest.raises(Unproven):
            parse_statements_path(path)
    assert place_of("entries/000.p/7.jsonl") == place_of("tile/entries/000.p/7") == Bundle(0, 7)
    assert [width_in(Tile(1, 0), size) for size in (255, 256, 600, 70_000)] == [0, 1, 2, 256]
    assert [width_in(Bundle(2), size) for size in (512, 600, 900)] == [0, 88, 256]
