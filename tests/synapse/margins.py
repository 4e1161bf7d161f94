"""The margins: all that Withhold writes beside its answers, and who may not be in it (law 6)."""

from dataclasses import dataclass
from http.client import HTTPConnection

from tests.servers import RedisServer
from tests.synapse.canaries import hidden_in
from tests.synapse.client import Answer
from tests.synapse.service import CALLERS, Service
from tests.synapse.world import NORMAL_IP, World

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
            for place, haystack in self._haystacks().items()
            for needle in hidden_in(haystack, self._needles(place))
        ]
        assert not found, "\n".join(found)

    def _needles(self, place: str) -> set[str]:
        """Give what must not be there; a warrant's own targets may be in the database."""
        world = self.world
        secrets = {world.server.admin_token, *map(self.service.token, CALLERS)}
        people = {world.den, world.attic, "@admin:", "442079460220", "441632960961"}
        people |= set(NORMAL_IP) | {ip for ip in NORMAL_IP.values() if ip}
        needles = world.canaries.all | people | secrets
        if place == "var/withhold.db" or place.startswith("var/withhold.db-"):
            named = {each["value"] for each in world.targets}
            named |= {world.absent, world.elsewhere, "442079460220"}
            needles -= {each for each in needles if any(each in name for name in named)}
        return needles - _COMMON

    def _haystacks(self) -> dict[str, bytes]:
        haystacks = {"the log": self.service.log, **self.service.database_files()}
        for i, answer in enumerate(self.answers):
            headers = "\n".join(f"{name}: {each}" for name, each in answer.headers.items())
            haystacks[f"headers of answer {i}"] = headers.encode()
            if answer.status != 200:
                haystacks[f"error {i}"] = answer.body
        for key in self.redis.client.scan_iter():
            haystacks[f"redis {key!r}"] = key + self.redis.client.dump(key)
        return haystacks


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
