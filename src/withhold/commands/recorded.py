"""Recorded answers: what `redact`, `explain` and `learn` read, bounded and from anywhere."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from withhold.commands.options import MAX_INPUT_BYTES
from withhold.errors import Malformed
from withhold.minimize.document import parse_document

STANDARD_INPUT: Final = Path("-")
BATCH_BYTES: Final = 256 * 2**10  # of lines, minimized at one go


def read_answer(path: Path) -> bytes:
    """Read one recorded answer; `-` is standard input. Raises: Malformed, OSError."""
    with _open(path) as file:
        return _bounded(file.read(MAX_INPUT_BYTES + 1))


def read_lines(path: Path) -> Iterator[bytes]:
    """Read a recorded stream, line by line. Raises: Malformed, OSError."""
    with _open(path) as file:
        while line := file.readline(MAX_INPUT_BYTES + 1):
            bare = _bounded(line).rstrip(b"\r\n")
            if bare:
                yield bare


def read_batches(path: Path) -> Iterator[bytes]:
    """Read a recorded stream, so many lines at a time. Raises: Malformed, OSError."""
    batch: list[bytes] = []
    size_bytes = 0
    with _open(path) as file:
        while line := file.readline(MAX_INPUT_BYTES + 1):
            batch.append(_bounded(line))
            size_bytes += len(line)
            if size_bytes >= BATCH_BYTES:
                yield b"".join(batch)
                batch, size_bytes = [], 0
    if batch:
        yield b"".join(batch)


@contextlib.contextmanager
def as_document(body: bytes) -> Iterator[None]:
    """Say of what turns out to be no document what it is instead. Raises: Malformed."""
    try:
        yield
    except Malformed as error:
        if not body.strip():
            message = "the answer is empty: there is nothing to read"
            raise Malformed(message) from None
        hint = "is it a stream, one document a line? --ndjson reads it" if _is_stream(body) else ""
        raise Malformed(error.message, error.hint or hint) from None


@contextlib.contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    if path == STANDARD_INPUT:
        yield sys.stdin.buffer
        return
    with path.open("rb") as file:
        yield file


def _is_stream(body: bytes) -> bool:
    first, _, more = body.strip().partition(b"\n")
    if not more:
        return False
    try:
        parse_document(first)
    except Malformed:
        return False
    return True


def _bounded(body: bytes) -> bytes:
    if len(body) > MAX_INPUT_BYTES:
        message = f"the answer is larger than {MAX_INPUT_BYTES} bytes"
        raise Malformed(message)
    return body
