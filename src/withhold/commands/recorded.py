"""Recorded answers: what `redact`, `explain` and `learn` read, bounded and from anywhere."""

import sys
from collections.abc import Iterator
from pathlib import Path

from withhold.commands.options import MAX_INPUT_BYTES
from withhold.errors import Malformed


def read_input() -> bytes:
    """Read one recorded answer from standard input. Raises: Malformed if it is too large."""
    return _bounded(sys.stdin.buffer.read(MAX_INPUT_BYTES + 1))


def read_file(path: Path) -> bytes:
    """Read one recorded answer from a file. Raises: Malformed, OSError."""
    with path.open("rb") as file:
        return _bounded(file.read(MAX_INPUT_BYTES + 1))


def read_lines() -> Iterator[bytes]:
    """Read a recorded stream from standard input, line by line. Raises: Malformed."""
    while line := sys.stdin.buffer.readline(MAX_INPUT_BYTES + 1):
        bare = _bounded(line).rstrip(b"\r\n")
        if bare:
            yield bare


def _bounded(body: bytes) -> bytes:
    if len(body) > MAX_INPUT_BYTES:
        message = f"the answer is larger than {MAX_INPUT_BYTES} bytes"
        raise Malformed(message)
    return body
