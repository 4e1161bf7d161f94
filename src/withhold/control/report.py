"""The report over HTTP: the ledger is read page by page, counted, and answered as JSON.

Sealed parts are opened to count in them, and no person sees one: what leaves are sums. The request
names the form, so a caller that asks for publication gets nothing that must not be published.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from withhold.control.exchange import answer, read_nothing
from withhold.control.log import sign_frontier
from withhold.control.parts import LOOK, ControlParts, Routes
from withhold.deployment.model import CallerEntry
from withhold.errors import LedgerUnavailable
from withhold.kinds.instant import Instant
from withhold.ledger.lines import print_base64
from withhold.ledger.tree import Frontier
from withhold.ports import Ledger
from withhold.report.count import Count, add, settle
from withhold.report.document import Source, make_document
from withhold.report.query import parse_query

PAGE: Final = 500  # entries at a time: a few milliseconds, in which nobody else is served


def routes(parts: ControlParts) -> Routes:
    """Give the routes of this room."""
    # One report at a time: several at once leave disclosures no time, and none is done sooner.
    turn = asyncio.Lock()

    async def handler(request: Request, _caller: CallerEntry) -> Response:
        await read_nothing(request)
        deployment = parts.office.deployment
        pairs = request.query_params.multi_items()
        async with turn:
            made = await report(
                parts.ledger,
                pairs,
                parts.now(),
                deployment=deployment,
                software=parts.software,
                sign=lambda frontier: sign_frontier(parts, frontier).decode(),
            )
        return answer(made)

    return {"/report": {"GET": (handler, LOOK)}}


async def report(
    ledger: Ledger,
    pairs: Iterable[tuple[str, str]],
    now: Instant,
    *,
    deployment: str,
    software: str,
    sign: Callable[[Frontier], str],
) -> dict[str, Any]:
    """Make the report that a query string asks for, of the log as it is now.

    `sign`: gives the signed note of the log that was counted.
    Raises: BadRequest, LedgerUnavailable, KeyUnavailable.
    """
    query = parse_query(pairs)
    frontier = await ledger.frontier()
    count = Count(query.since, query.until)
    while count.size < frontier.size:
        left = frontier.size - count.size
        page = await ledger.read(count.size, min(PAGE, left), sealed=True)
        if not page:
            message = "the log is shorter than it says"
            raise LedgerUnavailable(message)
        for logged in page:
            count = add(count, logged.public, logged.sealed)
    root = print_base64(frontier.root)
    source = Source(deployment, software, root, sign(frontier))
    # Deciding what is not shown may take seconds, and others must be served meanwhile.
    return await asyncio.to_thread(make_document, settle(count), query, now, source)
