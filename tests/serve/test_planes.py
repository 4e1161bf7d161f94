"""Planes on one event loop, at their end."""

import asyncio
from contextlib import closing

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from withhold.deployment.model import Limits, Listen
from withhold.serve.listener import bind
from withhold.serve.planes import serve_planes
from withhold.wiring import Plane


async def test_who_is_cancelled_has_a_last_word() -> None:
    begun, stop, words = asyncio.Event(), asyncio.Event(), list[str]()

    async def say() -> None:
        for _ in range(100):
            await asyncio.sleep(0)
        words.append("incomplete")

    async def endless(_request: Request) -> Response:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.shield(asyncio.ensure_future(say()))
        return Response()

    app = Starlette(routes=[Route("/", endless)])
    with closing(bind(Listen("127.0.0.1", 0))) as bound:
        host, port = bound.getsockname()
        serving = asyncio.ensure_future(
            serve_planes({Plane.DATA: app}, {Plane.DATA: bound}, Limits(), stop, drain_s=1)
        )
        _, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await begun.wait()
        stop.set()
        await serving
        assert words == ["incomplete"]
        writer.close()
