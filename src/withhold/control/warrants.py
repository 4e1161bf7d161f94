"""Warrants: how one is registered, approved, suspended, resumed, revoked and closed.

A signature is what counts: whoever carries it to the control plane only delivers it. So a role is
enough to make access end, and never enough to make it begin: registering, approving and resuming
are believed for the signers in force, whoever asked.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from withhold.adapters.pruning import PRUNED
from withhold.bundle import Bundle
from withhold.control.entries import Act, Event, entry_of_move, entry_of_signed
from withhold.control.pending import Pending
from withhold.control.remarks import remarks
from withhold.errors import DatabaseUnavailable, Denied, WarrantError
from withhold.kinds.instant import Instant, print_instant
from withhold.ledger.entry import Entry
from withhold.names import CallerName, SignerRole, State, WarrantId
from withhold.policy.model import Instrument
from withhold.ports import NOTHING_SINCE, Registered, Registry
from withhold.warrant.model import ApprovedWarrant, Signature, SignedWarrant, Signer, Target
from withhold.warrant.signed import parse_signed, print_signed
from withhold.warrant.state import comes_before, state_at
from withhold.warrant.verify import NEEDS_APPROVAL, NEEDS_INTAKE, Denial, verify_warrant

RESUME_WITHIN_S: Final = 600  # from signing to sending
CLOCKS_DIFFER_S: Final = 60  # that much a signer's clock may be ahead of the database's
_WAITS: Final = frozenset({NEEDS_INTAKE, NEEDS_APPROVAL})


@dataclass(frozen=True)
class Office:
    """What decides about warrants: the signers in force, the instruments, and this deployment."""

    registry: Registry
    bundle: Bundle
    signers: Callable[[], Sequence[Signer]]  # those in force
    callers: Callable[[], Collection[CallerName]]  # those that there are now
    deployment: str
    commit_target: Callable[[WarrantId, Target], str]
    pending: Pending


@dataclass(frozen=True)
class Standing:
    """A warrant as it stands: what it says, its state now, and whose signature it waits for."""

    registered: Registered
    signed: SignedWarrant | None  # None: its document was pruned
    state: State
    waits_for: str  # empty where nothing is missing
    remarks: tuple[str, ...]  # what it asks for in vain


async def register(office: Office, document: bytes, act: Act) -> Standing:
    """Register a signed warrant; it is active as soon as intake and approvals hold.

    Raises: WarrantError, DatabaseUnavailable, Denied `id-in-use` or the reason of `verify_warrant`.
    """
    signed = parse_signed(document)
    standing = _verified(office, signed, document, await now(office))
    entry = _entry(office, act, Event.REGISTERED, signed, standing.state)
    await office.registry.register(standing.registered, entry)
    return standing


async def approve(office: Office, warrant: WarrantId, document: bytes, act: Act) -> Standing:
    """Add the signatures of `document` to a pending warrant.

    `document`: the same payload under further signatures; those that are known may be among them.
    Raises: as `register`; Denied `warrant-unknown`, `wrong-state`, `changed-meanwhile`.
    """
    old, held = await _find(office, warrant)
    _expect(old, State.PENDING)
    added = _same_payload(held, parse_signed(document))
    known = {(each.protected, each.value) for each in held.signatures}
    fresh = [each for each in added if (each.protected, each.value) not in known]
    if not fresh:
        raise Denied("no-new-signature", "the document has no signature that is not known")
    signed, standing = await _signed_anew(office, held, (*held.signatures, *fresh))
    entry = _entry(office, act, Event.APPROVED, signed, standing.state)
    await office.registry.amend(old, standing.registered, entry)
    return standing


async def resume(office: Office, warrant: WarrantId, document: bytes, act: Act) -> Standing:
    """Bring a suspended warrant back, on an approver's word.

    `document`: the same payload, signed anew by one approver, at most ten minutes ago and later
    than all signatures that the warrant has. It replaces that approver's earlier signature or joins
    the others, so that the same statement never serves twice.
    Raises: as `approve`; Denied `stale-signature`, `wrong-role`.
    """
    old, held = await _find(office, warrant)
    _expect(old, State.SUSPENDED)
    added = _same_payload(held, parse_signed(document))
    if len(added) != 1 or added[0].role is not SignerRole.APPROVE:
        raise Denied("wrong-role", "to resume takes the signature of one approver, and no other")
    signature, at = added[0], await now(office)
    latest = max(each.signed_at for each in held.signatures)
    age_s = at.second - signature.signed_at.second
    if signature.signed_at <= latest or not -CLOCKS_DIFFER_S <= age_s <= RESUME_WITHIN_S:
        hint = "sign now, with `withhold warrant resume`"
        raise Denied("stale-signature", "the approver's signature is not of now", hint)
    kept = [each for each in held.signatures if each.key_id != signature.key_id]
    signed, standing = await _signed_anew(office, held, (*kept, signature))
    if standing.state is not State.ACTIVE:
        raise Denied(NEEDS_APPROVAL, standing.waits_for)
    entry = _entry(office, act, Event.RESUMED, signed, standing.state)
    await office.registry.amend(old, standing.registered, entry)
    return standing


async def move(office: Office, warrant: WarrantId, to: State, act: Act) -> None:
    """Suspend, revoke or close. Asks nothing of the document: it ends access whatever it holds.

    It is in force in this process at once, however long the database takes. What suspends or
    revokes while that takes no writes, is told as soon as that is possible; the error says so.
    Raises: Denied `warrant-unknown`, `wrong-state`; DatabaseUnavailable.
    """
    entry = entry_of_move(act, warrant, to)
    attempt = partial(office.registry.move, warrant, comes_before(to), to, entry)
    is_revoked = office.pending.ended.get(warrant) is State.REVOKED
    try:
        with office.pending.holding((warrant, to)):
            await attempt()
    except DatabaseUnavailable as error:
        if to is State.CLOSED:
            raise
        if not is_revoked:  # nothing takes its place
            office.pending.add(f"warrant {warrant}", attempt, (warrant, to))
        message = f"in force in this process and not durable yet: {error.message}"
        hint = "it is tried until the database takes it; to be sure of all nodes, freeze by file"
    else:
        return
    raise DatabaseUnavailable(message, hint)


async def close(
    office: Office,
    warrant: WarrantId,
    destroy: Callable[[WarrantId], Awaitable[str | None]],
    act: Act,
) -> str | None:
    """Close a warrant and destroy its token key; of a closed one, finish what a crash left.

    Gives the id of the key, None if there was none.
    Raises: as `move`; KeyUnavailable if the key is still there: close again.
    """
    try:
        await move(office, warrant, State.CLOSED, act)
    except Denied:
        found = await office.registry.find(warrant)
        if found is None or found.state is not State.CLOSED:
            raise
    # CRASH: the warrant is closed and its key is still there. It opens nothing any more, and
    # closing once more destroys it. The other order would leave an active warrant without its key.
    return await destroy(warrant)


async def find(office: Office, warrant: WarrantId) -> Standing:
    """Give a warrant as it stands. Raises: Denied `warrant-unknown`, DatabaseUnavailable."""
    return stand(office, await _registered(office, warrant), await now(office))


async def find_all(office: Office) -> list[Standing]:
    """Give every warrant as it stands, newest first. Raises: DatabaseUnavailable."""
    at = await now(office)
    return [stand(office, registered, at) for registered in await office.registry.list()]


async def now(office: Office) -> Instant:
    """Ask the database's clock, the only one that all nodes share."""
    return (await office.registry.changes(NOTHING_SINCE)).now


