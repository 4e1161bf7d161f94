import functools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ledger.logs import defined_root, entries_of, log_of
from withhold.errors import Unproven
from withhold.ledger.lines import MAX_SIZE
from withhold.ledger.tiles import (
    MAX_LEVEL,
    WIDTH,
    Bundle,
    Tile,
    bundles_of,
    hash_from_tiles,
    hash_in_tile,
    parse_entries,
    parse_path,
    parse_tile,
    print_entries,
    print_tile,
    tile_of,
    tiles_of,
)
from withhold.ledger.tree import (
    consistency_proof,
    hash_leaf,
    inclusion_proof,
    root_at,
    verify_consistency,
    verify_inclusion,
)

SIZE = 1_000
LOG = log_of(entries_of(SIZE))

widths = st.integers(1, WIDTH)
indexes = st.integers(0, MAX_SIZE // WIDTH)
places = st.one_of(
    st.builds(Tile, st.integers(0, MAX_LEVEL), indexes, widths), st.builds(Bundle, indexes, widths)
)


def hashes_of(tile: Tile) -> tuple[bytes, ...]:
    """Give a tile's hashes by the definition. Source: c2sp.org/tlog-tiles, Merkle Tree."""
    step = 256**tile.level
    first = tile.index * 256
    return tuple(
        defined_root(LOG.entries[at * step : (at + 1) * step])
        for at in range(first, first + tile.width)
    )


@pytest.mark.parametrize(
    ("place", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 999, 1), "tile/0/999.p/1"),
        (Tile(0, 1_234_067), "tile/0/x001/x234/067"),
        (Tile(63, 1_000, 255), "tile/63/x001/000.p/255"),
        (Bundle(0), "tile/entries/000"),
        (Bundle(1_234_067, 7), "tile/entries/x001/x234/067.p/7"),
    ],
    ids=str,
)
def test_a_path_is_written_as_specified(place: Tile | Bundle, path: str) -> None:
    assert place.path == path
    assert parse_path(path) == place


@given(places)
def test_a_path_is_read_back(place: Tile | Bundle) -> None:
    assert parse_path(place.path) == place


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile",
        "checkpoint",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/1000",
        "tile/0/x000/001",
        "tile/0/001/234",
        "tile/0/x001",
        "tile/0/x001/x234",
        "tile/0/x001/x234/067/",
        "/tile/0/000",
        "tile/00/000",
        "tile/-1/000",
        "tile/64/000",
        "tile/0/000.p",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/257",
        "tile/0/000.p/1/",
        "tile/0/000\n",
        "tile/0/\u0660\u0660\u0660",
        "tile/data/000",
        "tile/entries/000.p/256",
        "tile/0/x999/x999/x999/x999/x999/999",
        "tile/0/x001/x999/x999/x999/x999/x999/999",
        "tile/0/../checkpoint",
    ],
)
def test_a_path_has_one_spelling(path: str) -> None:
    with pytest.raises(Unproven, match="a path is not that of a tile"):
        parse_path(path)


@pytest.mark.parametrize(
    ("level", "index", "width"),
    [(-1, 0, 1), (64, 0, 1), (0, -1, 1), (0, MAX_SIZE, 1), (0, 0, 0), (0, 0, 257)],
)
def test_a_tile_has_a_place(level: int, index: int, width: int) -> None:
    with pytest.raises(ValueError, match="a tile has a level"):
        Tile(level, index, width)


