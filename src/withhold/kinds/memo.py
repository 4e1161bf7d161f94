"""Memo: what numbers were read as that only libphonenumber can read, for one warrant and no longer.

Asking it takes 11 to 15 µs, remembering 1: a page of messages names the same few people again and
again. It belongs to whoever holds the warrant and is gone with it: nothing of one order outlives
it, or tells by its speed in another what was read.
"""

from typing import Final

from withhold.kinds.phone import UNREAD, Unread, ask_library, read_digits

MAX_ENTRIES: Final = 2_048  # of at most 40 and 20 characters: half a megabyte


class Memo:
    """Phone numbers by how they were written; safe to share between threads.

    Holds personal data: it is in no `repr`, and is copied nowhere.
    """

    __slots__ = ("_found",)

    def __init__(self) -> None:
        """Begin with nothing."""
        # INVARIANT: each use is one operation of a dict, which threads can't see half done. At
        # worst two of them ask for the same number, or keep one more than is allowed each.
        self._found: dict[tuple[str | None, bool, str], str | None] = {}

    def phone(self, text: str, region: str | None = None, *, msisdn: bool = False) -> str | None:
        """Give the same as `parse_phone`. What digits alone tell, or are too long, isn't kept."""
        found = read_digits(text, msisdn=msisdn)
        if found is not UNREAD:
            return found
        key = (region, msisdn, text)
        known: str | Unread | None = self._found.get(key, UNREAD)
        if known is not UNREAD:
            return known
        asked = ask_library(text, region, msisdn=msisdn)
        if len(self._found) >= MAX_ENTRIES:
            # All at once: to forget the oldest only would take a lock, and whoever sends thousands
            # of numbers that are no one's would gain as little from either.
            self._found.clear()
        self._found[key] = asked
        return asked
