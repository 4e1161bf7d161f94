"""Grants: what a warrant lets out of one resource about one subject, ready for requests.

All that is settled between the check of the warrant's standing and the call of the store, and does
not change from one request to the next: a grant lives as long as the document, the bundle and the
keys that it was made of, and is dropped with the warrant (`warrants`). The state of the warrant,
its validity and what a request narrows are no part of it (contract §8).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from withhold.allowlist.model import Allowlist
from withhold.bundle import Bundle
from withhold.keyring import KeyRing
from withhold.minimize.minimizer import Minimizer
from withhold.names import ResourceName
from withhold.paths import Path
from withhold.proxy.terms import Terms


class Asked(NamedTuple):
    """What tells the grants of one warrant apart. It names people, and is in no `repr`."""

    resource: ResourceName
    segments: tuple[str, ...]
    fields: frozenset[Path] | None

    def __repr__(self) -> str:
        """Name the resource only (law 6)."""
        return f"Asked({self.resource})"


@dataclass(frozen=True, slots=True)
class Grant:
    """What may leave, and how the store is asked for it."""

    terms: Terms
    minimizer: Minimizer
    params: Mapping[str, str] = field(repr=False)  # as the store writes them; they name people
    target: str = field(repr=False)  # what the store is asked for first
    alone: bool  # whether each call needs a connection of its own; see `tells_whose`
    bundle: Bundle  # what it was made of, and with
    ring: KeyRing

    def stands_on(self, bundle: Bundle, ring: KeyRing) -> bool:
        """Tell whether it was made of these very objects."""
        return self.bundle is bundle and self.ring is ring


def tells_whose(allowlist: Allowlist) -> bool:
    """Tell whether an answer shows whom it is about, wherever something may leave.

    A store that answers late, or twice, can have its answer about one person read as the next one's
    (RFC 9112 §6.3), if it comes at just that moment. Where the answer repeats its subject, or every
    record names its own, that is a mismatch or no target; else no connection is used twice.
    """
    resource = allowlist.resource
    if resource.subject is not None and resource.subject.confirm is not None:
        return True
    return all(
        any(record.subject for record in resource.records_around(entry.field.path))
        for entry in allowlist.covered
    )
