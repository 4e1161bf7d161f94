"""Wiring: from a deployment to the objects that serve it. Plain constructors, each part made once.

What can be wrong with configuration, keys, secrets or database is wrong here, before a socket
answers. Whatever was opened is closed in reverse, also when a later step fails.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Final

import httpx
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.types import ASGIApp

import withhold
from withhold import config
from withhold.adapters.anchor import read_anchor, write_anchor
from withhold.adapters.cache_memory import MemoryCache
from withhold.adapters.cache_redis import RedisCache
from withhold.adapters.chance import Chance
from withhold.adapters.database import Database
from withhold.adapters.entering import Found, bundle_facts, enter, key_facts, signer_facts
from withhold.adapters.freezes import make_folder
from withhold.adapters.keyfiles import KeyFolder
from withhold.adapters.ledger import SqlLedger
from withhold.adapters.pruning import Pruning
from withhold.adapters.refusals import Refusals
from withhold.adapters.registry import SqlRegistry
from withhold.adapters.standing import Standing
from withhold.adapters.store_http import HttpStore
from withhold.adapters.token_keys import SqlTokenKeys
from withhold.adapters.upkeep import Step, Upkeep
from withhold.adapters.witnessing import Witnesses
from withhold.bundle import Bundle
from withhold.clock import read_clock
from withhold.control.app import control_plane
from withhold.control.parts import ControlParts, Probe
from withhold.control.pending import Pending
from withhold.control.warrants import Office
from withhold.deployment.model import Deployment
from withhold.errors import LedgerUnavailable, WithholdError
from withhold.keyring import commit_target, ledger_keys, opens_target
from withhold.ledger.note import Signer
from withhold.ledger.receipt import ReceiptId, print_receipt_id
from withhold.names import WarrantId
from withhold.ports import Cache
from withhold.proxy.app import data_plane
from withhold.proxy.closings import Closings
from withhold.proxy.parts import Parts
from withhold.warrant.model import Target

SOFTWARE: Final = f"withhold/{withhold.__version__}"
PROBE_S: Final = 2.0

_LOOPBACK: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where "all" is reached


class Plane(StrEnum):
    """One of the two listeners."""

    DATA = "data"
    CONTROL = "control"


BOTH: Final = frozenset(Plane)


@dataclass(frozen=True)
class Node:
    """What one process serves, and what both planes of it share."""

    apps: Mapping[Plane, ASGIApp]
    bundle: Bundle


@dataclass(frozen=True)
class _Shared:
    """What both planes stand on."""

    deployment: Deployment
    bundle: Bundle
    files: Mapping[str, bytes]
    keys: KeyFolder
    database: Database
    registry: SqlRegistry
    ledger: SqlLedger
    refusals: Refusals
    token_keys: SqlTokenKeys
    pending: Pending
    people: config.People

    def commit_target(self, warrant: WarrantId, target: Target) -> str:
        """Commit to a target by the newest key."""
        return commit_target(self.keys.ring, warrant, target.kind, target.value)

    def opens_target(self, commitment: str, warrant: WarrantId, target: Target) -> bool:
        """Tell whether a commitment is to a target. Raises: KeyUnavailable."""
        return opens_target(self.keys.ring, commitment, warrant, target.kind, target.value)


@asynccontextmanager
async def node(deployment: Deployment, planes: Collection[Plane] = BOTH) -> AsyncIterator[Node]:
    """Open everything that `planes` need, and close it again.

    Raises: ConfigError, KeyUnavailable, DatabaseUnavailable.
    """
    async with AsyncExitStack() as stack:
        shared = await _open_shared(deployment, stack)
        apps: dict[Plane, ASGIApp] = {}
        if Plane.DATA in planes:
            apps[Plane.DATA] = data_plane(await _data_parts(shared, stack))
        if Plane.CONTROL in planes:
            apps[Plane.CONTROL] = control_plane(_control_parts(shared, stack))
        yield Node(apps, shared.bundle)


async def check(deployment: Deployment) -> None:
    """Open everything once, to find what is wrong before anything is served. Raises: as `node`."""
    async with node(deployment):
        pass


async def _open_shared(deployment: Deployment, stack: AsyncExitStack) -> _Shared:
    files = config.read_bundle(deployment.file.parent)
    bundle = config.parse_files(deployment.file.parent, files)
    keys = config.open_keys(deployment)
    url = config.read_reference(deployment.database_url)
    # Its constructor connects and makes tables, so it is not for the event loop.
    database = await asyncio.to_thread(Database, url)
    stack.push_async_callback(asyncio.to_thread, database.close)
    anchor = config.anchor_file(deployment)
    ledger = SqlLedger(database, seen=await asyncio.to_thread(read_anchor, anchor))
    await ledger.check()
    shared = _Shared(
        deployment,
        bundle,
        files,
        keys,
        database,
        SqlRegistry(database),
        ledger,
        Refusals(ledger, read_clock),
        SqlTokenKeys(database, lambda: keys.ring, keys.reload),
        Pending(),
        config.People(deployment),
    )
    await enter(database, Found.BUNDLE, bundle_facts(bundle.digest, SOFTWARE))
    stack.push_async_callback(_leave, ledger, anchor)
    upkeep = Upkeep(_upkeep(shared, anchor))
    await upkeep.start()
    stack.push_async_callback(upkeep.close)
    stack.push_async_callback(shared.pending.close)
    return shared


def _upkeep(shared: _Shared, anchor: Path) -> Sequence[Step]:
    """Give what is done every second. The order counts: what is flushed is then settled."""
    said: dict[Found, object] = {}  # what was found when it was last entered

    async def say_keys() -> None:
        ring = shared.keys.ring
        if said.get(Found.KEY) is not ring:
            facts = key_facts(ring, shared.deployment.ledger_origin)
            await enter(shared.database, Found.KEY, facts)
            said[Found.KEY] = ring

    async def say_signers() -> None:
        await asyncio.to_thread(shared.people.look)
        signers = shared.people.signers
        if said.get(Found.SIGNER) is not signers:
            await enter(shared.database, Found.SIGNER, signer_facts(signers))
            said[Found.SIGNER] = signers

    async def note_anchor() -> None:
        await asyncio.to_thread(write_anchor, anchor, shared.ledger.seen)

    return (shared.refusals.flush, say_keys, say_signers, shared.ledger.settle, note_anchor)


async def _leave(ledger: SqlLedger, anchor: Path) -> None:
    with suppress(WithholdError):  # then another node closes what this one left
        await ledger.leave()
        await asyncio.to_thread(write_anchor, anchor, ledger.seen)


async def _data_parts(shared: _Shared, stack: AsyncExitStack) -> Parts:
    deployment, people = shared.deployment, shared.people
    stores = {}
    for name, entry in deployment.stores.items():
        headers = {header: config.read_secret(each) for header, each in entry.headers.items()}
        stores[name] = HttpStore(entry.base_url, headers, deployment.limits)
        stack.push_async_callback(stores[name].aclose)
    folder = config.freezes_folder(deployment)
    make_folder(folder)
    pending = shared.pending
    standing = Standing(
        shared.registry.changes_now,
        folder,
        ended=lambda: pending.ended,
        frozen=lambda: pending.frozen,
    )
    await asyncio.to_thread(standing.start)
    stack.push_async_callback(asyncio.to_thread, standing.close)
    closings = Closings(shared.ledger)
    stack.push_async_callback(closings.drain)
    return Parts(
        deployment=deployment.deployment,
        software=SOFTWARE,
        limits=deployment.limits,
        callers=lambda: people.callers,
        signers=lambda: people.signers,
        bundle=lambda: shared.bundle,
        registry=shared.registry,
        standing=standing,
        ledger=shared.ledger,
        closings=closings,
        refusals=shared.refusals,
        ring=lambda: shared.keys.ring,
        token_keys=shared.token_keys,
        cache=await _cache(deployment, stack),
        stores=stores,
        now=read_clock,
        new_receipt_id=receipt_ids(),
        new_request_id=request_ids(),
    )


def _control_parts(shared: _Shared, stack: AsyncExitStack) -> ControlParts:
    deployment, people = shared.deployment, shared.people

    def log_signers() -> Sequence[Signer]:
        keys = ledger_keys(shared.keys.ring).values()
        return [Signer(deployment.ledger_origin, key) for key in keys]

    probes = {**_probes(shared, stack), **_begin_witnessing(shared, log_signers, stack)}
    folder = config.freezes_folder(deployment)
    make_folder(folder)
    return ControlParts(
        office=Office(
            shared.registry,
            shared.bundle,
            lambda: people.signers,
            lambda: [caller.name for caller in people.callers],
            deployment.deployment,
            shared.commit_target,
            shared.pending,
        ),
        callers=lambda: people.callers,
        files=shared.files,
        stores=frozenset(deployment.stores),
        software=SOFTWARE,
        probes=probes,
        destroy_key=shared.token_keys.destroy,
        ledger=shared.ledger,
        origin=deployment.ledger_origin,
        log_signers=log_signers,
        opens_target=shared.opens_target,
        refused=shared.refusals.note,
        now=read_clock,
        freezes=folder,
        metrics=lambda: (generate_latest(REGISTRY), CONTENT_TYPE_PLAIN_0_0_4),
        pruning=Pruning(shared.database, deployment.retention.least_days),
    )


def _begin_witnessing(
    shared: _Shared, signers: Callable[[], Sequence[Signer]], stack: AsyncExitStack
) -> Mapping[str, Probe]:
    """Have the deployment's witnesses sign the log, now and then; gives what `status` looks at."""
    entries = shared.deployment.witnesses
    if not entries:
        return {}
    witnesses = Witnesses(entries, shared.ledger, shared.deployment.ledger_origin, signers)
    stack.push_async_callback(witnesses.aclose)
    asking = Upkeep([witnesses.ask])  # of its own: what is not answered keeps nobody waiting
    asking.begin()
    stack.push_async_callback(asking.stop)
    return {"witnesses": witnesses.probe}


