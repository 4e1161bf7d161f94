"""Read: a file's bytes become the table at its root, or a fault that says what is no TOML."""

import re
import tomllib
from typing import Final

from withhold.toml.faults import Faults
from withhold.toml.lines import KeyPath, Lines, TooDeepError, find_lines
from withhold.toml.table import Source, Table

MAX_FILE_BYTES: Final = 2**20

_PLACE: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_HINTS: Final = {
    "Invalid value": "a string stands in quotes; true and false are in lower case",
    "Unbalanced quotes": "close the string with the quote that it begins with",
    "Illegal character": "a string of several lines stands in triple quotes",
    "Expected '=' after a key": "a key with `$`, `[` or `*` in it stands in quotes",
    "Invalid statement": "a key with `$`, `[` or `*` in it stands in quotes",
    "Invalid initial character for a key part": "a key with `$` or `*` in it stands in quotes",
    "Unescaped '\\' in a string": "in single quotes a backslash is only itself",
}
_TWICE: Final = ("Cannot overwrite", "Cannot declare", "Duplicate inline table key")


def read_toml(file: str, data: bytes, faults: Faults) -> Table | None:
    """Read a document; None if it is at fault. `file`: as messages name it."""
    text = _text(file, data, faults)
    if text is None:
        return None
    try:
        lines = find_lines(text)
    except TooDeepError as error:
        faults.add(file, error.line, "the document nests too deeply")
        return None
    try:
        members = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        _explain(file, text, str(error), lines, faults)
        return None
    except ValueError:  # int() refuses thousands of digits, and its error says no line
        faults.add(file, 0, "an integer has too many digits")
        return None
    return Table(Source(file, lines, faults), (), members)


def _text(file: str, data: bytes, faults: Faults) -> str | None:
    if len(data) > MAX_FILE_BYTES:
        message = f"the file is too large: {len(data)} bytes, and {MAX_FILE_BYTES} are allowed"
        faults.add(file, 0, message, "a catalogue or policy may be split into several files")
        return None
    if data.startswith(b"\xef\xbb\xbf"):
        faults.add(file, 1, "the file begins with a byte order mark: save it as UTF-8 without one")
        return None
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        faults.add(file, line, "the file is not UTF-8: save it as UTF-8")
        return None


def _explain(file: str, text: str, message: str, lines: Lines, faults: Faults) -> None:
    """Say in our words what `tomllib` found; of what is written twice we know the first line."""
    if lines.repeats and message.startswith(_TWICE):
        for path, first, second in lines.repeats:
            faults.add(file, second, f"`{_shown(path)}` is written twice: first in line {first}")
        return
    place = _PLACE.search(message)
    line = int(place.group(1)) if place and place.group(1) else text.rstrip().count("\n") + 1
    what = _PLACE.sub("", message)
    hint = next((hint for start, hint in _HINTS.items() if what.startswith(start)), "")
    faults.add(file, line, f"not TOML: {what[:1].lower()}{what[1:]}", hint)


def _shown(path: KeyPath) -> str:
    return ".".join(str(key) for key in path if isinstance(key, str))
