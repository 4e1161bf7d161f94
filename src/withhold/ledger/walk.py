"""The walk: every file of a copy, held to the entries. All hashes are made again, none is believed.

What can't be read is told and gone past, as far as that is possible: an auditor wants to know all
that is wrong, and where.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import Final

from withhold.errors import Unproven
from withhold.ledger.course import Course
from withhold.ledger.entry import LEAF_BYTES
from withhold.ledger.findings import MAX_FINDINGS, Findings
from withhold.ledger.growth import place_of, width_in
from withhold.ledger.statements import FOLDER, parse_statements, read_line, statements_path
from withhold.ledger.tiles import (
    CHECKPOINT_PATH,
    WIDTH,
    Bundle,
    Tile,
    bundles_of,
    fold,
    hash_from_tiles,
    parse_entries,
    parse_tile,
    tiles_of,
)
from withhold.ledger.tree import hash_leaf, root_at

WITNESSED_PATH: Final = "witnessed"

_HEADS: Final = frozenset({CHECKPOINT_PATH, WITNESSED_PATH})


@dataclass(frozen=True, slots=True)
class Files:
    """A copy. `paths`: all files that there are; `read`: gives the bytes of one of them."""

    paths: frozenset[str]
    read: Callable[[str], bytes] = field(repr=False)

    @property
    def has_statements(self) -> bool:
        """Whether public parts lie beside the hashes."""
        return any(path.startswith(f"{FOLDER}/") for path in self.paths)

    def get(self, path: str) -> bytes | None:
        """Give a file; None if there is none."""
        return self.read(path) if path in self.paths else None


@dataclass(slots=True)
class Walk:
    """A walk through a copy that should have `size` entries."""

    files: Files
    size: int
    found: Findings
    course: Course | None = None  # shown the public parts; None: there are none
    seen: int = 0  # entries without a gap
    statements: int = 0  # public parts that are there and right
    rows: list[list[bytes]] = field(default_factory=list)  # hashes of tiles of level 1, 2, …
    roots: dict[int, bytes | None] = field(default_factory=dict)  # by size; see `root_of`


def check_files(files: Files, size: int, found: Findings) -> None:
    """Check that nothing is missing and nothing is more."""
    missing = (path for path in _expected(files, size) if path not in files.paths)
    # A size that nobody signed may be any: of its files the first are told.
    for path in islice(missing, MAX_FINDINGS):
        found.fault(path, "it is missing")
    for path in sorted(files.paths - _HEADS):
        place = place_of(path)
        if place is None:
            found.fault(path, "it is no part of a copy")
        elif place.width > width_in(place, size):
            message = f"it is beyond the {size} entries that the checkpoint is of"
            found.fault(path, f"{message}: an export that broke off leaves such, export again")
        elif place.width < width_in(place, size):
            _check_outgrown(files, path, place, size, found)


def walk_copy(walk: Walk) -> None:
    """Make every hash again. Ends where neither a bundle nor its tile can be read."""
    roots = list[bytes]()
    for bundle in bundles_of(walk.size):
        leaves = _leaves(walk, bundle)
        row = _row(walk, bundle, leaves)
        if row is None:
            break
        if leaves is not None:
            _see_statements(walk, bundle, leaves)
        walk.seen += bundle.width
        if bundle.width == WIDTH:
            roots.append(fold(row))
    level = 1
    while roots:
        walk.rows.append(roots)
        above = list[bytes]()
        for at in range(0, len(roots), WIDTH):
            row = tuple(roots[at : at + WIDTH])
            _check_row(walk, Tile(level, at // WIDTH, len(row)), row)
            if len(row) == WIDTH:
                above.append(fold(row))
        level, roots = level + 1, above


def root_of(walk: Walk, size: int) -> bytes | None:
    """Give the root of the first `size` entries, made from them; None where there is a gap."""
    if size > walk.seen:
        return None
    if size not in walk.roots:
        walk.roots[size] = _make_root(walk, size)
    return walk.roots[size]


def bundle_at(index: int, size: int) -> Bundle:
    """Give the bundle of an entry in a log of this size."""
    first = index // WIDTH * WIDTH
    return Bundle(first // WIDTH, min(WIDTH, size - first))


def _make_root(walk: Walk, size: int) -> bytes | None:
    @cache
    def row(tile: Tile) -> Sequence[bytes]:
        if tile.level:
            return tuple(walk.rows[tile.level - 1][tile.index * WIDTH :][: tile.width])
        bundle = bundle_at(tile.index * WIDTH, walk.size)
        leaves = parse_entries(bundle, walk.files.get(bundle.path) or b"")
        return tuple(map(hash_leaf, leaves[: tile.width]))

    try:
        return root_at(size, hash_from_tiles(size, row))
    except Unproven:  # that a bundle can't be read is told already
        return None


def _expected(files: Files, size: int) -> Iterator[str]:
    yield from (bundle.path for bundle in bundles_of(size))
    yield from (tile.path for tile in tiles_of(size))
    if files.has_statements:
        yield from map(statements_path, bundles_of(size))


def _check_outgrown(
    files: Files, path: str, place: Tile | Bundle, size: int, found: Findings
) -> None:
    """Check a file that is left from when the tile was narrower: the wider one begins like it."""
    width = width_in(place, size)
    wider = path.replace(f".p/{place.width}", "" if width == WIDTH else f".p/{width}")
    data = files.read(path)
    if not (files.get(wider) or b"").startswith(data) or not _has_width(path, place, data):
        found.fault(path, f"`{wider}` does not begin like it")


def _has_width(path: str, place: Tile | Bundle, data: bytes) -> bool:
    try:
        if isinstance(place, Tile):
            parse_tile(place, data)
        elif path.startswith(f"{FOLDER}/"):
            parse_statements(place, data)
        else:
            parse_entries(place, data)
    except Unproven:
        return False
    return True


def _leaves(walk: Walk, bundle: Bundle) -> Sequence[bytes] | None:
    first = bundle.index * WIDTH
    data = walk.files.get(bundle.path)
    if data is None:
        walk.found.spoil(first)  # that it is missing is told already
        return None
    try:
        leaves = parse_entries(bundle, data)
    except Unproven as error:
        walk.found.fault(bundle.path, error.message, first)
        return None
    for index, leaf in enumerate(leaves, first):
        if len(leaf) != LEAF_BYTES:
            message = f"entry {index} has {len(leaf)} bytes, not {LEAF_BYTES}"
            walk.found.fault(bundle.path, message, index)
            return None
    return leaves


def _row(walk: Walk, bundle: Bundle, leaves: Sequence[bytes] | None) -> Sequence[bytes] | None:
    """Give the hashes over a bundle's entries; from its tile, where the bundle can't be read."""
    tile, first = Tile(0, bundle.index, bundle.width), bundle.index * WIDTH
    if leaves is not None:
        row = tuple(map(hash_leaf, leaves))
        _check_row(walk, tile, row, first)
        return row
    data = walk.files.get(tile.path)
    try:
        return None if data is None else parse_tile(tile, data)
    except Unproven as error:
        walk.found.fault(tile.path, error.message, first)
        return None


def _check_row(walk: Walk, tile: Tile, row: Sequence[bytes], first: int | None = None) -> None:
    """Compare a tile with what was made again. `first`: of level 0, the index of its first entry.

    One that is not there was told before; so was the gap that makes one narrower than it should be.
    """
    data = walk.files.get(tile.path)
    if data is None or data == b"".join(row):
        return
    try:
        theirs = parse_tile(tile, data)
    except Unproven as error:
        walk.found.fault(tile.path, error.message, first)
        return
    for at, (mine, other) in enumerate(zip(row, theirs, strict=True)):
        if mine != other and first is not None:
            message = f"entry {first + at}: its hash is not that of the entry in its bundle"
            walk.found.fault(tile.path, message, first + at)
        elif mine != other:
            walk.found.fault(tile.path, f"hash {at} is not that of the tile below")


def _see_statements(walk: Walk, bundle: Bundle, leaves: Sequence[bytes]) -> None:
    """Check the public parts of a bundle's entries."""
    if walk.course is None:
        return
    path, first = statements_path(bundle), bundle.index * WIDTH
    data = walk.files.get(path)
    if data is None:
        walk.found.spoil(first)
        return
    try:
        lines = parse_statements(bundle, data)
    except Unproven as error:
        walk.found.fault(path, error.message, first)
        return
    for index, (line, leaf) in enumerate(zip(lines, leaves, strict=True), first):
        try:
            members = read_line(line, leaf)
        except Unproven as error:
            walk.found.fault(path, f"entry {index}: {error.message}", index)
            continue
        walk.course.see(index, members)
        walk.statements += members is not None
