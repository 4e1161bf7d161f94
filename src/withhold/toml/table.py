"""Table: a reader of one TOML table that knows what was asked for and where everything stands.

Each getter gives a value of the type that is meant, or None: the key is missing or something is
wrong with it, and then the fault is noted already. `done` reports the keys that nobody asked for.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum
from typing import Final, TypeVar

from withhold.errors import Fault
from withhold.toml.faults import Faults, did_you_mean, nearest
from withhold.toml.lines import KeyPath, Lines

MAX_TEXT: Final = 1_000  # characters

_NAME: Final = re.compile(r"[a-z0-9]+(?:[-_.][a-z0-9]+)*")
_MAX_NAME: Final = 64
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")

_Choice = TypeVar("_Choice", bound=StrEnum)


@dataclass(frozen=True)
class Source:
    """The document that a table stands in."""

    file: str
    lines: Lines
    faults: Faults


@dataclass(frozen=True)
class Text:
    """A string with the place it stands at, for what is found out about it later."""

    value: str
    table: "Table"
    at: KeyPath  # from the table

    def fault(self, message: str, hint: str = "") -> None:
        """Note a fault of this string."""
        self.table.fault(message, hint, *self.at)


class Table:
    """One table. `members` is what `tomllib` made of it."""

    def __init__(self, source: Source, path: KeyPath, members: dict[str, object]) -> None:
        """`path`: from the document's root."""
        self.source = source
        self.path = path
        self.members = members
        self._asked: set[str] = set()
        self._missing: dict[str, Fault] = {}

    def __contains__(self, key: str) -> bool:
        """Tell whether a key is there."""
        return key in self.members

    def line(self, *at: str | int) -> int:
        """Give the line of the table, or of what stands `at` a path in it."""
        return self.source.lines.of((*self.path, *at))

    def fault(self, message: str, hint: str = "", *at: str | int) -> Fault:
        """Note a fault of the table, or of what stands `at` a path in it."""
        return self.source.faults.add(self.source.file, self.line(*at), message, hint)

    def done(self) -> None:
        """Report every key that nobody asked for; one that is misspelt is not missing, too."""
        for key in self.members:
            if key not in self._asked:
                meant = nearest(key, self._missing)
                if meant is not None:
                    self.source.faults.withdraw(self._missing.pop(meant))
                hint = did_you_mean(key, self._asked if meant is None else {meant})
                self.fault(f"`{key}` is unknown here", hint, key)

    def text(self, key: str, *, required: bool = True, exact: bool = False) -> Text | None:
        """Give a string of one line; `exact`: it may be empty, or have space around it."""
        if not self._has(key, required=required):
            return None
        return self._text(self.members[key], key, exact=exact)

    def name(self, key: str) -> str | None:
        """Give the string by which other documents refer to this table."""
        found = self.text(key)
        return found.value if found is not None and self.check_name(found.value, key) else None

    def check_name(self, name: str, *at: str | int) -> bool:
        """Tell whether a text is fit to be a name; note the fault if it isn't."""
        fits = _NAME.fullmatch(name) is not None and len(name) <= _MAX_NAME
        if not fits:
            hint = f"at most {_MAX_NAME} small letters and digits, with `-`, `_` or `.` between"
            self.fault(f"`{name}` can't be a name", hint, *at)
        return fits

    def texts(self, key: str, *, required: bool = True, alone: bool = False) -> list[Text]:
        """Give an array of strings; `alone`: a string without the array is meant, too."""
        if not self._has(key, required=required):
            return []
        value = self.members[key]
        if alone and isinstance(value, str):
            value = [value]
            found = [self._text(value[0], key)]
        elif isinstance(value, list):
            found = [self._text(item, key, i) for i, item in enumerate(value)]
        else:
            meant = "a string or an array of strings" if alone else "an array of strings"
            self._wrong_type(value, meant, key)
            return []
        texts = [text for text in found if text is not None]
        first: dict[str, Text] = {}
        for text in texts:
            if first.setdefault(text.value, text) is not text:
                text.fault(f"`{text.value}` stands twice in `{key}`")
        return texts

    def choice(self, key: str, choices: type[_Choice]) -> _Choice | None:
        """Give one of a vocabulary's words."""
        found = self.text(key)
        return None if found is None else self.choose(found, choices)

    def choices(self, key: str, choices: type[_Choice], *, alone: bool = False) -> set[_Choice]:
        """Give words of a vocabulary; `alone`: as for `texts`. An absent key gives none."""
        texts = self.texts(key, required=not alone, alone=alone)
        found = (self.choose(text, choices) for text in texts)
        return {word for word in found if word is not None}

    def choose(self, text: Text, choices: type[_Choice]) -> _Choice | None:
        """Give the word of a vocabulary that a text is; note the fault if it is none."""
        words = [word.value for word in choices]
        if text.value in words:
            return choices(text.value)
        text.fault(
            f"`{text.value}` is no {_spoken(choices)}",
            did_you_mean(text.value, words),
        )
        return None

    def integer(self, key: str, least: int, most: int, *, required: bool = True) -> int | None:
        """Give an integer between two bounds, both included."""
        if not self._has(key, required=required):
            return None
        return self.check_integer(self.members[key], least, most, key)

    def check_integer(self, value: object, least: int, most: int, *at: str | int) -> int | None:
        """Give `value` if it is an integer between two bounds; note the fault if it isn't."""
        if isinstance(value, bool) or not isinstance(value, int):
            self._wrong_type(value, "an integer", *at)
        elif not least <= value <= most:
            self.fault(f"{_shown(at)} is out of range", f"from {least} to {most}", *at)
        else:
            return value
        return None

    def number(self, key: str, least: float, most: float) -> float | None:
        """Give a number between two bounds, both included, if there is one."""
        if not self._has(key, required=False):
            return None
        value = self.members[key]
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._wrong_type(value, "a number", key)
        elif not least <= value <= most:  # nor is `nan` between any two
            self.fault(f"`{key}` is out of range", f"from {least} to {most}", key)
        else:
            return float(value)
        return None

    def flag(self, key: str) -> bool:
        """Give `true` or `false`; an absent key is `false`."""
        if not self._has(key, required=False):
            return False
        value = self.members[key]
        if not isinstance(value, bool):
            self._wrong_type(value, "true or false", key)
        return value is True

    def table(self, key: str, *, required: bool = True) -> "Table | None":
        """Give a table within this one."""
        if not self._has(key, required=required):
            return None
        value = self.members[key]
        if not isinstance(value, dict):
            self._wrong_type(value, "a table", key)
            return None
        return Table(self.source, (*self.path, key), value)

    def tables(self, key: str) -> "list[Table]":
        """Give an array of tables, `[[key]]`; an absent key gives none."""
        if not self._has(key, required=False):
            return []
        value = self.members[key]
        if not isinstance(value, list):
            self._wrong_type(value, f"an array of tables, `[[{key}]]`", key)
            return []
        found = []
        for i, item in enumerate(value):
            if isinstance(item, dict):
                found.append(Table(self.source, (*self.path, key, i), item))
            else:
                self._wrong_type(item, "a table", key, i)
        return found

    def each(self) -> Iterator[tuple[str, object]]:
        """Give every key with what stands there, where keys are the writer's to choose."""
        for key, value in self.members.items():
            self._asked.add(key)
            yield key, value

    def raw(self, key: str, *, required: bool = True) -> object:
        """Give what stands at a key, whatever it is; None if it is missing."""
        return self.members[key] if self._has(key, required=required) else None

    def wrong_type(self, key: str, meant: str) -> None:
        """Note that what stands at a key is of another type than is meant."""
        self._wrong_type(self.members[key], meant, key)

    def _has(self, key: str, *, required: bool) -> bool:
        self._asked.add(key)
        if required and key not in self.members:
            self._missing[key] = self.fault(f"`{key}` is missing")
        return key in self.members

    def _text(self, value: object, *at: str | int, exact: bool = False) -> Text | None:
        if not isinstance(value, str):
            self._wrong_type(value, "a string", *at)
        elif not exact and (not value or value != value.strip()):
            self.fault(f"{_shown(at)} is empty, or has space around it", "", *at)
        elif _CONTROL.search(value):
            self.fault(f"{_shown(at)} holds a control character or a line's end", "", *at)
        elif len(value) > MAX_TEXT:
            self.fault(f"{_shown(at)} is longer than {MAX_TEXT} characters", "", *at)
        else:
            return Text(value, self, at)
        return None

    def _wrong_type(self, value: object, meant: str, *at: str | int) -> None:
        hint = "put it in quotes" if meant == "a string" and _quotable(value) else ""
        self.fault(f"{_shown(at)} is {_type_of(value)}, not {meant}", hint, *at)


_TYPES: Final[Sequence[tuple[type | tuple[type, ...], str]]] = (
    (str, "a string"),
    (bool, "true or false"),
    (int, "an integer"),
    (float, "a decimal number"),
    ((date, time), "a date or a time"),
    (list, "an array"),
    (dict, "a table"),
)


def _type_of(value: object) -> str:
    return next(words for types, words in _TYPES if isinstance(value, types))


def _quotable(value: object) -> bool:
    return not isinstance(value, list | dict)


def _shown(at: KeyPath) -> str:
    """Give the name of what stands at `at`: its key, and which element of an array it is."""
    key, *indexes = at
    return f"`{key}`" + "".join(f", element {int(i) + 1}," for i in indexes)


def _spoken(choices: type[StrEnum]) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", choices.__name__).lower()
