"""The control plane over HTTP: one table of routes, and who may use each.

Roles say who may ask; for what makes access begin, signatures say whether it does (see `warrants`).
Bodies are bounded and strict JSON, answers are JSON, problems are RFC 9457. What is asked is not
logged, except that a state or a freeze changed, by whom, and of which warrant.
"""

import base64
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from withhold.authenticate import authenticate
from withhold.control import warrants
from withhold.control.entries import Act
from withhold.control.freezes import lift, list_in_force, put_in_force
from withhold.control.problems import code_of, problem
from withhold.control.views import summary, whole
from withhold.control.warrants import Office
from withhold.deployment.model import CallerEntry
from withhold.errors import BadRequest, DatabaseUnavailable, Denied, WithholdError
from withhold.kinds.instant import Instant
from withhold.ledger.note import Signer
from withhold.names import CallerName, InstrumentName, Role, State, StoreName, WarrantId
from withhold.ports import Freeze, Ledger
from withhold.warrant.document import check_members, read_object, take_text
from withhold.warrant.signed import MAX_DOCUMENT_BYTES

Handler: TypeAlias = Callable[[Request, CallerEntry], Awaitable[Response]]
Probe: TypeAlias = Callable[[], Awaitable[str]]  # "ok", or in a few words what is wrong

MAX_REQUEST_BYTES: Final = 4_096  # of a request that carries no document
OPERATE: Final = frozenset({Role.OPERATE})
LOOK: Final = frozenset({Role.OPERATE, Role.AUDIT})
TUNE: Final = frozenset({Role.TUNE, Role.OPERATE})

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class ControlParts:
    """What the control plane is made of."""

    office: Office
    callers: Sequence[CallerEntry]
    files: Mapping[str, bytes]  # the bundle, as it was read
    stores: frozenset[StoreName]
    software: str
    probes: Mapping[str, Probe]  # by what they look at: `database`, `redis`, …
    destroy_key: Callable[[WarrantId], Awaitable[str | None]]  # a warrant's token key
    ledger: Ledger
    origin: str  # what the log is called
    log_signers: Callable[[], Sequence[Signer]]  # of its checkpoints and receipts
    refused: Callable[[CallerName, str], None]  # told the code of what a caller was refused
    now: Callable[[], Instant]  # this node's clock
    freezes: Path  # the folder of this node's freeze files
    metrics: Callable[[], tuple[bytes, str]]  # body and content type


def control_plane(parts: ControlParts) -> Starlette:
    """Make the application."""
    plane = _Plane(parts)
    routes = [
        _route("/warrants", {"POST": (plane.register, OPERATE), "GET": (plane.list, LOOK)}, parts),
        _route("/warrants/{id}", {"GET": (plane.show, LOOK)}, parts),
        _route("/warrants/{id}/signatures", {"POST": (plane.approve, OPERATE)}, parts),
        _route("/warrants/{id}/resume", {"POST": (plane.resume, OPERATE)}, parts),
        _route("/warrants/{id}/close", {"POST": (plane.close, OPERATE)}, parts),
        *(
            _route(f"/warrants/{{id}}/{verb}", {"POST": (plane.move(state), OPERATE)}, parts)
            for verb, state in (("suspend", State.SUSPENDED), ("revoke", State.REVOKED))
        ),
        _route(
            "/freezes", {"POST": (plane.freeze, OPERATE), "DELETE": (plane.thaw, OPERATE)}, parts
        ),
        _route("/bundle", {"GET": (plane.bundle, TUNE)}, parts),
        _route("/status", {"GET": (plane.status, LOOK)}, parts),
        Route("/healthz", plane.healthz, methods=["GET"]),
        Route("/readyz", plane.readyz, methods=["GET"]),
        Route("/metrics", plane.metrics, methods=["GET"]),
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={
            WithholdError: _refuse,
            HTTPException: _refuse_route,
            Exception: _refuse_unforeseen,
        },
    )
    app.router.redirect_slashes = False  # it would repeat what was asked for
    return app