def stand(office: Office, registered: Registered, at: Instant) -> Standing:
    """Say how a registered warrant stands at an instant, as far as its signatures go."""
    if registered.document == PRUNED:
        return Standing(registered, None, registered.state, "", ())
    signed = parse_signed(registered.document)
    verdict = _verify(office, signed)
    waits_for = verdict.message if isinstance(verdict, Denial) else ""
    state = state_at(registered.state, signed.warrant.valid, at)
    return Standing(registered, signed, state, waits_for, _remarks(office, signed))


async def _signed_anew(
    office: Office, held: SignedWarrant, signatures: Sequence[Signature]
) -> tuple[SignedWarrant, Standing]:
    document = print_signed(held.payload, signatures)
    # Read back: what is kept can be read again, and has not grown past what a document may be.
    signed = parse_signed(document)
    return signed, _verified(office, signed, document, await now(office))


def _verified(office: Office, signed: SignedWarrant, document: bytes, at: Instant) -> Standing:
    """Verify what is about to be kept: every signature in it is valid, or nothing is kept."""
    verdict = _verify(office, signed)
    if isinstance(verdict, Denial) and verdict.reason not in _WAITS:
        raise Denied(verdict.reason, verdict.message, verdict.hint)
    valid = signed.warrant.valid
    if at >= valid.until:
        message = f"the warrant was valid until {print_instant(valid.until)}"
        raise Denied("expired", message)
    waits_for = verdict.message if isinstance(verdict, Denial) else ""
    state = State.PENDING if waits_for else State.ACTIVE
    registered = Registered(signed.warrant.id, document, signed.warrant.digest, state)
    return Standing(registered, signed, state, waits_for, _remarks(office, signed))


def _entry(office: Office, act: Act, event: Event, signed: SignedWarrant, state: State) -> Entry:
    instrument = office.bundle.policy.instruments.get(signed.warrant.instrument)
    return entry_of_signed(
        act,
        event,
        signed,
        state=state,
        instrument=instrument,
        commit_target=office.commit_target,
    )


async def _find(office: Office, warrant: WarrantId) -> tuple[Registered, SignedWarrant]:
    found = await _registered(office, warrant)
    if found.document == PRUNED:
        raise Denied("wrong-state", f"the warrant is `{found.state}`, and its document was pruned")
    return found, parse_signed(found.document)


async def _registered(office: Office, warrant: WarrantId) -> Registered:
    found = await office.registry.find(warrant)
    if found is None:
        raise Denied("warrant-unknown", "no warrant has this id")
    return found


def _remarks(office: Office, signed: SignedWarrant) -> tuple[str, ...]:
    return remarks(signed.warrant, office.bundle, office.callers())


def _expect(registered: Registered, state: State) -> None:
    if registered.state is not state:
        message = f"the warrant is `{registered.state}`, not `{state}`"
        raise Denied("wrong-state", message)


def _same_payload(held: SignedWarrant, given: SignedWarrant) -> tuple[Signature, ...]:
    if given.payload != held.payload:
        message = "the signatures are over another warrant than the one that is registered"
        raise WarrantError(message, "fetch it with `withhold warrant show`")
    return given.signatures


def _verify(office: Office, signed: SignedWarrant) -> ApprovedWarrant | Denial:
    instrument: Instrument | None = office.bundle.policy.instruments.get(signed.warrant.instrument)
    if instrument is None:
        names = ", ".join(f"`{name}`" for name in sorted(office.bundle.policy.instruments))
        message = "the policy has no instrument of this name"
        return Denial("no-such-instrument", message, f"there are {names}")
    return verify_warrant(signed, office.signers(), instrument, office.deployment)
