"""Pruning over HTTP: one batch a request, so that none takes long and all can be taken up again."""

import logging
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from withhold.adapters.pruning import What
from withhold.control.exchange import MAX_REQUEST_BYTES, answer, read_body
from withhold.control.parts import OPERATE, ControlParts, Routes
from withhold.deployment.model import CallerEntry
from withhold.errors import BadRequest
from withhold.kinds.instant import Instant, parse_rfc3339
from withhold.kinds.scalar import Number
from withhold.warrant.document import check_members, read_object, take_text

_LARGEST: Final = 2**62

_log: Final = logging.getLogger(__name__)


def routes(parts: ControlParts) -> Routes:
    """Give the routes of this room."""

    async def prune(request: Request, caller: CallerEntry) -> Response:
        body = await read_body(request, MAX_REQUEST_BYTES)
        members = read_object(body, "the request", MAX_REQUEST_BYTES)
        check_members(members, "$", ("what", "before"), ("since", "dry_run"))
        what = _what(take_text(members["what"], "$.what"))
        before = _before(take_text(members["before"], "$.before"))
        since = _since(members.get("since", Number("0")))
        dry_run = members.get("dry_run", False)
        if not isinstance(dry_run, bool):
            message = "`$.dry_run` must be true or false"
            raise BadRequest(message)
        batch = await parts.pruning.prune(what, before, since, caller.name, dry_run=dry_run)
        if batch.count and not dry_run:
            _log.warning(
                "pruned", extra={"what": what, "count": batch.count, "caller": caller.name}
            )
        return answer({"count": batch.count, "next": batch.next})

    return {"/prune": {"POST": (prune, OPERATE)}}


def _what(text: str) -> What:
    if text not in list(What):
        message = "`$.what` is nothing that can be pruned"
        raise BadRequest(message, f"there are {', '.join(What)}")
    return What(text)


def _before(text: str) -> Instant:
    before = parse_rfc3339(text)
    if before is None:
        message = "`$.before` is not a time with an offset"
        raise BadRequest(message, "RFC 3339, such as `2026-01-01T00:00:00Z`")
    return before


def _since(found: object) -> int:
    since = int(found.text) if isinstance(found, Number) and found.text.isdecimal() else -1
    if not 0 <= since <= _LARGEST:
        message = "`$.since` is not what the answer before this one said"
        raise BadRequest(message)
    return since
