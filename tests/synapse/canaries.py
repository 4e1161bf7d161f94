"""Canaries: values that nobody could write by chance, to be looked for where they must not be.

A canary is lower-case ASCII, so that JSON and percent-encoding leave it as it is. In bytes it is
also looked for in base64 and in hexadecimal: an encoding is no cover.
"""

import base64
import itertools
import re
from collections.abc import Iterable, Iterator

CANARY = re.compile(r"cnry[0-9]{4}[a-z]+")


class Canaries:
    """Hands canaries out, and knows all of them."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.all: set[str] = set()

    def __call__(self, about: str) -> str:
        """Give a new one. `about`: lower-case letters that say where it was planted."""
        canary = f"cnry{next(self._numbers):04d}{about}"
        assert CANARY.fullmatch(canary)
        self.all.add(canary)
        return canary


def canaries_in(text: str | bytes) -> set[str]:
    """Give the canaries in a text."""
    return set(CANARY.findall(text if isinstance(text, str) else text.decode("latin-1")))


def hidden_in(haystack: bytes, needles: Iterable[str]) -> list[str]:
    """Give the needles that stand in `haystack`: plain, in base64 (either alphabet) or in hex."""
    lower = haystack.lower()
    return [
        needle
        for needle in needles
        if needle.lower().encode() in lower
        or needle.encode().hex().encode() in lower
        or any(form in haystack for form in _base64_forms(needle.encode()))
    ]


def _base64_forms(needle: bytes) -> Iterator[bytes]:
    """Give how base64 writes a text, for each place modulo 3 at which it may begin.

    The first and last characters also depend on what stands around, and are left out.
    """
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + needle)
        form = encoded[(0, 2, 3)[before] : (before + len(needle)) * 8 // 6]
        yield form
        yield form.translate(bytes.maketrans(b"+/", b"-_"))
