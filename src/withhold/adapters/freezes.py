"""Freeze files: the kill switch that needs nothing but a folder.

Each file in the node's folder is one freeze, named by what it freezes and written at once or not at
all. A file that says nothing we understand freezes everything: so does `touch` by hand, when
nothing else works. Names that begin with `.` are files under way, or the editor's own.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from withhold.errors import DatabaseUnavailable
from withhold.names import InstrumentName, StoreName
from withhold.ports import Freeze

EVERYTHING: Final = Freeze()
_MAX_FILE_BYTES: Final = 4_096
_MEMBERS: Final = frozenset({"store", "instrument"})


def make_folder(folder: Path) -> None:
    """Make the folder if it is missing. Raises: DatabaseUnavailable."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(folder, error) from None


def list_freezes(folder: Path) -> frozenset[Freeze]:
    """Give all freezes that are in force by file.

    Raises: DatabaseUnavailable if the folder is missing or unreadable: whether something is frozen
    is then unknown, and the one who asks has to take it for frozen.
    """
    try:
        found = [_read(path) for path in _visible(folder)]
    except OSError as error:
        raise _unusable(folder, error) from None
    return frozenset(freeze for freeze in found if freeze is not None)


def add_freeze(folder: Path, freeze: Freeze) -> Path:
    """Put a freeze in force for the nodes that share the folder. On disk on return; idempotent.

    Raises: DatabaseUnavailable.
    """
    path = folder / _name(freeze)
    part = folder / f".{path.name}.{secrets.token_hex(8)}"
    text = json.dumps({"store": freeze.store, "instrument": freeze.instrument})
    try:
        with part.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # CRASH: the file under way freezes nothing, and nobody was told that it does.
        part.replace(path)
        _sync(folder)
        # CRASH: in force, also after the machine has lost its power.
    except OSError as error:
        raise _unusable(folder, error) from None
    return path


def remove_freeze(folder: Path, freeze: Freeze) -> None:
    """Lift exactly this freeze, however its file is named; nothing happens if it isn't in force.

    Raises: DatabaseUnavailable.
    """
    try:
        for path in _visible(folder):
            if _read(path) == freeze:
                path.unlink(missing_ok=True)
        _sync(folder)
    except OSError as error:
        raise _unusable(folder, error) from None


def _visible(folder: Path) -> Iterable[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def _read(path: Path) -> Freeze | None:
    """Give what a file freezes: everything, unless it says what; None if it is gone again."""
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_MAX_FILE_BYTES).decode("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        return EVERYTHING
    if not isinstance(found, dict) or found.keys() != _MEMBERS:
        return EVERYTHING
    store, instrument = found["store"], found["instrument"]
    if not all(isinstance(name, str | None) and name != "" for name in (store, instrument)):
        return EVERYTHING
    return Freeze(
        None if store is None else StoreName(store),
        None if instrument is None else InstrumentName(instrument),
    )


def _name(freeze: Freeze) -> str:
    """Name a file so that equal freezes have equal names and no name is a path."""
    if freeze == EVERYTHING:
        return "everything"
    what = json.dumps([freeze.store, freeze.instrument]).encode()
    return f"freeze-{hashlib.sha256(what).hexdigest()[:16]}"


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unusable(folder: Path, error: OSError) -> DatabaseUnavailable:
    reason = (error.strerror or "").lower()
    return DatabaseUnavailable(f"the folder of freezes `{folder}` can't be used: {reason}")
