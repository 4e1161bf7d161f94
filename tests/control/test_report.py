"""The report over HTTP and over a ledger that is there, page by page."""

import asyncio
import base64
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import urlencode

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message

from tests.report.day import a_day
from tests.report.logs import DAY, Log, instant
from withhold.adapters.memory import MemoryDatabase, MemoryLedger
from withhold.control import report as room
from withhold.control.parts import LOOK, ControlParts
from withhold.control.report import PAGE, report, routes
from withhold.deployment.model import CallerEntry
from withhold.errors import BadRequest, LedgerUnavailable
from withhold.kinds.instant import Instant
from withhold.ledger.checkpoint import verify_checkpoint
from withhold.ledger.entry import Entry, EntryType
from withhold.ledger.note import Signer
from withhold.ledger.tree import Frontier
from withhold.names import CallerName, Role
from withhold.ports import Ledger
from withhold.report.document import Source, make_document
from withhold.report.query import Exact, Query

NOW: Final = instant("2026-03-04")
PERIOD: Final = [("from", DAY), ("until", "2026-03-03")]
KEY: Final = Signer("withhold/example", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
AUDITOR: Final = CallerEntry(CallerName("a"), bytes(32), frozenset({Role.AUDIT}), frozenset())


async def ledger_of(log: Log) -> MemoryLedger:
    ledger = MemoryLedger(MemoryDatabase())
    for entry in log.entries:
        await ledger.append(entry)
    return ledger


async def make(ledger: Ledger, *pairs: tuple[str, str]) -> dict[str, Any]:
    return await report(
        ledger,
        [*PERIOD, *pairs],
        NOW,
        deployment="example",
        software="withhold 0.1.0",
        sign=lambda frontier: f"of {frontier.size}",
    )


async def test_a_report_is_of_the_whole_log_sealed_parts_and_all() -> None:
    log = a_day()
    ledger = await ledger_of(log)
    frontier = await ledger.frontier()
    root = base64.b64encode(frontier.root).decode()
    found = await make(ledger, ("exact", "yes"))
    query = Query(instant(DAY), instant("2026-03-03"), Exact())
    note = f"of {len(log.entries)}"
    source = Source("example", "withhold 0.1.0", root, note)
    assert found == make_document(log.count(), query, NOW, source)
    assert found["log"] == {"size": len(log.entries), "root": root, "checkpoint": note}


async def test_a_log_of_several_pages_is_read_to_its_end() -> None:
    log = Log()
    log.order("W", "08:00")
    while len(log.entries) <= 2 * PAGE:
        log.disclose("W", "09:00")
    found = await make(await ledger_of(log), ("exact", "yes"))
    made = [c["value"] for c in found["cells"] if c["measure"] == "disclosures_made"]
    assert found["log"]["size"] == len(log.entries) > 2 * PAGE
    assert made == [(len(log.entries) - 2) // 2] * 3


async def test_what_is_entered_meanwhile_is_not_counted() -> None:
    """The report is of the size that it names."""
    log = a_day()
    ledger = await ledger_of(log)

    class Growing(MemoryLedger):
        async def read(self, since: int, limit: int, *, sealed: bool = False) -> Any:  # noqa: ANN401 - as the ledger
            await ledger.append(Entry(EntryType.FREEZE, f"{DAY}T09:00:00Z", {"event": "frozen"}))
            return await ledger.read(since, limit, sealed=sealed)

    before = await make(ledger)
    assert await make(Growing(ledger._database)) == before


async def test_a_log_that_ends_before_its_size_is_no_report() -> None:
    class Short(MemoryLedger):
        async def read(self, since: int, limit: int, *, sealed: bool = False) -> Any:  # noqa: ANN401, ARG002 - as the ledger
            return []

    ledger = await ledger_of(a_day())
    with pytest.raises(LedgerUnavailable):
        await make(Short(ledger._database))


async def test_a_ledger_that_does_not_answer_is_no_report() -> None:
    ledger = await ledger_of(a_day())
    ledger._database.fails_before.add("read")
    with pytest.raises(LedgerUnavailable):
        await make(ledger)


async def test_a_query_is_refused_before_anything_is_read() -> None:
    ledger = MemoryLedger(MemoryDatabase(fails_before={"read", "frontier"}))
    with pytest.raises(BadRequest):
        await make(ledger, ("bands", "7"))


@dataclass
class Parts:
    ledger: Ledger
    software: str = "withhold 0.1.0"
    office: object = type("Office", (), {"deployment": "example"})
    origin: str = KEY.name

    def log_signers(self) -> list[Signer]:
        return [KEY]

    def now(self) -> Instant:
        return NOW


async def test_one_is_made_at_a_time() -> None:
    ledger = await ledger_of(a_day())
    under_way: list[int] = []

    class Watched(MemoryLedger):
        async def frontier(self) -> Frontier:
            under_way.append(0)
            return await ledger.frontier()

        async def read(self, since: int, limit: int, *, sealed: bool = False) -> Any:  # noqa: ANN401 - as the ledger
            assert len(under_way) == 1, "another one has begun"
            await asyncio.sleep(0)
            found = await ledger.read(since, limit, sealed=sealed)
            under_way.clear()
            return found

    parts = Parts(Watched(ledger._database))
    handler, _ = routes(cast("ControlParts", parts))["/report"]["GET"]

    async def receive() -> Message:
        return {"type": "http.request"}

    scope = {"type": "http", "query_string": urlencode(PERIOD).encode()}
    made = await asyncio.gather(*(handler(Request(scope, receive), AUDITOR) for _ in range(3)))
    assert len({bytes(each.body) for each in made}) == 1


async def test_over_http_it_is_for_auditors_and_operators() -> None:
    ledger = await ledger_of(a_day())
    [(path, methods)] = routes(cast("ControlParts", Parts(ledger))).items()
    handler, roles = methods["GET"]
    assert (path, roles, list(methods)) == ("/report", LOOK, ["GET"])

    async def endpoint(request: Request) -> Response:
        return await handler(request, AUDITOR)

    app = Starlette(routes=[Route(path, endpoint)])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://withhold.test") as client:
        answer = await client.get("/report", params=[*PERIOD, ("country", "US"), ("country", "EU")])
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    note = found["log"].pop("checkpoint").encode()
    signed = verify_checkpoint(note, KEY.name, [KEY.verifier_key])
    assert signed.size == found["log"]["size"]
    expected = await make(ledger, ("country", "EU"), ("country", "US"))
    del expected["log"]["checkpoint"]
    assert found == expected
    assert room.PAGE == PAGE
