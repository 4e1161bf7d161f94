"""What is wrong is found before anything is served, and whatever was opened is closed."""

import asyncio
import base64
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.running import Running, starter
from tests.serve.test_serve import PATH, disclose, header, register, store
from tests.servers import RedisServer
from tests.warrants import pen
from withhold import config
from withhold.adapters.anchor import read_anchor
from withhold.adapters.database import Database
from withhold.adapters.ledger import SqlLedger
from withhold.adapters.registry import SqlRegistry
from withhold.adapters.upkeep import UPKEEP_S
from withhold.control.entries import Act, entry_of_freeze
from withhold.demo.story import EPOC
from withhold.deployment.model import Deployment, Secret, StoreEntry
from withhold.errors import (
    BadRequest,
    ConfigError,
    DatabaseUnavailable,
    KeyUnavailable,
    LedgerUnavailable,
)
from withhold.keyring import token_digest
from withhold.kinds.instant import Instant
from withhold.ledger.entry import Json, read_public
from withhold.ledger.receipt import ReceiptId, handle_of
from withhold.names import CallerName, Role, SignerRole, StoreName
from withhold.ports import Freeze
from withhold.starter import caller_block, signer_block
from withhold.wiring import Plane, check, node, receipt_ids


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
    make = receipt_ids()
    ids = {make() for _ in range(600)}
    assert len(ids) == 600
    assert all(re.fullmatch(r"R-[a-z2-7]{26}", each) for each in ids)


# --- The ledger ----------------------------------------------------------------------------------


def file_of(deployment: Deployment) -> Path:
    return Path(str(deployment.database_url).removeprefix("sqlite:///"))


@contextmanager
def opened(deployment: Deployment) -> Iterator[Database]:
    """The node's database, while the node is not there."""
    database = Database(str(deployment.database_url))
    try:
        yield database
    finally:
        database.close()


async def entries(deployment: Deployment) -> list[dict[str, Json]]:
    """Give the public parts of all that is in the log."""
    with opened(deployment) as database:
        ledger = SqlLedger(database)
        found: list[dict[str, Json]] = []
        while page := await ledger.read(len(found), 1_000):
            found += [read_public(each.public or b"") for each in page]
        return found


def rows(deployment: Deployment, table: str) -> list[Any]:
    with closing(sqlite3.connect(file_of(deployment))) as connection:
        return connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - ours


async def freeze(deployment: Deployment) -> None:
    """Add an entry to the log, as an operator would."""
    with opened(deployment) as database:
        act = Act(CallerName("operator"), Instant(1_795_000_000))
        entry = entry_of_freeze(act, Freeze(StoreName("sample")), frozen=True)
        await SqlRegistry(database).freeze(Freeze(StoreName("sample")), entry)


async def test_what_is_there_is_entered_once_however_often_a_node_starts(
    deployment: Deployment,
) -> None:
    for _ in range(3):
        await check(deployment)
    found = await entries(deployment)
    assert Counter((each["type"], each["event"]) for each in found) == {
        ("bundle", "loaded"): 1,
        ("signer", "added"): len(deployment.signers),
        ("key", "made"): 4,
    }
    [bundle] = [each for each in found if each["type"] == "bundle"]
    files = config.read_bundle(deployment.file.parent)
    assert bundle["digest"] == config.parse_files(deployment.file.parent, files).digest
    assert bundle["software"].startswith("withhold/")
    assert {each["kind"] for each in found if each["type"] == "key"} == {
        "encryption",
        "cache",
        "ledger",
        "commitment",
    }


async def test_another_bundle_is_entered_when_it_is_served(deployment: Deployment) -> None:
    await check(deployment)
    before = await entries(deployment)
    policy = deployment.file.parent / "policy" / "more.toml"
    policy.write_text('[[rule]]\nname = "no-names"\ndata = "user.name"\ntreatment = "withhold"\n')
    for test in sorted(policy.parent.glob("*.toml")):  # they say what the other bundle discloses
        text = test.read_text()
        test.write_text(text.partition("[[test]]")[0])
    for _ in range(2):
        await check(deployment)
    [news] = (await entries(deployment))[len(before) :]
    assert (news["type"], news["event"]) == ("bundle", "loaded")
    assert news["digest"] not in {each.get("digest") for each in before}


