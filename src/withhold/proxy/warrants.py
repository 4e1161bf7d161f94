"""Warrants: from an id in a header to an `ApprovedWarrant` that this caller may use now.

A document is read from the registry once, and again after every change that this node hears of; it
is believed against the signers then in force, each time. Its state is never kept: `Standing` knows
it, half a second old at most. What is held of a warrant, grants and all, goes as a whole, once it
changes or its time is over.

For a caller that the warrant does not name it does not exist: unknown, never registered and not
this caller's take the same way and get the same answer.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

from withhold.errors import DatabaseUnavailable, Denied, WarrantError
from withhold.kinds.instant import Instant
from withhold.kinds.memo import Memo
from withhold.names import CallerName, InstrumentName, State, StoreName, WarrantId
from withhold.policy.model import Instrument, Policy
from withhold.ports import Registry
from withhold.proxy.grant import Asked, Grant
from withhold.warrant.model import ApprovedWarrant, SignedWarrant, Signer, Warrant
from withhold.warrant.signed import parse_signed
from withhold.warrant.verify import Denial, verify_warrant

MAX_HELD: Final = 1_024  # warrants
MAX_ADDRESSED: Final = 4_096  # warrants whose callers are remembered
MAX_GRANTS: Final = 64  # of one warrant; each a few kilobytes


class Standing(Protocol):
    """What is known of states and freezes. Raises: DatabaseUnavailable where that is too old."""

    def listen(self, looked: Callable[[], None]) -> None:
        """Have `looked` called after every look, in the thread that looked."""

    def sequence(self) -> int:
        """Give how far this node has heard of changes; it only grows."""

    def has_changed(self, warrant: WarrantId, since: int) -> bool:
        """Tell whether a change of this warrant was heard of after `since`, a `sequence`."""

    def state_of(self, warrant: WarrantId) -> State | None:
        """Give the state of a warrant."""

    def frozen(self, store: StoreName, instrument: InstrumentName) -> bool:
        """Tell whether a freeze is in force."""

    def now(self) -> Instant:
        """Give the database's clock."""

    def poll(self) -> None:
        """Look once more, in the calling thread."""


@dataclass(frozen=True, slots=True)
class _Verified:
    """What verification made of a document, and by what."""

    signers: Sequence[Signer]
    instrument: Instrument
    result: ApprovedWarrant | Denial


@dataclass(slots=True)
class Held:
    """What this process holds of one warrant: its document, and what was made of it."""

    document: bytes = field(repr=False)  # it names people
    signed: SignedWarrant
    memo: Memo = field(repr=False)  # of phone numbers that were read under it
    sequence: int  # how far this node had heard of changes when it read the document
    _verified: _Verified | None = None
    _grants: OrderedDict[Asked, Grant] = field(default_factory=OrderedDict, repr=False)

    @property
    def warrant(self) -> Warrant:
        """What the document says."""
        return self.signed.warrant

    def verify(
        self, signers: Sequence[Signer], policy: Policy, deployment: str
    ) -> ApprovedWarrant | Denial:
        """Verify the document, unless it was by these very signers."""
        instrument = policy.instruments.get(self.warrant.instrument)
        if instrument is None:
            return Denial("wrong-instrument", "no policy has the warrant's instrument")
        verified = self._verified
        if (
            verified is None
            or verified.signers is not signers
            or (verified.instrument is not instrument and verified.instrument != instrument)
        ):
            result = verify_warrant(self.signed, signers, instrument, deployment)
            self._verified = verified = _Verified(signers, instrument, result)
        return verified.result

    def grant(self, asked: Asked) -> Grant | None:
        """Give the grant that was kept."""
        return self._grants.get(asked)

    def keep(self, asked: Asked, grant: Grant) -> None:
        """Keep a grant; of too many the oldest goes."""
        self._grants[asked] = grant
        if len(self._grants) > MAX_GRANTS:
            self._grants.popitem(last=False)


