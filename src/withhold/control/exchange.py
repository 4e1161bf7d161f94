"""Exchange: bodies and queries, bounded and strict, and answers as JSON that nobody caches."""

from collections.abc import Mapping
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from withhold.errors import BadRequest, Denied, Unproven
from withhold.ledger.lines import parse_decimal

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


def read_query(request: Request, *known: str) -> dict[str, str]:
    """Read what the query names: what is known, each once at most. Raises: BadRequest."""
    named = dict(request.query_params)
    if len(named) != len(request.query_params.multi_items()) or named.keys() - set(known):
        listed = ", ".join(f"`{name}`" for name in known) or "nothing"
        raise BadRequest(f"only {listed} can be asked for, once each")
    return named


def take_number(named: Mapping[str, str], name: str, default: int, most: int) -> int:
    """Give a number of a query, up to `most`; `default` where it is not named. Raises: BadRequest.

    `default` may be what no query can say.
    """
    if name not in named:
        return default
    try:
        number = parse_decimal(named[name], f"`{name}`")
    except Unproven as error:
        raise BadRequest(error.message) from None
    if number > most:
        raise BadRequest(f"`{name}` is at most {most}")
    return number


def answer(document: object, status: int = 200) -> Response:
    """Answer with JSON."""
    return Response(
        msgspec.json.encode(document),
        status,
        {"Cache-Control": "no-store"},
        "application/json",
    )
