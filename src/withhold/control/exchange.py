"""Exchange: bodies of requests, bounded and strict, and answers as JSON that nobody caches."""

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from withhold.errors import BadRequest, Denied

MAX_REQUEST_BYTES: Final = 4_096  # of a request that carries no document


async def read_body(request: Request, most: int) -> bytes:
    """Read a body of at most `most` bytes. Raises: Denied `too-large`."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise Denied("too-large", f"the body is larger than {most} bytes")
    return bytes(body)


async def read_nothing(request: Request) -> None:
    """Read a body that says nothing: none, or `{}`. Raises: BadRequest, Denied `too-large`."""
    body = await read_body(request, MAX_REQUEST_BYTES)
    if body.strip() not in {b"", b"{}"}:
        message = "this request takes no body"
        raise BadRequest(message)


def answer(document: object, status: int = 200) -> Response:
    """Answer with JSON."""
    return Response(
        msgspec.json.encode(document),
        status,
        {"Cache-Control": "no-store"},
        "application/json",
    )
