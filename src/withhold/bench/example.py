"""Examples: a text that a pattern matches whole, and another one for another number. Pure."""

import re
from collections import deque
from collections.abc import Sequence
from functools import cache
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Final

# Tried in this order, so that examples look like ids; none ends a segment of a path.
_ALPHABET: Final = f"{digits}{ascii_lowercase}{ascii_uppercase}_-:@.$!+=,;~*'()&# "
# As the catalogue reads a pattern: escapes, sets, groups, repetitions, and everything else.
_PIECE: Final = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?(?:P<\w+>|<?[=!]|[:>])|\{\d*,?\d*\}|.", re.DOTALL
)
_REPEATED: Final = re.compile(r"[*+?]|\{(\d*)(,?)(\d*)\}")
_NOTHING: Final = frozenset({"^", "$", r"\A", r"\Z", r"\b", r"\B"})
_AROUND: Final = frozenset({"(?=", "(?!", "(?<=", "(?<!"})


def example(pattern: str, number: int) -> str | None:
    """Give a text that the pattern matches whole; None if none was found.

    Of a choice it takes the first, of a repetition the fewest that are any. Two numbers give two
    texts as long as there are that many.
    """
    text = ""
    for choices in _choices(pattern):
        number, at = divmod(number, len(choices))
        text += choices[at]
    return text if re.fullmatch(pattern, text) else None


@cache
def _choices(pattern: str) -> Sequence[str]:
    """Give, for each character of an example, those that may stand there."""
    return [_matching(piece) for piece in _sequence(deque(_PIECE.findall(pattern)))]


def _sequence(pieces: deque[str]) -> list[str]:
    """Take what stands before the group's end, and give the pieces of its first alternative."""
    found: list[str] = []
    last: list[str] = []
    first = True
    while pieces and (piece := pieces.popleft()) != ")":
        repeated = _REPEATED.fullmatch(piece)
        if piece == "|":
            first = False
        elif repeated is not None and first:
            found += last * _times(repeated)
            last = []
        elif repeated is None:
            unit = _sequence(pieces) if piece[0] == "(" else [piece]
            if first:
                found += last
                last = [] if piece in _AROUND or piece in _NOTHING else unit
    return found + last


def _times(repeated: re.Match[str]) -> int:
    least, comma, most = repeated.groups()
    if least is None:  # `*`, `+`, `?`
        return 1
    return max(int(least or 0), 0 if most == "0" else 1) if comma else int(least or 1)


def _matching(piece: str) -> str:
    """Give the characters that one piece stands for; itself, where it is none that we know."""
    return "".join(filter(re.compile(piece).fullmatch, _ALPHABET)) or piece
