"""Calls: what a caller asks for, read from the request's target and headers. Pure.

Only the headers named here are looked at, and none is passed on. Source: contract §7.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import http_sf

from withhold.errors import BadRequest
from withhold.names import WarrantId
from withhold.paths import Path, PathError, parse_path
from withhold.proxy.target import StorePath, parse_target

NDJSON: Final = "application/x-ndjson"

Headers = Sequence[tuple[bytes, bytes]]  # as received, names in lower case

_HEARD: Final = frozenset(
    {b"accept", b"content-length", b"transfer-encoding", b"withhold-fields", b"withhold-warrant"}
)
# As warrants write their ids; anything else is no id of one.
_WARRANT_ID: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True)
class Call:
    """One request, in the form it must have and not yet allowed."""

    path: StorePath
    # Unknown yet, both: whatever somebody sent.
    warrant: WarrantId = field(repr=False)
    fields: frozenset[Path] | None = field(repr=False)  # None: not narrowed
    takes_ndjson: bool  # pages may come as lines


def parse_call(raw_target: bytes, headers: Headers) -> Call:
    """Read a request. `raw_target`: path and query as received. Raises: BadRequest."""
    said: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if name in _HEARD:
            said.setdefault(name, []).append(value)
    if _has_body(said):
        raise BadRequest("a GET request has no body here")
    return Call(
        path=parse_target(raw_target),
        warrant=_parse_warrant(said.get(b"withhold-warrant", [])),
        fields=_parse_fields(said.get(b"withhold-fields", [])),
        takes_ndjson=any(map(_takes_ndjson, said.get(b"accept", []))),
    )


def _has_body(said: Mapping[bytes, list[bytes]]) -> bool:
    """Tell whether a body is announced. Source: RFC 9112 §6."""
    lengths = said.get(b"content-length", [])
    return b"transfer-encoding" in said or any(value.strip(b"0") for value in lengths)


def _parse_warrant(values: list[bytes]) -> WarrantId:
    if not values:
        raise BadRequest("the header `Withhold-Warrant` is missing")
    if len(values) > 1 or not _WARRANT_ID.fullmatch(values[0]):
        raise BadRequest("the header `Withhold-Warrant` does not hold the id of one warrant")
    return WarrantId(values[0].decode("ascii"))


def _parse_fields(values: list[bytes]) -> frozenset[Path] | None:
    """Read a list of strings, over several lines if need be (RFC 9651 §3.1, §4.2)."""
    if not values:
        return None
    paths = _parse_list(b",".join(values))
    if paths is None:
        message = "the header `Withhold-Fields` is not a list of paths as strings"
        raise BadRequest(message + ', such as `"$.a", "$.b"`')
    return frozenset(paths)


def _parse_list(value: bytes) -> list[Path] | None:
    """Give the paths, or None. An exception's text would repeat what the caller wrote."""
    try:
        members = http_sf.parse(value, tltype="list")
        return [_path(member) for member in members]  # type: ignore[union-attr]  # a list it is
    except (http_sf.StructuredFieldError, PathError):
        return None


def _path(member: object) -> Path:
    text, parameters = member if isinstance(member, tuple) else (member, {})
    # A token is a `str` in some readers: only a string is one here.
    if type(text) is not str or parameters:
        raise PathError
    return parse_path(text)


def _takes_ndjson(accept: bytes) -> bool:
    """Tell whether NDJSON is named, and not to be avoided. Source: RFC 9110 §12.5.1."""
    if accept == b"*/*":
        return False  # all that most callers say
    for media_range in accept.decode("latin-1").lower().split(","):
        name, *parameters = (part.strip() for part in media_range.split(";"))
        if name == NDJSON:
            return not any(re.fullmatch(r"q=0(\.0*)?", p) for p in parameters)
    return False
