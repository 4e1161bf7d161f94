"""Warrants as files: what the commands read, and what they show before a person signs."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from withhold.errors import WarrantError
from withhold.kinds.instant import print_instant
from withhold.paths import print_path
from withhold.warrant.model import Interval, Target, Warrant
from withhold.warrant.parse import parse_warrant
from withhold.warrant.signed import MAX_DOCUMENT_BYTES


def read_document(path: Path) -> bytes:
    """Read a warrant's JSON or its signed document. Raises: WarrantError, OSError."""
    with path.open("rb") as file:
        data = file.read(MAX_DOCUMENT_BYTES + 1)
    if len(data) > MAX_DOCUMENT_BYTES:
        message = f"`{path}` is larger than a warrant may be"
        raise WarrantError(message)
    return data


def read_warrant(path: Path) -> Warrant:
    """Read what a warrant says; signatures are not looked at. Raises: WarrantError, OSError."""
    document = read_document(path)
    with naming(path):
        return parse_warrant(document)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file in what is said of the warrant that it holds. Raises: WarrantError."""
    try:
        yield
    except WarrantError as error:
        message = f"{path}: {error.message}"
        raise WarrantError(message, error.hint) from None


def describe(warrant: Warrant) -> list[tuple[str, str]]:
    """Say all that a warrant says, as a person who signs must see it: targets too."""
    fields = sorted((each.resource, print_path(each.path)) for each in warrant.fields)
    rows = [
        ("warrant", warrant.id),
        ("digest", warrant.digest),
        ("instrument", f"{warrant.instrument} ({warrant.jurisdiction})"),
        ("authority", warrant.authority),
        ("reference", warrant.reference),
        *(("target", f"{t.kind} {t.value}") for t in sorted(warrant.targets, key=_by_kind)),
        ("categories", ", ".join(sorted(warrant.categories)) or "all that the instrument covers"),
        *(("field", f"{resource} {path}") for resource, path in fields),
        ("period", _interval(warrant.period)),
        ("valid", _interval(warrant.valid)),
        ("callers", ", ".join(sorted(warrant.callers))),
    ]
    optional = [
        ("supersedes", warrant.supersedes or ""),
        ("served at", "" if warrant.served_at is None else print_instant(warrant.served_at)),
        (
            "secrecy until",
            "" if warrant.secrecy_until is None else print_instant(warrant.secrecy_until),
        ),
        ("note", warrant.note),
    ]
    return rows + [row for row in optional if row[1]]


def _by_kind(target: Target) -> tuple[str, str]:
    return target.kind, target.value


def _interval(interval: Interval) -> str:
    return f"{print_instant(interval.since)} until {print_instant(interval.until)}"
