"""The tally: how much was seen, disclosed and withheld, by reason and by catalogued place."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Counts, never a value.

    `withheld` counts by reason and place: a field's label for values that were `malformed`, a
    record's path for records that were not there (`not-a-target`, `no-subject`, `out-of-period`,
    `undated`).
    What is not covered is skipped unread and so not counted: the allowlist names it.
    """

    records_seen: int = 0
    records_disclosed: int = 0
    withheld: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, other: "Tally") -> None:
        """Add another document's counts to these."""
        self.records_seen += other.records_seen
        self.records_disclosed += other.records_disclosed
        self.withheld.update(other.withheld)

    def by_reason(self) -> dict[str, int]:
        """Sum what was withheld over all places."""
        sums: Counter[str] = Counter()
        for (reason, _place), count in self.withheld.items():
            sums[reason] += count
        return dict(sorted(sums.items()))
