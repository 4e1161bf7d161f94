"""The anchor: how far the log was when this machine last looked, in a file outside the database.

Whoever sets the database back to an older copy, by mistake or not, loses receipts that were given
out and revives warrants that were revoked. So a node notes the log's right edge in a file beside
its keys, and does not serve a log that is not a continuation of it.
"""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from withhold.errors import LedgerUnavailable, Unproven
from withhold.ledger.tree import Frontier

_MAX_BYTES = 4_096  # a frontier of 2**63 leaves takes half of it


def read_anchor(path: Path) -> Frontier:
    """Give what was noted; an empty log if nothing was. Raises: LedgerUnavailable."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES)
    except FileNotFoundError:
        return Frontier()
    except OSError as error:
        raise _unusable(path, error) from None
    try:
        return Frontier.decode(data)
    except Unproven:
        raise LedgerUnavailable(
            f"`{path}` is damaged: it should say how far the log was",
            "if the database is known to be whole, `withhold ledger accept` notes it anew",
        ) from None


def write_anchor(path: Path, seen: Frontier) -> None:
    """Note how far the log is, if it is further than what was noted. Raises: LedgerUnavailable.

    Several processes of a machine share the file; whoever is behind changes nothing.
    """
    if seen.size > read_anchor(path).size:
        with _alone(path):
            # Again: whoever was here meanwhile may be further.
            if seen.size > read_anchor(path).size:
                replace_anchor(path, seen)


def replace_anchor(path: Path, seen: Frontier) -> None:
    """Note how far the log is, whatever was noted. Raises: LedgerUnavailable."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        try:
            with part.open("xb") as file:
                file.write(seen.encode())
                file.flush()
                os.fsync(file.fileno())
            # CRASH: the old note stands; the log is further than it says, which is no fault.
            part.replace(path)
        finally:
            with contextlib.suppress(OSError):
                part.unlink()
    except OSError as error:
        raise _unusable(path, error) from None


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep others from noting, for as long as it takes. The folder is what is locked."""
    try:
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise _unusable(path, error) from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _unusable(path: Path, error: OSError) -> LedgerUnavailable:
    return LedgerUnavailable(f"`{path}` can't be used: {(error.strerror or '').lower()}")
