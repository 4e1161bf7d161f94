"""`withhold serve` as processes that a test may end, starve and start again on the same folder."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.faults.asking import Connection, Heard, connected
from tests.faults.store import SMALL
from tests.running import Done, run
from withhold.adapters.keyfiles import load_signer_key
from withhold.clock import read_clock
from withhold.demo.story import SEARCH, Order, claims
from withhold.starter import SIGNERS, Starter
from withhold.warrant.signed import add_signature

START_S = 60.0
END_S = 30.0
TRIES = 5


class Service:
    """One deployment, and its processes while it runs. Of one event loop."""

    def __init__(self, made: Starter, *, workers: int = 1) -> None:
        self.starter = made
        self.workers = workers
        self.process: asyncio.subprocess.Process | None = None
        self.listening, self.ready = asyncio.Event(), asyncio.Event()
        self.lines: list[dict[str, Any]] = []  # what it logged since it was last started
        self.ports: dict[str, int] = {}
        self._reading: asyncio.Task[None] | None = None

    @property
    def database(self) -> Path:
        """The database's file."""
        return self.starter.file.parent / "var" / "withhold.db"

    def token(self, caller: str) -> str:
        """Give a caller's token."""
        return self.starter.tokens[caller].read_text().strip()

    def caller(self) -> contextlib.AbstractContextManager[Connection]:
        """Connect as the disclosure service."""
        return connected(self.ports["data"], self.token("disclosure-service"))

    async def launch(self) -> None:
        """Start it. It may end at any moment, and be ready or not."""
        self.lines.clear()
        self.listening.clear()
        self.ready.clear()
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "withhold", "serve"),
            *("-c", str(self.starter.file), "--workers", str(self.workers)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # a group of its own, so that all of it can be killed at once
        )
        self._reading = asyncio.create_task(self._read(self.process))

    async def start(self) -> None:
        """Start it, and wait until it is ready."""
        for _ in range(TRIES):
            await self.launch()
            if await self.is_ready():
                return
            # While it was down, somebody's connection may have been given the port.
            assert "can't listen" in str(self.lines), self.lines
        raise AssertionError(self.lines)

    async def is_ready(self) -> bool:
        """Wait until it is ready, or has ended."""
        assert self._reading is not None
        ready = asyncio.ensure_future(self.ready.wait())
        either: set[asyncio.Future[Any]] = {ready, self._reading}
        done, _ = await asyncio.wait(either, timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        assert done, "neither ready nor ended"
        return self.ready.is_set()

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and wait until all of it has ended. Gives the exit code."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            if number is signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)
        return await self.ended()

    async def ended(self, within_s: float = END_S) -> int:
        """Wait until it has ended, with all that it started. Gives the exit code."""
        assert self.process is not None
        assert self._reading is not None
        async with asyncio.timeout(within_s):
            code = await self.process.wait()
            await self._reading
        self.process = None
        return code

    async def close(self) -> None:
        """Leave nothing behind."""
        if self.process is not None:
            await self.end(signal.SIGKILL)

    async def control(
        self, method: str, path: str, body: bytes = b"", caller: str = "operator"
    ) -> Heard | None:
        """Ask the control plane."""
        with connected(self.ports["control"], self.token(caller)) as connection:
            return await connection.ask(method, path, body)

    async def command(self, *words: str) -> Done:
        """Run a command of the command line against it."""
        return await asyncio.to_thread(
            run,
            *words,
            cwd=self.starter.folder,
            url=f"http://127.0.0.1:{self.ports['control']}",
            token=self.starter.tokens["operator"],
        )

    async def register(self, warrant: str, order: Order = SEARCH) -> Heard | None:
        """Register a warrant with all its signatures."""
        return await self.control("POST", "/warrants", self.document(warrant, order))

    def document(self, warrant: str, order: Order = SEARCH) -> bytes:
        """Sign a warrant as everybody must."""
        document = json.dumps({**claims(order), "id": warrant}).encode()
        for name, _, role in SIGNERS[: 1 + len(order.approvers)]:
            document = add_signature(
                document,
                load_signer_key(self.starter.signers[name]),
                key_id=name,
                role=role,
                deployment="example-test",
                signed_at=read_clock(),
            )
        return document

    async def grant(self, *warrants: str, order: Order = SEARCH) -> None:
        """Register warrants, and wait until the node that answers has heard of them."""
        for warrant in warrants:
            answer = await self.register(warrant, order)
            assert answer is not None
            assert answer.status == 201, answer.body
        with self.caller() as connection:
            for warrant in warrants:
                while (await ask_small(connection, warrant)).status == 403:
                    pass

    def events(self) -> Counter[str]:
        """Count what it logged since it was last started."""
        return Counter(line["event"] for line in self.lines)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for text in process.stderr:
            try:
                line = json.loads(text)
            except ValueError:
                line = {"event": "raw", "text": text.decode(errors="replace")}
            if line["event"] != "request":
                self.lines.append(line)
            if line["event"] == "listening":
                self.ports[line["plane"]] = int(line["address"].rpartition(":")[2])
                if len(self.ports) == 2:
                    self.listening.set()
            if self.events()["ready"] == (1 if self.workers == 1 else self.workers + 1):
                self.ready.set()


async def ask_small(connection: Connection, warrant: str) -> Heard:
    """Ask for something small. There is an answer."""
    heard = await connection.get(SMALL, warrant)
    assert heard is not None
    assert heard.is_whole
    return heard


def codes(heard: Sequence[Heard | None]) -> Counter[str]:
    """Count what was answered: `disclosed`, the code of a problem, or `nothing`."""
    return Counter(
        "nothing" if each is None else each.code or "disclosed" if each.is_whole else "broken"
        for each in heard
    )
