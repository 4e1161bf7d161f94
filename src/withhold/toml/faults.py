"""Faults: collected while documents are read, so that one run shows them all."""

import difflib
from collections.abc import Collection, Iterable
from typing import Final

from withhold.errors import ConfigError, Fault

MAX_FAULTS: Final = 100  # a file with more is another kind of file, and each costs a search
_MAX_KNOWN: Final = 1_000  # words that one is compared with


class Faults:
    """What was found so far, by file and line."""

    def __init__(self) -> None:
        """Nothing found."""
        self._found: list[Fault] = []

    def __len__(self) -> int:
        """Give how many there are."""
        return len(self._found)

    def add(self, file: str, line: int, message: str, hint: str = "") -> Fault:
        """Note a fault. Raises: ConfigError with what there is, once there is too much."""
        fault = Fault(file, line, message, hint)
        self._found.append(fault)
        if len(self._found) >= MAX_FAULTS:
            self.check()
        return fault

    def withdraw(self, fault: Fault) -> None:
        """Take a fault back that another one says better."""
        self._found.remove(fault)

    def check(self) -> None:
        """Pass if nothing is at fault. Raises: ConfigError."""
        if self._found:
            raise self.error()

    def error(self, warnings: tuple[Fault, ...] = ()) -> ConfigError:
        """Give what was found as an error, by file and line."""
        found = sorted(self._found, key=lambda fault: (fault.file, fault.line))
        return ConfigError(*found, warnings=warnings)


def did_you_mean(text: str, known: Collection[str]) -> str:
    """Give the hint for a word that is none of `known`."""
    near = nearest(text, known)
    if near is not None:
        return f"did you mean `{near}`?"
    return f"known: {listed(sorted(known))}" if known else ""


def nearest(text: str, known: Collection[str], cutoff: float = 0.5) -> str | None:
    """Give the word of `known` that is most like a text, if one is. `cutoff`: 1 is the same."""
    found = difflib.get_close_matches(text, sorted(known)[:_MAX_KNOWN], n=1, cutoff=cutoff)
    return found[0] if found else None


def listed(words: Iterable[str]) -> str:
    """Give words as a message shows them, the first ten of them."""
    shown = [f"`{word}`" for word in words]
    more = len(shown) - 10
    return ", ".join(shown[:10]) + (f" and {more} more" if more > 0 else "")
