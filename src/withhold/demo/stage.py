"""The stage: a sample store and a whole Withhold before it, on free ports of this machine.

Everything is real: HTTP on sockets, keys in files, an SQLite database, the same planes that
`withhold serve` serves. It lives in a temporary folder and goes with it.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import Final

import httpx
from starlette.types import ASGIApp

from withhold import config, wiring
from withhold.adapters.keyfiles import load_signer_key, read_private
from withhold.clock import read_clock
from withhold.demo.cache import demo_redis
from withhold.demo.store import sample_store
from withhold.deployment.model import Limits, Listen
from withhold.serve.listener import address_of, bind
from withhold.serve.planes import serve_planes
from withhold.starter import SAMPLE_STORE, SIGNERS, Choices, Starter, make_starter
from withhold.warrant.signed import add_signature
from withhold.wiring import Plane

DEPLOYMENT: Final = "demo"
DRAIN_S: Final = 1.0
TIMEOUT_S: Final = 10.0
_HERE: Final = Listen("127.0.0.1", 0)


@dataclass(frozen=True)
class Stage:
    """What the demo plays on."""

    starter: Starter
    store: httpx.AsyncClient
    proxy: httpx.AsyncClient
    control: httpx.AsyncClient
    urls: Mapping[str, str]  # of the store and both planes
    redis: bool

    def sign(self, document: bytes, signer: str) -> bytes:
        """Sign a warrant, or add a signature, with a test signer's key."""
        name, _, role = next(each for each in SIGNERS if each[0] == signer)
        key = load_signer_key(self.starter.signers[name])
        return add_signature(
            document, key, key_id=name, role=role, deployment=DEPLOYMENT, signed_at=read_clock()
        )


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """Set everything up, and take it down again. Raises: WithholdError."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="withhold-demo-")))
        redis_url = await stack.enter_async_context(demo_redis(folder))
        store, data, control = (stack.enter_context(bind(_HERE)) for _ in range(3))
        urls = {
            "store": f"http://{address_of(store)}",
            "proxy": f"http://{address_of(data)}",
            "control": f"http://{address_of(control)}",
        }
        starter = make_starter(
            folder / "withhold",
            Choices(
                deployment=DEPLOYMENT,
                data_plane=address_of(data),
                control_plane=address_of(control),
                stores={SAMPLE_STORE: urls["store"]},
                redis_url=redis_url,
            ),
        )
        deployment = config.load_deployment(starter.file)
        node = await stack.enter_async_context(wiring.node(deployment))
        await _serve(stack, {Plane.DATA: sample_store()}, {Plane.DATA: store})
        await _serve(stack, node.apps, {Plane.DATA: data, Plane.CONTROL: control})
        clients = [
            await stack.enter_async_context(client)
            for client in (
                _client(urls["store"]),
                _client(urls["proxy"], starter.tokens["disclosure-service"]),
                _client(urls["control"], starter.tokens["operator"]),
            )
        ]
        yield Stage(starter, clients[0], clients[1], clients[2], urls, redis_url is not None)


async def _serve(
    stack: AsyncExitStack, apps: Mapping[Plane, ASGIApp], sockets: Mapping[Plane, socket]
) -> None:
    """Serve until the stack is unwound; returns once all answer."""
    stop, ready = asyncio.Event(), asyncio.Event()
    serving = asyncio.ensure_future(
        serve_planes(apps, sockets, Limits(), stop, drain_s=DRAIN_S, ready=ready.set)
    )

    async def end() -> None:
        stop.set()
        await serving

    stack.push_async_callback(end)
    serving.add_done_callback(lambda _: ready.set())
    await ready.wait()
    if serving.done():
        await serving


def _client(url: str, token: Path | None = None) -> httpx.AsyncClient:
    headers = {}
    if token is not None:
        headers["Authorization"] = f"Bearer {read_private(token).decode().strip()}"
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=TIMEOUT_S, trust_env=False)
