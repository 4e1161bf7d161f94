"""The tally: how much was seen, disclosed and withheld, by reason and by catalogued place."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Final, TypeVar

from msgspec import Struct, field

# A Counter's `__init__` only fills it, and takes five times as long as making an empty one: for a
# short line of NDJSON that is a tenth of the work.
_empty: Final = partial(Counter.__new__, Counter)

_Place = TypeVar("_Place")


def add_counts(counts: dict[_Place, int], others: Mapping[_Place, int]) -> None:
    """Add to counts. A dict's `get`: what a Counter says of what it lacks takes five times that."""
    if not counts:
        dict.update(counts, others)
    else:
        for place, count in others.items():
            counts[place] = counts.get(place, 0) + count


class Tally(Struct):
    """Counts, never a value.

    `withheld` counts by reason and place: a field's label for values that were `malformed`, a
    record's path for records that were not there (`not-a-target`, `no-subject`, `out-of-period`,
    `undated`).
    What is not covered is skipped unread and so not counted: the allowlist names it.
    `disclosed` counts, by a field's label, the values that are in the output, `null` and treated
    ones too, and of a map whose keys are disclosed the keys. No count is zero.
    """

    records_seen: int = 0
    records_disclosed: int = 0
    withheld: Counter[tuple[str, str]] = field(default_factory=_empty)
    disclosed: Counter[str] = field(default_factory=_empty)

    def add(self, other: "Tally") -> None:
        """Add another document's counts to these."""
        self.records_seen += other.records_seen
        self.records_disclosed += other.records_disclosed
        add_counts(self.withheld, other.withheld)
        add_counts(self.disclosed, other.disclosed)

    def by_reason(self) -> dict[str, int]:
        """Sum what was withheld over all places."""
        sums: Counter[str] = Counter()
        for (reason, _place), count in self.withheld.items():
            sums[reason] += count
        return dict(sorted(sums.items()))
