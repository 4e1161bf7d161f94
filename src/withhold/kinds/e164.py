"""E.164 without asking libphonenumber: what it would say of `+` and digits, from its own tables.

Reading a number costs libphonenumber 11 µs. One that is written internationally and has no national
prefix after its calling code is its own normal form: libphonenumber only looks whether the calling
code has numbers of that length. That takes 0.5 µs here. Whatever else there is remains with it; the
tests hold both equal for every calling code, length and way to begin (docs/decisions/0024).
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final, NamedTuple

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

_LONGEST_CODE: Final = 3  # digits; no calling code begins another (ITU-T E.164 §6.2.1)


class Numbering(NamedTuple):
    """What is known of the numbers of one calling code."""

    code_size: int  # digits
    sizes: frozenset[int]  # of possible numbers as they are written: `+`, calling code and all
    begin: Callable[[str], re.Match[str] | None] | None  # finds what is read away of the rest


def is_possible(text: str) -> bool | None:
    """Tell whether `+` and digits is a possible number as it stands.

    None: the text is something else, or more than its length decides.
    """
    digits = text[1:]
    if not (text[:1] == "+" and digits.isascii() and digits.isdecimal()):
        return None
    code = _CODES.get(digits[:_LONGEST_CODE])
    if code is None:
        return None
    size, sizes, begin = _numbering(code)
    found = None if begin is None else begin(digits[size:])
    # A prefix may be found of no digits and without its groups: then nothing is read away.
    if found is not None and (found.end() or found.lastindex):
        return None
    return len(text) in sizes


def _codes() -> Mapping[str, int]:
    """Give the calling code that each three digits begin with, where there is one."""
    codes = {}
    for code in COUNTRY_CODE_TO_REGION_CODE:
        rest = _LONGEST_CODE - len(str(code))
        for i in range(10**rest):
            codes[f"{code}{i:0{rest}}" if rest else str(code)] = code
    return codes


_CODES: Final = _codes()


@cache  # by calling code, as libphonenumber keeps its tables: nothing of anybody's number
def _numbering(code: int) -> Numbering:
    """Read what libphonenumber knows, of the region that it takes for the calling code's main."""
    region = COUNTRY_CODE_TO_REGION_CODE[code][0]
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    # There is such a table for each calling code, or libphonenumber itself fails.
    prefix = metadata.national_prefix_for_parsing  # type: ignore[union-attr]
    lengths = metadata.general_desc.possible_length  # type: ignore[union-attr]
    size = len(str(code))
    return Numbering(
        size,
        frozenset(1 + size + length for length in lengths),
        re.compile(prefix).match if prefix else None,
    )
