"""Receipts: what the ledger says of disclosures, proved, and its sealed parts opened.

What is public is shown to the role `audit` as it stands in the log. A sealed part tells who asked
and what was withheld: before it is opened the ledger has an entry that it was, on disk, or nothing
is opened. So has the question whether somebody was a target: the answer is in a sealed part.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from withhold.control.entries import Act, entry_of_reading
from withhold.control.exchange import (
    MAX_REQUEST_BYTES,
    answer,
    read_body,
    read_nothing,
    read_query,
    take_number,
)
from withhold.control.log import sign_log
from withhold.control.parts import AUDIT, ControlParts, Routes
from withhold.deployment.model import CallerEntry
from withhold.errors import BadRequest, Denied, Unproven
from withhold.kinds.form import Form
from withhold.kinds.scalar import identity
from withhold.ledger.checkpoint import parse_checkpoint
from withhold.ledger.entry import BEGINNINGS, EntryType, Handle, Json
from withhold.ledger.exhibit import Exhibit, Shown, as_json, sign_exhibit
from withhold.ledger.lines import MAX_SIZE, parse_decimal, print_base64
from withhold.ledger.note import parse_note
from withhold.ledger.proof import Proof, print_proof
from withhold.ledger.receipt import ReceiptId, handle_of, is_handle, is_receipt_id
from withhold.names import Kind, WarrantId
from withhold.ports import Logged
from withhold.warrant.document import check_members, read_object, take_text
from withhold.warrant.model import Target

LIMIT: Final = 50  # disclosures that are listed, unless fewer or more are asked for
MAX_LIMIT: Final = 200
READ: Final = 1_000  # entries that are read at once


def routes(parts: ControlParts) -> Routes:
    """Give the routes of this room."""
    room = _Receipts(parts)
    return {
        "/ledger/receipts": {"GET": (room.list, AUDIT)},
        "/ledger/receipts/{receipt}": {"GET": (room.prove, AUDIT)},
        "/ledger/receipts/{receipt}/sealed": {"GET": (room.open, AUDIT)},
        "/ledger/receipts/{receipt}/target": {"POST": (room.is_target, AUDIT)},
    }


class _Receipts:
    """The handlers."""

    def __init__(self, parts: ControlParts) -> None:
        self._parts = parts
        self._ledger = parts.ledger
        # One long reading at a time: several at once would leave disclosures no time.
        self._turn = asyncio.Lock()

    async def list(self, request: Request, _caller: CallerEntry) -> Response:
        """List disclosures in the log's order: the last ones, or those from `since` on."""
        await read_nothing(request)
        named = read_query(request, "since", "limit", "warrant")
        limit = take_number(named, "limit", LIMIT, MAX_LIMIT)
        since = take_number(named, "since", -1, MAX_SIZE)
        warrant = WarrantId(named["warrant"]) if "warrant" in named else None
        async with self._turn:
            if since >= 0:
                found, more = await self._first(warrant, since, limit)
            else:
                found, more = await self._last(warrant, limit), None
            listed = [await self._disclosure(each) for each in found]
        return answer({"receipts": listed, "next": more})

    async def prove(self, request: Request, _caller: CallerEntry) -> Response:
        """Give a receipt with its proofs: see `ledger.exhibit`."""
        await read_nothing(request)
        witnessed = read_query(request, "witnessed").get("witnessed")
        if witnessed not in {None, "true"}:
            raise BadRequest("`witnessed` is `true`, or left out")
        name = request.path_params["receipt"]
        note = await self._checkpoint(witnessed=witnessed is not None)
        size = parse_checkpoint(parse_note(note).text).size
        # What was entered after the checkpoint is not in what it signs.
        found = [each for each in await self._find(name) if each.index < size]
        if not found:
            raise Denied(
                "no-such-resource",
                f"the receipt is not among the first {size} entries of the log",
                "witnesses sign once a minute; without `witnessed` it is proved now",
            )
        async with self._turn:
            orders = [each async for each in self._orders(_warrant_of(found[0]), size)]
        exhibit = Exhibit(
            origin=self._parts.origin,
            receipt=ReceiptId(name) if is_receipt_id(name) else None,
            entries=tuple([await self._shown(each, size, note) for each in found]),
            warrant=tuple([await self._shown(each, size, note) for each in orders]),
        )
        return answer(as_json(sign_exhibit(exhibit, self._parts.log_signers())))

    async def open(self, request: Request, caller: CallerEntry) -> Response:
        """Open sealed parts: of a disclosure, or of the one entry at an index."""
        await read_nothing(request)
        read_query(request)
        name = request.path_params["receipt"]
        indices = [each.index for each in await self._find(name, alone=True)]
        reading = await self._enter_reading(caller, indices)
        opened = await self._find(name, sealed=True, alone=True)
        # What was entered meanwhile was not read: another request opens it.
        return answer(
            {
                "reading": reading,
                "entries": [_opened(each) for each in opened if each.index in indices],
            }
        )

    async def is_target(self, request: Request, caller: CallerEntry) -> Response:
        """Say whether somebody was among those whom a disclosure was about."""
        name = request.path_params["receipt"]
        target = _target(await read_body(request, MAX_REQUEST_BYTES))
        first = (await self._find(name))[0]
        reading = await self._enter_reading(caller, [first.index])
        sealed = (await self._find(name, sealed=True))[0].sealed
        if sealed is None:
            raise _pruned()
        warrant = _warrant_of(first)
        opens = self._parts.opens_target
        commitments: list[str] = json.loads(sealed).get("targets", [])
        is_target = any(opens(each, warrant, target) for each in commitments)
        return answer({"reading": reading, "is_target": is_target, "targets": len(commitments)})

    async def _enter_reading(self, caller: CallerEntry, indices: Sequence[int]) -> int:
        """Enter that sealed parts are about to be opened. Raises: LedgerUnavailable.

        INVARIANT: nothing sealed is read before this returned.
        """
        act = Act(caller.name, self._parts.now())
        return await self._ledger.append(entry_of_reading(act, indices))

    async def _find(
        self, name: str, *, sealed: bool = False, alone: bool = False
    ) -> Sequence[Logged]:
        """Find the entries of a disclosure by id, handle or index.

        `alone`: by index, that one entry, whatever it is about. Raises: BadRequest, Denied.
        """
        if is_receipt_id(name):
            handle = handle_of(ReceiptId(name))
        elif is_handle(name):
            handle = Handle(name)
        elif (index := _index(name)) is not None:
            one = await self._ledger.read(index, 1, sealed=sealed)
            if not one or one[0].index != index:
                raise Denied("no-such-resource", "the log has no such entry")
            if alone:
                return one
            public = _public(one[0])
            if "receipt" not in public:
                message = "the entry at this index is of no disclosure"
                raise Denied("no-such-resource", message, "ask for the receipt of one")
            handle = Handle(public["receipt"])
        else:
            hint = "a receipt's id is `R-` and 26 characters; the log calls it `H-…`"
            raise BadRequest("that is no receipt, and no index of the log", hint)
        found = await self._ledger.find(handle, sealed=sealed)
        if not found:
            raise Denied("no-such-resource", "the log has no such receipt")
        return found

    async def _checkpoint(self, *, witnessed: bool) -> bytes:
        """Give the note of the checkpoint to prove at."""
        if witnessed:
            note = await self._ledger.witnessed()
            if note is None:
                raise Denied("no-such-resource", "no witness has signed a checkpoint yet")
            return note
        return await sign_log(self._parts)  # what is owed is part of the warrant's story

    async def _shown(self, entry: Logged, size: int, note: bytes) -> Shown:
        hashes = await self._ledger.prove(entry.index, size)
        proof = print_proof(Proof(entry.index, hashes, note))
        return Shown(entry.index, _public(entry), proof.decode())

    async def _orders(self, warrant: WarrantId, size: int) -> AsyncIterator[Logged]:
        """Give what became of a warrant, less what was pruned."""
        async for each in self._about(warrant, 0):
            if each.index < size and _type(each) == EntryType.WARRANT:
                yield each

    async def _about(self, warrant: WarrantId | None, since: int) -> AsyncIterator[Logged]:
        """Give all entries, or those about one warrant, from `since` on."""
        while True:
            if warrant is None:
                page = await self._ledger.read(since, READ)
            else:
                page = await self._ledger.find_warrant(warrant, since, READ)
            for each in page:
                yield each
            if len(page) < READ:
                return
            since = page[-1].index + 1

    async def _first(
        self, warrant: WarrantId | None, since: int, limit: int
    ) -> tuple[Sequence[Logged], int | None]:
        """Give the first disclosures from `since` on, and where to go on."""
        found: list[Logged] = []
        async for each in self._about(warrant, since):
            if _type(each) in BEGINNINGS:
                if len(found) == limit:
                    return found, each.index
                found.append(each)
        return found, None

    async def _last(self, warrant: WarrantId | None, limit: int) -> Sequence[Logged]:
        """Give the last disclosures."""
        if warrant is not None:
            kept = deque[Logged](maxlen=limit)
            async for each in self._about(warrant, 0):  # never all at once: a warrant may have many
                if _type(each) in BEGINNINGS:
                    kept.append(each)
            return tuple(kept)
        found: list[Logged] = []
        until = (await self._ledger.frontier()).size
        while until and len(found) < limit:
            since = max(until - READ, 0)
            page = await self._ledger.read(since, until - since)
            found = [each for each in page if _type(each) in BEGINNINGS] + found
            until = since
        return found[-limit:]

    async def _disclosure(self, first: Logged) -> dict[str, Any]:
        handle = Handle(_public(first)["receipt"])
        entries = await self._ledger.find(handle)
        shown = [{"index": each.index, "public": _public(each)} for each in entries]
        return {"receipt": handle, "entries": shown}