async def _cache(deployment: Deployment, stack: AsyncExitStack) -> Cache:
    if deployment.redis_url is None:
        return MemoryCache()
    cache = RedisCache(config.read_reference(deployment.redis_url))
    stack.push_async_callback(cache.close)
    await cache.warm()
    return cache


def _probes(shared: _Shared, stack: AsyncExitStack) -> Mapping[str, Probe]:
    """Give what `status` looks at beside the database."""
    deployment = shared.deployment
    client = httpx.AsyncClient(timeout=PROBE_S, trust_env=False)
    stack.push_async_callback(client.aclose)
    probes: dict[str, Probe] = {
        "data plane": partial(_probe_data_plane, client, deployment),
        "ledger": partial(_probe_ledger, shared.ledger),
    }
    if deployment.redis_url is not None:
        cache = RedisCache(config.read_reference(deployment.redis_url))
        stack.push_async_callback(cache.close)
        probes["redis"] = cache.probe
    return probes


async def _probe_data_plane(client: httpx.AsyncClient, deployment: Deployment) -> str:
    """Ask the data plane whether a disclosure could succeed now."""
    host, port = deployment.data_plane.host, deployment.data_plane.port
    host = _LOOPBACK.get(host, host)
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/readyz"
    try:
        found = (await client.get(url)).json()
    except (httpx.HTTPError, ValueError):
        return "does not answer"
    missing = [str(name) for name, holds in dict(found).items() if not holds and name != "ready"]
    return f"not ready: {', '.join(missing)}" if missing else "ok"


async def _probe_ledger(ledger: SqlLedger) -> str:
    """Ask whether the log is a continuation of what was seen of it."""
    try:
        await ledger.check()
    except LedgerUnavailable as error:
        return error.message
    return "ok"


def receipt_ids() -> Callable[[], ReceiptId]:
    """Give what makes ids that nobody can guess: 128 random bits."""
    chance = Chance(16)
    return lambda: print_receipt_id(chance())


def request_ids() -> Callable[[], str]:
    """Give what makes the ids of requests, as the log names them."""
    chance = Chance(8)
    return lambda: chance().hex()
