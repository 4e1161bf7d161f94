"""Key files: a deployment's own keys, and a signer's. Private, or not used.

In `keys.path` (0700) each file (0600) holds 32 random bytes: `encryption-1.key`, `cache-1.key` and
so on, one of each kind at least; a higher number is a newer version.
"""

import os
import re
import secrets
import stat
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
_MAX_FILE_BYTES: Final = 16 * 2**10
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_HINT: Final = "`chmod 700` the folder and `chmod 600` each file, and see who could have read them"


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
            path = folder / f"{kind}-1.key"
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
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
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
