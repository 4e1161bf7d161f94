"""The terminal: what every command writes to, and how.

Results go to standard output, all else to standard error. Colour is for a terminal only, and not
where NO_COLOR is set (no-color.org). Whatever did not come from our own files is printed with its
control characters escaped, so that no name can move a cursor.
"""

import json
import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from itertools import zip_longest
from typing import TextIO

from withhold.errors import ConfigError, WithholdError


class Exit:
    """Exit codes (contract §9)."""

    DONE = 0
    FAULT = 1  # a check found a fault
    USAGE = 2  # wrong use
    FAILED = 3  # could not do it: unreachable, refused, unreadable


class Ink(StrEnum):
    """SGR parameters. Source: ECMA-48 §8.3.117."""

    BOLD = "1"
    DIM = "2"
    RED = "31"
    GREEN = "32"
    YELLOW = "33"
    CYAN = "36"


def out(text: str = "") -> None:
    """Write a line of the result."""
    sys.stdout.write(f"{text}\n")


def note(text: str = "") -> None:
    """Write a line that is not the result."""
    sys.stderr.write(f"{text}\n")


def out_json(value: object) -> None:
    """Write the result for a program."""
    out(json.dumps(value, indent=2, ensure_ascii=False))


def paint(text: str, *inks: Ink, stream: TextIO | None = None) -> str:
    """Colour the text if the stream (standard output, unless given) is a terminal that wants it."""
    if not inks or not colourful(sys.stdout if stream is None else stream):
        return text
    return f"\x1b[{';'.join(inks)}m{text}\x1b[0m"


def colourful(stream: TextIO) -> bool:
    """Tell whether a stream wants colour."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()


def printable(text: str) -> str:
    """Escape what a terminal would obey instead of show."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def count(number: int, thing: str) -> str:
    """Write a number of things."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def table(rows: Sequence[Sequence[str]], *, indent: str = "") -> list[str]:
    """Lay out rows in columns; the last column is not padded."""
    widths = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
    lines = ("  ".join(cell.ljust(widths[i]) for i, cell in enumerate(row)) for row in rows)
    return [f"{indent}{line}".rstrip() for line in lines]


def complain(error: WithholdError) -> None:
    """Write `error:` and a `hint:` for each line of its hint; of a faulty file every fault."""
    if isinstance(error, ConfigError):
        for fault in error.faults:
            # Line 0: the fault is the whole file's.
            line = f":{fault.line}" if fault.line else ""
            _complain(f"{fault.file}{line}: {fault.message}", fault.hint)
    else:
        _complain(error.message, error.hint)


def warn(text: str, hint: str = "") -> None:
    """Write `warning:` and, where there is one, `hint:`."""
    note(f"{paint('warning:', Ink.YELLOW, stream=sys.stderr)} {text}")
    if hint:
        note(f"{paint('hint:', Ink.CYAN, stream=sys.stderr)} {hint}")


def _complain(message: str, hint: str) -> None:
    note(f"{paint('error:', Ink.RED, Ink.BOLD, stream=sys.stderr)} {message}")
    for line in hint.splitlines():
        note(f"{paint('hint:', Ink.CYAN, stream=sys.stderr)} {line}")
