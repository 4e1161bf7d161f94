"""The allowlist as a value: for each field of a resource what happens to it, and why."""

from dataclasses import dataclass
from functools import cached_property

from withhold.allowlist.canonical import allowlist_digest
from withhold.catalogue.model import Field, Resource
from withhold.names import Digest, Part, Treatment


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision; `reason` is one of `Reason`, or `rule:<name>`."""

    field: Field
    treatment: Treatment
    reason: str


@dataclass(frozen=True)
class Allowlist:
    """A decision for every field of the resource, by label."""

    resource: Resource
    entries: tuple[Entry, ...]

    @cached_property
    def covered(self) -> tuple[Entry, ...]:
        """The entries that let something out."""
        return tuple(entry for entry in self.entries if entry.treatment is not Treatment.WITHHOLD)

    @cached_property
    def leaves(self) -> tuple[Entry, ...]:
        """The covered entries that are values; without one nothing can stand (contract §4)."""
        return tuple(entry for entry in self.covered if entry.field.part is Part.VALUE)

    @cached_property
    def digest(self) -> Digest:
        """SHA-256 of the canonical bytes of all that decides, as RFC 9530 writes it."""
        return allowlist_digest(self.resource, ((e.field, e.treatment) for e in self.covered))
