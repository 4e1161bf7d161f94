"""Statements: the public parts of entries as files of a copy, one line each.

They lie beside the entry bundles and are cut as these are. A line is the public part's own bytes,
whose SHA-256 is the leaf; where a part was pruned, the line says so and gives the leaf, and says it
in one spelling. Neither holds a line feed.
"""

from typing import Final

from withhold.canonical import write_canonical
from withhold.errors import Unproven
from withhold.ledger.entry import MAX_PUBLIC_BYTES, Json, leaf_of, read_public
from withhold.ledger.lines import print_base64
from withhold.ledger.tiles import WIDTH, Bundle, parse_path

FOLDER: Final = "entries"
MAX_BYTES: Final = WIDTH * (MAX_PUBLIC_BYTES + 1)  # of one file

_TILES: Final = "tile/"
_SUFFIX: Final = ".jsonl"


def statements_path(bundle: Bundle) -> str:
    """Give where the public parts of a bundle's entries lie, such as `entries/003.p/232.jsonl`."""
    return f"{bundle.path.removeprefix(_TILES)}{_SUFFIX}"


def parse_statements_path(path: str) -> Bundle:
    """Read what `statements_path` gave. Raises: Unproven."""
    place = parse_path(f"{_TILES}{path.removesuffix(_SUFFIX)}")
    if isinstance(place, Bundle) and statements_path(place) == path:
        return place
    raise Unproven("a path is not that of public parts")


def print_line(public: bytes | None, leaf: bytes) -> bytes:
    """Give the line of an entry, without its line feed. `public`: None where it was pruned."""
    return (
        write_canonical({"leaf": print_base64(leaf), "pruned": True}) if public is None else public
    )


def read_line(line: bytes, leaf: bytes) -> dict[str, Json] | None:
    """Check a line against its leaf; gives the members, None if they were pruned.

    Raises: Unproven.
    """
    if leaf_of(line) == leaf:
        return read_public(line)
    if line != print_line(None, leaf):
        raise Unproven("its public part is not the one that its leaf is the hash of")
    return None


def print_statements(lines: tuple[bytes, ...]) -> bytes:
    """Give what `parse_statements` reads."""
    return b"".join(line + b"\n" for line in lines)


def parse_statements(bundle: Bundle, data: bytes) -> tuple[bytes, ...]:
    """Take a file of public parts into its lines; nothing is believed yet. Raises: Unproven."""
    count = data.count(b"\n")  # before they are taken apart: empty ones are many in little space
    if count != bundle.width:
        raise Unproven(f"it has {count} lines, not {bundle.width}")
    *lines, rest = data.split(b"\n")
    if rest:
        raise Unproven("it does not end with a whole line")
    return tuple(lines)
