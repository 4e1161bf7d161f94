"""Revealing: a token becomes its address again, as a disclosure of its own (contract §9).

It takes an active warrant that names the field and discloses it clear, a caller with the role, an
approver's signature over exactly this, and a receipt that is durable before the address leaves.
Every step refuses without saying more than which one it was; a token of another warrant's people,
of no warrant and of a key that is gone look alike. Nothing here is logged or counted but what a
disclosure's line has: never the token, the address, the reason.
"""

from typing import Final

import msgspec
from starlette.types import Scope

from withhold.allowlist.compile import narrow
from withhold.allowlist.model import Allowlist
from withhold.authenticate import authenticate
from withhold.bundle import Bundle
from withhold.deployment.model import CallerEntry
from withhold.errors import BadRequest, Denied, KeyUnavailable, WarrantError
from withhold.kinds.ip import print_ip, unpack_ip
from withhold.kinds.token import key_id_of, reveal
from withhold.ledger.entry import EntryType
from withhold.ledger.receipt import Ending, handle_of
from withhold.names import Kind, Part, Role, State, Treatment
from withhold.paths import print_path
from withhold.ports import Ledger
from withhold.proxy.disclosure import Disclosure, Revealed
from withhold.proxy.handler import Room, bundle_in_force
from withhold.proxy.log import Line
from withhold.proxy.reply import Reply
from withhold.proxy.terms import Terms, commit_targets
from withhold.proxy.warrants import check_standing, renew_standing
from withhold.proxy.watch import ClientGone
from withhold.warrant.model import NamedField, Warrant
from withhold.warrant.reveal import (
    MAX_DOCUMENT_BYTES,
    Approval,
    Approved,
    SignedApproval,
    parse_approval,
    verify_approval,
)
from withhold.warrant.verify import Denial

PATH: Final = "/reveal"
PAGE: Final = 1_024  # entries of the log at once

_JSON: Final = "application/json"


async def answer_reveal(room: Room, scope: Scope, reply: Reply, line: Line) -> None:
    """Answer `POST /reveal`, whose body is the signed approval. Raises: WithholdError."""
    if scope["path"] != PATH:
        raise Denied("no-such-resource")
    caller = authenticate(scope["headers"], room.parts.callers())
    if caller is None:
        raise Denied("unauthenticated")
    line.caller = caller.name
    with room.gate.enter_as(caller.name):
        if Role.REVEAL not in caller.roles:
            raise Denied("caller-not-allowed")
        signed = _parse(await reply.read(MAX_DOCUMENT_BYTES))
        approved = _verify(room, signed, caller)
        bundle = bundle_in_force(room.parts)
        named = approved.approval.named
        loaded = await room.warrants.load(approved.approval.warrant, caller.name, bundle.policy)
        warrant = loaded.warrant
        line.warrant = warrant.id
        allowlist = await _allowlist(room, warrant, bundle, named)
        resource = allowlist.resource
        line.resource = resource.name
        await renew_standing(room.parts.standing, warrant.id)
        check_standing(room.parts.standing, warrant, resource.store)
        made_under, address = await _decode(room, approved.approval, warrant, bundle)
        targets = commit_targets(room.parts.ring(), warrant.id, made_under.targets)
        terms = Terms(warrant, bundle.digest, allowlist, targets)
        disclosure = Disclosure(room.parts.new_receipt_id(), caller.name, terms)
        line.receipt = handle_of(disclosure.id)
        revealed = Revealed(
            label=print_path(named.path),
            token=approved.approval.token,
            made_under=made_under.id,
            approver=approved.approver,
            reason=approved.approval.reason,
            approval=approved.digest,
        )
        body = msgspec.json.encode({"ip": address})
        await _send(room, disclosure, revealed, body, reply)
        line.size_bytes = len(body)


def _parse(document: bytes) -> SignedApproval:
    message = ""
    try:
        return parse_approval(document)
    except WarrantError as error:
        message = error.message  # names a place in the document, never what stands there
    raise BadRequest(message)


def _verify(room: Room, signed: SignedApproval, caller: CallerEntry) -> Approved:
    parts = room.parts
    now = parts.standing.now()
    verdict = verify_approval(signed, parts.signers(), parts.deployment, caller.name, now)
    if isinstance(verdict, Denial):
        raise Denied(verdict.reason)
    return verdict


