"""A store whose answers are small, large and long, each with something that must not leave."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from withhold.demo.people import ACCOUNTS, ALICE, CANARY, DAY, MARCH_2026, events
from withhold.deployment.model import Limits, Listen
from withhold.serve.listener import address_of, bind
from withhold.serve.planes import serve_planes
from withhold.wiring import Plane

SMALL = f"/stores/sample/accounts/{ALICE}"
LARGE = f"{SMALL}/messages"
LONG = f"{SMALL}/export"

PIECES = 12  # of a long answer
PIECE_S = 0.005  # between two of them: a stream that takes no time is never cut off

_LARGE = json.dumps(
    {
        "messages": [
            {
                "id": f"m-{number}",
                "sender": ALICE,
                "recipient": "u-10002",
                "sent_at": MARCH_2026 + DAY + number,
                "body": f"number {number} " * 30,
                "moderation": f"{CANARY}: {number}",
            }
            for number in range(240)
        ]
    }
).encode()
_LINES = [json.dumps(event).encode() + b"\n" for event in events(ALICE, 240)]
_EACH = len(_LINES) // PIECES


def faults_store() -> Starlette:
    """Make the store."""

    async def small(_request: Request) -> Response:
        return Response(json.dumps(ACCOUNTS[ALICE]), media_type="application/json")

    async def large(_request: Request) -> Response:
        return Response(_LARGE, media_type="application/json")

    async def long(_request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            for at in range(0, len(_LINES), _EACH):
                await asyncio.sleep(PIECE_S)
                yield b"".join(_LINES[at : at + _EACH])

        return StreamingResponse(pieces(), media_type="application/x-ndjson")

    return Starlette(
        routes=[
            Route("/accounts/{account}", small),
            Route("/accounts/{account}/messages", large),
            Route("/accounts/{account}/export", long),
        ]
    )


@asynccontextmanager
async def store(app: Starlette | None = None) -> AsyncIterator[str]:
    """Serve it, or another one, on a free port; gives its URL."""
    bound = bind(Listen("127.0.0.1", 0))
    stop, ready = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(
        serve_planes(
            {Plane.DATA: app or faults_store()},
            {Plane.DATA: bound},
            Limits(),
            stop,
            drain_s=1,
            ready=ready.set,
        )
    )
    await ready.wait()
    try:
        yield f"http://{address_of(bound)}"
    finally:
        stop.set()
        await serving
        bound.close()
