"""The reserve: space on the database's disk that is kept for ending access.

When the disk is full, nothing more is disclosed, for no receipt can be written; but a revocation
must hold (law 4). So a file of a few mebibytes lies beside the database, really there and not a
hole. What ends access may use its space up; ordinary writes are refused until it is whole again.
"""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

RESERVE_BYTES: Final = 4 * 2**20  # some hundreds of changes of state, with their pages in the WAL


class Reserve:
    """The reserve of one SQLite file. Safe beside other processes that keep the same one."""

    def __init__(self, database: Path, size_bytes: int = RESERVE_BYTES) -> None:
        """`database`: the file whose disk it is about."""
        self._path = database.with_name(f"{database.name}-reserve")
        self._size_bytes = size_bytes

    def is_whole(self) -> bool:
        """Tell whether the space is there."""
        try:
            return self._path.stat().st_size == self._size_bytes
        except OSError:
            return False

    def restore(self) -> bool:
        """Take the space, if the disk has it; tells whether it is there."""
        if self.is_whole():
            return True
        try:
            free = os.statvfs(self._path.parent)
            if free.f_bavail * free.f_frsize < 2 * self._size_bytes:
                return False  # nor would it leave room for anything else
            # The name stands only once the space does. Random: zeros may take none (btrfs, ZFS).
            part = self._path.with_name(f"{self._path.name}.{secrets.token_hex(8)}")
            with contextlib.ExitStack() as stack:
                handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
                stack.callback(part.unlink, missing_ok=True)
                with os.fdopen(handle, "wb") as file:
                    file.write(os.urandom(self._size_bytes))
                    file.flush()
                    os.fsync(handle)
                part.rename(self._path)
        except OSError:
            return False
        return True

    def release(self) -> None:
        """Give the space to whoever writes next."""
        with contextlib.suppress(OSError):
            self._path.unlink()
