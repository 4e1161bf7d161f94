"""Claims: the JSON of a warrant becomes a `Warrant`. What it says, believed by nobody.

Targets are brought into normal form here, once: a number that is not international, or an address
with a typing error, is refused at intake and not found out when a store has no answer. Whether
instrument, resources and callers exist is known to a bundle and a deployment, not here.
"""

import re
from typing import Final

from withhold.digest import digest_of
from withhold.errors import WarrantError
from withhold.kinds.form import Form
from withhold.kinds.instant import Instant, parse_rfc3339
from withhold.kinds.scalar import identity
from withhold.names import (
    CallerName,
    Category,
    InstrumentName,
    Kind,
    ResourceName,
    WarrantId,
)
from withhold.paths import PathError, parse_path
from withhold.warrant.document import (
    check_members,
    read_object,
    take_array,
    take_object,
    take_text,
)
from withhold.warrant.model import Interval, NamedField, Target, Warrant

MAX_PAYLOAD_BYTES: Final = 256 * 2**10
MAX_TARGETS: Final = 1_000
MAX_ENTRIES: Final = 1_000  # fields, callers, categories

_REQUIRED: Final = (
    "id",
    "instrument",
    "jurisdiction",
    "authority",
    "reference",
    "targets",
    "categories",
    "fields",
    "period",
    "valid",
    "callers",
)
_OPTIONAL: Final = ("served_at", "secrecy_until", "supersedes", "note")
_ALL: Final = "`[]` is all that the instrument covers"
_HINTS: Final = {"categories": _ALL, "fields": _ALL}
_TARGET: Final = 'such as `{"kind": "id", "value": "@alice:example.test"}`'
_FIELD: Final = 'such as `{"resource": "synapse/whois", "path": "$.user_id"}`'
_INTERVAL: Final = 'such as `{"from": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z"}`'
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LONGEST_LINE: Final = 1_024
_TARGET_KINDS: Final = (Kind.PHONE, Kind.EMAIL, Kind.ID, Kind.IP)  # those that tell people apart
_WRONG_TARGET: Final = {
    Kind.PHONE: "a phone number in international form, such as `+44 20 7946 0220`",
    Kind.EMAIL: "an email address",
    Kind.IP: "an IP address",
}
# Beyond these an instant could not be printed, or is a slip of the pen.
_EARLIEST: Final = Instant(0)  # 1970-01-01
_LATEST: Final = Instant(253_402_300_799)  # 9999-12-31, its last second


def parse_claims(payload: bytes) -> Warrant:
    """Read a warrant's JSON; the digest is of exactly these bytes. Raises: WarrantError."""
    found = read_object(payload, "the warrant", MAX_PAYLOAD_BYTES)
    check_members(found, "$", _REQUIRED, _OPTIONAL, _HINTS)
    warrant = WarrantId(take_id(found["id"], "$.id"))
    supersedes = take_id(found["supersedes"], "$.supersedes") if "supersedes" in found else None
    if supersedes == warrant:
        raise WarrantError("`$.supersedes` names the warrant itself")
    return Warrant(
        id=warrant,
        instrument=InstrumentName(take_line(found["instrument"], "$.instrument")),
        jurisdiction=take_line(found["jurisdiction"], "$.jurisdiction"),
        authority=take_line(found["authority"], "$.authority"),
        reference=take_line(found["reference"], "$.reference"),
        targets=_targets(found["targets"]),
        categories=frozenset(_categories(found["categories"])),
        fields=frozenset(_fields(found["fields"])),
        period=_interval(found["period"], "$.period"),
        valid=_interval(found["valid"], "$.valid"),
        callers=frozenset(_callers(found["callers"])),
        digest=digest_of(payload),
        served_at=take_instant(found["served_at"], "$.served_at") if "served_at" in found else None,
        secrecy_until=(
            take_instant(found["secrecy_until"], "$.secrecy_until")
            if "secrecy_until" in found
            else None
        ),
        supersedes=None if supersedes is None else WarrantId(supersedes),
        note=take_text(found.get("note", ""), "$.note"),
    )


def take_id(found: object, where: str) -> str:
    """Take the id of a warrant. Raises: WarrantError."""
    text = take_text(found, where)
    if not _ID.fullmatch(text):
        hint = "1 to 128 letters, digits, `.`, `_` and `-`, the first a letter or digit"
        raise WarrantError(f"`{where}` is not an id of a warrant", hint)
    return text


