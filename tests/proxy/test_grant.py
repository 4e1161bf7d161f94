"""Grants: settled once, and never kept longer than what they were made of."""

import dataclasses
from pathlib import Path

import pytest

from tests.proxy.plane import ALICE, RING, Plane, plane
from tests.proxy.test_allowlists import OTHER, SHOP
from withhold.allowlist.model import Allowlist, Entry
from withhold.keyring import KeyRing
from withhold.names import ResourceName, State, Treatment, WarrantId
from withhold.proxy.grant import Grant, tells_whose
from withhold.proxy.warrants import Held

ID = WarrantId("W-2026-0117-k7wqz4")


def held(it: Plane) -> Held:
    return it.app.room.warrants._held[ID]


def grants(it: Plane) -> list[Grant]:
    return list(held(it)._grants.values())


async def test_is_made_once_for_what_is_asked(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        for _ in range(3):
            await it.account()
        [grant] = grants(it)
        await it.account(Withhold_Fields='"$.id"')
        await it.account(Withhold_Fields='"$.id", "$.name"')
        await it.get("/stores/shop/v1/events")
        assert len(grants(it)) == 4
        assert grants(it)[0] is grant


async def test_what_no_field_is_called_is_not_kept(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        for fields in ('"$.id"', '"$.id", "$.canary"', '"$.id", "$.other[*]"'):
            assert (await it.account(Withhold_Fields=fields)).json() == {"id": ALICE}
        assert (await it.account(Withhold_Fields='"$.canary"')).json() == {}
        assert len(grants(it)) == 2


async def test_all_grants_of_a_warrant_share_its_memo(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        await it.account()
        await it.get("/stores/shop/v1/events")
        assert {id(each.minimizer._bounds.scope.memo) for each in grants(it)} == {id(held(it).memo)}


async def test_is_made_anew_of_other_keys_and_of_another_bundle(tmp_path: Path) -> None:
    rings: list[KeyRing] = [RING]
    bundles = [SHOP]
    async with plane(tmp_path) as it:
        room = it.app.room
        parts = dataclasses.replace(it.parts, ring=lambda: rings[-1], bundle=lambda: bundles[-1])
        object.__setattr__(room, "parts", parts)
        first = (await it.account()).json()
        [before] = grants(it)
        rings.append(dataclasses.replace(RING, commitment={**RING.commitment, 2: bytes(32)}))
        await it.account()
        [after] = grants(it)
        assert before.terms.targets[0].startswith("1.")
        assert after.terms.targets[0].startswith("2.")
        bundles.append(OTHER)
        second = (await it.account()).json()
        assert "name" in first
        assert second == {name: value for name, value in first.items() if name != "name"}


async def test_goes_with_the_warrant(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        await it.account()
        await it.move(State.SUSPENDED)
        assert it.app.room.warrants._held == {}
        assert (await it.account()).json()["code"] == "warrant-not-active"


async def test_what_is_no_target_leaves_nothing_behind(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        assert (await it.account("@eve:example.test")).status_code == 403
        assert grants(it) == []


async def test_a_grant_shows_nobody(tmp_path: Path) -> None:
    async with plane(tmp_path) as it:
        await it.account()
        assert ALICE not in repr(held(it))
        assert "alice" not in repr(grants(it)).lower()


@pytest.mark.parametrize(
    ("name", "tells"),
    [("account", True), ("events", True), ("orders", True), ("notes", False)],
)
def test_an_answer_tells_whose_it_is_if_it_repeats_it(name: str, tells: bool) -> None:
    resource = SHOP.catalogue.resources[ResourceName(f"shop/{name}")]
    entries = tuple(Entry(each, Treatment.DISCLOSE, "covered") for each in resource.fields)
    assert tells_whose(Allowlist(resource, entries)) is tells
