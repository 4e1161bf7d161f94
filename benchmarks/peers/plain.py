"""What one would write first: Starlette and httpx, passing everything. Served by uvicorn."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    async with httpx.AsyncClient(base_url=os.environ["BENCH_UPSTREAM"], trust_env=False) as client:
        app.state.client = client
        yield


async def _pass(request: Request) -> Response:
    answer = await request.app.state.client.get(request.url.path)
    return Response(answer.content, answer.status_code, media_type="application/json")


app = Starlette(routes=[Route("/{path:path}", _pass)], lifespan=_lifespan)
