"""Shape: all places that a resource speaks of, as the one tree that an answer can be.

A place is a leaf or a container; a container holds names, elements or members keyed by data. What
only decides (a record's subject and time, `when`, `confirm`, a cursor) is a leaf like any other.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from withhold.paths import Path, Segment, Wild, print_path
from withhold.toml.lines import KeyPath
from withhold.toml.table import Table


@dataclass(frozen=True)
class Claim:
    """Something that a resource says to stand at a path."""

    path: Path
    what: str  # as a message calls it, such as "the time of `$.a[*]`"
    table: Table
    at: KeyPath  # from the table
    leaf: bool = True  # a leaf; else the way to one

    def fault(self, message: str, hint: str = "") -> None:
        """Note a fault of this claim."""
        self.table.fault(message, hint, *self.at)


@dataclass
class Shape:
    """The tree, as far as claims agree about it."""

    # Fields at fault: they are declared, and what refers to them is not at fault, too.
    faulty: Collection[Path] = ()
    leaves: set[Path] = field(default_factory=set)
    ways: dict[Path, set[Segment]] = field(default_factory=dict)  # what leads on from a container

    def is_unclear(self, path: Path) -> bool:
        """Tell whether a field at fault stands at a path or beneath it, or may do so."""
        return any(not place or place[: len(path)] == path for place in self.faulty)

    def wild(self, path: Path) -> Wild | None:
        """Give the wildcard that leads on from a place, if one does: then nothing else does."""
        way = next(iter(self.ways.get(path, ())), None)
        return way if isinstance(way, Wild) else None

    def grow(self, claim: Claim) -> bool:
        """Take a claim in; one that does not fit in with those before it is a fault."""
        if not self._fits(claim):
            return False
        for i, segment in enumerate(claim.path):
            self.ways.setdefault(claim.path[:i], set()).add(segment)
        if claim.leaf:
            self.leaves.add(claim.path)
        return True

    def _fits(self, claim: Claim) -> bool:
        for i, segment in enumerate(claim.path):
            place = claim.path[:i]
            ways = self.ways.get(place, set())
            if place in self.leaves:
                message = f"{claim.what} lies beneath `{print_path(place)}`, which is a leaf"
                claim.fault(message, _ONE_THING)
                return False
            if ways and segment not in ways and (isinstance(segment, Wild) or self.wild(place)):
                other = print_path((*place, min(ways, key=str)))
                claim.fault(f"{claim.what} and `{other}` can't both be", _NO_MIXING)
                return False
        if claim.leaf and claim.path in self.ways:
            other = print_path((*claim.path, min(self.ways[claim.path], key=str)))
            claim.fault(f"{claim.what} is a container: `{other}` lies beneath it", _ONE_THING)
            return False
        return True


_ONE_THING: Final = "a place is a leaf or a container, never both"
_NO_MIXING: Final = (
    "a place has names, elements `[*]` or members `.*` keyed by data; they never mix"
)
