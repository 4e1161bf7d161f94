"""`withhold serve` as a process: one worker or several, from its start to its end."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.running import Running, starter
from withhold.adapters.keyfiles import load_signer_key
from withhold.clock import read_clock
from withhold.demo.people import ALICE
from withhold.demo.store import sample_store
from withhold.demo.story import EPOC, claims
from withhold.deployment.model import Limits, Listen
from withhold.serve.listener import address_of, bind
from withhold.serve.planes import serve_planes
from withhold.starter import SIGNERS
from withhold.warrant.signed import add_signature
from withhold.wiring import Plane

linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
PATH = f"/stores/sample/accounts/{ALICE}"


@asynccontextmanager
async def store(app: Starlette | None = None) -> AsyncIterator[str]:
    """A store on a free port: the sample store, unless another is given."""
    bound = bind(Listen("127.0.0.1", 0))
    url = f"http://{address_of(bound)}"
    stop, ready = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(
        serve_planes(
            {Plane.DATA: app or sample_store()},
            {Plane.DATA: bound},
            Limits(),
            stop,
            drain_s=1,
            ready=ready.set,
        )
    )
    await ready.wait()
    try:
        yield url
    finally:
        stop.set()
        await serving


def header(running: Running, caller: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {running.starter.tokens[caller].read_text().strip()}"}


async def register(running: Running) -> None:
    """Register a warrant with all its signatures."""
    document = json.dumps(claims(EPOC)).encode()
    for name, _, role in SIGNERS[:2]:
        key = load_signer_key(running.starter.signers[name])
        document = add_signature(
            document,
            key,
            key_id=name,
            role=role,
            deployment="example-test",
            signed_at=read_clock(),
        )
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(
            f"{running.urls['control']}/warrants",
            content=document,
            headers=header(running, "operator"),
        )
    assert answer.status_code == 201, answer.text


async def disclose(running: Running) -> httpx.Response:
    """Ask on a connection of its own, until the node that answers has heard of the warrant."""
    headers = {**header(running, "disclosure-service"), "Withhold-Warrant": EPOC.id}
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        while True:
            answer = await client.get(f"{running.urls['data']}{PATH}", headers=headers)
            if answer.status_code != 403:
                return answer


async def is_healthy(running: Running) -> bool:
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            answer = await client.get(f"{running.urls['control']}/healthz")
        except httpx.TransportError:
            return False
    return answer.status_code == 200


async def metrics(
    running: Running, plane: str = "data", caller: str | None = None
) -> dict[str, float]:
    headers = header(running, caller) if caller else {}
    async with httpx.AsyncClient(trust_env=False) as client:
        text = (await client.get(f"{running.urls[plane]}/metrics", headers=headers)).text
    pairs = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_one_process_serves_both_planes(tmp_path: Path, number: signal.Signals) -> None:
    async with store() as url:
        with Running(starter(tmp_path / "made", {"sample": url})) as running:
            await register(running)
            answer = await disclose(running)
            assert (answer.status_code, answer.json()["account_id"]) == (200, ALICE)
            assert "server" not in answer.headers
            counts = await metrics(running)
            assert counts['withhold_requests_total{code="disclosed"}'] == 1
            assert await asyncio.to_thread(running.stop, number) == 0
    assert running.lines[-1]["event"] == "stopped"
    text = json.dumps(running.lines)
    assert ALICE not in text
    assert "Archer" not in text
    assert all(line["event"] != "raw" for line in running.lines)


async def test_several_processes_share_the_work(tmp_path: Path) -> None:
    async with store() as url:
        with Running(starter(tmp_path / "made", {"sample": url}), workers=2) as running:
            await register(running)
            for _ in range(8):
                assert (await disclose(running)).status_code == 200
            counts = await metrics(running)
            assert counts['withhold_requests_total{code="disclosed"}'] == 8
            status = await asyncio.to_thread(running.command, "status")
            assert status.code == 0, status.out
            assert await asyncio.to_thread(running.stop) == 0


@pytest.mark.parametrize("workers", [1, 2])
async def test_what_was_withheld_is_counted_for_who_operates(tmp_path: Path, workers: int) -> None:
    async def malformed(_request: Request) -> Response:
        body = {"account_id": ALICE, "two_factor": "canary"}
        return Response(json.dumps(body), media_type="application/json")

    app = Starlette(routes=[Route("/accounts/{account}", malformed)])
    async with store(app) as url:
        made = starter(tmp_path / "made", {"sample": url})
        with Running(made, workers=workers) as running:
            await register(running)
            for _ in range(4):
                assert (await disclose(running)).json() == {"account_id": ALICE}
            name = (
                'withhold_withheld_total{place="$.two_factor",reason="malformed",'
                'resource="sample/account"}'
            )
            for caller in ("operator", "auditor"):
                assert (await metrics(running, caller=caller))[name] == 4
            for who in (None, "disclosure-service"):
                counts = await metrics(running, caller=who)
                assert counts['withhold_requests_total{code="disclosed"}'] == 4
                assert not any("withhold_withheld" in each for each in counts)
            # The other plane counts nothing of this one, whoever asks.
            others = await metrics(running, "control", "operator")
            assert others
            assert not any(each.startswith("withhold_") for each in others)
            assert await asyncio.to_thread(running.stop) == 0


@linux
async def test_a_worker_that_dies_is_started_anew(tmp_path: Path) -> None:
    async with store() as url:
        with Running(starter(tmp_path / "made", {"sample": url}), workers=2) as running:
            await register(running)
            workers = children(running.process.pid)
            assert len(workers) == 3
            for pid in workers:
                os.kill(pid, signal.SIGKILL)
            for _ in workers:
                await asyncio.to_thread(running.wait_for, "ready")
            assert (await disclose(running)).status_code == 200
            assert await asyncio.to_thread(running.stop) == 0
            await asyncio.to_thread(running.wait_for_silence)


def test_workers_end_with_their_supervisor(tmp_path: Path) -> None:
    with Running(starter(tmp_path / "made"), workers=2) as running:
        running.process.kill()
        running.wait_for_silence()


async def test_what_is_under_way_is_answered_before_the_end(tmp_path: Path) -> None:
    asked, answers = asyncio.Event(), asyncio.Event()

    async def slow(_request: Request) -> Response:
        asked.set()
        await answers.wait()
        return Response(json.dumps({"account_id": ALICE}), media_type="application/json")

    app = Starlette(routes=[Route("/accounts/{account}", slow)])
    async with store(app) as url:
        with Running(starter(tmp_path / "made", {"sample": url})) as running:
            await register(running)
            asking = asyncio.create_task(disclose(running))
            await asked.wait()
            running.process.send_signal(signal.SIGTERM)
            # Told to stop: it accepts nobody new, and has not forgotten whom it was answering.
            while await is_healthy(running):
                pass
            answers.set()
            assert (await asking).json() == {"account_id": ALICE}
            assert await asyncio.to_thread(running.stop) == 0


def children(pid: int) -> list[int]:
    """Give the processes that a process has started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(status.parent.name))
    return found


def test_refuses_to_start_where_an_address_is_taken(tmp_path: Path) -> None:
    with Running(starter(tmp_path / "made")) as running:
        done = subprocess.run(
            [sys.executable, "-m", "withhold", "serve", "-c", str(running.starter.file)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 3
    assert "error: can't listen on `127.0.0.1`" in done.stderr
