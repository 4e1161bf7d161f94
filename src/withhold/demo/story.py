"""The story: four warrants, what the store would say to each, and what Withhold lets out.

Every warrant takes the way of a real one: signed by intake, registered over HTTP, approved by
others, used by a service with a token of its own, and ended by an operator.
"""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from withhold.demo.people import ALICE, BOB
from withhold.demo.show import beside, heading, told
from withhold.demo.stage import Stage
from withhold.terminal import Ink, paint

TRIES: Final = 40
TRY_EACH_S: Final = 0.05
PERIOD: Final = {"from": "2026-03-01T00:00:00Z", "until": "2026-04-01T00:00:00Z"}


@dataclass(frozen=True)
class Order:
    """One legal order, as the demo tells of it."""

    id: str
    instrument: str
    jurisdiction: str
    authority: str
    reference: str
    approvers: tuple[str, ...] = ("approver-1",)


EPOC = Order("W-DEMO-EPOC", "eu-epoc-subscriber", "EU", "Amtsgericht Musterstadt", "7 Gs 1201/26")
SUBPOENA = Order(
    "W-DEMO-SUBPOENA", "us-sca-subpoena", "US", "Superior Court of California", "26-GJ-0117"
)
SEARCH = Order(
    "W-DEMO-SEARCH",
    "us-search-warrant",
    "US",
    "Superior Court of California",
    "26-SW-70123",
    ("approver-1", "approver-2"),
)


async def tell(stage: Stage) -> None:
    """Play the disclosures, one after the other, and print each."""
    await _subscriber(stage)
    await _sessions(stage)
    await _messages(stage)
    await _somebody_else(stage)
    await _revoked(stage)


async def _subscriber(stage: Stage) -> None:
    heading(1, "European Production Order, subscriber data: who holds the account, and no more")
    await approve(stage, EPOC)
    await _disclose(stage, EPOC, f"/accounts/{ALICE}")


async def _sessions(stage: Stage) -> None:
    heading(2, "Subpoena, sessions of March 2026: addresses leave as tokens, equal ones alike")
    await approve(stage, SUBPOENA)
    await _disclose(stage, SUBPOENA, f"/accounts/{ALICE}/sessions")


async def _messages(stage: Stage) -> None:
    heading(3, "Search warrant, messages of March 2026: of the target, and of that month only")
    await approve(stage, SEARCH)
    await _disclose(stage, SEARCH, f"/accounts/{ALICE}/messages")


async def _somebody_else(stage: Stage) -> None:
    heading(4, "The same subpoena, about somebody whom it does not name: the store is not called")
    await _refuse(stage, SUBPOENA, f"/accounts/{BOB}/sessions")


async def _revoked(stage: Stage) -> None:
    heading(5, "The search warrant is revoked, and the next request is refused")
    answer = await stage.control.post(f"/warrants/{SEARCH.id}/revoke")
    answer.raise_for_status()
    told(f"withhold warrant revoke {SEARCH.id}")
    await _refuse(stage, SEARCH, f"/accounts/{ALICE}/messages")


async def approve(stage: Stage, order: Order) -> None:
    """Sign as intake, register, and approve as each approver."""
    document = stage.sign(json.dumps(claims(order)).encode(), "intake-1")
    (await stage.control.post("/warrants", content=document)).raise_for_status()
    for approver in order.approvers:
        shown = (await stage.control.get(f"/warrants/{order.id}")).raise_for_status()
        signed = stage.sign(json.dumps(shown.json()["document"]).encode(), approver)
        answer = await stage.control.post(f"/warrants/{order.id}/signatures", content=signed)
        answer.raise_for_status()
    signers = f"signed by intake-1, approved by {' and '.join(order.approvers)}"
    told(f"{order.id}: target {ALICE}, {signers}")


async def _disclose(stage: Stage, order: Order, path: str) -> None:
    before = (await stage.store.get(path)).raise_for_status()
    after = (await ask_when_active(stage, order, path)).raise_for_status()
    told(f"GET /stores/sample{path}")
    told(f"receipt {after.headers['Withhold-Receipt']}")
    beside(before.content, after.content)


async def ask_when_active(stage: Stage, order: Order, path: str) -> httpx.Response:
    """Ask until the node has heard of the approval: what it knows is up to half a second old."""
    answer = await _ask(stage, order, path)
    for _ in range(TRIES):
        if answer.is_success or answer.json()["code"] != "warrant-not-active":
            break
        await asyncio.sleep(TRY_EACH_S)
        answer = await _ask(stage, order, path)
    return answer


async def _refuse(stage: Stage, order: Order, path: str) -> None:
    answer = await _ask(stage, order, path)
    told(f"GET /stores/sample{path}")
    problem: dict[str, Any] = answer.json()
    told(paint(f"{answer.status_code} {problem['code']}: {problem['detail']}", Ink.RED))


async def _ask(stage: Stage, order: Order, path: str) -> httpx.Response:
    return await stage.proxy.get(f"/stores/sample{path}", headers={"Withhold-Warrant": order.id})


def claims(order: Order) -> dict[str, Any]:
    """Give what a warrant says; it is valid from yesterday, for thirty days."""
    now = datetime.now(UTC).replace(microsecond=0)
    return {
        "id": order.id,
        "instrument": order.instrument,
        "jurisdiction": order.jurisdiction,
        "authority": order.authority,
        "reference": order.reference,
        "targets": [{"kind": "id", "value": ALICE}],
        "categories": [],
        "fields": [],
        "period": PERIOD,
        "valid": {
            "from": (now - timedelta(days=1)).isoformat(),
            "until": (now + timedelta(days=30)).isoformat(),
        },
        "callers": ["disclosure-service"],
    }
