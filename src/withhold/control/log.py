"""Log: the ledger as its mirrors and auditors read it: checkpoint, tiles, public parts.

Checkpoints and tiles are hashes: they show how much was entered, and nothing of what. Public parts
say what was disclosed under which order, and are for the role `audit`. Sealed parts are not here.
Source: c2sp.org/tlog-tiles, below the prefix `/ledger/`.
"""

from contextlib import suppress
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from withhold.control.exchange import answer, read_nothing, read_query, take_number
from withhold.control.parts import AUDIT, LOOK, ControlParts, Routes
from withhold.deployment.model import CallerEntry
from withhold.errors import BadRequest, Denied, KeyUnavailable, LedgerUnavailable, Unproven
from withhold.ledger.checkpoint import Checkpoint, sign_checkpoint
from withhold.ledger.lines import MAX_SIZE, print_base64
from withhold.ledger.tiles import (
    HEIGHT,
    WIDTH,
    Tile,
    parse_path,
    print_entries,
    print_tile,
)
from withhold.ledger.tree import Frontier

MAX_ENTRIES: Final = 1_024  # public parts in one answer
MAX_ANSWER_BYTES: Final = 4 * 2**20  # of public parts, unless it is only one

_NOT_KEPT: Final = {"Cache-Control": "no-store"}


def routes(parts: ControlParts) -> Routes:
    """Give the routes of this room."""
    log = _Log(parts)
    return {
        "/ledger/checkpoint": {"GET": (log.checkpoint, LOOK)},
        "/ledger/witnessed": {"GET": (log.witnessed, LOOK)},
        "/ledger/tile/{path:path}": {"GET": (log.tile, LOOK)},
        "/ledger/entries": {"GET": (log.entries, AUDIT)},
    }


class _Log:
    """The handlers."""

    def __init__(self, parts: ControlParts) -> None:
        self._parts = parts
        self._ledger = parts.ledger

    async def checkpoint(self, request: Request, _caller: CallerEntry) -> Response:
        """Give the checkpoint of the log as it is now."""
        await read_nothing(request)
        return _text(await sign_log(self._parts))

    async def witnessed(self, request: Request, _caller: CallerEntry) -> Response:
        """Give the newest checkpoint that witnesses signed; nothing, as long as there is none."""
        await read_nothing(request)
        note = await self._ledger.witnessed()
        # No refusal: the ledger counts these, and mirrors ask as often as they come.
        return _text(note) if note is not None else Response(status_code=204, headers=_NOT_KEPT)

    async def tile(self, request: Request, _caller: CallerEntry) -> Response:
        """Give a tile or an entry bundle; a partial one of any size that the log has reached."""
        await read_nothing(request)
        try:
            place = parse_path(f"tile/{request.path_params['path']}")
        except Unproven as error:
            raise Denied("no-such-resource", error.message) from None
        first = place.index * WIDTH
        if isinstance(place, Tile):
            found = await self._ledger.hashes(place.level * HEIGHT, first, place.width)
        else:
            found = await self._ledger.leaves(first, place.width)
        if len(found) < place.width:
            raise Denied("no-such-resource", "the log does not reach as far as this")
        body = print_tile(found) if isinstance(place, Tile) else print_entries(found)
        return Response(body, headers=_NOT_KEPT, media_type="application/octet-stream")

    async def entries(self, request: Request, _caller: CallerEntry) -> Response:
        """Give the public parts of entries in order, from `since` on; null where one was pruned.

        As many as asked for, or fewer: whoever wants more asks again from where it ended.
        """
        await read_nothing(request)
        named = read_query(request, "since", "limit")
        since = take_number(named, "since", 0, MAX_SIZE)
        limit = take_number(named, "limit", MAX_ENTRIES, MAX_ENTRIES)
        if not limit:
            raise BadRequest("`limit` is at least 1")
        given, size_bytes = list[dict[str, object]](), 0
        for each in await self._ledger.read(since, limit):
            size_bytes += len(each.public or b"")
            if given and size_bytes > MAX_ANSWER_BYTES:
                break
            public = None if each.public is None else msgspec.Raw(each.public)
            leaf = print_base64(each.leaf)
            given.append({"index": each.index, "leaf": leaf, "public": public})
        return answer({"entries": given})


async def sign_log(parts: ControlParts) -> bytes:
    """Sign the log as it is now; what is owed comes before, if the ledger takes it.

    Gives the checkpoint's note. Raises: LedgerUnavailable, KeyUnavailable.
    """
    with suppress(LedgerUnavailable):
        await parts.ledger.settle()
    return sign_frontier(parts, await parts.ledger.frontier())


def sign_frontier(parts: ControlParts, frontier: Frontier) -> bytes:
    """Sign the log as it was. `frontier`: as `Ledger.frontier` gave it. Raises: KeyUnavailable."""
    signers = parts.log_signers()
    if not signers:
        raise KeyUnavailable("there is no key to sign the log with")
    return sign_checkpoint(Checkpoint(parts.origin, frontier.size, frontier.root), signers)


def _text(note: bytes) -> Response:
    return Response(note, headers=_NOT_KEPT, media_type="text/plain")
