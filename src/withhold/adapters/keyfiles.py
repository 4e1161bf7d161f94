"""Key files: a deployment's own keys, and a signer's. Private, or not used.

In `keys.path` (0700) each file (0600) holds 32 random bytes: `encryption-1.key`, `cache-1.key` and
so on, one of each kind at least; a higher number is a newer version. Names that begin with `.` are
files under way: they are never read as keys. A node looks every second whether the folder changed.
"""

import logging
import os
import re
import secrets
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from withhold.errors import KeyUnavailable
from withhold.keyring import (
    SECRET_BYTES,
    KeyKind,
    KeyRing,
    parse_private_key,
    print_private_key,
    print_token,
)

_NAME: Final = re.compile(rf"({'|'.join(KeyKind)})-([1-9][0-9]{{0,8}})\.key", re.ASCII)
LOOK_NS: Final = 1_000_000_000  # between two looks at the folder

_MAX_FILE_BYTES: Final = 16 * 2**10
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_HINT: Final = "`chmod 700` the folder and `chmod 600` each file, and see who could have read them"

_log: Final = logging.getLogger(__name__)
_Stamp = tuple[tuple[str, int, int, int], ...]  # of each key file: name, inode, mtime, ctime


class KeyFolder:
    """A folder of keys that is read anew when it changes. Any thread may ask.

    What can't be read, or lacks a kind, changes nothing: the last good ring stays, and one line of
    a row of failures is logged.
    """

    def __init__(self, folder: Path, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        """Read the keys. `clock_ns`: a monotonic clock. Raises: KeyUnavailable."""
        self._folder = folder
        self._clock_ns = clock_ns
        self._looking = threading.Lock()
        self._complained = False
        self._seen_ns = clock_ns()
        # Before the keys are read: what changes meanwhile is then read once more.
        self._stamp = _stamp(folder)
        self._ring = load_keys(folder)

    @property
    def ring(self) -> KeyRing:
        """The keys as they were a second ago at the latest, if anybody asked since."""
        # Whoever finds somebody looking takes what there is.
        if self._clock_ns() - self._seen_ns >= LOOK_NS and self._looking.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._looking.release()
        return self._ring

    def reload(self) -> KeyRing:
        """Look now, because a key is missing that another process made or was given."""
        with self._looking:
            self._look()
        return self._ring

    def _look(self) -> None:
        self._seen_ns = self._clock_ns()
        try:
            stamp = _stamp(self._folder)
            if stamp != self._stamp:
                self._ring = load_keys(self._folder)
        except KeyUnavailable as error:
            if not self._complained:
                _log.warning("the keys stay as they were: %s", error)
            self._complained = True
        else:
            self._stamp, self._complained = stamp, False


def make_keys(folder: Path) -> list[Path]:
    """Make the folder and whichever key is missing; gives the files that were made.

    A key that is there is never replaced. Raises: KeyUnavailable.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(folder, error) from None
    there = {_kind(name) for name in _key_names(folder)}
    made = []
    for kind in KeyKind:
        if kind not in there:
            path = _path(folder, kind, 1)
            write_private(path, secrets.token_bytes(SECRET_BYTES))
            made.append(path)
    return made


def load_keys(folder: Path) -> KeyRing:
    """Read all keys. Raises: KeyUnavailable if one is missing, or readable by others."""
    found: dict[str, dict[int, bytes]] = {kind.value: {} for kind in KeyKind}
    for name in _key_names(folder):
        matched = _NAME.fullmatch(name)
        if matched is None:
            continue
        key = read_private(folder / name)
        if len(key) != SECRET_BYTES:
            raise KeyUnavailable(f"`{folder / name}` is no key: it has not {SECRET_BYTES} bytes")
        found[matched.group(1)][int(matched.group(2))] = key
    for kind, versions in found.items():
        if not versions:
            message = f"`{folder}` has no {kind} key"
            raise KeyUnavailable(message, "`withhold keys init` makes what is missing")
    return KeyRing(**found)


def make_next_key(folder: Path, kind: KeyKind, above: int = 0) -> int:
    """Make the next version of a key, higher than `above` too, and give its number.

    Raises: KeyUnavailable, also if another process has just made that version.
    """
    version = max(above, *load_keys(folder).of(kind)) + 1
    write_private(_path(folder, kind, version), secrets.token_bytes(SECRET_BYTES))
    # CRASH: the new version is whole and every node uses it; what it is still to do can be done
    # again. Before, there was no such version.
    return version


def retire_key(folder: Path, kind: KeyKind, version: int) -> None:
    """Take a version out of use: nobody reads it as a key any more. Again, it changes nothing.

    Raises: KeyUnavailable, also for the newest: the deployment would be without.
    """
    versions = load_keys(folder).of(kind)
    if version >= max(versions):
        message = f"version {version} of the {kind} key is not older than the newest"
        raise KeyUnavailable(message, f"`withhold keys rotate {kind}` makes a newer one")
    path = _path(folder, kind, version)
    if version in versions:
        try:
            path.rename(_part(path))
            _sync(folder)
        except OSError as error:
            raise _unusable(path, error) from None
    elif not _parts(path):
        raise KeyUnavailable(f"there is no version {version} of the {kind} key")


def destroy_key(folder: Path, kind: KeyKind, version: int) -> None:
    """Overwrite and remove a version of a key for good; one that a crash left half gone, too.

    Overwriting does what it can: a file system that copies on write, a flash disk and backups keep
    what was there. Raises: as `retire_key`.
    """
    # Under its own name, half overwritten, it would be a wrong key.
    retire_key(folder, kind, version)
    # CRASH: it is no key any more; the same call finds what is left and ends it.
    path = _path(folder, kind, version)
    try:
        for each in _parts(path):
            _overwrite(each)
            each.unlink(missing_ok=True)
        _sync(folder)
    except OSError as error:
        raise _unusable(path, error) from None


def make_signer_key(path: Path) -> Ed25519PrivateKey:
    """Make a signer's private key and keep it in a new file. Raises: KeyUnavailable."""
    key = Ed25519PrivateKey.generate()
    write_private(path, print_private_key(key))
    return key


def load_signer_key(path: Path) -> Ed25519PrivateKey:
    """Read a signer's private key. Raises: KeyUnavailable, also if others could read it."""
    return parse_private_key(read_private(path))


def make_token() -> str:
    """Make a caller's token; the deployment file has its `token_digest` only."""
    return print_token(secrets.token_bytes(SECRET_BYTES))


def write_private(path: Path, data: bytes) -> None:
    """Make a new file (0600) that is whole and on disk, or not there. Raises: KeyUnavailable."""
    # The name stands only once the content does: a file that is half there would be a wrong key.
    part = _part(path)
    try:
        handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            # A link, unlike a rename, fails if somebody else was first: no key is ever replaced.
            os.link(part, path)
        finally:
            part.unlink()
        _sync(path.parent)
    except FileExistsError:
        raise KeyUnavailable(f"`{path}` is there already, and a key is never replaced") from None
    except OSError as error:
        raise _unusable(path, error) from None


def read_private(path: Path) -> bytes:
    """Read a file that only its owner, which we are, can read. Raises: KeyUnavailable."""
    try:
        # Without waiting: a pipe in its place would have us wait for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            # Of the open file, so that nobody can put another in its place in between.
            _check_private(path, os.fstat(file.fileno()), is_file=True)
            return file.read(_MAX_FILE_BYTES)
    except OSError as error:
        raise _unusable(path, error) from None


def _key_names(folder: Path) -> list[str]:
    try:
        _check_private(folder, folder.stat(), is_file=False)
        return sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise _unusable(folder, error) from None


def _kind(name: str) -> str:
    matched = _NAME.fullmatch(name)
    return matched.group(1) if matched else ""


def _path(folder: Path, kind: KeyKind, version: int) -> Path:
    return folder / f"{kind}-{version}.key"


def _part(path: Path) -> Path:
    """Name a file under way."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}")


def _parts(path: Path) -> list[Path]:
    """Give what there is under such names: keys that are no more, or never came to be."""
    return sorted(path.parent.glob(f".{path.name}.*"))


def _stamp(folder: Path) -> _Stamp:
    """Give what differs whenever a key, or who may read it, does. Raises: KeyUnavailable."""
    try:
        keys = [(name, (folder / name).stat()) for name in _key_names(folder) if _kind(name)]
    except OSError as error:
        raise _unusable(folder, error) from None
    return tuple((name, at.st_ino, at.st_mtime_ns, at.st_ctime_ns) for name, at in keys)


def _overwrite(path: Path) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    with os.fdopen(handle, "wb") as file:
        file.write(bytes(os.fstat(file.fileno()).st_size))
        file.flush()
        os.fsync(file.fileno())


def _check_private(path: Path, found: os.stat_result, *, is_file: bool) -> None:
    right = stat.S_ISREG(found.st_mode) if is_file else stat.S_ISDIR(found.st_mode)
    if not right:
        raise KeyUnavailable(f"`{path}` is not a {'file' if is_file else 'folder'}")
    if found.st_uid not in {os.geteuid(), 0}:
        raise KeyUnavailable(f"`{path}` belongs to somebody else")
    if found.st_mode & _OTHERS:
        raise KeyUnavailable(f"`{path}` can be read or changed by others", _HINT)


def _sync(folder: Path) -> None:
    """Make a new name in the folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unusable(path: Path, error: OSError) -> KeyUnavailable:
    return KeyUnavailable(f"`{path}` can't be used: {(error.strerror or '').lower()}")
