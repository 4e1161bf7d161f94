"""Copies of the log on disk: read as they are, extended so that a crash loses nothing.

What is new is written to a folder of its own inside the copy, and moved to its place only when all
of it was checked; the checkpoint goes last. One export at a time has the folder.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from withhold.errors import BadRequest, WithholdError
from withhold.ledger.statements import FOLDER, MAX_BYTES
from withhold.ledger.walk import Files

_MAX_TILE_BYTES: Final = 2**24 + 2**17  # a bundle of the longest entries; a checkpoint is shorter
STAGE: Final = ".export"  # what an export that is under way, or broke off, has written


@dataclass(frozen=True, slots=True)
class Stage:
    """What is to become of a copy: files that are written, and not yet in their place."""

    folder: Path

    @property
    def _stage(self) -> Path:
        return self.folder / STAGE

    def write(self, path: str, data: bytes) -> None:
        """Write a file, durably. Raises: OSError."""
        place = self._stage / path
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def read(self, path: str) -> bytes:
        """Read a file as it is going to be. Raises: OSError."""
        staged = self._stage / path
        return (staged if staged.is_file() else self.folder / path).read_bytes()

    def publish(self, path: str) -> None:
        """Move a file to its place. Raises: OSError."""
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        # CRASH: the copy has the file or has it not; the old checkpoint still stands, and the
        # files that it is of were not touched.
        (self._stage / path).replace(place)

    def settle(self) -> None:
        """Wait until the files are where they were moved to, whatever happens next."""
        for folder, _inner, _files in os.walk(self.folder):
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files of the copy, and folders that are empty then. Raises: OSError."""
        for path in paths:
            place = self.folder / path
            place.unlink()
            with contextlib.suppress(OSError):  # others are still in it
                place.parent.rmdir()


@contextlib.contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """Take a folder, made if it is missing, to extend the copy in it. Raises: OSError.

    Raises: WithholdError if another export has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"`{folder}` is in use: another export writes to it"
            raise WithholdError(message) from None
        shutil.rmtree(folder / STAGE, ignore_errors=True)
        try:
            yield Stage(folder)
        finally:
            shutil.rmtree(folder / STAGE, ignore_errors=True)
    finally:
        os.close(handle)


def read_files(folder: Path) -> Files:
    """Give the files of a copy. Raises: OSError, BadRequest.

    What an export has written and not yet moved is not the copy's. What is no plain file is listed
    and reads as nothing.
    """
    if not folder.is_dir():
        message = f"there is no folder `{folder}`"
        raise BadRequest(message)
    return Files(frozenset(_list(folder)), _reader(folder))


def _list(folder: Path) -> Iterator[str]:
    for inside, folders, files in os.walk(folder, onerror=_raise):
        here = PurePosixPath(Path(inside).relative_to(folder))
        if inside == str(folder) and STAGE in folders:
            folders.remove(STAGE)
        # A link to a folder is not followed: what it leads to is not in the copy.
        links = [name for name in folders if (Path(inside) / name).is_symlink()]
        yield from (str(here / name) for name in (*files, *links))


def _reader(folder: Path) -> Callable[[str], bytes]:
    def read(path: str) -> bytes:
        place = folder / path
        if not place.is_file():
            return b""
        most = MAX_BYTES if path.startswith(f"{FOLDER}/") else _MAX_TILE_BYTES
        with place.open("rb") as file:
            return file.read(most + 1)

    return read


def _raise(error: OSError) -> None:
    raise error
