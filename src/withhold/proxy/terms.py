"""Terms: what a disclosure rests on, the same from one request to the next, and so made once.

A warrant, a bundle, an allowlist, and whom it is about. What receipts and headers say of these is
worked out at the first need and kept with them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from withhold.allowlist.compile import count_asked
from withhold.allowlist.model import Allowlist
from withhold.keyring import KeyRing, commit_target
from withhold.names import Digest, Treatment, WarrantId
from withhold.ports import Condition
from withhold.warrant.model import Target, Warrant


@dataclass(frozen=True)
class Terms:
    """By which warrant, bundle and allowlist; `targets`: keyed commitments to whom it can be about.

    What is made of them is kept, so there is no equality but identity.
    """

    warrant: Warrant
    bundle: Digest
    allowlist: Allowlist
    targets: tuple[str, ...]

    @cached_property
    def condition(self) -> Condition:
        """What must hold for an entry that lets something out."""
        return Condition(
            warrant=self.warrant.id,
            digest=self.warrant.digest,
            valid_from=self.warrant.valid.since,
            valid_until=self.warrant.valid.until,
            store=self.allowlist.resource.store,
            instrument=self.warrant.instrument,
        )

    @cached_property
    def treatments(self) -> Mapping[str, Treatment]:
        """The treatment of each covered field, by label."""
        return {entry.field.label: entry.treatment for entry in self.allowlist.covered}

    @cached_property
    def authorised(self) -> Mapping[str, int]:
        """How many fields of the resource may leave, by treatment."""
        return dict(Counter(entry.treatment.value for entry in self.allowlist.covered))

    @cached_property
    def unauthorised(self) -> Mapping[str, int]:
        """How many fields of the resource may not, by reason."""
        entries = self.allowlist.entries
        # As plain texts, which an entry is written of in a tenth of the time (`canonical`).
        return dict(Counter(str(e.reason) for e in entries if e.treatment is Treatment.WITHHOLD))

    @cached_property
    def requested(self) -> int:
        """How many fields of the resource the order itself asks for."""
        return count_asked(self.allowlist, self.warrant)


def commit_targets(ring: KeyRing, warrant: WarrantId, targets: Iterable[Target]) -> tuple[str, ...]:
    """Commit to targets, by the newest key (see `keyring`). Their order tells nothing."""
    return tuple(sorted(commit_target(ring, warrant, each.kind, each.value) for each in targets))