async def _allowlist(room: Room, warrant: Warrant, bundle: Bundle, named: NamedField) -> Allowlist:
    """Give what the warrant lets out of the one field: the address in clear, or nothing at all."""
    resource = bundle.catalogue.resources.get(named.resource)
    if named not in warrant.fields or resource is None:
        raise Denied("field-not-named")
    instrument = bundle.policy.instruments[warrant.instrument]
    allowlist = await room.allowlists.get(warrant, instrument, bundle, resource)
    # Where several variants are addresses, the token may be of any of them.
    treatments = {
        entry.treatment
        for entry in allowlist.entries
        if entry.field.path == named.path
        and entry.field.part is Part.VALUE
        and entry.field.form.kind is Kind.IP
    }
    if treatments != {Treatment.DISCLOSE}:
        raise Denied("field-not-named")
    return narrow(allowlist, frozenset({named.path}))


async def _decode(
    room: Room, approval: Approval, warrant: Warrant, bundle: Bundle
) -> tuple[Warrant, str]:
    """Give the warrant under which the token was made, and the address that it stands for.

    It may be an earlier one: then all of its targets must be targets of `warrant`, and its period
    within that of `warrant`. Whoever's the address is, `warrant` reaches.
    """
    keys = room.parts.token_keys
    found = await keys.find_by_key_id(key_id_of(approval.token) or "")
    # Two keys of one id: nobody could tell which made it, and either decodes to some address.
    of = await room.warrants.find(found[0], bundle.policy) if len(found) == 1 else None
    if of is None or not _reaches(warrant, of):
        raise Denied("token-unknown")
    if not await _was_tokenized(room.parts.ledger, of, approval.named):
        raise Denied("token-unknown")
    try:
        key = await keys.token_key(of.id)
    except KeyUnavailable:
        if room.parts.standing.state_of(of.id) is State.ACTIVE:
            raise
        raise Denied("token-unknown") from None  # destroyed, as closing and pruning do
    packed = reveal(approval.token, key)
    if packed is None:
        raise Denied("token-unknown")
    return of, print_ip(unpack_ip(packed))


async def _was_tokenized(ledger: Ledger, warrant: Warrant, named: NamedField) -> bool:
    """Tell whether a disclosure under `warrant` tokenized this field, as far as the log shows.

    Nothing in a token says which field it stood in: the approver does, and this is what else is
    known. An opening counts if its stream could have: its closing may never have been made.
    """
    since, path = 0, print_path(named.path)
    while page := await ledger.find_warrant(warrant.id, since, PAGE):
        for each in page:
            # Not `read_public`: to write each again keeps all others waiting forty times as long.
            entry = {} if each.public is None else msgspec.json.decode(each.public)
            if entry.get("resource") != named.resource:
                continue
            could = entry["type"] == EntryType.OPENING and Treatment.TOKENIZE in entry["authorised"]
            labels = entry["tokenized"]  # a variant's goes on after the path
            if could or any(f"{label} when ".startswith(f"{path} when ") for label in labels):
                return True
        since = page[-1].index + 1
    return False


def _reaches(warrant: Warrant, other: Warrant) -> bool:
    """Tell whether `warrant` is about all whom `other` is about, and about all of its period."""
    within = warrant.period.since <= other.period.since and (
        other.period.until <= warrant.period.until
    )
    return within and other.targets <= warrant.targets


async def _send(
    room: Room, disclosure: Disclosure, revealed: Revealed, body: bytes, reply: Reply
) -> None:
    sent = await room.clerk.reveal(disclosure, revealed, body)
    # CRASH: the approval is used up, and the entry says `disclosed` though nothing may have left;
    # whoever recovers says `unknown`.
    headers = [*disclosure.headers(_JSON), ("Content-Digest", str(sent.digest))]
    ending, size_bytes = Ending.INCOMPLETE, 0
    try:
        if reply.is_gone():
            raise ClientGone("the client has gone")
        await reply.whole(200, headers, body)
        ending, size_bytes = Ending.COMPLETE, len(body)
    finally:
        room.clerk.close_later(disclosure, ending, size_bytes)
