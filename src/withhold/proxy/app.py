"""The app: the data plane over ASGI. Routes, bounds, and the outermost layer of every request.

The outermost layer is the one place where everything is caught: what nobody foresaw becomes a
problem without detail, and its text goes nowhere.
"""

import json
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Lifespan, Receive, Scope, Send

from withhold.authenticate import authenticate
from withhold.deployment.model import Limits
from withhold.errors import DatabaseUnavailable, Denied, StoreError, WithholdError
from withhold.ledger.receipt import DISCLOSED
from withhold.names import CallerName, Role
from withhold.proxy.allowlists import Allowlists
from withhold.proxy.ask import Timed
from withhold.proxy.disclosure import Clerk
from withhold.proxy.gate import Gate
from withhold.proxy.handler import Request, Room, answer
from withhold.proxy.log import Line, cause_of, log_fault, log_request
from withhold.proxy.metrics import make_metrics
from withhold.proxy.parts import Parts
from withhold.proxy.problem import PROBLEMS, problem_of
from withhold.proxy.reply import NO_STORE, Reply
from withhold.proxy.reveal import answer_reveal
from withhold.proxy.warrants import Standing, Warrants
from withhold.proxy.watch import ClientGone

LEDGER_MEMORY_S: Final = 5.0  # for so long a failed append makes this node unready

_SEES_WITHHELD: Final = frozenset({Role.OPERATE, Role.AUDIT})
_OK: Final = 200
_NOT_ALLOWED: Final = 405
_UNAVAILABLE: Final = 503
_Endpoint: TypeAlias = Callable[[StarletteRequest], Awaitable[Response]]
_Answer: TypeAlias = Callable[[Room, Scope, Reply, Line], Awaitable[None]]


class StreamBroken(Exception):
    """A stream was not ended, so its connection is closed without the last chunk."""


class DataPlane:
    """The data plane, over ASGI. What discloses does not go through a framework's layers."""

    def __init__(self, room: Room, lifespan: Lifespan[Starlette] | None) -> None:
        """`lifespan`: what the wiring starts and stops with it."""
        self.room = room
        self._doors = (
            _Door(room, "/stores/", "GET", _answer_store),
            _Door(room, "/reveal/", "POST", answer_reveal),
        )
        self._rest = Starlette(
            routes=[
                Route("/healthz", _healthz),
                Route("/readyz", _readyz(room)),
                Route("/metrics", _metrics(room)),
            ],
            exception_handlers={HTTPException: _refuse},
            lifespan=lifespan,
        )
        self._rest.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or live through one life."""
        if scope["type"] == "http":
            path = f"{scope['path']}/"
            for door in self._doors:
                if path.startswith(door.prefix):
                    return await door.handle(scope, receive, send)
        return await self._rest(scope, receive, send)


def data_plane(parts: Parts, lifespan: Lifespan[Starlette] | None = None) -> DataPlane:
    """Make the data plane."""
    metrics = make_metrics()
    room = Room(
        parts=parts,
        metrics=metrics,
        gate=Gate(parts.limits.max_concurrency, lambda: len(parts.callers())),
        clerk=Clerk(parts, metrics, time.monotonic),
        warrants=Warrants(parts.registry, parts.standing, parts.signers, parts.deployment),
        allowlists=Allowlists(parts.cache, lambda: parts.ring().cache_key, metrics.count_allowlist),
        stores={
            name: Timed(store, metrics.store_seconds.labels(name).observe)
            for name, store in parts.stores.items()
        },
    )
    return DataPlane(room, lifespan)


class _Door:
    """What discloses, told by a path's first segment; the rest is read from the raw target."""

    def __init__(self, room: Room, prefix: str, method: str, answer_it: _Answer) -> None:
        self.prefix = prefix
        self._room = room
        self._method = method
        self._answer = answer_it

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        metrics = self._room.metrics
        line = Line(request=self._room.parts.new_request_id())
        began_s = time.perf_counter()
        metrics.in_flight.inc()
        try:
            is_whole = await self._serve(scope, Reply(receive, send), line)
        finally:
            metrics.in_flight.dec()
            seconds = time.perf_counter() - began_s
            line.ms = round(seconds * 1_000, 3)
            metrics.count_request(line.code, seconds)
            log_request(line)
        if not is_whole:
            raise StreamBroken

    async def _serve(self, scope: Scope, reply: Reply, line: Line) -> bool:
        """Answer, or say what the problem is; False if an answer was begun that is not whole."""
        room = self._room
        problem = PROBLEMS["internal-error"]
        has_entry = False  # of its own
        try:
            _check_bounds(scope, self._method, room.parts.limits)
            with room.gate.enter():
                await self._answer(room, scope, reply, line)
        except ClientGone:
            line.code = "client-gone"
            return True  # as far as anybody is there to see
        except WithholdError as error:
            problem = problem_of(error, self._method)
            line.cause = cause_of(error)
            has_entry = isinstance(error, StoreError)
        except Exception as error:  # noqa: BLE001 - the one place; see the module's docstring
            log_fault(line.request, error)
        else:
            line.code, line.status = DISCLOSED, _OK
            return True
        line.code = problem.code
        if line.caller and not has_entry:
            room.parts.refusals.note(CallerName(line.caller), problem.code)
        if reply.begun:
            line.status = _OK
            return False
        line.status = problem.status
        await reply.problem(problem)
        return True


