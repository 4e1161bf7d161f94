from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from withhold import config
from withhold.bench.choice import choose
from withhold.bench.values import NoExample
from withhold.bundle import Bundle, parse_bundle
from withhold.catalogue.model import Catalogue
from withhold.errors import BadRequest
from withhold.names import InstrumentName, ResourceName, StoreName

ROOT = Path(__file__).parents[2]
FILES: Mapping[str, bytes] = config.read_bundle(ROOT / "config")
SAMPLE = [StoreName("sample")]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return parse_bundle(FILES)


def names(*texts: str) -> list[ResourceName]:
    return [ResourceName(text) for text in texts]


def instrument(text: str) -> InstrumentName:
    return InstrumentName(text)


def test_all_resources_of_deployed_stores_under_the_widest_instrument(bundle: Bundle) -> None:
    choice = choose(bundle, SAMPLE, [], None)
    chosen = {str(each.shape.resource.name) for each in choice.chosen}
    assert chosen == {name for name in bundle.catalogue.resources if name.startswith("sample/")}
    assert choice.skipped == ()
    for other in bundle.policy.instruments.values():
        fewer = choose_covered(bundle, other.name)
        assert fewer <= choose_covered(bundle, choice.instrument.name)


def choose_covered(bundle: Bundle, name: InstrumentName) -> int:
    try:
        choice = choose(bundle, SAMPLE, [], name)
    except BadRequest:
        return 0
    return sum(len(each.allowlist.covered) for each in choice.chosen)


def test_what_is_not_covered_is_left_out_and_said(bundle: Bundle) -> None:
    choice = choose(bundle, SAMPLE, [], instrument("eu-epoc-subscriber"))
    left_out = {each.shape.resource.short_name for each in choice.chosen}
    assert "messages" not in left_out
    assert "nothing of `sample/messages` is covered under `eu-epoc-subscriber`" in choice.skipped


def test_the_named_resources_in_their_order(bundle: Bundle) -> None:
    choice = choose(bundle, SAMPLE, names("sample/messages", "sample/account"), None)
    assert [each.shape.resource.short_name for each in choice.chosen] == ["messages", "account"]


@pytest.mark.parametrize(
    ("resource", "under", "message"),
    [
        ("sample/acount", None, "`sample/acount` is no resource of the catalogue"),
        ("synapse/whois", None, "the deployment has no store `synapse`"),
        ("sample/account", "us-sca", "the policy has no instrument `us-sca`"),
        (
            "sample/messages",
            "eu-epoc-subscriber",
            "nothing of `sample/messages` is covered under `eu-epoc-subscriber`",
        ),
    ],
)
def test_what_is_not_there_is_wrong_use(
    bundle: Bundle, resource: str, under: str | None, message: str
) -> None:
    with pytest.raises(BadRequest) as found:
        choose(bundle, SAMPLE, names(resource), None if under is None else instrument(under))
    assert found.value.message == message
    assert found.value.hint or "no store" in message


def test_an_instrument_that_covers_nothing_leaves_nothing(bundle: Bundle) -> None:
    with pytest.raises(BadRequest, match="nothing to measure"):
        choose(bundle, SAMPLE, [], instrument("us-sca-preservation"))


def test_a_resource_without_examples_is_left_out_unless_it_was_named(bundle: Bundle) -> None:
    name = ResourceName("sample/group-members")
    resource = bundle.catalogue.resources[name]
    fields = tuple(
        replace(each, form=replace(each.form, pattern="(?=b)a")) for each in resource.fields
    )
    resources = {**bundle.catalogue.resources, name: replace(resource, fields=fields)}
    other = replace(bundle, catalogue=Catalogue(resources))
    choice = choose(other, SAMPLE, [], None)
    assert name not in {each.shape.resource.name for each in choice.chosen}
    assert choice.skipped == (f"`{name}`: no value could be made up of kind id",)
    with pytest.raises(NoExample):
        choose(other, SAMPLE, [name], None)
