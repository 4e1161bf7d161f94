"""Paths: the subset of RFC 9535 that names a place in every answer of a resource.

`$` is the answer, `.name` and `['odd.name']` a member, `[*]` each element of an array, `.*` each
member of an object that is keyed by data. There are no filters, slices, indexes or `..`.
A path is a tuple of segments; a member's name is a `str`, the two wildcards are `Wild`.
"""

import re
from enum import Enum
from typing import Final, TypeAlias


class Wild(Enum):
    """One of the two wildcards; RFC 9535 lets either stand for both, here each has one meaning."""

    ELEMENTS = "[*]"
    MEMBERS = ".*"


Segment: TypeAlias = str | Wild
Path: TypeAlias = tuple[Segment, ...]
Names: TypeAlias = tuple[str, ...]  # a path of member names only, from a record or an element

MAX_SEGMENTS: Final = 32  # deeper than any answer we have seen; keeps every walk bounded

# RFC 9535 §2.5.1.1, member-name-shorthand: name-first *name-char
_SHORTHAND: Final = re.compile(
    r"[A-Za-z_\u0080-\ud7ff\ue000-\U0010ffff][0-9A-Za-z_\u0080-\ud7ff\ue000-\U0010ffff]*"
)
# RFC 9535 §2.3.1.1, string-literal in single or double quotes
_QUOTED: Final = re.compile(
    r"""\['((?:[^'\\\x00-\x1f]|\\.)*)'\]|\["((?:[^"\\\x00-\x1f]|\\.)*)"\]"""
)
_ESCAPE: Final = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ESCAPED: Final = {
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "/": "/",
    "\\": "\\",
    "'": "'",
    '"': '"',
}
_ESCAPES: Final = {
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\\": "\\\\",
    "'": "\\'",
}


class PathError(ValueError):
    """The text is not a path of this subset; its message says where it stops being one."""


def parse_path(text: str) -> Path:
    """Parse a path from the answer's root, such as `$.devices.*.sessions[*].ip`.

    Raises: PathError. Source: RFC 9535 §2 (subset).
    """
    if not text.startswith("$"):
        message = f"`{text}` does not begin with `$`"
        raise PathError(message)
    return _parse_segments(text, 1)


def parse_names(text: str) -> Names:
    """Parse a path from a record or an element, such as `last_seen` or `meta['sent.at']`.

    Raises: PathError.
    """
    if not text or text.startswith("$"):
        message = (
            f"`{text}` is not a path from the element: write a member's name such as `last_seen`"
        )
        raise PathError(message)
    dotted = text if text.startswith("[") else f".{text}"
    path = _parse_segments(dotted, 0)
    names = tuple(segment for segment in path if isinstance(segment, str))
    if len(names) != len(path):
        message = f"`{text}` holds a wildcard: one value is meant here"
        raise PathError(message)
    return names


def print_path(path: Path) -> str:
    """Print a path in its one canonical form. `parse_path(print_path(p)) == p`."""
    return "$" + "".join(_print_segment(segment) for segment in path)


def print_names(names: Names) -> str:
    """Print a path from an element in its one canonical form."""
    return print_path(names)[1:].removeprefix(".")


def _print_segment(segment: Segment) -> str:
    if isinstance(segment, Wild):
        return segment.value
    if _SHORTHAND.fullmatch(segment):
        return f".{segment}"
    quoted = "".join(_ESCAPES.get(c, c if c >= " " else f"\\u{ord(c):04x}") for c in segment)
    return f"['{quoted}']"


def _parse_segments(text: str, at: int) -> Path:
    segments: list[Segment] = []
    while at < len(text):
        segment, at = _parse_segment(text, at)
        segments.append(segment)
        if len(segments) > MAX_SEGMENTS:
            message = f"the path has more than {MAX_SEGMENTS} segments"
            raise PathError(message)
    return tuple(segments)


def _parse_segment(text: str, at: int) -> tuple[Segment, int]:
    for wild in Wild:
        if text.startswith(wild.value, at):
            return wild, at + len(wild.value)
    if text[at] == "." and (name := _SHORTHAND.match(text, at + 1)):
        return name.group(), name.end()
    if quoted := _QUOTED.match(text, at):
        body = quoted.group(1) if quoted.group(1) is not None else quoted.group(2)
        return _ESCAPE.sub(_unescape, body), quoted.end()
    message = f"`{text}` is not a path at `{text[at:]}`: use `.name`, `['odd.name']`, `[*]` or `.*`"
    raise PathError(message)


def _unescape(escape: re.Match[str]) -> str:
    code = escape.group(1)
    if len(code) > 1:
        character = chr(int(code[1:], 16))
        if _SURROGATE.fullmatch(character):
            message = "a path holds a surrogate escape: write the character itself"
            raise PathError(message)
        return character
    if code not in _ESCAPED:
        message = f"a path holds the unknown escape `\\{code}`"
        raise PathError(message)
    return _ESCAPED[code]
