"""What a node finds at its start is entered where the log does not say it, and once."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from functools import partial

import pytest

from tests.durable import RING, on_database, receipt, whole
from withhold.adapters.database import Database
from withhold.adapters.entering import (
    Fact,
    Found,
    bundle_facts,
    enter,
    key_facts,
    key_name,
    signer_facts,
    tell_destroyed,
    tell_rotated,
)
from withhold.errors import DatabaseUnavailable
from withhold.keyring import KeyKind
from withhold.ledger.entry import EntryType
from withhold.names import Digest, SignerRole
from withhold.warrant.model import Signer

ONE = Fact({"name": "intake-1", "public_key": "AAAA"}, {"person": "canary"})
OTHER_KEY = Fact({"name": "intake-1", "public_key": "BBBB"}, {"person": "canary"})
TWO = Fact({"name": "approver-1", "public_key": "CCCC"}, {"person": "canary"})
ORIGIN = "log.example/withhold"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    found = Database(database_url, busy_timeout_s=30.0)
    yield found
    found.close()


async def said(database: Database, *members: str) -> list[tuple[object, ...]]:
    """Give these members of every entry."""
    await on_database(database).ledger.settle()
    entries = await whole(on_database(database).ledger)
    return [tuple(one.get(member) for member in members) for one in entries]


async def test_what_is_found_is_said_once(database: Database) -> None:
    for _ in range(3):
        await enter(database, Found.SIGNER, {"intake-1": ONE, "approver-1": TWO})
        assert await said(database, "type", "event", "name") == [
            ("signer", "added", "approver-1"),
            ("signer", "added", "intake-1"),
        ]
    assert "canary" not in repr(ONE)


async def test_it_comes_before_whatever_is_appended(database: Database) -> None:
    await enter(database, Found.BUNDLE, bundle_facts(Digest("sha-256=:AAAA:"), "withhold/1"))
    await on_database(database).ledger.append(receipt())
    assert await said(database, "type", "digest", "software") == [
        ("bundle", "sha-256=:AAAA:", "withhold/1"),
        ("release", None, "withhold/0"),
    ]


async def test_several_that_start_at_once_say_it_once(database_url: str) -> None:
    databases = [Database(database_url, busy_timeout_s=30.0) for _ in range(4)]
    try:
        for fact in (ONE, OTHER_KEY):  # what is new, and what is another than it was
            await asyncio.gather(
                *(enter(each, Found.SIGNER, {"intake-1": fact}) for each in databases)
            )
        found = await said(databases[0], "event", "public_key")
    finally:
        for each in databases:
            each.close()
    assert found == [("added", "AAAA"), ("removed", "AAAA"), ("added", "BBBB")]


async def test_signers_come_change_and_go(database: Database) -> None:
    for facts in (
        {"intake-1": ONE, "approver-1": TWO},
        {"intake-1": OTHER_KEY, "approver-1": TWO},
        {"approver-1": TWO},
        {},
        {"intake-1": ONE},
    ):
        await enter(database, Found.SIGNER, facts)
    assert await said(database, "event", "name", "public_key") == [
        ("added", "approver-1", "CCCC"),
        ("added", "intake-1", "AAAA"),
        ("removed", "intake-1", "AAAA"),
        ("added", "intake-1", "BBBB"),
        ("removed", "intake-1", "BBBB"),
        ("removed", "approver-1", "CCCC"),
        ("added", "intake-1", "AAAA"),
    ]


async def test_another_person_behind_the_same_key_is_no_news(database: Database) -> None:
    for person in ("a", "b"):
        await enter(database, Found.SIGNER, {"intake-1": replace(ONE, sealed={"person": person})})
    assert await said(database, "event") == [("added",)]


async def test_a_bundle_goes_without_a_word_when_another_comes(database: Database) -> None:
    for digest, software in (("A", "1"), ("A", "1"), ("B", "1"), ("B", "2"), ("A", "1")):
        await enter(database, Found.BUNDLE, bundle_facts(Digest(digest), software))
    await enter(database, Found.BUNDLE, {})
    assert await said(database, "event", "digest", "software") == [
        ("loaded", "A", "1"),
        ("loaded", "B", "1"),
        ("loaded", "B", "2"),
        ("loaded", "A", "1"),
    ]


async def test_of_keys_it_is_said_only_that_they_were_made(database: Database) -> None:
    old = key_facts(RING, ORIGIN)
    new = key_facts(replace(RING, cache={**RING.cache, 2: bytes(32)}), ORIGIN)
    for facts in (old, new, old, {}, new):
        await enter(database, Found.KEY, facts)
    made = await said(database, "event", "kind", "version")
    assert sorted(made, key=str) == sorted(
        [("made", "cache", 2), *(("made", *name.rsplit(" ", 1)[:1], 1) for name in old)], key=str
    )


async def test_what_somebody_did_is_not_said_again_at_the_next_start(database: Database) -> None:
    old = key_facts(RING, ORIGIN)
    new = key_facts(replace(RING, cache={**RING.cache, 2: bytes(32)}), ORIGIN)
    await enter(database, Found.KEY, old)
    name = key_name(KeyKind.CACHE, 2)
    for tell in (tell_rotated, tell_destroyed):
        await database.write(partial(tell, name=name, fact=new[name]))
        await enter(database, Found.KEY, new)
        await enter(database, Found.KEY, old)
    events = [event for (event,) in await said(database, "event")]
    assert events == ["made"] * len(old) + ["rotated", "destroyed"]


async def test_kinds_do_not_mix(database: Database) -> None:
    for found in Found:
        await enter(database, found, {"one": Fact({"name": "one"})})
    await enter(database, Found.SIGNER, {})
    assert await said(database, "type", "event") == [
        (EntryType.BUNDLE, "loaded"),
        (EntryType.SIGNER, "added"),
        (EntryType.KEY, "made"),
        (EntryType.SIGNER, "removed"),
    ]


async def test_without_a_database_nothing_is_said(database: Database) -> None:
    database.close()
    with pytest.raises(DatabaseUnavailable):
        await enter(database, Found.SIGNER, {"intake-1": ONE})


def test_what_there_is_to_say_of_signers() -> None:
    signers = [
        Signer(name="intake-1", person="Ada", role=SignerRole.INTAKE, public_key=bytes(32)),
    ]
    facts: Mapping[str, Fact] = signer_facts(signers)
    assert facts["intake-1"].public == {
        "name": "intake-1",
        "role": "intake",
        "public_key": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    }
    assert facts["intake-1"].sealed == {"person": "Ada"}
    assert "Ada" not in repr(facts)


def test_no_key_is_said_but_those_that_verify() -> None:
    facts = key_facts(RING, ORIGIN)
    public = [fact.public["public_key"] for fact in facts.values()]
    assert len([each for each in public if each is not None]) == 1
    secrets = [key.hex() for kind in (RING.encryption, RING.cache) for key in kind.values()]
    assert not any(secret in repr(facts) for secret in secrets)
