"""The sample store: an internal service as a platform has them, answering JSON over HTTP.

It answers far more than any order covers, and checks nothing: whoever reaches it gets all of it,
which is why nobody but Withhold should.
"""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from withhold.demo import people

PAGE: Final = 3  # calls on a page, whatever the limit that is asked for
EVENTS: Final = 500  # lines of an export


def sample_store() -> Starlette:
    """Make the store."""
    return Starlette(
        routes=[
            Route("/accounts/{account}", _of_account(people.ACCOUNTS.__getitem__)),
            Route("/accounts/{account}/devices", _of_account(people.devices)),
            Route("/accounts/{account}/sessions", _of_account(people.sessions)),
            Route("/accounts/{account}/messages", _of_account(people.messages)),
            Route("/accounts/{account}/calls", _calls),
            Route("/accounts/{account}/export", _export),
            Route("/groups/{group}/members", _named("group", people.GROUPS)),
            Route("/lookup/phone/{phone}", _named("phone", people.PHONES)),
        ]
    )


def _of_account(answer: Callable[[str], dict[str, Any]]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        account = request.path_params["account"]
        return _json(answer(account)) if account in people.ACCOUNTS else _nothing()

    return endpoint


def _named(param: str, found: dict[str, dict[str, Any]]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        name = request.path_params[param]
        return _json(found[name]) if name in found else _nothing()

    return endpoint


async def _calls(request: Request) -> Response:
    """Answer a page; `next` is the cursor of the page after it, and is missing on the last."""
    account = request.path_params["account"]
    if account not in people.ACCOUNTS:
        return _nothing()
    calls = people.calls(account)
    after = request.query_params.get("after", "0")
    start = int(after) if after.isdecimal() else 0
    page: dict[str, Any] = {"account_id": account, "calls": calls[start : start + PAGE]}
    if start + PAGE < len(calls):
        page["next"] = str(start + PAGE)
    return _json(page)


async def _export(request: Request) -> Response:
    account = request.path_params["account"]
    if account not in people.ACCOUNTS:
        return _nothing()

    async def lines() -> AsyncIterator[bytes]:
        for event in people.events(account, EVENTS):
            yield json.dumps(event).encode() + b"\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


def _json(document: dict[str, Any]) -> Response:
    return Response(json.dumps(document, ensure_ascii=False), media_type="application/json")


def _nothing() -> Response:
    return Response(
        json.dumps({"error": f"{people.CANARY}: no such record"}),
        404,
        media_type="application/json",
    )
