"""Findings: what is wrong with a copy of the log, and where. A bounded number of them."""

from dataclasses import dataclass, field
from typing import Final

MAX_FINDINGS: Final = 100  # faults, and as many warnings: a copy that has more is no copy


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, and where: a file of the copy, or whatever else was given."""

    place: str
    message: str
    index: int | None = None  # of the entry


@dataclass(slots=True)
class Findings:
    """What was found so far."""

    faults: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    first: int | None = None  # the first entry that something is wrong with

    def fault(self, place: str, message: str, index: int | None = None) -> None:
        """Take note of a fault. `index`: of the first entry that it concerns."""
        if index is not None:
            self.spoil(index)
        if len(self.faults) < MAX_FINDINGS:
            self.faults.append(Finding(place, message, index))

    def warn(self, place: str, message: str, index: int | None = None) -> None:
        """Take note of something that need not be a fault."""
        if len(self.warnings) < MAX_FINDINGS:
            self.warnings.append(Finding(place, message, index))

    def spoil(self, index: int) -> None:
        """Take note that from this entry on the copy is not whole."""
        self.first = index if self.first is None else min(self.first, index)
