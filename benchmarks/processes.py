"""Processes that are measured: each on its own cores, with its CPU time and memory from /proc.

Linux only, as the suite is: what a process used is what the kernel counted for it, its threads and
its children, from outside and while it runs.
"""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

START_S: Final = 30.0
STOP_S: Final = 10.0
TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
_KIB: Final = 1024


class NotStartedError(Exception):
    """A process ended, or did not listen in time. Its message ends with what it said last."""


@dataclass(frozen=True)
class Cores:
    """Who runs where. One core for what is measured, all others for whoever loads and answers."""

    proxy: frozenset[int]
    load: frozenset[int]

    @property
    def shared(self) -> bool:
        """Whether the measured share a core with the load."""
        return bool(self.proxy & self.load)


def cores(workers: int = 1) -> Cores:
    """Share out the cores that this process may use; `workers`: how many the proxy gets."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) <= workers:
        return Cores(frozenset(allowed), frozenset(allowed))
    return Cores(frozenset(allowed[-workers:]), frozenset(allowed[:-workers]))


@contextmanager
def on(chosen: frozenset[int]) -> Iterator[None]:
    """Run on these cores, and start what is started here on them."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, chosen)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True)
class Process:
    """A running process and all that it started."""

    pid: int

    def cpu_s(self) -> float:
        """Give the CPU time, user and system, that it and its children have used."""
        return sum(_cpu_s(pid) for pid in self._tree())

    def memory_bytes(self) -> int:
        """Give what it and its children hold now, resident; shared pages count for each."""
        return sum(_status(pid, "VmRSS") for pid in self._tree())

    def peak_bytes(self) -> int:
        """Give the most that each of them ever held, summed."""
        return sum(_status(pid, "VmHWM") for pid in self._tree())

    def _tree(self) -> list[int]:
        found, next_ = [], [self.pid]
        while next_:
            pid = next_.pop()
            found.append(pid)
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                next_ += map(int, task.read_text(encoding="ascii").split())
        return found


@contextmanager
def started(
    command: Sequence[str | Path],
    chosen: frozenset[int],
    log: Path,
    *,
    port: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Process]:
    """Start a command on these cores, wait until it listens, and end it in the end.

    `log`: a file for what it says. Raises: NotStartedError.
    """
    with on(chosen), log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
    try:
        if port is not None:
            _wait_until_listening(process, port, log)
        yield Process(process.pid)
    finally:
        _end(process)


def free_port() -> int:
    """Give a port of 127.0.0.1 that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until_s = time.monotonic() + START_S
    while time.monotonic() < until_s and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    said = log.read_text(encoding="utf-8", errors="replace")[-2_000:]
    message = f"`{Path(str(process.args[0])).name}` does not listen: {said}"  # type: ignore[index]
    raise NotStartedError(message)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _cpu_s(pid: int) -> float:
    # proc(5): the second field is in parentheses and may hold spaces; utime is the 14th.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * _KIB
    return 0
