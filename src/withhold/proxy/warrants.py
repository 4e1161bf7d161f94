"""Warrants: from an id in a header to an `ApprovedWarrant` that this caller may use now.

Read from the registry and verified for each request, against the signers then in force; what was
verified is kept only while document, signers and instrument are the very same. Its state is never
kept: `Standing` knows it, half a second old at most.

For a caller that the warrant does not name it does not exist: unknown, never registered and not
this caller's take the same way and get the same answer.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from withhold.errors import Denied, WarrantError
from withhold.kinds.instant import Instant
from withhold.names import CallerName, InstrumentName, State, StoreName, WarrantId
from withhold.policy.model import Instrument, Policy
from withhold.ports import Registry
from withhold.warrant.model import ApprovedWarrant, SignedWarrant, Signer, Warrant
from withhold.warrant.signed import parse_signed
from withhold.warrant.verify import Denial, verify_warrant

MAX_KEPT: Final = 4_096


class Standing(Protocol):
    """What is known of states and freezes. Raises: DatabaseUnavailable where that is too old."""

    def state_of(self, warrant: WarrantId) -> State | None:
        """Give the state of a warrant."""

    def frozen(self, store: StoreName, instrument: InstrumentName) -> bool:
        """Tell whether a freeze is in force."""

    def now(self) -> Instant:
        """Give the database's clock."""


@dataclass(frozen=True)
class _Kept:
    """A document as it was read, and what verification made of it."""

    document: bytes
    signed: SignedWarrant
    signers: Sequence[Signer]
    instrument: Instrument
    verified: ApprovedWarrant | Denial


class Warrants:
    """Loads warrants. Which signers are in force is asked for each time."""

    def __init__(
        self, registry: Registry, signers: Callable[[], Sequence[Signer]], deployment: str
    ) -> None:
        """`deployment`: the name that every signature is made for."""
        self._registry = registry
        self._signers = signers
        self._deployment = deployment
        self._kept: OrderedDict[WarrantId, _Kept] = OrderedDict()

    async def load(self, warrant: WarrantId, caller: CallerName, policy: Policy) -> ApprovedWarrant:
        """Give the warrant, approved; whether it is active is for `check_standing`.

        Raises: Denied `warrant-unknown`, `warrant-not-active`; DatabaseUnavailable.
        """
        found = await self._registry.find(warrant)
        kept = None if found is None else self._verify(warrant, found.document, policy)
        if kept is None or caller not in kept.signed.warrant.callers:
            raise Denied("warrant-unknown")
        if isinstance(kept.verified, Denial):
            # It waits for an approval, or a signer that it rests on is no longer in force.
            raise Denied("warrant-not-active")
        return kept.verified

    def _verify(self, warrant: WarrantId, document: bytes, policy: Policy) -> _Kept | None:
        signers = self._signers()
        kept = self._kept.pop(warrant, None)
        if kept is None or kept.document != document:
            signed = _parse(warrant, document)
        else:
            signed = kept.signed
        instrument = None if signed is None else policy.instruments.get(signed.warrant.instrument)
        if signed is None or instrument is None:
            return None
        if (
            kept is None
            or kept.signed is not signed
            or kept.signers is not signers
            or kept.instrument != instrument
        ):
            verified = verify_warrant(signed, signers, instrument, self._deployment)
            kept = _Kept(document, signed, signers, instrument, verified)
        self._kept[warrant] = kept
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return kept


def check_standing(standing: Standing, warrant: Warrant, store: StoreName) -> None:
    """Check that nothing speaks against disclosing, as far as this node knows.

    Raises: Denied `warrant-not-active`, `frozen`; DatabaseUnavailable.
    """
    if standing.state_of(warrant.id) is not State.ACTIVE:
        raise Denied("warrant-not-active")
    if not warrant.valid.holds(standing.now()):
        raise Denied("warrant-not-active")
    if standing.frozen(store, warrant.instrument):
        raise Denied("frozen")


def _parse(warrant: WarrantId, document: bytes) -> SignedWarrant | None:
    """Read a document; None for one that is not this warrant's: the registry is no authority."""
    try:
        signed = parse_signed(document)
    except WarrantError:
        return None
    return signed if signed.warrant.id == warrant else None
