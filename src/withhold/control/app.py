"""The control plane over HTTP: one table of routes, and who may use each.

Roles say who may ask; for what makes access begin, signatures say whether it does (see `warrants`).
Bodies are bounded and strict JSON, answers are JSON, problems are RFC 9457.
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from withhold.authenticate import authenticate
from withhold.control import desk, log, prune, receipts, report
from withhold.control.exchange import answer
from withhold.control.parts import ControlParts, Methods
from withhold.control.problems import code_of, problem
from withhold.control.warrants import now
from withhold.errors import Denied, WithholdError

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

ROOMS: Final = (desk, receipts, log, report, prune)  # each gives its routes


def control_plane(parts: ControlParts) -> Starlette:
    """Make the application."""
    rooms = [each.routes(parts) for each in ROOMS]
    routes = [
        *(_route(path, methods, parts) for room in rooms for path, methods in room.items()),
        Route("/healthz", _healthz, methods=["GET"]),
        Route("/readyz", _readyz(parts), methods=["GET"]),
        Route("/metrics", _metrics(parts), methods=["GET"]),
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


def _route(path: str, methods: Methods, parts: ControlParts) -> Route:
    """Make a route whose handlers are called for authenticated callers of the right role only."""

    async def endpoint(request: Request) -> Response:
        caller = authenticate(request.scope["headers"], parts.callers())
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


async def _healthz(_request: Request) -> Response:
    return answer({"status": "ok"})


def _readyz(parts: ControlParts) -> Endpoint:
    async def readyz(_request: Request) -> Response:
        await now(parts.office)
        return answer({"status": "ok"})

    return readyz


def _metrics(parts: ControlParts) -> Endpoint:
    async def metrics(_request: Request) -> Response:
        body, content_type = parts.metrics()
        return Response(body, media_type=content_type)

    return metrics


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
