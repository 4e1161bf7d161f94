"""Wiring: from a deployment to the objects that serve it. Plain constructors, each part made once.

What can be wrong with configuration, keys, secrets or database is wrong here, before a socket
answers. Whatever was opened is closed in reverse, also when a later step fails.
"""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final

import httpx
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.types import ASGIApp

import withhold
from withhold import config
from withhold.adapters.cache_memory import MemoryCache
from withhold.adapters.cache_redis import RedisCache
from withhold.adapters.database import Database
from withhold.adapters.freezes import make_folder
from withhold.adapters.ledger import SqlLedger
from withhold.adapters.registry import SqlRegistry
from withhold.adapters.standing import Standing
from withhold.adapters.store_http import HttpStore
from withhold.adapters.token_keys import SqlTokenKeys
from withhold.bundle import Bundle
from withhold.clock import read_clock
from withhold.control.app import ControlParts, Probe, control_plane
from withhold.control.warrants import Office
from withhold.deployment.model import Deployment, Secret
from withhold.keyring import KeyRing
from withhold.ports import Cache
from withhold.proxy.app import data_plane
from withhold.proxy.parts import Parts
from withhold.receipt import ReceiptId

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
    keys: KeyRing
    database: Database
    registry: SqlRegistry
    token_keys: SqlTokenKeys


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
    keys = config.read_keys(deployment)
    url = _value(deployment.database_url)
    # Its constructor connects and makes tables, so it is not for the event loop.
    database = await asyncio.to_thread(Database, url)
    stack.push_async_callback(asyncio.to_thread, database.close)
    return _Shared(
        deployment,
        bundle,
        files,
        keys,
        database,
        SqlRegistry(database),
        SqlTokenKeys(database, keys),
    )


async def _data_parts(shared: _Shared, stack: AsyncExitStack) -> Parts:
    deployment = shared.deployment
    stores = {}
    for name, entry in deployment.stores.items():
        headers = {header: config.read_secret(each) for header, each in entry.headers.items()}
        stores[name] = HttpStore(entry.base_url, headers, deployment.limits)
        stack.push_async_callback(stores[name].aclose)
    folder = config.freezes_folder(deployment)
    make_folder(folder)
    standing = Standing(shared.registry.changes_now, folder)
    await asyncio.to_thread(standing.start)
    stack.push_async_callback(asyncio.to_thread, standing.close)
    return Parts(
        deployment=deployment.deployment,
        software=SOFTWARE,
        limits=deployment.limits,
        callers=deployment.callers,
        signers=lambda: deployment.signers,
        bundle=lambda: shared.bundle,
        registry=shared.registry,
        standing=standing,
        ledger=SqlLedger(shared.database),
        token_keys=shared.token_keys,
        cache=await _cache(deployment, stack),
        cache_key=shared.keys.cache_key,
        stores=stores,
        now=read_clock,
        new_receipt_id=make_receipt_id,
    )


def _control_parts(shared: _Shared, stack: AsyncExitStack) -> ControlParts:
    deployment = shared.deployment
    folder = config.freezes_folder(deployment)
    make_folder(folder)
    return ControlParts(
        office=Office(
            shared.registry,
            shared.bundle,
            deployment.signers,
            [caller.name for caller in deployment.callers],
            deployment.deployment,
        ),
        callers=deployment.callers,
        files=shared.files,
        stores=frozenset(deployment.stores),
        software=SOFTWARE,
        probes=_probes(deployment, stack),
        destroy_key=shared.token_keys.destroy,
        freezes=folder,
        metrics=lambda: (generate_latest(REGISTRY), CONTENT_TYPE_PLAIN_0_0_4),
    )


async def _cache(deployment: Deployment, stack: AsyncExitStack) -> Cache:
    if deployment.redis_url is None:
        return MemoryCache()
    cache = RedisCache(_value(deployment.redis_url))
    stack.push_async_callback(cache.close)
    await cache.warm()
    return cache


def _probes(deployment: Deployment, stack: AsyncExitStack) -> Mapping[str, Probe]:
    """Give what `status` looks at beside the database."""
    client = httpx.AsyncClient(timeout=PROBE_S, trust_env=False)
    stack.push_async_callback(client.aclose)
    probes: dict[str, Probe] = {"data plane": partial(_probe_data_plane, client, deployment)}
    if deployment.redis_url is not None:
        cache = RedisCache(_value(deployment.redis_url))
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


def make_receipt_id() -> ReceiptId:
    """Make an id that nobody can guess: 128 random bits."""
    text = base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()
    return ReceiptId(f"R-{text}")


def _value(reference: Secret | str) -> str:
    return config.read_secret(reference) if isinstance(reference, Secret) else reference