async def test_signers_that_come_go_or_change_are_entered(deployment: Deployment) -> None:
    await check(deployment)
    before = len(await entries(deployment))
    gone, changed, *others = deployment.signers
    came = pen("approver-9", SignerRole.APPROVE, 9).signer
    signers = (*others, replace(changed, public_key=bytes(32)), came)
    for _ in range(2):
        await check(replace(deployment, signers=signers))
    news = (await entries(deployment))[before:]
    assert sorted((each["event"], each["name"]) for each in news) == sorted(
        [
            ("removed", gone.name),
            ("removed", changed.name),
            ("added", changed.name),
            ("added", came.name),
        ]
    )
    assert all("person" not in each for each in news)


async def test_a_key_that_was_made_is_entered_by_a_node_that_runs(deployment: Deployment) -> None:
    await check(deployment)
    before = len(await entries(deployment))
    async with node(deployment):
        made = deployment.keys_path / "commitment-2.key"
        shutil.copy(deployment.keys_path / "cache-1.key", made)  # with its mode
        async with asyncio.timeout(UPKEEP_S + 10):
            while len(rows(deployment, "entries")) == before:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
    [news] = (await entries(deployment))[before:]
    assert (news["kind"], news["version"]) == ("commitment", 2)


async def test_tokens_and_signers_change_while_a_node_runs(deployment: Deployment) -> None:
    await check(deployment)
    before = len(await entries(deployment))
    token = "wh_another"
    signer = pen("approver-new", SignerRole.APPROVE, 9).signer
    blocks = caller_block("another", token_digest(token), [Role.AUDIT], [])
    key = base64.b64encode(signer.public_key).decode()
    blocks += signer_block(signer.name, signer.person, signer.role, key)
    async with node(deployment) as found:
        transport = httpx.ASGITransport(found.apps[Plane.CONTROL])
        async with httpx.AsyncClient(transport=transport, base_url="http://control") as client:

            async def status() -> int:
                headers = {"Authorization": f"Bearer {token}"}
                return (await client.get("/warrants", headers=headers)).status_code

            assert await status() == 401
            text = deployment.file.read_text()
            deployment.file.write_text("\n".join([text, *blocks, ""]))
            async with asyncio.timeout(3 * UPKEEP_S + 10):
                while await status() != 200:  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0.01)
            deployment.file.write_text(text)
            async with asyncio.timeout(3 * UPKEEP_S + 10):
                while await status() != 401:  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0.01)
    news = [each for each in (await entries(deployment))[before:] if each["type"] == "signer"]
    assert [(each["event"], each["name"]) for each in news] == [
        ("added", "approver-new"),
        ("removed", "approver-new"),
    ]


async def test_a_node_that_ended_leaves_nothing_to_others(deployment: Deployment) -> None:
    async with node(deployment):
        assert len(rows(deployment, "nodes")) == 1
        await freeze(deployment)
        assert len(rows(deployment, "owed")) == 1
    assert rows(deployment, "nodes") == []
    assert rows(deployment, "owed") == []
    assert (await entries(deployment))[-1]["event"] == "frozen"


async def test_what_is_owed_is_entered_within_a_moment(deployment: Deployment) -> None:
    async with node(deployment):
        await freeze(deployment)
        async with asyncio.timeout(UPKEEP_S + 5):
            while rows(deployment, "owed"):  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
    assert [each["type"] for each in await entries(deployment)].count("freeze") == 1


async def test_a_node_notes_how_far_the_log_was(deployment: Deployment) -> None:
    anchor = config.anchor_file(deployment)
    await check(deployment)
    assert read_anchor(anchor).size == len(await entries(deployment))


