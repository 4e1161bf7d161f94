"""Growth: the files by which a copy of the log follows it, given what is there already.

Of the log only the entry bundles are asked for; tiles are hashed here, so that whoever signed the
checkpoint is held to it. Nothing is believed before the root that the files make is the one signed.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Final

from withhold.errors import Unproven
from withhold.ledger.entry import leaf_of
from withhold.ledger.statements import (
    parse_statements,
    parse_statements_path,
    print_line,
    print_statements,
    statements_path,
)
from withhold.ledger.tiles import (
    HEIGHT,
    WIDTH,
    Bundle,
    Tile,
    bundles_of,
    fold,
    hash_from_tiles,
    parse_entries,
    parse_path,
    parse_tile,
    print_entries,
    print_tile,
)
from withhold.ledger.tree import hash_leaf, root_at

Read = Callable[[str], bytes]  # the file at this path of a copy, or of the log
Publics = Callable[[int, int], Sequence[bytes | None]]  # first index, count → their public parts

_TO_CHANGE: Final = "keep this copy as it is: it shows what the log was"


def extend_tiles(old: int, new: int, here: Read, there: Read) -> Iterator[tuple[str, bytes]]:
    """Give the bundles and tiles that a copy of size `old` lacks of the log at size `new`.

    `here` reads the copy, `there` the log. Raises: Unproven, if the log gives something else than
    bundles, or another beginning than the copy's.
    """
    roots = list[bytes]()
    for bundle in bundles_of(new, old):
        leaves = parse_entries(bundle, there(bundle.path))
        _check_same(bundle, leaves, _tail(bundle, old, here))
        yield bundle.path, print_entries(leaves)
        row = tuple(map(hash_leaf, leaves))
        yield Tile(0, bundle.index, bundle.width).path, print_tile(row)
        if bundle.width == WIDTH:
            roots.append(fold(row))
    level, since = 1, old >> HEIGHT
    while roots:
        begin = since // WIDTH
        nodes = (
            [*_nodes(Tile(level, begin, since % WIDTH), here), *roots] if since % WIDTH else roots
        )
        rows = [tuple(nodes[at : at + WIDTH]) for at in range(0, len(nodes), WIDTH)]
        for index, row in enumerate(rows, begin):
            yield Tile(level, index, len(row)).path, print_tile(row)
        roots = [fold(row) for row in rows if len(row) == WIDTH]
        level, since = level + 1, since >> HEIGHT


def extend_statements(
    old: int, new: int, here: Read, bundles: Read, publics: Publics
) -> Iterator[tuple[str, bytes]]:
    """Give the files of public parts that a copy lacks. `bundles`: reads the entry bundles.

    Raises: Unproven, if a public part is not the one that its leaf is the hash of.
    """
    for bundle in bundles_of(new, old):
        leaves = parse_entries(bundle, bundles(bundle.path))
        first = bundle.index * WIDTH
        had = max(0, min(bundle.width, old - first))
        lines = list[bytes]()
        if had:
            part = Bundle(bundle.index, had)
            lines += parse_statements(part, here(statements_path(part)))
        given = publics(first + had, bundle.width - had)
        for index, (public, leaf) in enumerate(zip(given, leaves[had:], strict=True), first + had):
            if public is not None and leaf_of(public) != leaf:
                raise Unproven(f"entry {index}: the log gives another public part than its leaf's")
            lines.append(print_line(public, leaf))
        yield statements_path(bundle), print_statements(tuple(lines))


def root_of_copy(size: int, read: Read) -> bytes:
    """Give the root that the tiles of a copy make. Raises: Unproven."""
    return root_at(size, hash_from_tiles(size, lambda tile: _nodes(tile, read)))


def outgrown(paths: Iterable[str], size: int) -> Collection[str]:
    """Give the partial files that a copy of this size does not need any more."""
    return [path for path in paths if is_outgrown(path, size)]


def is_outgrown(path: str, size: int) -> bool:
    """Tell whether a file is of a tile or bundle that has grown wider."""
    place = place_of(path)
    return place is not None and place.width < width_in(place, size)


def place_of(path: str) -> Tile | Bundle | None:
    """Tell what a file of a copy is of, whether hashes, entries or public parts."""
    for read in (parse_path, parse_statements_path):
        try:
            return read(path)
        except Unproven:
            continue
    return None


def width_in(place: Tile | Bundle, size: int) -> int:
    """Tell how wide a tile or bundle is in a log of this size; 0: it is not there."""
    level = place.level if isinstance(place, Tile) else 0
    return max(0, min(WIDTH, (size >> HEIGHT * level) - place.index * WIDTH))


def _tail(bundle: Bundle, old: int, here: Read) -> Sequence[bytes]:
    """Give the entries that the copy has of this bundle already."""
    had = old - bundle.index * WIDTH
    if had <= 0:
        return ()
    part = Bundle(bundle.index, had)
    return parse_entries(part, here(part.path))


def _check_same(bundle: Bundle, leaves: Sequence[bytes], had: Sequence[bytes]) -> None:
    for at, (theirs, ours) in enumerate(zip(leaves, had, strict=False), bundle.index * WIDTH):
        if theirs != ours:
            raise Unproven(f"the log was rewritten: entry {at} is not what it was", _TO_CHANGE)


def _nodes(tile: Tile, read: Read) -> Sequence[bytes]:
    return parse_tile(tile, read(tile.path))
