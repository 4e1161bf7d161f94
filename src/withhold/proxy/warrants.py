"""Warrants: from an id in a header to an `ApprovedWarrant` that this caller may use now.

Read from the registry and verified for each request, against the signers then in force; what was
verified is kept only while document, signers and instrument are the very same. Its state is never
kept: `Standing` knows it, half a second old at most.

For a caller that the warrant does not name it does not exist: unknown, never registered and not
this caller's take the same way and get the same answer.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from withhold.errors import Denied, WarrantError
from withhold.kinds.instant import Instant
from withhold.names import CallerName, InstrumentName, State, StoreName, WarrantId
from withhold.policy.model import Instrument, Policy
from withhold.ports import Registry
from withhold.warrant.model import ApprovedWarrant, SignedWarrant, Signer, Warrant
from withhold.warrant.signed import parse_signed
from withhold.warrant.verify import Denial, verify_warrant

MAX_KEPT: Final = 4_096

_Value = TypeVar("_Value")


class Standing(Protocol):
    """What is known of states and freezes. Raises: DatabaseUnavailable where that is too old."""

    def state_of(self, warrant: WarrantId) -> State | None:
        """Give the state of a warrant."""

    def frozen(self, store: StoreName, instrument: InstrumentName) -> bool:
        """Tell whether a freeze is in force."""

    def now(self) -> Instant:
        """Give the database's clock."""

    def poll(self) -> None:
        """Look once more, in the calling thread."""


@dataclass(frozen=True)
class _Verified:
    """What verification made of a document, and by what."""

    signed: SignedWarrant
    signers: Sequence[Signer]
    instrument: Instrument
    result: ApprovedWarrant | Denial


class Warrants:
    """Loads warrants. Which signers are in force is asked for each time."""

    def __init__(
        self, registry: Registry, signers: Callable[[], Sequence[Signer]], deployment: str
    ) -> None:
        """`deployment`: the name that every signature is made for."""
        self._registry = registry
        self._signers = signers
        self._deployment = deployment
        self._read: OrderedDict[WarrantId, tuple[bytes, SignedWarrant | None]] = OrderedDict()
        self._verified: OrderedDict[WarrantId, _Verified] = OrderedDict()

    async def load(self, warrant: WarrantId, caller: CallerName, policy: Policy) -> ApprovedWarrant:
        """Give the warrant, approved; whether it is active is for `check_standing`.

        Raises: Denied `warrant-unknown`, `warrant-not-active`; DatabaseUnavailable.
        """
        found = await self._registry.find(warrant)
        signed = None if found is None else self._parse(warrant, found.document)
        # Before anything is verified: that takes its time, and would tell that there is something.
        if signed is None or caller not in signed.warrant.callers:
            raise Denied("warrant-unknown")
        verified = self._verify(signed, policy)
        if isinstance(verified, Denial):
            # It waits for an approval, or a signer that it rests on is no longer in force.
            raise Denied("warrant-not-active")
        return verified

    async def find(self, warrant: WarrantId, policy: Policy) -> ApprovedWarrant | None:
        """Give a warrant whoever asks and whatever its state; None if none is believed.

        Raises: DatabaseUnavailable.
        """
        found = await self._registry.find(warrant)
        signed = None if found is None else self._parse(warrant, found.document)
        verified = None if signed is None else self._verify(signed, policy)
        return verified if isinstance(verified, ApprovedWarrant) else None

    def _parse(self, warrant: WarrantId, document: bytes) -> SignedWarrant | None:
        """Read a document, unless it was read before."""
        known, signed = self._read.pop(warrant, (None, None))
        if known != document:
            signed = _parse(warrant, document)
        _keep(self._read, warrant, (document, signed))
        return signed

    def _verify(self, signed: SignedWarrant, policy: Policy) -> ApprovedWarrant | Denial:
        """Verify a document, unless this very one was by these very signers."""
        signers = self._signers()
        instrument = policy.instruments.get(signed.warrant.instrument)
        if instrument is None:
            return Denial("wrong-instrument", "no policy has the warrant's instrument")
        verified = self._verified.pop(signed.warrant.id, None)
        if (
            verified is None
            or verified.signed is not signed
            or verified.signers is not signers
            or verified.instrument != instrument
        ):
            result = verify_warrant(signed, signers, instrument, self._deployment)
            verified = _Verified(signed, signers, instrument, result)
        _keep(self._verified, signed.warrant.id, verified)
        return verified.result


async def renew_standing(standing: Standing, warrant: WarrantId) -> None:
    """Look once more before a refusal: an approval of a moment ago counts.

    Raises: DatabaseUnavailable.
    """
    if standing.state_of(warrant) is not State.ACTIVE:
        await asyncio.to_thread(standing.poll)


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


def _keep(kept: OrderedDict[WarrantId, _Value], warrant: WarrantId, value: _Value) -> None:
    """Keep the value as the one used last, and let go of the one not used for longest."""
    kept[warrant] = value
    if len(kept) > MAX_KEPT:
        kept.popitem(last=False)


def _parse(warrant: WarrantId, document: bytes) -> SignedWarrant | None:
    """Read a document; None for one that is not this warrant's: the registry is no authority."""
    try:
        signed = parse_signed(document)
    except WarrantError:
        return None
    return signed if signed.warrant.id == warrant else None
