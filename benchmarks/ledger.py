"""The price of the ledger: the same proxy with the durable ledger and with its twin in memory.

Each runs in a process of its own, before one store, with one registry and one set of token keys of
its own in SQLite; nothing but the ledger is another. They are loaded in turn, and what counts is
the median of the ratios: `python -m benchmarks.ledger [--rounds N] [--json FILE]`.
"""

import argparse
import asyncio
import dataclasses
import json
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from typing import Final, Self

from benchmarks.load import requests_per_s
from benchmarks.store import start
from tests.proxy.plane import ACCOUNT, ALICE, RING, VALID, WARRANT, change, plane
from tests.proxy.served import request, served
from tests.warrants import approved
from withhold.adapters.database import Database
from withhold.adapters.ledger import SqlLedger
from withhold.adapters.registry import SqlRegistry
from withhold.adapters.standing import Standing
from withhold.adapters.store_http import HttpStore
from withhold.adapters.token_keys import SqlTokenKeys
from withhold.adapters.upkeep import Upkeep
from withhold.deployment.model import Limits
from withhold.names import State, WarrantId
from withhold.ports import Registered
from withhold.proxy.app import data_plane
from withhold.proxy.closings import Closings
from withhold.wiring import make_receipt_id

CONNECTIONS: Final = 32
SECONDS: Final = 2.0
ROUNDS: Final = 7
LEDGERS: Final = ("durable", "memory")
# 1 KB: what the account holds beside what is covered.
BODY: Final = json.dumps(
    {**ACCOUNT, **{f"member_{i}": "x" * 24 for i in range(19)}, "z": "y" * 80}
).encode()
REQUEST: Final = request(f"/stores/shop/v1/accounts/{ALICE}")


def measure(rounds: int) -> dict[str, float]:
    """Give requests per second with each ledger, and durable's share of memory's."""
    with ExitStack() as stack:
        ports = {name: stack.enter_context(_Process(name)).port for name in LEDGERS}
        turns: dict[str, list[float]] = {name: [] for name in LEDGERS}
        asyncio.run(_load(ports, turns, rounds))
    ratios = [d / m for d, m in zip(turns["durable"], turns["memory"], strict=True)]
    return {
        **{name: round(statistics.median(each)) for name, each in turns.items()},
        "share": round(statistics.median(ratios), 3),
    }


async def _load(ports: dict[str, int], turns: dict[str, list[float]], rounds: int) -> None:
    for port in ports.values():
        await requests_per_s(port, REQUEST, CONNECTIONS, SECONDS / 2)  # warm
    order = cycle([LEDGERS, tuple(reversed(LEDGERS))])
    for _ in range(rounds):
        for name in next(order):
            found = await requests_per_s(ports[name], REQUEST, CONNECTIONS, SECONDS)
            turns[name].append(found)


class _Process:
    """One proxy, in a process of its own."""

    def __init__(self, ledger: str) -> None:
        command = [sys.executable, "-m", "benchmarks.ledger", "--serve", ledger]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        if self._process.stdout is None:
            raise RuntimeError
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # the end of its input ends it


async def _serve(ledger: str, folder: Path) -> None:
    """Serve the proxy with this ledger until the input ends; prints the port."""
    store, port = await start(BODY)
    http = HttpStore(f"http://127.0.0.1:{port}", {}, Limits())
    database = Database(f"sqlite:///{folder / 'withhold.db'}")
    registry = SqlRegistry(database)
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
        kept = SqlLedger(database) if ledger == "durable" else it.parts.ledger
        parts = dataclasses.replace(
            it.parts,
            registry=registry,
            standing=standing,
            ledger=kept,
            closings=Closings(kept),
            token_keys=SqlTokenKeys(database, lambda: RING),
            new_receipt_id=make_receipt_id,
        )
        upkeep = Upkeep([kept.settle])
        await upkeep.start()
        async with served(data_plane(parts)) as at:
            print(at.port, flush=True)
            await asyncio.to_thread(sys.stdin.read)
        await parts.closings.drain()
        await upkeep.close()
        standing.close()
    store.close()
    database.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledger", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    parser.add_argument("--serve", choices=LEDGERS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(_serve(arguments.serve, Path(folder)))
        return
    found = measure(arguments.rounds)
    print(
        f"1 KB, {CONNECTIONS} connections: {found['durable']} requests/s with the durable ledger, "
        f"{found['memory']} with its twin in memory: {found['share']:.1%} of it"
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
