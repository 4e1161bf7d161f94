"""The pinned Synapse, in a virtual environment of its own: found, or made once per user.

It never shares an environment with Withhold: what Synapse needs decides nothing about what Withhold
runs with. What can be missing is said in a sentence each, with what to do about it.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
NEWEST_PYTHON = (3, 14)  # for which the pinned Synapse has wheels
INSTALL_S = 600.0


class CannotInstallError(Exception):
    """There is no Synapse to test against; its text says what is missing, and a hint."""


def installed() -> Path | None:
    """Give the interpreter of a complete environment; None where there is none yet."""
    folder = _folder()
    return folder / "bin" / "python" if (folder / "complete").exists() else None


def install() -> Path:
    """Give the interpreter of an environment that holds the pinned Synapse; make it where missing.

    Raises: CannotInstallError.
    """
    found = installed()
    if found is not None:
        return found
    if sys.version_info[:2] > NEWEST_PYTHON:
        message = "the pinned Synapse has no wheels for this Python\nhint: use 3.11 to 3.14"
        raise CannotInstallError(message)
    folder = _folder()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (folder.parent / "synapse.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another run may be making it
            return installed() or _make(folder)
    except OSError as error:
        message = (
            f"`{error.filename}` can't be written: {error.strerror}\n"
            "hint: XDG_CACHE_HOME says where Synapse is kept"
        )
        raise CannotInstallError(message) from None


def _make(folder: Path) -> Path:
    python = folder / "bin" / "python"
    shutil.rmtree(folder, ignore_errors=True)  # half of one, from a run that was ended
    try:
        venv.create(folder, with_pip=True)
    except subprocess.CalledProcessError:
        message = "no virtual environment can be made\nhint: on Debian, install python3-venv"
        raise CannotInstallError(message) from None
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        done = subprocess.run(
            [*pip, "--require-hashes", "--only-binary", ":all:", "-r", str(REQUIREMENTS)],
            check=False,
            capture_output=True,
            text=True,
            timeout=INSTALL_S,
        )
    except subprocess.TimeoutExpired:
        message = f"Synapse could not be installed within {INSTALL_S:g} s\nhint: try again"
        raise CannotInstallError(message) from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        message = (
            "Synapse can't be installed from the package index:\n  "
            + "\n  ".join(said[:5] or done.stderr.splitlines()[-5:])
            + "\nhint: its pins are in tests/synapse/requirements.txt; pip's own settings say "
            "which index is asked"
        )
        raise CannotInstallError(message)
    (folder / "complete").touch()
    return python


def _folder() -> Path:
    """Give where it is kept: named by the pins and by Python, so that half of one is never used."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "withhold"
    pins = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return cache / f"synapse-{pins}-{version}"
