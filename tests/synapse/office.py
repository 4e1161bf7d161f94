"""The office: warrants as an authority words them, signed and registered as people do it.

And `Raw`: what Synapse itself answers, asked past Withhold by its administrator.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from tests.synapse.client import path_of
from tests.synapse.homeserver import Homeserver
from tests.synapse.oracle import Oracle
from tests.synapse.service import PAGE, Service
from tests.synapse.tables import ORDERS
from tests.synapse.world import PERIOD, World

Json = Any
APPROVERS = ("approver-1", "approver-2")
_numbers = count(1)


class Office:
    """Issues warrants to one service."""

    def __init__(self, service: Service, world: World) -> None:
        self.service = service
        self._world = world

    def claims(self, instrument: str, **changed: object) -> dict[str, Any]:
        """Word a warrant that is valid today, about the targets and the period of the world."""
        now = datetime.now(UTC)
        return {
            "id": f"W-2026-{next(_numbers):04}-{instrument}",
            "instrument": instrument,
            "jurisdiction": ORDERS[instrument].jurisdiction,
            "authority": "Court of the Tests",
            "reference": "26-T-1",
            "targets": self._world.targets,
            "categories": [],
            "fields": [],
            "period": PERIOD,
            "valid": {
                "from": (now - timedelta(days=1)).isoformat(),
                "until": (now + timedelta(days=1)).isoformat(),
            },
            "callers": ["disclosure-service"],
            **changed,
        }

    def issue(self, instrument: str, **changed: object) -> str:
        """Issue a warrant with all the signatures it needs, and give its id."""
        claims = self.claims(instrument, **changed)
        self.service.register((claims, _approvers(instrument)))
        return str(claims["id"])

    def issue_all(self, instruments: Iterable[str]) -> dict[str, str]:
        """Issue one of each; gives the ids."""
        claims = {each: self.claims(each) for each in instruments}
        self.service.register(*((said, _approvers(each)) for each, said in claims.items()))
        return {each: str(said["id"]) for each, said in claims.items()}

    def oracle(self, instrument: str) -> Oracle:
        """Give what works out what the widest warrant gets."""
        return Oracle(ORDERS[instrument], self._world.target_ids)


def _approvers(instrument: str) -> Sequence[str]:
    return APPROVERS[: ORDERS[instrument].approvals]


class Raw:
    """Synapse's own answers; each is asked for once, since the world stands still.

    But for who is in a room: Synapse lists them in an order that is another after a restart.
    """

    def __init__(self, server: Homeserver) -> None:
        self._server = server
        self._known: dict[tuple[str, str], Json] = {}

    def __call__(self, resource: str, subject: str) -> Json:
        """Give an answer; of a room's messages, all pages."""
        key = (resource, subject)
        if key not in self._known or resource == "room-members":
            self._known[key] = (
                self._pages(path_of(resource, subject))
                if resource == "room-messages"
                else self._ask(path_of(resource, subject), {})
            )
        return self._known[key]

    def _pages(self, path: str) -> list[Json]:
        pages = [self._ask(path, {"dir": "f", "from": "t0-0", "limit": PAGE})]
        while "end" in pages[-1]:
            pages.append(self._ask(path, {"dir": "f", "from": pages[-1]["end"], "limit": PAGE}))
        return pages

    def _ask(self, path: str, query: dict[str, str | int]) -> Json:
        answer = self._server.admin("GET", path, query=query)
        assert answer.is_success
        return answer.json()
