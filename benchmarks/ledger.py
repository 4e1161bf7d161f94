"""The price of the ledger: the same proxy with the durable ledger and with its twin in memory.

Each runs in a process of its own, before one store, with one registry and one set of token keys of
its own in SQLite; nothing but the ledger is another. They are loaded in turn, and what counts is
the median of the ratios. `python -m benchmarks.ledger LEDGER UPSTREAM PORT` is one such process.
"""

import asyncio
import dataclasses
import json
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from typing import Final

from benchmarks.bodies import Workload
from benchmarks.effort import Effort
from benchmarks.figures import REQUESTS, Result, figure, ratio
from benchmarks.load import Request, saturate
from benchmarks.processes import Process, cores, free_port, on, started
from benchmarks.upstream import upstream
from tests.proxy.plane import ACCOUNT, ALICE, RING, TOKEN, VALID, WARRANT, change, plane
from tests.warrants import approved
from withhold.adapters.database import Database
from withhold.adapters.ledger import SqlLedger
from withhold.adapters.registry import SqlRegistry
from withhold.adapters.standing import Standing
from withhold.adapters.store_http import HttpStore
from withhold.adapters.token_keys import SqlTokenKeys
from withhold.adapters.upkeep import Upkeep
from withhold.deployment.model import Limits, Listen
from withhold.names import State, WarrantId
from withhold.ports import Registered
from withhold.proxy.app import data_plane
from withhold.proxy.closings import Closings
from withhold.serve.listener import bind
from withhold.serve.planes import serve_planes
from withhold.wiring import Plane, receipt_ids

SECTION: Final = "ledger"
DURABLE: Final = "durable ledger"
MEMORY: Final = "its twin in memory"
LEDGERS: Final = (DURABLE, MEMORY)
# 1 KB: what the account holds beside what is covered.
BODY: Final = json.dumps(
    {**ACCOUNT, **{f"member_{i}": "x" * 24 for i in range(19)}, "z": "y" * 80}
).encode()
STORED: Final = Workload("1 KB", "account", f"/v1/accounts/{ALICE}", BODY, None, ())
HEADERS: Final = {"Authorization": f"Bearer {TOKEN}", "Withhold-Warrant": WARRANT}


def measure(effort: Effort) -> Result:
    """Measure requests per second and CPU with each ledger."""
    shared = cores()
    rounds: dict[tuple[str, str], list[float]] = defaultdict(list)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="withhold-bench-")))
        port = stack.enter_context(upstream(folder / "upstream", [STORED], shared.load))
        running = {
            name: stack.enter_context(_process(name, port, folder / name, shared.proxy))
            for name in LEDGERS
        }
        stack.enter_context(on(shared.load))
        for request, _ in running.values():
            saturate(request, effort.warm_s)
        order = cycle([LEDGERS, tuple(reversed(LEDGERS))])
        for _ in range(effort.rounds):
            for name in next(order):
                request, process = running[name]
                before_s = process.cpu_s()
                load = saturate(request, effort.seconds)
                used_s = process.cpu_s() - before_s
                rounds[name, REQUESTS].append(load.requests_per_s)
                rounds[name, "CPU a request"].append(used_s / load.count * 1e6)
    units = {REQUESTS: REQUESTS, "CPU a request": "µs"}
    figures = [
        figure(SECTION, STORED.name, name, measured, units[measured], each)
        for (name, measured), each in rounds.items()
    ]
    durable, memory = rounds[DURABLE, REQUESTS], rounds[MEMORY, REQUESTS]
    shares = [ratio([d], [m]) for d, m in zip(durable, memory, strict=True)]
    figures.append(figure(SECTION, STORED.name, DURABLE, f"of {MEMORY}", "×", shares))
    return Result(tuple(figures))


@contextmanager
def _process(
    ledger: str, upstream_port: int, log: Path, chosen: frozenset[int]
) -> Iterator[tuple[Request, Process]]:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.ledger", ledger, str(upstream_port), str(port)]
    with started(command, chosen, log, port=port) as process:
        yield Request(port, f"/stores/shop{STORED.path}", HEADERS), process


async def _serve(ledger: str, upstream_port: int, port: int, folder: Path) -> None:
    """Serve the proxy with this ledger until SIGTERM."""
    http = HttpStore(f"http://127.0.0.1:{upstream_port}", {}, Limits())
    database = Database(f"sqlite:///{folder / 'withhold.db'}")
    registry = SqlRegistry(database)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with plane(folder, store=http) as it:
        document = approved(valid=VALID)
        found = await it.registry.find(WarrantId(WARRANT))
        if found is None:
            raise RuntimeError
        await registry.register(
            Registered(found.id, document, found.digest, State.ACTIVE), change()
        )
        standing = Standing(registry.changes_now, folder / "freezes")
        standing.start()
        kept = SqlLedger(database) if ledger == DURABLE else it.parts.ledger
        parts = dataclasses.replace(
            it.parts,
            registry=registry,
            standing=standing,
            ledger=kept,
            closings=Closings(kept),
            token_keys=SqlTokenKeys(database, lambda: RING),
            new_receipt_id=receipt_ids(),
        )
        upkeep = Upkeep([kept.settle])
        await upkeep.start()
        with bind(Listen("127.0.0.1", port)) as sock:
            apps = {Plane.DATA: data_plane(parts)}
            await serve_planes(apps, {Plane.DATA: sock}, Limits(), stop, drain_s=1.0)
        await parts.closings.drain()
        await upkeep.close()
        standing.close()
    database.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(_serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(scratch)))
