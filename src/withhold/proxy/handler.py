"""The handler: a request's story, from a caller's token to what may leave.

Each step either gives what the next one needs or raises; the outermost layer (`app`) turns what was
raised into a problem. Until `clerk.release` returns, nothing of an answer has left.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from withhold.allowlist.compile import narrow
from withhold.allowlist.model import Allowlist
from withhold.authenticate import authenticate
from withhold.bundle import Bundle
from withhold.catalogue.model import Resource
from withhold.deployment.model import CallerEntry
from withhold.errors import DatabaseUnavailable, Denied, KeyUnavailable
from withhold.keyring import KeyRing
from withhold.ledger.receipt import handle_of
from withhold.minimize.minimizer import Minimizer, subject_of
from withhold.names import Role, StoreName, Treatment
from withhold.proxy.allowlists import Allowlists
from withhold.proxy.ask import Heard, Timed
from withhold.proxy.call import Call, Headers, parse_call
from withhold.proxy.deliver import Delivery, deliver
from withhold.proxy.disclosure import Clerk, Disclosure
from withhold.proxy.gate import Gate
from withhold.proxy.grant import Asked, Grant, tells_whose
from withhold.proxy.log import Line
from withhold.proxy.metrics import Metrics
from withhold.proxy.parts import Parts
from withhold.proxy.reply import Reply
from withhold.proxy.target import StorePath, build_target, match, written
from withhold.proxy.terms import Terms, commit_targets
from withhold.proxy.warrants import Held, Warrants, check_standing, renew_standing
from withhold.warrant.model import Target, Warrant

_Found: TypeAlias = tuple[Resource, Mapping[str, str]]  # and its parameters, as they were written


@dataclass(frozen=True)
class Room:
    """What the requests of one app share."""

    parts: Parts
    metrics: Metrics
    gate: Gate
    clerk: Clerk
    warrants: Warrants
    allowlists: Allowlists
    stores: Mapping[StoreName, Timed]


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it was received."""

    target: bytes = field(repr=False)  # path and query: they name people
    headers: Headers = field(repr=False)  # they hold the caller's token
    http_version: str


async def answer(room: Room, request: Request, reply: Reply, line: Line) -> None:
    """Answer one request. Raises: WithholdError, with nothing sent unless `reply.begun`."""
    parts = room.parts
    caller = authenticate(request.headers, parts.callers())
    if caller is None:
        raise Denied("unauthenticated")
    line.caller = caller.name
    with room.gate.enter_as(caller.name):
        call = parse_call(request.target, request.headers)
        bundle = bundle_in_force(parts)
        found = _resource(bundle, call.path)
        resource = found[0]
        line.resource = resource.name
        _allow(caller, resource)
        held = await room.warrants.load(call.warrant, caller.name, bundle.policy)
        line.warrant = held.warrant.id
        await renew_standing(parts.standing, held.warrant.id)
        check_standing(parts.standing, held.warrant, resource.store)
        grant = await _grant(room, call, held, bundle, found)
        disclosure = Disclosure(parts.new_receipt_id(), caller.name, grant.terms)
        line.receipt = handle_of(disclosure.id)
        store = room.stores.get(resource.store)
        sent = await deliver(
            Delivery(
                disclosure=disclosure,
                grant=grant,
                store=None if store is None else Heard(store, resource, alone=grant.alone),
                takes_ndjson=call.takes_ndjson,
                http_version=request.http_version,
                limits=parts.limits,
                standing=parts.standing,
                clerk=room.clerk,
                reply=reply,
            )
        )
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


def _resource(bundle: Bundle, path: StorePath) -> _Found:
    found = match(bundle.catalogue.resources.values(), path)
    if found is None:
        raise Denied("no-such-resource")
    return found


def _allow(caller: CallerEntry, resource: Resource) -> None:
    if Role.DISCLOSE not in caller.roles or resource.store not in caller.stores:
        raise Denied("caller-not-allowed")


async def _grant(room: Room, call: Call, held: Held, bundle: Bundle, found: _Found) -> Grant:
    """Give what the warrant grants; made anew where it is not there, or of other things."""
    resource, fields = found[0], call.fields
    if fields is not None:
        # What nothing is called would be kept, and change nothing: 12 KB of header came to 150 KB.
        fields = frozenset(each.path for each in resource.fields if each.path in fields)
    asked = Asked(resource.name, call.path.segments, fields)
    grant = held.grant(asked)
    if grant is None or not grant.stands_on(bundle, room.parts.ring()):
        grant = await _make_grant(room, call, held, bundle, found)
        held.keep(asked, grant)
    else:
        room.metrics.count_allowlist("process")
    return grant


async def _make_grant(room: Room, call: Call, held: Held, bundle: Bundle, found: _Found) -> Grant:
    resource, params = found
    warrant = held.warrant
    ring = room.parts.ring()
    subject = subject_of(resource, warrant.targets, params, held.memo)
    instrument = bundle.policy.instruments[warrant.instrument]
    allowlist = await room.allowlists.get(warrant, instrument, bundle, resource)
    if call.fields is not None:
        allowlist = narrow(allowlist, call.fields)
    targets = _targets(ring, resource, warrant, subject)
    key = await _token_key(room.parts, warrant, allowlist)
    in_store = written(resource, params, subject)
    return Grant(
        terms=Terms(warrant, bundle.digest, allowlist, targets),
        minimizer=Minimizer(
            allowlist, warrant.targets, warrant.period, subject, key, memo=held.memo
        ),
        params=in_store,
        target=build_target(resource, in_store, None),
        alone=not tells_whose(allowlist),
        bundle=bundle,
        ring=ring,
    )


def _targets(
    ring: KeyRing, resource: Resource, warrant: Warrant, subject: str | None
) -> tuple[str, ...]:
    """Commit to whom the request is about: its subject, or all that the warrant names."""
    asked = warrant.targets
    if resource.subject is not None and subject is not None:
        asked = frozenset({Target(resource.subject.form.kind, subject)})
    return commit_targets(ring, warrant.id, asked)


async def _token_key(parts: Parts, warrant: Warrant, allowlist: Allowlist) -> bytes | None:
    """Give the warrant's key, which is made at its first use: so only where it is used."""
    if any(e.treatment is Treatment.TOKENIZE for e in allowlist.leaves):
        try:
            return await parts.token_keys.token_key(warrant.id)
        except KeyUnavailable:
            # Closing a warrant destroys its key: if this node has not heard of it, that is why.
            await asyncio.to_thread(parts.standing.poll)
            check_standing(parts.standing, warrant, allowlist.resource.store)
            raise
    return None
