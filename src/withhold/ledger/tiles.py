"""Tiles: the tree as files that never change, 256 hashes each. Source: c2sp.org/tlog-tiles.

A tile of level `L` holds nodes of the tree's level `8 * L`; the levels between are hashed from
them. Partial tiles are the right edge of a log of one size. Entry bundles lie beside them: the
entries, in our log 32-byte digests of public statements, so that a copy shows nobody's case.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from withhold.errors import Unproven
from withhold.ledger.lines import MAX_SIZE
from withhold.ledger.tree import HASH_BYTES, HashAt, hash_children

HEIGHT: Final = 8  # levels of the tree in one of tiles
WIDTH: Final = 256  # hashes in a full tile
MAX_LEVEL: Final = 63
CHECKPOINT_PATH: Final = "checkpoint"

_LENGTH_BYTES: Final = 2  # before each entry
_MAX_ENTRY_BYTES: Final = 65_535
_TILE: Final = re.compile(
    r"tile/(?P<level>[0-9]{1,2}|entries)/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})"
    r"(?:\.p/(?P<width>[0-9]{1,3}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, order=True)
class Bundle:
    """The place of up to 256 entries; `width` is how many there are."""

    index: int
    width: int = WIDTH

    def __post_init__(self) -> None:
        """Raises: ValueError."""
        _check_place(0, self.index, self.width)

    @property
    def path(self) -> str:
        """Where it lies, below the log's prefix."""
        return f"tile/entries/{_print_index(self.index, self.width)}"


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """The place of up to 256 hashes of one level; `width` is how many there are."""

    level: int
    index: int
    width: int = WIDTH

    def __post_init__(self) -> None:
        """Raises: ValueError."""
        _check_place(self.level, self.index, self.width)

    @property
    def path(self) -> str:
        """Where it lies, below the log's prefix."""
        return f"tile/{self.level}/{_print_index(self.index, self.width)}"


def parse_path(path: str) -> Tile | Bundle:
    """Read the path of a tile or of a bundle, in its one spelling. Raises: Unproven."""
    found = _TILE.fullmatch(path)
    if found is not None:
        index = int(found["index"].replace("x", "").replace("/", ""))
        width = int(found["width"] or WIDTH)
        try:
            place = (
                Bundle(index, width)
                if found["level"] == "entries"
                else Tile(int(found["level"]), index, width)
            )
        except ValueError:
            place = None
        if place is not None and place.path == path:
            return place
    raise Unproven("a path is not that of a tile or of an entry bundle")


def tiles_of(size: int, since: int = 0) -> Iterator[Tile]:
    """Give the tiles of a log of this size, level by level: the full ones, and the partial one.

    `since`: leave out those that a log of that size had already, byte for byte.
    """
    level = 0
    while size:
        for index, width in _places(size, since):
            yield Tile(level, index, width)
        level, size, since = level + 1, size >> HEIGHT, since >> HEIGHT


def bundles_of(size: int, since: int = 0) -> Iterator[Bundle]:
    """Give the entry bundles of a log of this size; `since` as in `tiles_of`."""
    for index, width in _places(size, since):
        yield Bundle(index, width)


def tile_of(level: int, index: int, size: int) -> Tile:
    """Give the tile that holds this node, or what it is hashed from, in a log of this size."""
    if level < 0 or index < 0 or (index + 1) << level > size:
        raise ValueError("the node is not in the tree")
    first = index << (level % HEIGHT)  # of the hashes that tiles of this level hold
    nodes = size >> (level - level % HEIGHT)
    return Tile(level // HEIGHT, first // WIDTH, min(WIDTH, nodes - first // WIDTH * WIDTH))


def hash_in_tile(hashes: Sequence[bytes], level: int, index: int) -> bytes:
    """Give the node at this level and index of the tree from the hashes of its tile."""
    height = level % HEIGHT
    first = (index << height) % WIDTH
    row = hashes[first : first + (1 << height)]
    if len(row) != 1 << height:
        raise ValueError("the tile is too narrow to hold the node")
    return fold(row)


def fold(row: Sequence[bytes]) -> bytes:
    """Give the node over 1, 2, 4, … hashes in a row: of a full tile, a hash of the one above."""
    while len(row) > 1:
        row = [hash_children(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def hash_from_tiles(size: int, read: Callable[[Tile], Sequence[bytes]]) -> HashAt:
    """Give what proofs of a log of this size are made from, given how its tiles are read.

    `read` is asked for the same tile many times; it may remember.
    """
    return lambda level, index: hash_in_tile(read(tile_of(level, index, size)), level, index)


def parse_tile(tile: Tile, data: bytes) -> tuple[bytes, ...]:
    """Take a tile's bytes apart. Raises: Unproven if there are not as many as its width says."""
    if len(data) != tile.width * HASH_BYTES:
        raise Unproven(f"`{tile.path}` has {len(data)} bytes, not {tile.width * HASH_BYTES}")
    return tuple(data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES))


def print_tile(hashes: Sequence[bytes]) -> bytes:
    """Give what `parse_tile` reads."""
    if not 0 < len(hashes) <= WIDTH or any(len(each) != HASH_BYTES for each in hashes):
        raise ValueError(f"a tile has 1 to {WIDTH} hashes of {HASH_BYTES} bytes")
    return b"".join(hashes)


def parse_entries(bundle: Bundle, data: bytes) -> tuple[bytes, ...]:
    """Take a bundle's bytes apart. Raises: Unproven if there are not as many as its width says."""
    entries = list[bytes]()
    at = 0
    # One more than there should be is enough: nothing but noughts would be entries without end.
    while at < len(data) and len(entries) <= bundle.width:
        begin = at + _LENGTH_BYTES
        at = begin + int.from_bytes(data[at:begin], "big")
        if begin > len(data) or at > len(data):
            raise Unproven(f"`{bundle.path}` ends within an entry")
        entries.append(data[begin:at])
    if len(entries) != bundle.width:
        raise Unproven(f"`{bundle.path}` does not have {bundle.width} entries")
    return tuple(entries)


def print_entries(entries: Sequence[bytes]) -> bytes:
    """Give what `parse_entries` reads: before each entry its length, 2 bytes, big-endian."""
    if not 0 < len(entries) <= WIDTH or any(len(each) > _MAX_ENTRY_BYTES for each in entries):
        raise ValueError(f"a bundle has 1 to {WIDTH} entries of at most {_MAX_ENTRY_BYTES} bytes")
    return b"".join(len(each).to_bytes(_LENGTH_BYTES, "big") + each for each in entries)


def _places(nodes: int, since: int) -> Iterator[tuple[int, int]]:
    """Give index and width of the tiles of one level that has so many nodes."""
    if nodes > since:
        # Never all at once: a size that was read from somewhere may be any.
        for begin in range(since // WIDTH * WIDTH, nodes, WIDTH):
            yield begin // WIDTH, min(WIDTH, nodes - begin)


def _check_place(level: int, index: int, width: int) -> None:
    if not (0 <= level <= MAX_LEVEL and 0 <= index <= MAX_SIZE // WIDTH and 0 < width <= WIDTH):
        raise ValueError("a tile has a level up to 63, an index, and a width of 1 to 256")


def _print_index(index: int, width: int) -> str:
    """Write 1234067 as `x001/x234/067`, and a width that is not full after it."""
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    *above, last = (digits[at : at + 3] for at in range(0, len(digits), 3))
    suffix = "" if width == WIDTH else f".p/{width}"
    return "".join(f"x{each}/" for each in above) + last + suffix
