"""Lines: where each key and each value of a TOML document stands.

`tomllib` says what a document means, not where. This scan reads its punctuation only: it takes all
that TOML allows and more, leaves every judgement to `tomllib`, and so never has the last word. It
goes first, to bound how deeply the document nests before anything recursive or quadratic reads it.
"""

import contextlib
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]  # keys and indexes, from the document's root

MAX_DEPTH: Final = 32  # no document of ours needs more than eight

_TOKEN: Final = re.compile(
    r"""
      (?P<blank>  [ \t\r]+ | \#[^\n]* )
    | (?P<newline>\n )
    | (?P<string> \"\"\"(?:\\.|[^\\])*?\"{3,5} | '''.*?'{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*' )
    | (?P<mark>   [][{}=,.] )
    | (?P<word>   [^][{}=,.\s"'\#]+ )
    """,
    re.VERBOSE | re.DOTALL,
)


class TooDeepError(Exception):
    """The document nests too deeply; `line` says where."""

    def __init__(self, line: int) -> None:
        """`line` counts from 1."""
        super().__init__(f"line {line}")
        self.line = line


class Repeat(NamedTuple):
    """A key or table that is written twice."""

    path: KeyPath
    first: int
    second: int


@dataclass
class Lines:
    """Where things stand, counting from 1; of a document at fault, up to where it breaks."""

    at: dict[KeyPath, int] = field(default_factory=dict)
    repeats: list[Repeat] = field(default_factory=list)

    def of(self, path: KeyPath) -> int:
        """Give the line of a key or value, else of the nearest thing around it."""
        while path and path not in self.at:
            path = path[:-1]
        return self.at.get(path, 1)


def find_lines(text: str) -> Lines:
    """Find where each key and value stands, whatever ends a line. Raises: TooDeepError."""
    scan = _Scan(text)
    with contextlib.suppress(_BrokenError):  # tomllib says what is wrong, and better
        scan.document()
    return scan.lines


class _BrokenError(Exception):
    """This is no TOML."""


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def _tokens(text: str) -> Iterator[_Token]:
    at, line = 0, 1
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            break
        yield _Token(found.lastgroup, found.group(), line)
        line += found.group().count("\n")
        at = found.end()
    yield _Token("broken" if at < len(text) else "end", "", line)


class _Scan:
    """One walk over a document's tokens."""

    def __init__(self, text: str) -> None:
        self.lines = Lines()
        self._tokens = _tokens(text)
        self._next = next(self._tokens)
        self._written: dict[KeyPath, int] = {}  # keys with a value, and `[table]` headers
        self._counts: dict[KeyPath, int] = {}  # elements of each `[[array of tables]]`

    def document(self) -> None:
        table: KeyPath = ()
        while self._skip("blank", "newline").kind != "end":
            if self._next.text == "[":
                table = self._header()
            else:
                self._assignment(table)
            if self._skip("blank").kind not in {"newline", "end"}:
                raise _BrokenError

    def _header(self) -> KeyPath:
        line = self._take("[").line
        of_array = self._next.text == "["
        if of_array:
            self._take("[")
        keys = self._key()
        self._take("]")
        if of_array:
            self._take("]")
        path: KeyPath = ()
        for i, key in enumerate(keys):
            path = (*path, key)
            if of_array and i == len(keys) - 1:
                self._stands(path, line)
                self._counts[path] = self._counts.get(path, 0) + 1
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
            self._stands(path, line)
        if not of_array:
            self._write(path, line)
        return path

    def _assignment(self, table: KeyPath) -> None:
        line = self._skip("blank").line
        path = table
        for key in self._key():
            path = (*path, key)
            self._stands(path, line)
        self._write(path, line)
        self._take("=")
        self._value(path)

    def _key(self) -> list[str]:
        keys = [self._key_part()]
        while self._skip("blank").text == ".":
            self._take(".")
            keys.append(self._key_part())
            if len(keys) > MAX_DEPTH:
                raise TooDeepError(self._next.line)
        return keys

    def _key_part(self) -> str:
        token = self._skip("blank")
        if token.kind not in {"word", "string"}:
            raise _BrokenError
        self._advance()
        if token.kind == "word":
            return token.text
        if "\\" not in token.text:
            return token.text[1:-1]
        try:
            return str(tomllib.loads(f"key = {token.text}")["key"])
        except tomllib.TOMLDecodeError:
            raise _BrokenError from None

    def _value(self, path: KeyPath) -> None:
        if len(path) > MAX_DEPTH:
            raise TooDeepError(self._next.line)
        match self._skip("blank").text:
            case "[":
                self._array(path)
            case "{":
                self._inline_table(path)
            case _:
                self._scalar()

    def _array(self, path: KeyPath) -> None:
        self._take("[")
        i = 0
        while self._skip("blank", "newline").text != "]":
            self._stands((*path, i), self._next.line)
            self._value((*path, i))
            i += 1
            if self._skip("blank", "newline").text != "]":
                self._take(",")
        self._take("]")

    def _inline_table(self, path: KeyPath) -> None:
        self._take("{")
        while self._skip("blank", "newline").text != "}":
            self._assignment(path)
            if self._skip("blank", "newline").text != "}":
                self._take(",")
        self._take("}")

    def _scalar(self) -> None:
        if self._next.kind == "string":
            self._advance()
            return
        # A number or a date may hold `.` and one space.
        if self._next.kind != "word":
            raise _BrokenError
        while self._next.kind in {"word", "blank"} or self._next.text == ".":
            self._advance()

    def _stands(self, path: KeyPath, line: int) -> None:
        self.lines.at.setdefault(path, line)

    def _write(self, path: KeyPath, line: int) -> None:
        if path in self._written:
            self.lines.repeats.append(Repeat(path, self._written[path], line))
        self._written.setdefault(path, line)

    def _skip(self, *kinds: str) -> _Token:
        while self._next.kind in kinds:
            self._advance()
        return self._next

    def _take(self, mark: str) -> _Token:
        token = self._skip("blank")
        if token.kind != "mark" or token.text != mark:
            raise _BrokenError
        self._advance()
        return token

    def _advance(self) -> None:
        self._next = next(self._tokens)
