"""The margins: all that Withhold writes beside its answers, and who may not be in it (law 6)."""

from collections import defaultdict
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

from tests.servers import RedisServer
from tests.synapse.canaries import hidden_in
from tests.synapse.client import NDJSON, Answer
from tests.synapse.service import CALLERS, Service, commitment_to, handle_of
from tests.synapse.world import NORMAL_IP, PHONE, SECOND_PHONE, World

Json = dict[str, Any]

# Too short or too common to be known again in bytes that are nobody's.
_COMMON = frozenset({"unknown"})


@dataclass
class Margins:
    """What there is to look through, and for what."""

    service: Service
    world: World
    redis: RedisServer
    answers: list[Answer]

    def check(self) -> None:
        """Look through all of it. What is found is shown by its place, and fails the test."""
        found = [
            f"{place}: {needle}"
            for place, haystack in self.haystacks().items()
            for needle in hidden_in(haystack, self._needles_in(place))
        ]
        assert not found, "\n".join(found)

    def check_receipts(self) -> None:
        """Hold the ledger against the answers: each has its entries, and no entry is without one.

        Of an entry that says `disclosed` and whose answer was then refused, another one says that.
        """
        entries: dict[str, list[Json]] = defaultdict(list)
        for entry in self.service.entries():
            entries[entry["receipt"]].append(entry)
        given = [answer for answer in self.answers if "withhold-receipt" in answer.headers]
        assert len(given) == len({answer.headers["withhold-receipt"] for answer in given})
        for answer in given:
            assert answer.status == 200
            _check_entries(answer, entries.pop(handle_of(answer.headers["withhold-receipt"])))
        failed = [answer.code for answer in self.answers if answer.status in {502, 504}]
        refused = sorted(each[-1]["outcome"] for each in entries.values())
        assert [code for code in refused if code != "not-sent"] == sorted(failed)

    def needles(self) -> set[str]:
        """Give all that is personal, or a secret."""
        world = self.world
        secrets = {world.server.admin_token, *map(self.service.token, CALLERS)}
        people = {world.den, world.attic, "@admin:", PHONE, SECOND_PHONE, world.bob_phone}
        addresses = set(NORMAL_IP) | {ip for ip in NORMAL_IP.values() if ip}
        return (world.canaries.all | people | secrets | addresses) - _COMMON

    def haystacks(self) -> dict[str, bytes]:
        """Give every byte that is in the margins, by its place."""
        haystacks = {"the log": self.service.log, **self.service.database_files()}
        for i, answer in enumerate(self.answers):
            headers = "\n".join(f"{name}: {each}" for name, each in answer.headers.items())
            haystacks[f"headers of answer {i}"] = headers.encode()
            if answer.status != 200:
                haystacks[f"error {i}"] = answer.body
        for key in self.redis.client.scan_iter():
            value = self.redis.client.get(key)  # not its dump, which Redis compresses
            assert isinstance(value, bytes)
            haystacks[f"redis {key!r}"] = key + value
        return haystacks

    def _needles_in(self, place: str) -> set[str]:
        """Give what must not be there; a warrant's own targets may be in the database."""
        if not place.startswith("var/withhold.db"):
            return self.needles()
        world = self.world
        named = {each["value"] for each in world.targets} | {world.absent, world.elsewhere, PHONE}
        return {each for each in self.needles() if not any(each in name for name in named)}


def _check_entries(answer: Answer, entries: list[Json]) -> None:
    """Hold an answer's entries against what left."""
    first, last = entries
    is_stream = answer.headers["content-type"] == NDJSON
    assert (first["type"], last["type"]) == ("opening" if is_stream else "release", "closing")
    assert first["outcome"] == "disclosed"
    assert last["outcome"] == ("complete" if answer.whole else "incomplete")
    assert last["size_bytes"] == len(answer.body)
    said = commitment_to(answer.headers["withhold-receipt"], answer.digest)
    assert (last if is_stream else first)["body"] == said
    assert first["allowlist"] == answer.headers["withhold-allowlist"]


def metrics(place: tuple[str, int], token: str = "") -> bytes:
    """Give what a plane exposes as metrics."""
    connection = HTTPConnection(*place)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connection.request("GET", "/metrics", headers=headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    assert response.status == 200
    return body
