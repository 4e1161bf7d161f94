from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from withhold import config
from withhold.bench.scene import DEPLOYMENT, Props, Scene, set_scene
from withhold.bench.values import PERIOD
from withhold.clock import read_clock
from withhold.deployment.model import Deployment, Limits, Secret
from withhold.names import Kind, Role, StoreName
from withhold.starter import Choices, make_starter
from withhold.warrant.model import Target
from withhold.warrant.signed import parse_signed
from withhold.warrant.verify import verify_warrant

STORES = (StoreName("sample"), StoreName("synapse"))
URL = "http://127.0.0.1:9"


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    choices = Choices(
        "theirs", "127.0.0.1:1", "127.0.0.1:2", {"sample": "http://real.example.test"}
    )
    return config.load_deployment(make_starter(tmp_path / "theirs", choices).file)


@pytest.fixture
def make_props(deployment: Deployment) -> Callable[..., Props]:
    def make(instrument: str = "us-search-warrant", **changed: object) -> Props:
        files = config.read_bundle(deployment.file.parent)
        found = config.parse_files("", files).policy.instruments
        theirs = replace(deployment, **changed)  # type: ignore[arg-type] # of a test's own
        targets = frozenset({Target(Kind.ID, "u-00000"), Target(Kind.PHONE, "+442079460220")})
        chosen = next(each for name, each in found.items() if name == instrument)
        return Props(theirs, files, chosen, targets, STORES)

    return make


def test_rules_and_bounds_are_the_deployments_and_all_else_is_new(
    tmp_path: Path, deployment: Deployment, make_props: Callable[..., Props]
) -> None:
    limits = Limits(max_concurrency=7, store_timeout_s=1.5)
    scene = set_scene(tmp_path / "bench", make_props(limits=limits), URL)
    made = config.load_deployment(scene.file)
    assert made.limits == limits
    assert made.redis_url is None
    assert made.deployment == DEPLOYMENT
    assert made.database_url == f"sqlite:///{scene.file.parent / '../withhold.db'}"
    assert {name: each.base_url for name, each in made.stores.items()} == {
        name: f"{URL}/{name}" for name in STORES
    }
    assert all(each.headers == {} for each in made.stores.values())
    theirs = config.load(deployment.file.parent).bundle
    assert config.load(scene.file.parent).bundle.digest == theirs.digest
    assert not {each.public_key for each in made.signers} & {
        each.public_key for each in deployment.signers
    }
    assert {(each.roles, each.stores) for each in made.callers} == {
        (frozenset({Role.DISCLOSE}), frozenset(STORES)),
        (frozenset({Role.OPERATE}), frozenset()),
    }
    assert config.open_keys(made).ring != config.open_keys(deployment).ring


@pytest.mark.parametrize("instrument", ["us-search-warrant", "us-sca-subpoena"])
def test_the_warrant_is_signed_as_its_instrument_asks(
    tmp_path: Path, make_props: Callable[..., Props], instrument: str
) -> None:
    props = make_props(instrument)
    scene = set_scene(tmp_path / "bench", props, URL)
    made = config.load_deployment(scene.file)
    signed = parse_signed(scene.warrant)
    approved = verify_warrant(
        signed,
        made.signers,
        deployment=DEPLOYMENT,
        instrument=props.instrument,
    )
    assert len(signed.signatures) == 1 + props.instrument.approvals
    assert approved.warrant.targets == props.targets  # type: ignore[union-attr] # a denial fails here
    assert signed.warrant.id == scene.warrant_id
    assert signed.warrant.period == PERIOD
    assert signed.warrant.valid.since < read_clock() < signed.warrant.valid.until
    assert not signed.warrant.categories | signed.warrant.fields


def test_what_refers_to_a_secret_goes_on_referring_to_it(
    tmp_path: Path, make_props: Callable[..., Props]
) -> None:
    props = make_props(redis_url=Secret("env", "REDIS"))
    props = replace(props, database_url=Secret("file", "/secret/url"))
    made = config.load_deployment(set_scene(tmp_path / "bench", props, URL).file)
    assert made.redis_url == Secret("env", "REDIS")
    assert made.database_url == Secret("file", "/secret/url")


def test_a_redis_without_a_secret_is_the_same(
    tmp_path: Path, make_props: Callable[..., Props]
) -> None:
    props = make_props(redis_url="redis://127.0.0.1:6379/0")
    made = config.load_deployment(set_scene(tmp_path / "bench", props, URL).file)
    assert made.redis_url == "redis://127.0.0.1:6379/0"


def test_no_token_is_shown() -> None:
    scene = Scene(Path("x.toml"), "W-1", b"", "wh_secret", "wh_other")
    assert "wh_" not in repr(scene)