def test_the_tiles_of_a_log_are_those_of_the_specification() -> None:
    """Source: c2sp.org/tlog-tiles, Partial Tiles: the example."""
    tiles = list(tiles_of(70_000))
    assert tiles == [
        *(Tile(0, index) for index in range(273)),
        Tile(0, 273, 112),
        Tile(1, 0),
        Tile(1, 1, 17),
        Tile(2, 0, 1),
    ]
    assert list(tiles_of(256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles_of(0)) == []
    assert list(bundles_of(0)) == []
    assert list(bundles_of(513)) == [Bundle(0), Bundle(1), Bundle(2, 1)]


@given(st.integers(0, 200_000), st.integers(0, 200_000))
def test_since_a_size_those_are_new_that_were_not_there(one: int, two: int) -> None:
    old, new = sorted((one, two))
    assert list(tiles_of(new, old)) == [t for t in tiles_of(new) if t not in set(tiles_of(old))]
    assert list(bundles_of(new, old)) == [
        b for b in bundles_of(new) if b not in set(bundles_of(old))
    ]


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 512, 513, SIZE])
def test_a_log_is_proven_from_its_tiles_alone(size: int) -> None:
    stored = {tile.path: print_tile(hashes_of(tile)) for tile in tiles_of(size)}

    @functools.cache
    def read(tile: Tile) -> tuple[bytes, ...]:
        return parse_tile(tile, stored[tile.path])

    hash_at = hash_from_tiles(size, read)
    root = root_at(size, hash_at)
    assert root == defined_root(LOG.entries[:size])
    for index in {0, 1, size // 3, size // 2, size - 1} & set(range(size)):
        proof = inclusion_proof(index, size, hash_at)
        verify_inclusion(hash_leaf(LOG.entries[index]), index, size, proof, root)
        old_root = root_at(index, hash_at)
        verify_consistency(index, old_root, size, root, consistency_proof(index, size, hash_at))


@given(st.integers(1, SIZE), st.data())
def test_a_node_is_where_its_tile_is_said_to_be(size: int, data: st.DataObject) -> None:
    level = data.draw(st.integers(0, size.bit_length() - 1))
    index = data.draw(st.integers(0, (size >> level) - 1))
    tile = tile_of(level, index, size)
    assert tile in set(tiles_of(size))
    assert hash_in_tile(hashes_of(tile), level, index) == LOG.nodes[level, index]


@pytest.mark.parametrize(
    ("level", "index", "size"),
    [(0, 5, 5), (3, 0, 7), (-1, 0, 5), (0, -1, 5), (0, 0, 0), (8, 1, 511)],
)
def test_a_node_that_is_not_there_has_no_tile(level: int, index: int, size: int) -> None:
    with pytest.raises(ValueError, match="the node is not in the tree"):
        tile_of(level, index, size)


def test_a_narrow_tile_does_not_hold_what_is_beyond() -> None:
    with pytest.raises(ValueError, match="too narrow"):
        hash_in_tile([bytes(32)] * 7, 3, 0)


def test_a_tile_has_as_many_hashes_as_its_width() -> None:
    data = print_tile([bytes(32)] * 3)
    assert parse_tile(Tile(0, 0, 3), data) == (bytes(32),) * 3
    for wrong in (b"", data[:-1], data + b"\0", data[:-32], data + bytes(32)):
        with pytest.raises(Unproven, match=r"`tile/0/000\.p/3` has"):
            parse_tile(Tile(0, 0, 3), wrong)


@pytest.mark.parametrize("hashes", [[], [bytes(32)] * 257, [bytes(31)]], ids=len)
def test_a_tile_that_could_not_be_read_is_not_written(hashes: list[bytes]) -> None:
    with pytest.raises(ValueError, match="a tile has 1 to 256 hashes"):
        print_tile(hashes)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=20))
def test_entries_are_read_back(entries: list[bytes]) -> None:
    data = print_entries(entries)
    assert parse_entries(Bundle(0, len(entries)), data) == tuple(entries)


def test_entries_are_written_as_specified() -> None:
    """Source: c2sp.org/tlog-tiles, Log entries."""
    assert print_entries([b"abc", b"", b"x" * 258]) == b"\0\3abc\0\0\1\2" + b"x" * 258


def test_a_bundle_has_as_many_entries_as_its_width() -> None:
    data = print_entries([b"abc", b"d"])
    wrongs = (b"", data[:-1], data[:6], data[:5], data + b"\0", data + b"\0\0", data + b"\0\2x")
    for wrong in wrongs:
        with pytest.raises(Unproven, match=r"`tile/entries/000\.p/2`"):
            parse_entries(Bundle(0, 2), wrong)


@pytest.mark.parametrize("entries", [[], [b""] * 257, [b"x" * 65_536]], ids=len)
def test_a_bundle_that_could_not_be_read_is_not_written(entries: list[bytes]) -> None:
    with pytest.raises(ValueError, match="a bundle has 1 to 256 entries"):
        print_entries(entries)
