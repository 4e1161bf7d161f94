import asyncio
import sqlite3
from pathlib import Path

import pytest

from tests.durable import RING, W1, Durable, on_database, registered
from withhold.adapters.database import Database
from withhold.adapters.token_keys import SqlTokenKeys
from withhold.errors import KeyUnavailable
from withhold.keyring import KeyRing
from withhold.names import State, WarrantId


def holds(folder: Path, secret: bytes) -> bool:
    return any(secret in file.read_bytes() for file in folder.iterdir())


async def test_a_warrants_key_is_made_once_and_its_own(durable: Durable) -> None:
    await durable.registry.register(registered())
    await durable.registry.register(registered("W-2"))
    key = await durable.token_keys.token_key(W1)
    assert len(key) == 16
    assert await durable.token_keys.token_key(W1) == key
    assert await durable.token_keys.token_key(WarrantId("W-2")) != key


async def test_all_who_ask_first_get_the_same(durable: Durable) -> None:
    await durable.registry.register(registered())
    keys = await asyncio.gather(*(durable.token_keys.token_key(W1) for _ in range(20)))
    assert len(set(keys)) == 1


async def test_no_warrant_no_key(durable: Durable) -> None:
    with pytest.raises(KeyUnavailable, match="never registered"):
        await durable.token_keys.token_key(W1)
    await durable.token_keys.destroy(W1)
    await durable.registry.register(registered())
    assert await durable.token_keys.token_key(W1)


@pytest.mark.parametrize("used", [True, False])
async def test_a_destroyed_key_is_gone_for_good(durable: Durable, used: bool) -> None:
    await durable.registry.register(registered(state=State.CLOSED))
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
    await durable.registry.register(registered())
    key = await durable.token_keys.token_key(W1)
    database.close()
    assert not holds(tmp_path, key)
    database = Database(url)
    assert await on_database(database).token_keys.token_key(W1) == key
    database.close()


async def test_a_newer_key_encryption_key_still_opens_what_an_older_one_wrapped(
    tmp_path: Path,
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'withhold.db'}")
    durable = on_database(database)
    await durable.registry.register(registered())
    key = await durable.token_keys.token_key(W1)
    newer = KeyRing(encryption={**RING.encryption, 2: b"2" * 32}, cache=RING.cache)
    assert await SqlTokenKeys(database, newer).token_key(W1) == key
    lost = KeyRing(encryption={2: b"2" * 32}, cache=RING.cache)
    with pytest.raises(KeyUnavailable, match="version 1 of the key-encryption key is missing"):
        await SqlTokenKeys(database, lost).token_key(W1)
    database.close()


async def test_a_key_that_was_moved_to_another_warrant_does_not_open(tmp_path: Path) -> None:
    path = tmp_path / "withhold.db"
    database = Database(f"sqlite:///{path}")
    durable = on_database(database)
    await durable.registry.register(registered())
    await durable.registry.register(registered("W-2"))
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
    await durable.registry.register(registered())
    await durable.token_keys.token_key(W1)
    raw = sqlite3.connect(path)
    (wrapped,) = raw.execute("SELECT wrapped FROM token_keys").fetchone()
    raw.close()
    assert holds(tmp_path, wrapped)
    await durable.token_keys.destroy(W1)
    assert not holds(tmp_path, wrapped)
    database.close()
