"""A small disk of the test's own, to fill up and to make room on again."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SIZE = "24m"
_PIECES = (2**20, 2**16, 2**12, 1)


@dataclass(frozen=True)
class Disk:
    """Where it is mounted."""

    path: Path

    def fill(self) -> None:
        """Leave not one byte, also of what is given back while this goes on."""
        with (self.path / "ballast").open("ab", buffering=0) as ballast:
            for size in _PIECES:
                with contextlib.suppress(OSError):
                    while True:
                        ballast.write(bytes(size))

    def make_room(self) -> None:
        """Take back all that `fill` took."""
        (self.path / "ballast").unlink()

    def remount(self, how: str) -> None:
        """Make it read-only, `ro`, or writable again, `rw`. No file may be open for writing."""
        subprocess.run(("mount", "-o", f"remount,{how}", str(self.path)), check=True)


@contextmanager
def small_disk(path: Path) -> Iterator[Disk]:
    """Mount one, for a test that is marked `mounts`. Skips it where that is not possible."""
    path.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a small disk is mounted by root, on Linux")
    mount = ("mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "tmpfs", str(path))
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    try:
        yield Disk(path)
    finally:
        # Lazily: a process that was just killed may not have let go of everything.
        subprocess.run(("umount", "--lazy", str(path)), check=True)
