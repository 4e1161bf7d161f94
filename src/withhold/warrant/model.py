"""A warrant's claims as values. `Warrant` is what it says; `ApprovedWarrant` is what is believed.

`parse` gives a `Warrant` from JSON, believed by nobody: enough for `redact` and `explain`.
`verify` turns a `SignedWarrant` into an `ApprovedWarrant`, the only kind that the proxy takes.
"""

from dataclasses import dataclass, field

from withhold.kinds.instant import Instant
from withhold.names import (
    CallerName,
    Category,
    Digest,
    InstrumentName,
    Kind,
    ResourceName,
    SignerRole,
    WarrantId,
)
from withhold.paths import Path


@dataclass(frozen=True, slots=True)
class Target:
    """An identifier of a person that the warrant names, in normal form."""

    kind: Kind
    value: str

    def __repr__(self) -> str:
        """Name the kind only: a target is personal data (law 6)."""
        return f"Target({self.kind})"


@dataclass(frozen=True, slots=True)
class Interval:
    """The half-open interval `[from, until)` in UTC."""

    since: Instant  # `from` in the file
    until: Instant

    def holds(self, instant: Instant) -> bool:
        """Tell whether `since <= instant < until`."""
        return self.since <= instant < self.until


@dataclass(frozen=True, slots=True)
class NamedField:
    """A field that the warrant names: a path of one resource (all that is declared at it)."""

    resource: ResourceName
    path: Path


@dataclass(frozen=True)
class Warrant:
    """One order, as its payload says it. `digest` is of the payload's bytes as signed."""

    id: WarrantId
    instrument: InstrumentName
    jurisdiction: str
    authority: str
    reference: str
    targets: frozenset[Target]
    categories: frozenset[Category]
    fields: frozenset[NamedField]
    period: Interval
    valid: Interval
    callers: frozenset[CallerName]
    digest: Digest
    served_at: Instant | None = None
    secrecy_until: Instant | None = None
    supersedes: WarrantId | None = None
    note: str = ""

    def __repr__(self) -> str:
        """Name the warrant, not what it says."""
        return f"Warrant({self.id})"


@dataclass(frozen=True, slots=True)
class Signer:
    """A person's key, as the deployment file lists it. `key_id` (`kid`) is the signer's name."""

    name: str
    person: str
    role: SignerRole
    public_key: bytes  # Ed25519, 32 bytes


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature of a JWS, not yet believed."""

    protected: bytes  # the base64url text, as it was signed
    key_id: str
    role: SignerRole
    signed_at: Instant
    deployment: str
    value: bytes


@dataclass(frozen=True, slots=True)
class SignedWarrant:
    """A JWS (RFC 7515 general JSON serialization), well-formed and not yet believed."""

    warrant: Warrant
    payload: bytes = field(repr=False)  # the warrant's JSON, as it was signed
    signatures: tuple[Signature, ...]


@dataclass(frozen=True)
class ApprovedWarrant:
    """A warrant that intake and approvers in force have signed. Only `verify` makes one."""

    warrant: Warrant
    intake: str
    approvers: tuple[str, ...]