def _public(entry: Logged) -> dict[str, Json]:
    """Read the public part. Raises: Denied if it was pruned."""
    if entry.public is None:
        raise _pruned()
    return dict(json.loads(entry.public))


def _pruned() -> Denied:
    return Denied("no-such-resource", "what the receipt said was pruned; its hash is still there")


def _type(entry: Logged) -> str:
    return "" if entry.public is None else str(json.loads(entry.public)["type"])


def _warrant_of(entry: Logged) -> WarrantId:
    return WarrantId(_public(entry)["warrant"])


def _opened(entry: Logged) -> dict[str, Any]:
    """Show an entry with its sealed part, and the salt that proves that it is that one."""
    is_there = entry.sealed is not None and entry.salt is not None
    return {
        "index": entry.index,
        "public": None if entry.public is None else json.loads(entry.public),
        "salt": print_base64(entry.salt or b"") if is_there else None,
        "sealed": json.loads(entry.sealed or b"") if is_there else None,
    }


def _index(text: str) -> int | None:
    """Read an index of the log; None if it is none."""
    try:
        return parse_decimal(text, "the index")
    except Unproven:
        return None


def _target(body: bytes) -> Target:
    """Read whom is asked about, and bring it into normal form. Raises: BadRequest, WarrantError."""
    members = read_object(body, "the request", MAX_REQUEST_BYTES)
    check_members(members, "$", ("kind", "value"))
    kind, value = take_text(members["kind"], "$.kind"), take_text(members["value"], "$.value")
    normal = identity(Form(Kind(kind)), value) if kind in set(Kind) else None
    if normal is None:
        hint = "such as `phone` and a number that begins with `+`, `email`, `ip` or `id`"
        raise BadRequest("`$.kind` and `$.value` are not those of a target", hint)
    return Target(Kind(kind), normal)
