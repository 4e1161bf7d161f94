"""Phone numbers: E.164, by Google's libphonenumber and its metadata.

A *possible* number passes even if its range is newer than the metadata: withholding a real
number because a table is old would lose a case. Source: ITU-T E.164; RFC 3966 has no part here.
"""

import re
from enum import Enum
from typing import Final

import phonenumbers

from withhold.kinds.e164 import is_possible

_LONGEST: Final = 40  # characters, with all punctuation; what is longer is not even looked at
# INVARIANT: checked before libphonenumber sees the text: it would also read vanity letters,
# non-ASCII digits and extensions, and what it strips would be lost from the evidence.
_WRITTEN: Final = re.compile(r"[0-9 +\-.()/]+", re.ASCII)
_PUNCTUATION: Final = dict.fromkeys(map(ord, " -.()/"))


class Unread(Enum):
    """What a number's digits alone don't tell."""

    UNREAD = "unread"


UNREAD: Final = Unread.UNREAD


def parse_phone(text: str, region: str | None = None, *, msisdn: bool = False) -> str | None:
    """Give the E.164 form, or None if the text is no possible number.

    `region`: where a number without `+` is read as national; `msisdn`: digits that lack the `+`.
    """
    found = read_digits(text, msisdn=msisdn)
    return ask_library(text, region, msisdn=msisdn) if found is UNREAD else found


def read_digits(text: str, *, msisdn: bool) -> str | Unread | None:
    """Read a number as far as its digits tell: 0.8 µs, or 1.1 with punctuation in it.

    What they leave open, UNREAD, is short and has the characters of a number.
    """
    if len(text) > _LONGEST:
        return None
    # INVARIANT: only an ASCII space is skipped: of any other no number is made.
    written = f"+{text}" if msisdn and not text.lstrip(" ").startswith("+") else text
    digits = written if written[1:].isdecimal() else written.translate(_PUNCTUATION)
    possible = is_possible(digits)
    if possible is None:
        return UNREAD if _WRITTEN.fullmatch(text) else None
    return digits if possible else None


def ask_library(text: str, region: str | None, *, msisdn: bool) -> str | None:
    """Read a number as libphonenumber does; `text` is UNREAD."""
    if msisdn and not text.lstrip().startswith("+"):
        text = f"+{text.lstrip()}"
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    # A number that is possible only within its area (`7946 0220` for `020 7946 0220`) is no E.164
    # number, and may be somebody else's: `is_possible_number` would let it pass.
    possible = phonenumbers.is_possible_number_with_reason(number)
    if number.extension or possible != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
