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

    def add(self, file: str, line: int, message: str, hint: str = "") -> None:
        """Note a fault. Raises: ConfigError with what there is, once there is too much."""
        self._found.append(Fault(file, line, message, hint))
        if len(self._found) >= MAX_FAULTS:
            self.check()

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
    nearest = difflib.get_close_matches(text, sorted(known)[:_MAX_KNOWN], n=1, cutoff=0.5)
    if nearest:
        return f"did you mean `{nearest[0]}`?"
    return f"known: {listed(sorted(known))}" if known else ""


def listed(words: Iterable[str]) -> str:
    """Give words as a message shows them, the first ten of them."""
    shown = [f"`{word}`" for word in words]
    more = len(shown) - 10
    return ", ".join(shown[:10]) + (f" and {more} more" if more > 0 else "")