class Warrants:
    """Loads warrants. Which signers are in force is asked for each time."""

    def __init__(
        self,
        registry: Registry,
        standing: Standing,
        signers: Callable[[], Sequence[Signer]],
        deployment: str,
    ) -> None:
        """`deployment`: the name that every signature is made for."""
        self._registry = registry
        self._standing = standing
        self._signers = signers
        self._deployment = deployment
        self._held: OrderedDict[WarrantId, Held] = OrderedDict()
        # A document's SHA-256, and its callers. They stay when what is held goes: to read it again
        # (0.3 ms) would tell each caller that there is something.
        self._addressed: OrderedDict[WarrantId, tuple[bytes, frozenset[CallerName]]] = OrderedDict()
        standing.listen(self._sweep)

    async def load(self, warrant: WarrantId, caller: CallerName, policy: Policy) -> Held:
        """Give the warrant, approved; whether it is active is for `check_standing`.

        Raises: Denied `warrant-unknown`, `warrant-not-active`; DatabaseUnavailable.
        """
        held = self._held.get(warrant)
        if held is None or caller not in held.warrant.callers or self._is_old(warrant, held):
            # INVARIANT: a warrant that is held and not this caller's is asked for all the same, or
            # a quick answer would tell that there is one.
            held = await self._read(warrant, caller)
        # Before anything is verified: that takes its time, and would tell that there is something.
        if held is None or caller not in held.warrant.callers:
            raise Denied("warrant-unknown")
        if isinstance(held.verify(self._signers(), policy, self._deployment), Denial):
            # It waits for an approval, or a signer that it rests on is no longer in force.
            raise Denied("warrant-not-active")
        return held

    async def find(self, warrant: WarrantId, policy: Policy) -> Warrant | None:
        """Give a warrant whoever asks and whatever its state; None if none is believed.

        Raises: DatabaseUnavailable.
        """
        held = await self._read(warrant)
        if held is None:
            return None
        verified = held.verify(self._signers(), policy, self._deployment)
        return verified.warrant if isinstance(verified, ApprovedWarrant) else None

    def _is_old(self, warrant: WarrantId, held: Held) -> bool:
        return self._standing.has_changed(warrant, held.sequence)

    async def _read(self, warrant: WarrantId, caller: CallerName | None = None) -> Held | None:
        """Read a warrant; what was made of the very same document stays.

        None where it is known not to be `caller`'s.
        """
        sequence = self._standing.sequence()  # before: a change while it is read is a change
        found = await self._registry.find(warrant)
        held = self._held.get(warrant)
        if found is not None and held is not None and held.document == found.document:
            held.sequence = max(held.sequence, sequence)
            with suppress(KeyError):  # the thread that sweeps has let go of it since
                self._held.move_to_end(warrant)
            return held
        if found is None:
            self._held.pop(warrant, None)
            return None
        digest = hashlib.sha256(found.document).digest()
        known, callers = self._addressed.get(warrant, (b"", frozenset()))
        if caller is not None and caller not in callers and known == digest:
            return None
        signed = _parse(warrant, found.document)
        if signed is None:
            self._held.pop(warrant, None)
            return None
        self._addressed[warrant] = (digest, signed.warrant.callers)
        if len(self._addressed) > MAX_ADDRESSED:
            self._addressed.popitem(last=False)
        held = Held(found.document, signed, Memo(), sequence)
        self._held[warrant] = held
        if len(self._held) > MAX_HELD:
            self._held.popitem(last=False)
        return held

    def _sweep(self) -> None:
        """Let go of all that may not be used now. Called in the thread that looks at states."""
        with suppress(DatabaseUnavailable):  # then nothing may be used, and the next look tells
            now = self._standing.now()
            for warrant, held in list(self._held.items()):  # while the event loop goes on
                is_active = self._standing.state_of(warrant) is State.ACTIVE
                is_over = now >= held.warrant.valid.until
                if is_over or not is_active or self._is_old(warrant, held):
                    self._held.pop(warrant, None)


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


def _parse(warrant: WarrantId, document: bytes) -> SignedWarrant | None:
    """Read a document; None for one that is not this warrant's: the registry is no authority."""
    try:
        signed = parse_signed(document)
    except WarrantError:
        return None
    return signed if signed.warrant.id == warrant else None
