import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select, update

from tests.durable import RING, W1, Durable, change, on_database, registered
from withhold.adapters import token_keys as module
from withhold.adapters.database import Database
from withhold.adapters.log import decode_owed
from withhold.adapters.schema import owed, token_keys
from withhold.adapters.token_keys import Rewrapped, SqlTokenKeys
from withhold.errors import DatabaseUnavailable, KeyUnavailable
from withhold.keyring import KeyRing
from withhold.kinds.token import key_id
from withhold.ledger.entry import EntryType
from withhold.names import State, WarrantId

W2 = WarrantId("W-2")
RING2 = replace(RING, encryption={**RING.encryption, 2: b"2" * 32})
ONLY_2 = replace(RING, encryption={2: b"2" * 32})
RING3 = replace(RING, encryption={**RING2.encryption, 3: b"3" * 32})


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with some warrants."""
    database = Database(database_url)
    for number in range(1, 8):
        await on_database(database).registry.register(registered(f"W-{number}"), change())
    yield database
    database.close()


class Ring:
    """A folder of keys that one process knows, and that another may have changed."""

    def __init__(self, ring: KeyRing, fresh: KeyRing | None = None) -> None:
        self.ring = ring
        self.fresh = fresh or ring

    def reload(self) -> KeyRing:
        self.ring = self.fresh
        return self.ring


def with_ring(database: Database, ring: KeyRing, fresh: KeyRing | None = None) -> SqlTokenKeys:
    it = Ring(ring, fresh)
    return SqlTokenKeys(database, lambda: it.ring, it.reload)


def holds(folder: Path, secret: bytes) -> bool:
    return any(secret in file.read_bytes() for file in folder.iterdir())


async def test_a_warrants_key_is_made_once_and_its_own(durable: Durable) -> None:
    await durable.registry.register(registered(), change())
    await durable.registry.register(registered("W-2"), change())
    key = await durable.token_keys.token_key(W1)
    assert len(key) == 16
    assert await durable.token_keys.token_key(W1) == key
    assert await durable.token_keys.token_key(WarrantId("W-2")) != key


async def test_all_who_ask_first_get_the_same(durable: Durable) -> None:
    await durable.registry.register(registered(), change())
    keys = await asyncio.gather(*(durable.token_keys.token_key(W1) for _ in range(20)))
    assert len(set(keys)) == 1


async def test_no_warrant_no_key(durable: Durable) -> None:
    with pytest.raises(KeyUnavailable, match="never registered"):
        await durable.token_keys.token_key(W1)
    await durable.token_keys.destroy(W1)
    await durable.registry.register(registered(), change())
    assert await durable.token_keys.token_key(W1)


@pytest.mark.parametrize("used", [True, False])
async def test_a_destroyed_key_is_gone_for_good(durable: Durable, used: bool) -> None:
    await durable.registry.register(registered(state=State.CLOSED), change())
    if used:
        await durable.token_keys.token_key(W1)
    for _ in range(2):
        await durable.token_keys.destroy(W1)
        with pytest.raises(KeyUnavailable, match="was destroyed"):
            await durable.token_keys.token_key(W1)


async def test_a_key_outlives_the_process_and_rests_wrapped(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'withhold.db'}"
    database = Database(url)
    durable = on_database(database)
    await durable.registry.register(registered(), change())
    key = await durable.token_keys.token_key(W1)
    database.close()
    assert not holds(tmp_path, key)
    database = Database(url)
    assert await on_database(database).token_keys.token_key(W1) == key
    database.close()


async def test_a_key_that_was_moved_to_another_warrant_does_not_open(tmp_path: Path) -> None:
    path = tmp_path / "withhold.db"
    database = Database(f"sqlite:///{path}")
    durable = on_database(database)
    await durable.registry.register(registered(), change())
    await durable.registry.register(registered("W-2"), change())
    await durable.token_keys.token_key(W1)
    raw = sqlite3.connect(path)
    with raw:
        raw.execute("UPDATE token_keys SET warrant = 'W-2'")
    raw.close()
    with pytest.raises(KeyUnavailable, match="does not open"):
        await durable.token_keys.token_key(WarrantId("W-2"))
    database.close()


async def test_a_destroyed_key_is_neither_in_the_file_nor_in_its_log(tmp_path: Path) -> None:
    path = tmp_path / "withhold.db"
    database = Database(f"sqlite:///{path}")
    durable = on_database(database)
    await durable.registry.register(registered(), change())
    await durable.token_keys.token_key(W1)
    raw = sqlite3.connect(path)
    (wrapped,) = raw.execute("SELECT wrapped FROM token_keys").fetchone()
    raw.close()
    assert holds(tmp_path, wrapped)
    await durable.token_keys.destroy(W1)
    assert not holds(tmp_path, wrapped)
    database.close()


async def test_what_an_older_version_wrapped_still_opens(database: Database) -> None:
    key = await with_ring(database, RING).token_key(W1)
    assert await with_ring(database, RING2).token_key(W1) == key
    with pytest.raises(KeyUnavailable, match="version 1 of the key-encryption key is missing"):
        await with_ring(database, ONLY_2).token_key(W1)


async def test_a_version_that_is_missing_is_looked_for(database: Database) -> None:
    key = await with_ring(database, RING2).token_key(W1)
    with pytest.raises(KeyUnavailable, match="version 2 of the key-encryption key is missing"):
        await with_ring(database, RING).token_key(W1)
    assert await with_ring(database, RING, fresh=RING2).token_key(W1) == key


async def test_all_keys_are_wrapped_anew_and_stay_what_they_are(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_REWRAPPED", 3)  # several transactions, the last one empty
    old = with_ring(database, RING)
    keys = {name: await old.token_key(name) for name in map(WarrantId, ids(1, 6))}
    both = with_ring(database, RING2)
    assert await both.in_force() == 0
    assert await both.wrapped_by() == {1: 6}
    assert await both.rewrap() == Rewrapped(2, 6, ())
    assert await both.wrapped_by() == {2: 6}
    assert await both.in_force() == 2
    alone = with_ring(database, ONLY_2)
    assert {name: await alone.token_key(name) for name in keys} == keys
    assert await both.rewrap() == Rewrapped(2, 0, ())


async def test_what_was_wrapped_before_is_not_in_the_file_any_more(
    tmp_path: Path,
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'withhold.db'}")
    await on_database(database).registry.register(registered(), change())
    await with_ring(database, RING).token_key(W1)
    before = await database.read(lambda it: it.execute(select(token_keys.c.wrapped)).scalar_one())
    assert holds(tmp_path, before)
    await with_ring(database, RING2).rewrap()
    assert not holds(tmp_path, before)
    database.close()


async def test_nothing_is_wrapped_by_a_version_that_is_not_in_force(database: Database) -> None:
    behind = with_ring(database, RING)
    key = await behind.token_key(W1)
    await with_ring(database, RING2).rewrap()
    # A node that has not heard of the new version, and can't: no key comes to be.
    with pytest.raises(KeyUnavailable, match="the newest version of the key-encryption key"):
        await behind.token_key(W2)
    with pytest.raises(KeyUnavailable, match="version 2 of the key-encryption key is missing"):
        await behind.token_key(W1)
    # One that has not heard of it yet looks, and goes on.
    hears = with_ring(database, RING, fresh=RING2)
    assert await hears.token_key(W2) == await with_ring(database, ONLY_2).token_key(W2)
    assert await with_ring(database, RING, fresh=RING2).token_key(W1) == key
    assert await hears.wrapped_by() == {2: 2}


async def test_who_is_behind_wraps_nothing_anew(database: Database) -> None:
    await with_ring(database, RING3).token_key(W1)
    await with_ring(database, RING3).rewrap()
    with pytest.raises(
        KeyUnavailable, match="a newer version of the key-encryption key is in force"
    ):
        await with_ring(database, RING2).rewrap()
    assert await with_ring(database, RING2).in_force() == 3


async def test_versions_are_put_in_force_upwards(database: Database) -> None:
    for ring, version in ((RING, 1), (RING2, 2), (RING2, 2), (RING3, 3)):
        assert (await with_ring(database, ring).rewrap()).version == version
        assert await with_ring(database, ring).in_force() == version


async def test_two_who_wrap_anew_at_once_do_it_once(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_REWRAPPED", 1)
    old = with_ring(database, RING)
    keys = {name: await old.token_key(name) for name in map(WarrantId, ids(1, 5))}
    other = Database(database_url)
    done = await asyncio.gather(*(with_ring(it, RING2).rewrap() for it in (database, other)))
    other.close()
    assert sum(each.count for each in done) == 5
    assert await old.in_force() == 2
    assert {name: await with_ring(database, ONLY_2).token_key(name) for name in keys} == keys


async def test_a_key_that_does_not_open_stops_no_other(database: Database) -> None:
    old = with_ring(database, RING)
    keys = {name: await old.token_key(name) for name in map(WarrantId, ids(1, 3))}
    damage = update(token_keys).where(token_keys.c.warrant == W2).values(wrapped=bytes(24))
    await database.write(lambda it: it.execute(damage).rowcount)
    assert await with_ring(database, RING2).rewrap() == Rewrapped(2, 2, (W2,))
    assert await with_ring(database, RING2).wrapped_by() == {1: 1, 2: 2}
    assert await with_ring(database, ONLY_2).token_key(W1) == keys[W1]


async def test_a_destroyed_key_is_not_wrapped_anew(database: Database) -> None:
    old = with_ring(database, RING)
    await old.token_key(W1)
    await old.token_key(W2)
    await old.destroy(W1)
    both = with_ring(database, RING2)
    assert await both.rewrap() == Rewrapped(2, 1, ())
    assert await both.wrapped_by() == {2: 1}
    with pytest.raises(KeyUnavailable, match="was destroyed"):
        await both.token_key(W1)


async def test_wrapping_anew_beside_nodes_that_make_and_destroy_keys(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_REWRAPPED", 1)
    other = Database(database_url)
    old = with_ring(database, RING, fresh=RING2)
    keys = {name: await old.token_key(name) for name in map(WarrantId, ids(1, 3))}
    late = [WarrantId(name) for name in ids(4, 7)]
    done, made, destroyed = await asyncio.gather(
        with_ring(other, RING2).rewrap(),
        asyncio.gather(*(old.token_key(name) for name in late)),
        old.destroy(W2),
    )
    other.close()
    assert destroyed == key_id(keys.pop(W2))
    assert done.closed == ()
    assert (await old.wrapped_by()).keys() == {2}
    keys |= dict(zip(late, made, strict=True))
    assert {name: await with_ring(database, ONLY_2).token_key(name) for name in keys} == keys


@pytest.mark.parametrize("step", range(5))
async def test_wrapping_anew_can_fail_at_any_step_and_be_done_again(
    database: Database, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    monkeypatch.setattr(module, "MAX_REWRAPPED", 2)
    old = with_ring(database, RING)
    keys = {name: await old.token_key(name) for name in map(WarrantId, ids(1, 5))}
    left = step

    async def write(work: object, *, urgent: bool = False) -> object:
        nonlocal left
        if left == 0:
            raise DatabaseUnavailable("killed")
        left -= 1
        return await Database.write(database, work, urgent=urgent)  # type: ignore[arg-type]

    both = with_ring(database, RING2)
    with monkeypatch.context() as killing:
        killing.setattr(database, "write", write)
        if step < 4:
            with pytest.raises(DatabaseUnavailable):
                await both.rewrap()
        else:
            await both.rewrap()
    assert {name: await both.token_key(name) for name in keys} == keys
    assert (await both.rewrap()).count == max(0, 5 - 2 * max(0, step - 1))
    assert {name: await with_ring(database, ONLY_2).token_key(name) for name in keys} == keys


async def test_a_keys_id_stays_when_the_key_is_gone(database: Database) -> None:
    keys = with_ring(database, RING)
    named = key_id(await keys.token_key(W1))
    assert await keys.find_by_key_id(named) == (W1,)
    assert await keys.find_by_key_id(named[::-1]) == ()
    for _ in range(2):
        assert await keys.destroy(W1) == named
        assert await keys.find_by_key_id(named) == (W1,)
    assert await keys.destroy(W2) is None
    assert await keys.destroy(WarrantId("W-never")) is None


async def test_several_keys_may_have_one_id(database: Database) -> None:
    keys = with_ring(database, RING)
    named = key_id(await keys.token_key(W2))
    await keys.token_key(W1)
    same = update(token_keys).values(key_id=named)
    await database.write(lambda it: it.execute(same).rowcount)
    assert await keys.find_by_key_id(named) == (W1, W2)


def owed_entries(connection: Connection) -> list[tuple[EntryType, object, WarrantId | None]]:
    rows = connection.execute(select(owed.c.entry).order_by(owed.c.sequence)).scalars()
    found = [decode_owed(bytes(row)) for row in rows]
    return [(e.type, e.public, e.warrant) for e in found if e.type is EntryType.KEY]


async def test_the_ledger_is_owed_what_was_made_and_destroyed_once(database: Database) -> None:
    keys = with_ring(database, RING)
    both = await asyncio.gather(*(keys.token_key(W1) for _ in range(5)))
    await keys.destroy(W1)
    await keys.destroy(W1)
    await keys.destroy(W2)
    await keys.destroy(WarrantId("W-never"))
    said = {"kind": "token", "version": None, "key_id": key_id(both[0]), "public_key": None}
    assert await database.read(owed_entries) == [
        (EntryType.KEY, {**said, "event": "made"}, W1),
        (EntryType.KEY, {**said, "event": "destroyed"}, W1),
    ]


async def test_a_key_that_is_not_kept_is_not_owed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise DatabaseUnavailable("killed")

    keys = with_ring(database, RING)
    with monkeypatch.context() as killing:
        killing.setattr(module, "owe", fail)
        with pytest.raises(DatabaseUnavailable):
            await keys.token_key(W1)
    count = select(func.count()).select_from(token_keys)
    assert await database.read(lambda it: it.execute(count).scalar_one()) == 0
    key = await keys.token_key(W1)
    with monkeypatch.context() as killing:
        killing.setattr(module, "owe", fail)
        with pytest.raises(DatabaseUnavailable):
            await keys.destroy(W1)
    assert await keys.token_key(W1) == key


def ids(first: int, last: int) -> list[str]:
    return [f"W-{number}" for number in range(first, last + 1)]
