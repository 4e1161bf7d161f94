"""Phone numbers: E.164, by Google's libphonenumber metadata.

A *possible* number passes even if its range is newer than the metadata: withholding a real
number because a table is old would lose a case. Source: ITU-T E.164; RFC 3966 has no part here.
"""

import re
from typing import Final

import phonenumbers

# INVARIANT: checked before libphonenumber sees the text: it would also read vanity letters,
# non-ASCII digits and extensions, and what it strips would be lost from the evidence.
_WRITTEN: Final = re.compile(r"[0-9 +\-.()/]{1,40}", re.ASCII)


def parse_phone(text: str, region: str | None = None, *, msisdn: bool = False) -> str | None:
    """Give the E.164 form, or None if the text is no possible number.

    `region`: where a number without `+` is read as national; `msisdn`: digits that lack the `+`.
    """
    if not _WRITTEN.fullmatch(text):
        return None
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