def take_line(found: object, where: str) -> str:
    """Take a text that names something: one line, neither empty nor with space around it.

    Raises: WarrantError.
    """
    text = take_text(found, where)
    if not text or text != text.strip():
        raise WarrantError(f"`{where}` is empty, or has space around it")
    if _CONTROL.search(text):
        raise WarrantError(f"`{where}` holds a control character")
    if len(text) > _LONGEST_LINE:
        raise WarrantError(f"`{where}` is too long: more than {_LONGEST_LINE} characters")
    return text


def _array(found: object, where: str, most: int = MAX_ENTRIES) -> list[tuple[object, str]]:
    entries = take_array(found, where)
    if len(entries) > most:
        raise WarrantError(f"`{where}` has more than {most} entries")
    return [(entry, f"{where}[{i}]") for i, entry in enumerate(entries)]


def _targets(found: object) -> frozenset[Target]:
    targets = [_target(entry, at) for entry, at in _array(found, "$.targets", MAX_TARGETS)]
    if not targets:
        raise WarrantError("`$.targets` is empty: a warrant names at least one")
    return frozenset(targets)


def _target(found: object, where: str) -> Target:
    entry = take_object(found, where, _TARGET)
    check_members(entry, where, ("kind", "value"))
    kind = take_text(entry["kind"], f"{where}.kind")
    if kind not in _TARGET_KINDS:
        known = ", ".join(f"`{k}`" for k in _TARGET_KINDS)
        raise WarrantError(f"`{where}.kind` is not the kind of a target", f"one of {known}")
    # A wrong identifier is the commonest fault in a disclosure: space around one is a slip.
    value = identity(Form(Kind(kind)), take_line(entry["value"], f"{where}.value"))
    if value is None:
        raise WarrantError(f"`{where}.value` is not {_WRONG_TARGET[Kind(kind)]}")
    return Target(Kind(kind), value)


def _categories(found: object) -> list[Category]:
    categories = []
    for entry, where in _array(found, "$.categories"):
        name = take_text(entry, where)
        if name not in list(Category):
            known = ", ".join(f"`{c}`" for c in Category)
            raise WarrantError(f"`{where}` is not a category", f"one of {known}")
        categories.append(Category(name))
    return categories


def _fields(found: object) -> list[NamedField]:
    return [parse_field(entry, where) for entry, where in _array(found, "$.fields")]


def parse_field(found: object, where: str) -> NamedField:
    """Read `{"resource": …, "path": …}`. Raises: WarrantError."""
    entry = take_object(found, where, _FIELD)
    check_members(entry, where, ("resource", "path"))
    resource = take_line(entry["resource"], f"{where}.resource")
    store, slash, name = resource.partition("/")
    if not store or not slash or not name or "/" in name:
        hint = "write `store/name`, such as `synapse/whois`"
        raise WarrantError(f"`{where}.resource` is not a resource", hint)
    try:
        path = parse_path(take_text(entry["path"], f"{where}.path"))
    except PathError:
        # PathError quotes the text, and whatever stands here was not checked by anybody.
        hint = "from `$`, by `.name`, `['odd.name']`, `[*]` and `.*`"
        raise WarrantError(f"`{where}.path` is not a path", hint) from None
    if not path:
        raise WarrantError(f"`{where}.path` names the whole answer: name the fields in it")
    return NamedField(ResourceName(resource), path)


def _callers(found: object) -> list[CallerName]:
    callers = [CallerName(take_line(entry, where)) for entry, where in _array(found, "$.callers")]
    if not callers:
        raise WarrantError("`$.callers` is empty: nobody could use the warrant")
    return callers


def _interval(found: object, where: str) -> Interval:
    entry = take_object(found, where, _INTERVAL)
    check_members(entry, where, ("from", "until"))
    since = take_instant(entry["from"], f"{where}.from")
    until = take_instant(entry["until"], f"{where}.until")
    if since >= until:
        raise WarrantError(f"`{where}` is empty: `from` is not before `until`")
    return Interval(since, until)


def take_instant(found: object, where: str) -> Instant:
    """Take a time with its offset. Raises: WarrantError."""
    instant = parse_rfc3339(take_text(found, where))
    if instant is None:
        hint = "RFC 3339 with its offset, such as `2026-01-01T00:00:00Z`; local time is refused"
        raise WarrantError(f"`{where}` is not a time with an offset", hint)
    if not _EARLIEST <= instant <= _LATEST:
        raise WarrantError(f"`{where}` is not between the years 1970 and 9999")
    return instant