class _Plane:
    """The handlers. Each reads as what it does; who may ask was settled before."""

    def __init__(self, parts: ControlParts) -> None:
        self._parts = parts
        self._office = parts.office

    async def register(self, request: Request, caller: CallerEntry) -> Response:
        document = await _body(request, MAX_DOCUMENT_BYTES)
        standing = await warrants.register(self._office, document, self._act(caller))
        _changed("warrant-registered", standing.registered.id, caller, standing.state)
        return _json(summary(standing), 201)

    async def list(self, request: Request, _caller: CallerEntry) -> Response:
        await _nothing(request)
        standings = await warrants.find_all(self._office)
        return _json({"warrants": [summary(standing) for standing in standings]})

    async def show(self, request: Request, _caller: CallerEntry) -> Response:
        await _nothing(request)
        standing = await warrants.find(self._office, _warrant(request))
        return _json(whole(standing, self._office.deployment))

    async def approve(self, request: Request, caller: CallerEntry) -> Response:
        document = await _body(request, MAX_DOCUMENT_BYTES)
        act = self._act(caller)
        standing = await warrants.approve(self._office, _warrant(request), document, act)
        _changed("warrant-signed", standing.registered.id, caller, standing.state)
        return _json(summary(standing))

    async def resume(self, request: Request, caller: CallerEntry) -> Response:
        document = await _body(request, MAX_DOCUMENT_BYTES)
        act = self._act(caller)
        standing = await warrants.resume(self._office, _warrant(request), document, act)
        _changed("warrant-resumed", standing.registered.id, caller, standing.state)
        return _json(summary(standing))

    def move(self, to: State) -> Handler:
        async def handler(request: Request, caller: CallerEntry) -> Response:
            await _nothing(request)
            warrant = _warrant(request)
            await warrants.move(self._office, warrant, to, self._act(caller))
            _changed("warrant-moved", warrant, caller, to)
            return _json({"id": warrant, "state": to})

        return handler

    async def close(self, request: Request, caller: CallerEntry) -> Response:
        await _nothing(request)
        warrant = _warrant(request)
        destroy = self._parts.destroy_key
        key = await warrants.close(self._office, warrant, destroy, self._act(caller))
        _changed("warrant-moved", warrant, caller, State.CLOSED)
        return _json({"id": warrant, "state": State.CLOSED, "key_destroyed": key})

    async def freeze(self, request: Request, caller: CallerEntry) -> Response:
        body = await _body(request, MAX_REQUEST_BYTES)
        members = read_object(body, "the request", MAX_REQUEST_BYTES)
        check_members(members, "$", (), ("store", "instrument"))
        named = {name: take_text(value, f"$.{name}") for name, value in members.items()}
        freeze = self._freeze(named)
        office, act = self._office, self._act(caller)
        await put_in_force(office.registry, office.pending, self._parts.freezes, freeze, act)
        _frozen("frozen", freeze, caller)
        return _json(await self._freezes(), 201)

    async def thaw(self, request: Request, caller: CallerEntry) -> Response:
        await _nothing(request)
        named = dict(request.query_params)
        if len(named) != len(request.query_params.multi_items()) or named.keys() - {
            "store",
            "instrument",
        }:
            message = "only `store` and `instrument` can be named, once each"
            raise BadRequest(message)
        freeze = self._freeze(named)
        await lift(self._office.registry, self._parts.freezes, freeze, self._act(caller))
        _frozen("thawed", freeze, caller)
        return _json(await self._freezes())

    async def bundle(self, request: Request, _caller: CallerEntry) -> Response:
        await _nothing(request)
        files = {
            name: base64.b64encode(content).decode() for name, content in self._parts.files.items()
        }
        return _json({"digest": self._office.bundle.digest, "files": files})

    async def status(self, request: Request, _caller: CallerEntry) -> Response:
        await _nothing(request)
        health = {name: await probe() for name, probe in self._parts.probes.items()}
        try:
            standings = await warrants.find_all(self._office)
            freezes, health["database"] = await self._freezes(), "ok"
        except DatabaseUnavailable as error:
            standings, freezes, health["database"] = [], {"freezes": []}, error.message
        states = dict.fromkeys(State, 0)
        for standing in standings:
            states[standing.state] += 1
        return _json(
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

    async def healthz(self, _request: Request) -> Response:
        return _json({"status": "ok"})

    async def readyz(self, _request: Request) -> Response:
        await warrants.now(self._office)
        return _json({"status": "ok"})

    async def metrics(self, _request: Request) -> Response:
        body, content_type = self._parts.metrics()
        return Response(body, media_type=content_type)

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


def _route(
    path: str, methods: Mapping[str, tuple[Handler, frozenset[Role]]], parts: ControlParts
) -> Route:
    """Make a route whose handlers are called for authenticated callers of the right role only."""

    async def endpoint(request: Request) -> Response:
        caller = authenticate(request.scope["headers"], parts.callers)
        if caller is None:
            raise Denied("unauthenticated", "a bearer token of a known caller is required")
        handler, roles = methods["GET" if request.method == "HEAD" else request.method]
        try:
            if not roles & caller.roles:
                needed = " or ".join(sorted(f"`{role}`" for role in roles))
                raise Denied("role-not-allowed", f"this takes the role {needed}")
            return await handler(request, caller)
        except WithholdError as error:
            parts.refused(caller.name, code_of(error))
            raise

    return Route(path, endpoint, methods=list(methods))


async def _body(request: Request, most: int) -> bytes:
    """Read a body of at most `most` bytes. Raises: Denied `too-large`."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise Denied("too-large", f"the body is larger than {most} bytes")
    return bytes(body)


async def _nothing(request: Request) -> None:
    """Read a body that says nothing: none, or `{}`."""
    body = await _body(request, MAX_REQUEST_BYTES)
    if body.strip() not in {b"", b"{}"}:
        message = "this request takes no body"
        raise BadRequest(message)


def _warrant(request: Request) -> WarrantId:
    return WarrantId(request.path_params["id"])


def _json(document: object, status: int = 200) -> Response:
    return Response(
        msgspec.json.encode(document),
        status,
        {"Cache-Control": "no-store"},
        "application/json",
    )


def _changed(event: str, warrant: WarrantId, caller: CallerEntry, state: State) -> None:
    _log.info(event, extra={"warrant": warrant, "caller": caller.name, "state": state})


def _frozen(event: str, freeze: Freeze, caller: CallerEntry) -> None:
    facts = {"store": freeze.store, "instrument": freeze.instrument, "caller": caller.name}
    _log.warning(event, extra=facts)


async def _refuse(_request: Request, error: Exception) -> Response:
    known = error if isinstance(error, WithholdError) else WithholdError("internal error")
    status, body = problem(known)
    headers = {"Cache-Control": "no-store"}
    if status == 401:  # noqa: PLR2004 - RFC 9110 §11.6.1: it names the scheme
        headers["WWW-Authenticate"] = "Bearer"
    return Response(body, status, headers, "application/problem+json")


async def _refuse_route(request: Request, error: Exception) -> Response:
    """Answer Starlette's own refusals: no such path, no such method."""
    method = isinstance(error, HTTPException) and error.status_code == 405  # noqa: PLR2004 - RFC 9110 §15.5.6
    code = "method-not-allowed" if method else "no-such-resource"
    answer = await _refuse(request, Denied(code, "there is nothing here that takes this"))
    if isinstance(error, HTTPException) and error.headers:
        answer.headers.update(error.headers)
    return answer


async def _refuse_unforeseen(request: Request, _error: Exception) -> Response:
    message = "something went wrong here"
    return await _refuse(request, WithholdError(message))
