"""Documents: the strict reading of a JSON object that somebody may have tampered with.

A second reader must never see another document in the same bytes: a member's name may not repeat,
at any depth, and size and depth are bounded before anything is built. No message holds a value;
a key is shown only if it looks like a word. Source: RFC 8259, RFC 7493 (I-JSON).
"""

import difflib
import json
import re
from collections.abc import Collection, Mapping
from typing import Final, NoReturn

from withhold.errors import WarrantError
from withhold.kinds.scalar import Number

MAX_DEPTH: Final = 8  # a warrant needs three

# A string that nothing closes is one token to the end: else each quote in it would be tried anew,
# and 16 KB of `\"` took half a second.
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)
_WORD: Final = re.compile(r"[A-Za-z_]{1,40}", re.ASCII)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def read_object(data: bytes, what: str, max_bytes: int) -> dict[str, object]:
    """Read one JSON object. `what`: what to call it in a message; numbers are `Number`s.

    Raises: WarrantError.
    """
    if len(data) > max_bytes:
        raise WarrantError(f"{what} is too large: more than {max_bytes} bytes")
    if _depth(data) > MAX_DEPTH:
        raise WarrantError(f"{what} is nested too deeply: more than {MAX_DEPTH} levels")
    try:
        # Numbers keep their digits; nothing in these documents is one, so each is a fault later.
        found: object = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_members,
            parse_int=Number,
            parse_float=Number,
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError:
        raise WarrantError(f"{what} is not UTF-8") from None
    except json.JSONDecodeError as error:
        # The error's own text quotes nothing of the document; its cause holds all of it.
        message = f"{what} is not JSON: {_plain(error.msg)} at line {error.lineno}"
        raise WarrantError(message) from None
    except _StrictError as error:
        raise WarrantError(f"{what} is not strict JSON: {error}") from None
    if not isinstance(found, dict):
        raise WarrantError(f"{what} is not a JSON object")
    return found


def check_members(
    found: dict[str, object],
    where: str,
    required: Collection[str],
    optional: Collection[str] = (),
    hints: Mapping[str, str] | None = None,
) -> None:
    """Refuse unknown and missing members. Raises: WarrantError.

    `where`: the object's path; `hints`: what to write where a member is missing.
    """
    known = [*required, *optional]
    for key in found:
        if key not in known:
            name = f"`{where}.{key}`" if _WORD.fullmatch(key) else f"a key in `{where}`"
            nearest = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean `{nearest[0]}`?" if nearest else f"known: {_listed(known)}"
            raise WarrantError(f"{name} is unknown", hint)
    missing = [key for key in required if key not in found]
    if missing:
        hint = next((hints[key] for key in missing if key in hints), "") if hints else ""
        raise WarrantError(f"`{where}` lacks {_listed(missing)}", hint)


def take_object(found: object, where: str, hint: str = "") -> dict[str, object]:
    """Give the object at `where`. `hint`: what one looks like. Raises: WarrantError."""
    if not isinstance(found, dict):
        raise WarrantError(f"`{where}` must be an object", hint)
    return found


def take_array(found: object, where: str) -> list[object]:
    """Give the array at `where`. Raises: WarrantError."""
    if not isinstance(found, list):
        raise WarrantError(f"`{where}` must be an array")
    return found


def take_text(found: object, where: str) -> str:
    """Give the string at `where`, which may be empty. Raises: WarrantError."""
    if not isinstance(found, str):
        raise WarrantError(f"`{where}` must be a string")
    if _SURROGATE.search(found):
        raise WarrantError(f"`{where}` holds half of a surrogate pair, which is no character")
    return found


class _StrictError(Exception):
    """Valid to a lenient reader; its text holds no value."""


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _StrictError("a member's name occurs twice in one object")
    return members


def _refuse_constant(_: str) -> NoReturn:
    raise _StrictError("`NaN` and `Infinity` are no JSON")


def _depth(data: bytes) -> int:
    """Give how deeply arrays and objects nest, before a recursive reader sees them."""
    depth = deepest = 0
    for token in _TOKEN.finditer(data):
        opens = token.group()
        depth += (opens in {b"[", b"{"}) - (opens in {b"]", b"}"})
        deepest = max(deepest, depth)
    return deepest


def _plain(message: str) -> str:
    return message[:1].lower() + message[1:]


def _listed(names: Collection[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