@pytest.mark.parametrize("back", ["an older copy", "none", "another log"])
async def test_no_node_starts_on_a_database_that_was_set_back(
    deployment: Deployment, tmp_path: Path, back: str
) -> None:
    await check(deployment)
    file, copy = file_of(deployment), tmp_path / "copy.db"
    shutil.copy(file, copy)
    await freeze(deployment)
    await check(deployment)
    for each in file.parent.glob(f"{file.name}*"):
        each.unlink()
    if back == "an older copy":
        shutil.copy(copy, file)
    elif back == "another log":
        await check(replace(deployment, keys_path=elsewhere(deployment, tmp_path)))
        for _ in range(2):
            await freeze(deployment)
            await check(replace(deployment, keys_path=tmp_path / "elsewhere" / "keys"))
    before = file.read_bytes() if file.exists() else b""
    message = "are not what they were" if back == "another log" else "the database was set back"
    for _ in range(2):
        with pytest.raises(LedgerUnavailable, match=message):
            await check(deployment)
    if back != "none":
        assert file.read_bytes() == before  # nothing was added to it


def elsewhere(deployment: Deployment, folder: Path) -> Path:
    """The same keys on a machine that has seen nothing of the log."""
    keys = folder / "elsewhere" / "keys"
    shutil.copytree(deployment.keys_path, keys)
    return keys


async def test_a_damaged_note_is_no_empty_log(deployment: Deployment) -> None:
    await check(deployment)
    anchor = config.anchor_file(deployment)
    anchor.write_bytes(anchor.read_bytes()[:-1])
    with pytest.raises(LedgerUnavailable, match="is damaged"):
        await check(deployment)


async def test_a_log_that_is_set_back_under_a_node_is_told(
    deployment: Deployment, tmp_path: Path
) -> None:
    await check(deployment)
    copy = tmp_path / "copy.db"
    shutil.copy(file_of(deployment), copy)
    await freeze(deployment)
    await check(deployment)
    async with node(deployment, {Plane.CONTROL}) as running:
        app = running.apps[Plane.CONTROL]
        token = (deployment.file.parents[1] / "secrets" / "operator.token").read_text().strip()
        transport = httpx.ASGITransport(app)
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://control") as client:

            async def health() -> Any:  # noqa: ANN401 - JSON
                found = await client.get("/status", headers=headers)
                return found.json()["health"]["ledger"]

            assert await health() == "ok"
            with (
                closing(sqlite3.connect(copy)) as old,
                closing(sqlite3.connect(file_of(deployment))) as live,
            ):
                old.backup(live)
            assert "the database was set back" in await health()


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_node_that_is_told_to_end_under_load_owes_no_closing(
    tmp_path: Path, workers: int
) -> None:
    async with store() as url:
        made = starter(tmp_path / "made", {"sample": url})
        deployment = config.load_deployment(made.file)
        with Running(made, workers=workers) as running:
            await register(running)
            assert (await disclose(running)).status_code == 200
            got: list[str] = []
            enough = asyncio.Event()

            async def ask() -> None:
                sent = {**header(running, "disclosure-service"), "Withhold-Warrant": EPOC.id}
                async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
                    while True:
                        try:
                            answer = await client.get(f"{running.urls['data']}{PATH}", headers=sent)
                        except httpx.TransportError:
                            return  # it has ended
                        if answer.status_code == 200:
                            got.append(answer.headers["withhold-receipt"])
                        if len(got) >= 100:
                            enough.set()

            load = [asyncio.ensure_future(ask()) for _ in range(8)]
            await enough.wait()
            assert await asyncio.to_thread(running.stop) == 0
            await asyncio.gather(*load)
    found = await entries(deployment)
    released = [each["receipt"] for each in found if each["type"] == "release"]
    closed = {each["receipt"]: each["outcome"] for each in found if each["type"] == "closing"}
    assert len(set(released)) == len(released)
    assert set(closed) == set(released)
    assert {handle_of(ReceiptId(each)) for each in got} <= set(released)
    assert {closed[handle_of(ReceiptId(each))] for each in got} == {"complete"}
    assert "unknown" not in closed.values()
    assert rows(deployment, "nodes") == []
