"""Processes: the store and the service, started for a bench and ended with it.

Each is in a session of its own, so that a Ctrl-C reaches this process alone, which then ends them.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from withhold.errors import WithholdError

START_S: Final = 60.0
STOP_S: Final = 15.0  # more than a service has to drain
_LOOK_S: Final = 0.01
_PIPE_BYTES: Final = 2**20
_SAID: Final = 8  # lines of a service that did not start
_PROC: Final = Path("/proc")


class DidNotStart(WithholdError):
    """A process that the bench needs ended at once, or did not say that it is ready."""


@dataclass(frozen=True)
class Effort:
    """What a group of processes has taken so far."""

    cpu_s: float
    memory_bytes: int  # resident, now


@dataclass(frozen=True)
class Service:
    """A `withhold serve` that is ready."""

    process: asyncio.subprocess.Process
    addresses: Mapping[str, tuple[str, int]]  # by plane

    def effort(self) -> Effort | None:
        """Measure it and its workers; None where there is no /proc."""
        return effort_of(self.process.pid)


@asynccontextmanager
async def store(folder: Path) -> AsyncIterator[int]:
    """Run a store that answers what is in `folder`, and give its port. Raises: DidNotStart."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "withhold.bench.store", str(folder)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        line = b""
        if process.stdout is not None:
            with contextlib.suppress(TimeoutError):
                line = await asyncio.wait_for(process.stdout.readline(), START_S)
        if not line.strip().isdigit():
            raise DidNotStart("the synthetic store did not start")
        yield int(line)
    finally:
        await _end(process)


@asynccontextmanager
async def service(file: Path, workers: int) -> AsyncIterator[Service]:
    """Run `withhold serve`, and give it once it is ready. Raises: DidNotStart with what it said."""
    reading, writing = os.pipe()
    try:
        with contextlib.suppress(AttributeError, OSError):  # Linux's; elsewhere it is a bit slower
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        os.set_blocking(reading, False)
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "withhold", "serve"),
                *("-c", str(file), "--workers", str(workers)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=writing,
                start_new_session=True,
            )
        finally:
            os.close(writing)
        log = _Log(reading, 1 if workers == 1 else workers + 1)
        draining = asyncio.ensure_future(log.drain())
        try:
            await log.wait(START_S)
            yield Service(process, log.addresses)
        finally:
            await _end(process)
            draining.cancel()
            await asyncio.gather(draining, return_exceptions=True)
    finally:
        os.close(reading)


class _Log:
    """What a service writes to its log: read until it is ready, then thrown away.

    Looked at a hundred times a second and not line by line: the load is made in this process.
    """

    def __init__(self, descriptor: int, processes: int) -> None:
        self.addresses: dict[str, tuple[str, int]] = {}
        self._descriptor = descriptor
        self._waits_for = processes
        self._said: list[str] = []
        self._rest = b""
        self._told = asyncio.Event()  # it is ready, or has ended

    async def wait(self, seconds: float) -> None:
        """Wait until all processes are ready. Raises: DidNotStart."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._told.wait(), seconds)
        if self._waits_for:
            first, *hints = self._said or ["it gave no reason"]
            raise DidNotStart(f"the service did not start: {first}", "\n".join(hints))

    async def drain(self) -> None:
        """Read until it ends."""
        while True:
            with contextlib.suppress(BlockingIOError):
                data = os.read(self._descriptor, _PIPE_BYTES)
                if not data:
                    self._told.set()
                    return
                if self._waits_for:
                    self._read(data)
            await asyncio.sleep(_LOOK_S)

    def _read(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                found: dict[str, Any] = json.loads(line)
            except ValueError:  # a complaint of the command line, or what nobody foresaw
                sort, _, text = line.decode("utf-8", "replace").partition(": ")
                if sort in {"error", "hint"}:
                    self._said = [*self._said, text][:_SAID]
                continue
            if found["event"] == "listening":
                host, _, port = found["address"].rpartition(":")
                self.addresses[found["plane"]] = (host, int(port))
            elif found["event"] == "ready":
                self._waits_for -= 1
        if not self._waits_for:
            self._told.set()


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a process and all that it started, whatever happens meanwhile."""
    if process.stdin is not None:
        process.stdin.close()
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_S)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # its session's: a worker that was left
    await process.wait()


def effort_of(pid: int) -> Effort | None:
    """Measure a process and those that it started; None where there is no /proc."""
    try:
        stats = {int(path.name): _stat(path) for path in _PROC.iterdir() if path.name.isdigit()}
    except OSError:
        return None
    group = {pid}
    while more := {p for p, stat in stats.items() if stat and int(stat[1]) in group} - group:
        group |= more
    found = [stat for each in group if (stat := stats.get(each))]
    if not found:
        return None
    # proc(5): of what follows the name, 1 is the parent, 11 and 12 are times, 21 resident pages.
    ticks = sum(int(stat[11]) + int(stat[12]) for stat in found)
    pages = sum(int(stat[21]) for stat in found)
    return Effort(ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE"))


def _stat(path: Path) -> list[str]:
    """Give a process's numbers; none if it has ended meanwhile."""
    try:
        return (
            (path / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
    except OSError:
        return []
