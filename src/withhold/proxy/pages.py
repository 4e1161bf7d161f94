"""Pages: the cursor of the next one, and many minimized pages as one answer. Pure.

Cursors neither leave nor enter: they are read here from what the store sent, and go back to the
store. A catalogue declares no cursor as a field, and no path of a paged resource has a member keyed
by data before an array: two pages could hide each other's members.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

import msgspec

from withhold.allowlist.model import Allowlist
from withhold.catalogue.model import Resource
from withhold.errors import Malformed
from withhold.minimize.minimizer import Minimized
from withhold.minimize.tally import Tally
from withhold.paths import Names, Path, Wild

MAX_CURSOR_BYTES: Final = 4 * 2**10

_NUMBERS: Final = tuple(bytes([digit]) for digit in b"-0123456789")
_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT: Final = msgspec.json.Decoder(str)
_Decoded = TypeVar("_Decoded")


def cursor_of(body: bytes, next_at: Names) -> str | None:
    """Give the cursor that stands at `next_at`, or None if this is the last page.

    `body`: a page as the store sent it. What stands beside the cursor is skipped undecoded.
    Raises: Malformed for a cursor that is no scalar, or too long: the answer would be cut short.
    """
    found = body
    for name in next_at:
        members = _members(found)
        found = bytes(members[name]) if name in members else b"null"
        if found == b"null":
            return None
    if len(found) > MAX_CURSOR_BYTES:
        raise Malformed("the cursor of the next page is too long", cause="cursor")
    if found[:1] == b'"':
        return _decode(_TEXT, found) or None
    if found[:1] in _NUMBERS:
        return found.decode("ascii")
    message = "the cursor of the next page is neither a string nor a number"
    raise Malformed(message, cause="cursor")


def join_pages(allowlist: Allowlist, pages: Sequence[Minimized]) -> Minimized:
    """Join minimized pages into one answer. `pages`: JSON objects, as the minimizer prints them.

    The outermost arrays are concatenated; of any other leaf the first page that has it counts. What
    the tally says was disclosed is what the joined answer holds: how many pages there were is the
    store's affair (law 2). What was seen and withheld it says of all pages.
    """
    bodies = [page.body for page in pages if page.body is not None]
    tally = _join_tallies(allowlist, [page.tally for page in pages])
    tally.records_disclosed -= _surplus(allowlist.resource, bodies)
    if not bodies:
        return Minimized(None, tally)
    return Minimized(_join([entry.field.path for entry in allowlist.leaves], bodies), tally)


def _join_tallies(allowlist: Allowlist, tallies: Iterable[Tally]) -> Tally:
    """Add tallies up; a leaf outside every array counts once, at its first page's label."""
    single = {
        entry.field.label: entry.field.path
        for entry in allowlist.leaves
        if Wild.ELEMENTS not in entry.field.path
    }
    had: set[Path] = set()
    joined = Tally()
    for tally in tallies:
        joined.add(tally)
        for label in tally.disclosed.keys() & single.keys():
            if single[label] in had:
                joined.disclosed[label] -= tally.disclosed[label]
            had.add(single[label])
    joined.disclosed = +joined.disclosed  # no count is zero
    return joined


def _surplus(resource: Resource, bodies: Sequence[bytes]) -> int:
    """Count how often a record outside every array, such as `$`, stands again on a later page."""
    single = [record.each for record in resource.records if Wild.ELEMENTS not in record.each]
    times = (sum(_stands(each, body) for body in bodies) for each in single)
    return sum(max(0, count - 1) for count in times)


def _stands(path: Path, body: bytes) -> bool:
    """Tell whether something stands at a path of names."""
    found = body
    for name in path:
        members = _members(found)
        if name not in members:
            return False
        found = bytes(members[str(name)])
    return True


def _join(paths: Sequence[Path], pages: list[bytes]) -> bytes:
    """Join what stands at one place in each page; `paths` lead on from there."""
    heads = {path[0] for path in paths if path}
    if Wild.ELEMENTS in heads:
        # Compact and never empty: what stands between the brackets is whole elements.
        return b"[" + b",".join(page[1:-1] for page in pages) + b"]"
    if not heads:
        return pages[0]
    joined: dict[str, msgspec.Raw] = {}
    members = [_members(page) for page in pages]
    for name in sorted(str(head) for head in heads):
        found = [bytes(each[name]) for each in members if name in each]
        if found:
            inner = [path[1:] for path in paths if path and path[0] == name]
            joined[name] = msgspec.Raw(_join(inner, found))
    return msgspec.json.encode(joined)


def _members(text: bytes) -> dict[str, msgspec.Raw]:
    """Give an object's members undecoded. Raises: Malformed."""
    return _decode(_MEMBERS, text)


def _decode(decoder: msgspec.json.Decoder[_Decoded], text: bytes) -> _Decoded:
    """Decode, and let no exception of the decoder out, nor attached to ours."""
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return decoder.decode(text)
    message = "the cursor of the next page does not stand where it should"
    raise Malformed(message, cause="cursor")
