"""The handler: a request's story, from a caller's token to what may leave.

Each step either gives what the next one needs or raises; the outermost layer (`app`) turns what was
raised into a problem. Until `clerk.release` returns, nothing of an answer has left.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from withhold.allowlist.compile import narrow
from withhold.allowlist.model import Allowlist
from withhold.authenticate import authenticate
from withhold.bundle import Bundle
from withhold.catalogue.model import Resource
from withhold.deployment.model import CallerEntry
from withhold.errors import DatabaseUnavailable, Denied, KeyUnavailable
from withhold.ledger.receipt import handle_of
from withhold.minimize.minimizer import Minimizer, subject_of
from withhold.names import Role, StoreName, Treatment
from withhold.ports import Store
from withhold.proxy.allowlists import Allowlists
from withhold.proxy.ask import Heard
from withhold.proxy.call import Call, Headers, parse_call
from withhold.proxy.deliver import Delivery, deliver
from withhold.proxy.disclosure import Clerk, Disclosure
from withhold.proxy.gate import Gate
from withhold.proxy.log import Line
from withhold.proxy.metrics import Metrics
from withhold.proxy.parts import Parts
from withhold.proxy.reply import Reply
from withhold.proxy.target import StorePath, match, written
from withhold.proxy.warrants import Warrants, check_standing, renew_standing
from withhold.warrant.model import Target, Warrant


@dataclass(frozen=True)
class Room:
    """What the requests of one app share."""

    parts: Parts
    metrics: Metrics
    gate: Gate
    clerk: Clerk
    warrants: Warrants
    allowlists: Allowlists
    stores: Mapping[StoreName, Store]


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it was received."""

    target: bytes = field(repr=False)  # path and query: they name people
    headers: Headers = field(repr=False)  # they hold the caller's token
    http_version: str


async def answer(room: Room, request: Request, reply: Reply, line: Line) -> None:
    """Answer one request. Raises: WithholdError, with nothing sent unless `reply.begun`."""
    caller = authenticate(request.headers, room.parts.callers())
    if caller is None:
        raise Denied("unauthenticated")
    line.caller = caller.name
    with room.gate.enter_as(caller.name):
        call = parse_call(request.target, request.headers)
        bundle = bundle_in_force(room.parts)
        resource, params = _resource(bundle, call.path)
        line.resource = resource.name
        _allow(caller, resource)
        warrant = await _warrant(room, call, caller, bundle)
        line.warrant = warrant.id
        await renew_standing(room.parts.standing, warrant.id)
        check_standing(room.parts.standing, warrant, resource.store)
        subject = subject_of(resource, warrant.targets, params)
        disclosure = Disclosure(
            id=room.parts.new_receipt_id(),
            caller=caller.name,
            warrant=warrant,
            bundle=bundle.digest,
            allowlist=await _allowlist(room, call, bundle, resource, warrant),
            targets=_targets(room.parts, resource, warrant, subject),
        )
        line.receipt = handle_of(disclosure.id)
        minimizer = Minimizer(
            disclosure.allowlist,
            warrant.targets,
            warrant.period,
            subject,
            await _token_key(room.parts, disclosure),
        )
        store = room.stores.get(resource.store)
        delivery = Delivery(
            disclosure=disclosure,
            minimizer=minimizer,
            store=None if store is None else Heard(store),
            params=written(resource, params, subject),
            takes_ndjson=call.takes_ndjson,
            http_version=request.http_version,
            limits=room.parts.limits,
            standing=room.parts.standing,
            clerk=room.clerk,
            reply=reply,
        )
        sent = await deliver(delivery)
        line.records_seen = sent.tally.records_seen
        line.records_disclosed = sent.tally.records_disclosed
        line.values_withheld = sent.tally.withheld.total()
        line.size_bytes = sent.size_bytes
        room.metrics.count_withheld(resource.name, sent.tally)


def bundle_in_force(parts: Parts) -> Bundle:
    """Give the bundle. Raises: DatabaseUnavailable, if there is none yet."""
    bundle = parts.bundle()
    if bundle is None:
        raise DatabaseUnavailable("no bundle is in force")
    return bundle


def _resource(bundle: Bundle, path: StorePath) -> tuple[Resource, Mapping[str, str]]:
    found = match(bundle.catalogue.resources.values(), path)
    if found is None:
        raise Denied("no-such-resource")
    return found


def _allow(caller: CallerEntry, resource: Resource) -> None:
    if Role.DISCLOSE not in caller.roles or resource.store not in caller.stores:
        raise Denied("caller-not-allowed")


async def _warrant(room: Room, call: Call, caller: CallerEntry, bundle: Bundle) -> Warrant:
    approved = await room.warrants.load(call.warrant, caller.name, bundle.policy)
    return approved.warrant


async def _allowlist(
    room: Room, call: Call, bundle: Bundle, resource: Resource, warrant: Warrant
) -> Allowlist:
    instrument = bundle.policy.instruments[warrant.instrument]
    allowlist = await room.allowlists.get(warrant, instrument, bundle, resource)
    return allowlist if call.fields is None else narrow(allowlist, call.fields)


def _targets(
    parts: Parts, resource: Resource, warrant: Warrant, subject: str | None
) -> tuple[str, ...]:
    """Commit to whom the request is about: its subject, or all that the warrant names."""
    asked = warrant.targets
    if resource.subject is not None and subject is not None:
        asked = frozenset({Target(resource.subject.form.kind, subject)})
    return tuple(sorted(parts.commit_target(warrant.id, target) for target in asked))


async def _token_key(parts: Parts, disclosure: Disclosure) -> bytes | None:
    """Give the warrant's key, which is made at its first use: so only where it is used."""
    if any(e.treatment is Treatment.TOKENIZE for e in disclosure.allowlist.leaves):
        try:
            return await parts.token_keys.token_key(disclosure.warrant.id)
        except KeyUnavailable:
            # Closing a warrant destroys its key: if this node has not heard of it, that is why.
            await asyncio.to_thread(parts.standing.poll)
            check_standing(parts.standing, disclosure.warrant, disclosure.allowlist.resource.store)
            raise
    return None
