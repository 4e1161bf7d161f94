"""One Synapse, one Redis and one Withhold between them for all tests of this folder.

Whoever breaks one of them mends it. At the end, when Withhold has stopped and all that it will ever
log is there, everything it wrote anywhere is searched for what no margin may hold.
"""

from collections.abc import Iterator

import pytest

from tests.servers import RedisServer, ServerNotStartedError
from tests.synapse.client import Answer, Client
from tests.synapse.homeserver import Homeserver, homeserver
from tests.synapse.install import CannotInstallError
from tests.synapse.margins import Margins
from tests.synapse.office import Office, Raw
from tests.synapse.oracle import Tokens
from tests.synapse.process import SynapseError
from tests.synapse.relay import Relay
from tests.synapse.service import Service, make_folder
from tests.synapse.tables import ORDERS
from tests.synapse.world import World, populate

COULD_NOT = 3  # the exit code, as the command line has it


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Homeserver]:
    """A Synapse that nobody has told anything yet."""
    try:
        with homeserver(tmp_path_factory.mktemp("synapse")) as running:
            yield running
    except (CannotInstallError, SynapseError) as error:
        # Said once, and not by every test that would have needed it.
        pytest.exit(f"no Synapse to test against\nerror: {error}", COULD_NOT)


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """The allowlist cache."""
    try:
        with RedisServer() as running:
            yield running
    except ServerNotStartedError as error:
        pytest.exit(f"no Redis to test with\nerror: {error}", COULD_NOT)


@pytest.fixture(scope="session")
def world(server: Homeserver) -> World:
    """Everybody and everything in it."""
    return populate(server)


@pytest.fixture(scope="session")
def raw(world: World) -> Raw:
    """What Synapse answers by itself."""
    return Raw(world.server)


@pytest.fixture(scope="session")
def relay(server: Homeserver) -> Iterator[Relay]:
    """The wire between Withhold and Synapse."""
    with Relay(server.process.port) as relaying:
        yield relaying


@pytest.fixture(scope="session")
def answers() -> list[Answer]:
    """Every answer that anybody got."""
    return []


@pytest.fixture(scope="session")
def service(
    tmp_path_factory: pytest.TempPathFactory, server: Homeserver, relay: Relay, redis: RedisServer
) -> Iterator[Service]:
    """Withhold, as verbose as it can be."""
    folder = tmp_path_factory.mktemp("withhold")
    make_folder(folder, store=f"http://127.0.0.1:{relay.port}", redis_url=redis.url)
    with Service(folder, f"Bearer {server.admin_token}", verbose=True) as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def margins(
    service: Service, world: World, redis: RedisServer, answers: list[Answer]
) -> Iterator[Margins]:
    """Where nothing personal may be."""
    found = Margins(service, world, redis, answers)
    yield found
    service.stop()
    found.check()
    found.check_receipts()


@pytest.fixture(scope="session")
def office(service: Service, world: World) -> Office:
    """Whoever takes warrants in."""
    return Office(service, world)


@pytest.fixture(scope="session")
def warrants(office: Office) -> dict[str, str]:
    """The widest warrant of each instrument, by instrument."""
    return office.issue_all(ORDERS)


@pytest.fixture(scope="session")
def tokens() -> Tokens:
    """Every token that was ever seen."""
    return Tokens()


@pytest.fixture(scope="session")
def client(service: Service, answers: list[Answer]) -> Client:
    """The disclosure service."""
    return Client(service.data, service.token("disclosure-service"), answers)
