"""The tally: how much was seen, disclosed and withheld, by reason and by catalogued place."""

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Final

# A Counter's `__init__` only fills it, and takes five times as long as making an empty one: for a
# short line of NDJSON that is a tenth of the work.
_empty: Final = partial(Counter.__new__, Counter)


@dataclass(slots=True)
class Tally:
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
        if other.withheld:  # for a short line, adding nothing would be a twentieth of the work
            self.withheld.update(other.withheld)
        for label, count in other.disclosed.items():
            self.disclosed[label] += count

    def by_reason(self) -> dict[str, int]:
        """Sum what was withheld over all places."""
        sums: Counter[str] = Counter()
        for (reason, _place), count in self.withheld.items():
            sums[reason] += count
        return dict(sorted(sums.items()))
