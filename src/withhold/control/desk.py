"""Desk: the handlers of what operators do with warrants and freezes, and what they look at.

What is asked is not logged, except that a state or a freeze changed, by whom, and of which warrant.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from withhold.control import warrants
from withhold.control.entries import Act, entry_of_reading
from withhold.control.exchange import (
    MAX_REQUEST_BYTES,
    answer,
    read_body,
    read_nothing,
    read_query,
)
from withhold.control.freezes import lift, list_in_force, put_in_force
from withhold.control.parts import LOOK, OPERATE, TUNE, ControlParts, Handler, Routes
from withhold.control.views import summary, whole
from withhold.deployment.model import CallerEntry
from withhold.errors import BadRequest, DatabaseUnavailable, LedgerUnavailable
from withhold.ledger.lines import print_base64
from withhold.names import InstrumentName, Role, State, StoreName, WarrantId
from withhold.ports import Freeze
from withhold.warrant.document import check_members, read_object, take_text
from withhold.warrant.signed import MAX_DOCUMENT_BYTES

_log: Final = logging.getLogger(__name__)


def routes(parts: ControlParts) -> Routes:
    """Give the routes of this room."""
    desk = _Desk(parts)
    return {
        "/warrants": {"POST": (desk.register, OPERATE), "GET": (desk.list, LOOK)},
        "/warrants/{id}": {"GET": (desk.show, LOOK)},
        "/warrants/{id}/signatures": {"POST": (desk.approve, OPERATE)},
        "/warrants/{id}/resume": {"POST": (desk.resume, OPERATE)},
        "/warrants/{id}/suspend": {"POST": (desk.move(State.SUSPENDED), OPERATE)},
        "/warrants/{id}/revoke": {"POST": (desk.move(State.REVOKED), OPERATE)},
        "/warrants/{id}/close": {"POST": (desk.close, OPERATE)},
        "/freezes": {"POST": (desk.freeze, OPERATE), "DELETE": (desk.thaw, OPERATE)},
        "/bundle": {"GET": (desk.bundle, TUNE)},
        "/status": {"GET": (desk.status, LOOK)},
    }


class _Desk:
    """The handlers. Each reads as what it does; who may ask was settled before."""

    def __init__(self, parts: ControlParts) -> None:
        self._parts = parts
        self._office = parts.office

    async def register(self, request: Request, caller: CallerEntry) -> Response:
        document = await read_body(request, MAX_DOCUMENT_BYTES)
        standing = await warrants.register(self._office, document, self._act(caller))
        _changed("warrant-registered", standing.registered.id, caller, standing.state)
        return answer(summary(standing), 201)

    async def list(self, request: Request, _caller: CallerEntry) -> Response:
        await read_nothing(request)
        standings = await warrants.find_all(self._office)
        return answer({"warrants": [summary(standing) for standing in standings]})

    async def show(self, request: Request, caller: CallerEntry) -> Response:
        await read_nothing(request)
        standing = await warrants.find(self._office, _warrant(request))
        if Role.OPERATE not in caller.roles:
            # An auditor sees whom the order is about, which the log seals: entered as that is.
            await self._enter_reading(standing.registered.id, self._act(caller))
        return answer(whole(standing, self._office.deployment))

    async def approve(self, request: Request, caller: CallerEntry) -> Response:
        document = await read_body(request, MAX_DOCUMENT_BYTES)
        act = self._act(caller)
        standing = await warrants.approve(self._office, _warrant(request), document, act)
        _changed("warrant-signed", standing.registered.id, caller, standing.state)
        return answer(summary(standing))

    async def resume(self, request: Request, caller: CallerEntry) -> Response:
        document = await read_body(request, MAX_DOCUMENT_BYTES)
        act = self._act(caller)
        standing = await warrants.resume(self._office, _warrant(request), document, act)
        _changed("warrant-resumed", standing.registered.id, caller, standing.state)
        return answer(summary(standing))

    def move(self, to: State) -> Handler:
        async def handler(request: Request, caller: CallerEntry) -> Response:
            await read_nothing(request)
            warrant = _warrant(request)
            await warrants.move(self._office, warrant, to, self._act(caller))
            _changed("warrant-moved", warrant, caller, to)
            return answer({"id": warrant, "state": to})

        return handler

    async def close(self, request: Request, caller: CallerEntry) -> Response:
        await read_nothing(request)
        warrant = _warrant(request)
        destroy = self._parts.destroy_key
        key = await warrants.close(self._office, warrant, destroy, self._act(caller))
        _changed("warrant-moved", warrant, caller, State.CLOSED)
        return answer({"id": warrant, "state": State.CLOSED, "key_destroyed": key})

    async def freeze(self, request: Request, caller: CallerEntry) -> Response:
        body = await read_body(request, MAX_REQUEST_BYTES)
        members = read_object(body, "the request", MAX_REQUEST_BYTES)
        check_members(members, "$", (), ("store", "instrument"))
        named = {name: take_text(value, f"$.{name}") for name, value in members.items()}
        freeze = self._freeze(named)
        office, act = self._office, self._act(caller)
        await put_in_force(office.registry, office.pending, self._parts.freezes, freeze, act)
        _frozen("frozen", freeze, caller)
        return answer(await self._freezes(), 201)

    async def thaw(self, request: Request, caller: CallerEntry) -> Response:
        await read_nothing(request)
        freeze = self._freeze(read_query(request, "store", "instrument"))
        office, act = self._office, self._act(caller)
        await lift(office.registry, office.pending, self._parts.freezes, freeze, act)
        _frozen("thawed", freeze, caller)
        return answer(await self._freezes())

    async def bundle(self, request: Request, _caller: CallerEntry) -> Response:
        await read_nothing(request)
        files = {name: print_base64(content) for name, content in self._parts.files.items()}
        return answer({"digest": self._office.bundle.digest, "files": files})

    async def status(self, request: Request, _caller: CallerEntry) -> Response:
        await read_nothing(request)
        health = {name: await probe() for name, probe in self._parts.probes.items()}
        try:
            standings = await warrants.find_all(self._office)
            freezes, health["database"] = await self._freezes(), "ok"
        except DatabaseUnavailable as error:
            standings, freezes, health["database"] = [], {"freezes": []}, error.message
        states = dict.fromkeys(State, 0)
        for standing in standings:
            states[standing.state] += 1
        return answer(
            {
                "deployment": self._office.deployment,
                "software": self._parts.software,
                "bundle": self._office.bundle.digest,
                "health": health,
                **freezes,
                "warrants": states,
                "waiting": [
                    {"id": each.registered.id, "for": each.waits_for}
                    for each in standings
                    if each.state is State.PENDING
                ],
            }
        )

    async def _enter_reading(self, warrant: WarrantId, act: Act) -> None:
        """Enter that somebody reads what a warrant's first entry seals. Raises: LedgerUnavailable.

        What is not in the log is not shown.
        """
        ledger = self._parts.ledger
        await ledger.settle()
        first = await ledger.find_warrant(warrant, 0, 1)
        if not first:
            raise LedgerUnavailable("the log does not hold the warrant's registration yet")
        await ledger.append(entry_of_reading(act, [first[0].index]))

    def _act(self, caller: CallerEntry) -> Act:
        return Act(caller.name, self._parts.now())

    def _freeze(self, named: Mapping[str, str]) -> Freeze:
        """Make a freeze of names that exist: a slip of the pen would freeze nothing."""
        store, instrument = named.get("store"), named.get("instrument")
        if store is not None and store not in self._parts.stores:
            message = "there is no such store"
            raise BadRequest(message, f"there are {', '.join(sorted(self._parts.stores))}")
        if instrument is not None and instrument not in self._office.bundle.policy.instruments:
            message = "there is no such instrument"
            known = ", ".join(sorted(self._office.bundle.policy.instruments))
            raise BadRequest(message, f"there are {known}")
        return Freeze(
            None if store is None else StoreName(store),
            None if instrument is None else InstrumentName(instrument),
        )

    async def _freezes(self) -> dict[str, Any]:
        in_force = await list_in_force(self._office.registry, self._parts.freezes)
        freezes = [{"store": each.store, "instrument": each.instrument} for each in in_force]
        return {"freezes": sorted(freezes, key=str)}


def _changed(event: str, warrant: WarrantId, caller: CallerEntry, state: State) -> None:
    _log.info(event, extra={"warrant": warrant, "caller": caller.name, "state": state})


def _frozen(event: str, freeze: Freeze, caller: CallerEntry) -> None:
    facts = {"store": freeze.store, "instrument": freeze.instrument, "caller": caller.name}
    _log.warning(event, extra=facts)


def _warrant(request: Request) -> WarrantId:
    return WarrantId(request.path_params["id"])
