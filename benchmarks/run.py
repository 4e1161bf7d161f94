"""A run: all figures with the machine, versions and commit; as JSON, and against another run."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.figures import Figure

FORMAT: Final = 1


@dataclass(frozen=True)
class Run:
    """What was measured at one time."""

    at: str  # RFC 3339, UTC
    commit: str
    dirty: bool  # the tree was not the commit's
    effort: str
    seconds: float
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    notes: Mapping[str, Sequence[str]]  # by section
    figures: Sequence[Figure]

    def only(self, section: str) -> list[Figure]:
        """Give a section's figures, in the order in which they were measured."""
        return [each for each in self.figures if each.section == section]

    def sections(self) -> list[str]:
        """Give the sections that have figures."""
        return list(dict.fromkeys(each.section for each in self.figures))


@dataclass(frozen=True)
class Change:
    """A figure beside that of an earlier run."""

    now: Figure
    then: Figure

    @property
    def times(self) -> float | None:
        """How many times as good it is now: above 1 is better, whatever the unit."""
        low, high = sorted((self.now.median, self.then.median))
        if low <= 0:
            return None if high > 0 else 1.0
        ratio = self.now.median / self.then.median
        return ratio if self.now.better == "higher" else 1 / ratio

    @property
    def within_spread(self) -> bool:
        """Whether the rounds of both runs overlap: the difference may be noise."""
        return self.now.low <= self.then.high and self.then.low <= self.now.high


def compare(now: Run, then: Run) -> list[Change]:
    """Pair the figures that both runs have."""
    known = {each.key: each for each in then.figures}
    return [Change(each, known[each.key]) for each in now.figures if each.key in known]


def print_run(run: Run) -> bytes:
    """Give JSON; `parse_run` reads it."""
    document: dict[str, Any] = {"format": FORMAT, **dataclasses.asdict(run)}
    document["figures"] = [
        {**dataclasses.asdict(each), "better": each.better} for each in run.figures
    ]
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def parse_run(document: bytes) -> Run:
    """Read a run. Raises: ValueError, KeyError or TypeError where it is none."""
    members = json.loads(document)
    if members.pop("format") != FORMAT:
        message = "another format of recorded runs"
        raise ValueError(message)
    names = [field.name for field in dataclasses.fields(Figure)]
    figures = [Figure(**{name: each[name] for name in names}) for each in members.pop("figures")]
    return Run(**members, figures=figures)