async def _answer_store(room: Room, scope: Scope, reply: Reply, line: Line) -> None:
    await answer(room, _request(scope), reply, line)


def _request(scope: Scope) -> Request:
    """Give the request as it was received: `path` of the scope is decoded and no use."""
    target = scope["raw_path"] + b"?" + scope["query_string"]
    return Request(target, scope["headers"], scope["http_version"])


def _check_bounds(scope: Scope, method: str, limits: Limits) -> None:
    """Check what can be told before anything is read. Raises: Denied."""
    if scope["method"] != method:
        raise Denied("method-not-allowed")
    size_bytes = len(scope["raw_path"]) + len(scope["query_string"])
    size_bytes += sum(len(name) + len(value) for name, value in scope["headers"])
    if size_bytes > limits.max_header_bytes:
        raise Denied("headers-too-large")


async def _healthz(_request: StarletteRequest) -> Response:
    """Answer that the process runs; nothing else is looked at."""
    return _json(_OK, {"alive": True})


def _readyz(room: Room) -> _Endpoint:
    async def readyz(_request: StarletteRequest) -> Response:
        """Answer whether a disclosure could succeed now, and what is missing if not."""
        failed_at_s = room.clerk.failed_at_s
        found = {
            "bundle": room.parts.bundle() is not None,
            "database": _is_fresh(room.parts.standing),
            "ledger": failed_at_s is None or time.monotonic() - failed_at_s > LEDGER_MEMORY_S,
        }
        ready = all(found.values())
        return _json(_OK if ready else _UNAVAILABLE, {"ready": ready, **found})

    return readyz


def _metrics(room: Room) -> _Endpoint:
    async def metrics(request: StarletteRequest) -> Response:
        """Answer with the metrics, as text: what was withheld is for who operates or audits."""
        caller = authenticate(request.scope["headers"], room.parts.callers())
        whole = caller is not None and not _SEES_WITHHELD.isdisjoint(caller.roles)
        body = room.metrics.expose(whole=whole)
        return Response(body, _OK, dict((NO_STORE,)), CONTENT_TYPE_PLAIN_0_0_4)

    return metrics


async def _refuse(_request: StarletteRequest, error: Exception) -> Response:
    """Answer for a path that is not ours, or a method that it doesn't have."""
    is_method = isinstance(error, HTTPException) and error.status_code == _NOT_ALLOWED
    problem = PROBLEMS["method-not-allowed" if is_method else "no-such-resource"]
    headers = dict((*problem.headers, NO_STORE))
    return Response(problem.encode(), problem.status, headers, "application/problem+json")


def _is_fresh(standing: Standing) -> bool:
    try:
        standing.now()
    except DatabaseUnavailable:
        return False
    return True


def _json(status: int, members: dict[str, bool]) -> Response:
    return Response(json.dumps(members), status, dict((NO_STORE,)), "application/json")
