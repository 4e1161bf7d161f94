"""What is wrong is found before anything is served, and whatever was opened is closed."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.running import starter
from tests.servers import RedisServer
from withhold import config
from withhold.deployment.model import Deployment, Secret, StoreEntry
from withhold.errors import BadRequest, ConfigError, DatabaseUnavailable, KeyUnavailable
from withhold.names import StoreName
from withhold.wiring import Plane, check, make_receipt_id, node


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return config.load_deployment(starter(tmp_path / "made").file)


async def test_a_node_has_the_planes_that_are_asked_for(deployment: Deployment) -> None:
    async with node(deployment) as both:
        assert set(both.apps) == set(Plane)
        assert both.bundle.catalogue.resources
    for plane in Plane:
        async with node(deployment, {plane}) as one:
            assert set(one.apps) == {plane}


async def test_what_is_sound_passes(deployment: Deployment) -> None:
    await check(deployment)


async def test_a_faulty_bundle_is_not_served(deployment: Deployment) -> None:
    policy = deployment.file.parent / "policy" / "rules.toml"
    policy.write_text("[[rule]]\n")
    with pytest.raises(ConfigError, match=r"rules\.toml"):
        await check(deployment)


async def test_missing_keys_are_not_served(deployment: Deployment) -> None:
    for path in deployment.keys_path.iterdir():
        path.unlink()
    with pytest.raises(KeyUnavailable):
        await check(deployment)


async def test_a_missing_secret_is_not_served(deployment: Deployment) -> None:
    secret = Secret("env", "WITHHOLD_TEST_NO_SUCH_VARIABLE")
    name = StoreName("sample")
    entry = StoreEntry(name, "http://127.0.0.1:1", {"Authorization": secret})
    with pytest.raises(KeyUnavailable, match="NO_SUCH_VARIABLE"):
        await check(replace(deployment, stores={name: entry}))
    with pytest.raises(KeyUnavailable, match="NO_SUCH_VARIABLE"):
        await check(replace(deployment, database_url=secret))


async def test_an_unusable_database_is_not_served(deployment: Deployment, tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable):
        await check(replace(deployment, database_url=f"sqlite:///{tmp_path}"))


async def test_a_redis_that_is_away_is_no_reason_not_to_serve(deployment: Deployment) -> None:
    await check(replace(deployment, redis_url="redis://127.0.0.1:1/0"))
    with pytest.raises(BadRequest):
        await check(replace(deployment, redis_url="http://127.0.0.1"))


async def test_a_redis_that_is_there_is_used(
    deployment: Deployment, shared_redis: RedisServer
) -> None:
    await check(replace(deployment, redis_url=shared_redis.url))


def test_receipts_have_ids_of_their_own() -> None:
    ids = {make_receipt_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch(r"R-[a-z2-7]{26}", each) for each in ids)
