"""Streaming: NDJSON through the proxy, how fast and in how much memory.

The store is our own here: it sends the same lines over and over, and can do it faster than any
proxy takes them. What is counted are the store's bytes; the reader throws the answer away.
"""

import json
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from benchmarks import ours
from benchmarks.bodies import TARGET, lines
from benchmarks.effort import Effort
from benchmarks.figures import OURS, Result, figure
from benchmarks.load import HOST, Request
from benchmarks.processes import Process, cores, free_port, on, started

SECTION: Final = "streaming"
PATH: Final = f"/accounts/{TARGET}/export"
LINES: Final = 2_000  # about a megabyte
DIRECT: Final = "no proxy"
EVERY_S: Final = 0.02  # how often memory is looked at
STALL_S: Final = 30.0
LAST_CHUNK: Final = b"\r\n0\r\n\r\n"
_PIECE_BYTES: Final = 2**20
_MIB: Final = 2**20


class BrokenError(Exception):
    """The stream ended before its end."""


def measure(effort: Effort) -> Result:
    """Stream through ours, and without a proxy: what store and reader can do."""
    shared = cores()
    piece = lines(LINES)
    times = max(1, effort.stream_bytes // len(piece))
    size_bytes = times * len(piece)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="withhold-bench-")))
        port = stack.enter_context(_store(folder, piece, times, shared.load))
        proxy = stack.enter_context(ours.proxy(folder / OURS, port, shared.proxy))
        stack.enter_context(on(shared.load))
        _warm(proxy.request(PATH))
        idle_bytes = proxy.process.memory_bytes()
        rounds = [_round(proxy, port, size_bytes, idle_bytes) for _ in range(effort.rounds)]
    workload = f"NDJSON, {size_bytes / 1e6:,.0f} MB"
    figures = tuple(
        figure(SECTION, workload, engine, measured, unit, [each[place] for each in rounds])
        for place, (engine, measured, unit) in enumerate(_MEASURED)
    )
    return Result(figures)


# In the order in which a round gives them.
_MEASURED: Final = (
    (OURS, "MB/s", "MB/s"),
    (OURS, "CPU a GB", "s"),
    (OURS, "memory above idle", "MiB"),
    (DIRECT, "MB/s", "MB/s"),
)


def _round(proxy: ours.Proxy, port: int, size_bytes: int, idle_bytes: int) -> tuple[float, ...]:
    """Stream once through the proxy, and once without it."""
    before_s = proxy.process.cpu_s()
    with _watching(proxy.process) as seen:
        took_s, _ = _read(proxy.request(PATH))
    used_s = proxy.process.cpu_s() - before_s
    direct_s, _ = _read(Request(port, PATH))
    return (
        size_bytes / took_s / 1e6,
        used_s / size_bytes * 1e9,
        (max(seen) - idle_bytes) / _MIB,
        size_bytes / direct_s / 1e6,
    )


@contextmanager
def _store(folder: Path, piece: bytes, times: int, chosen: frozenset[int]) -> Iterator[int]:
    """Serve `piece` so many times, as one stream; gives the port."""
    port = free_port()
    file = folder / "lines.ndjson"
    file.write_bytes(piece)
    table = json.dumps({PATH: [str(file), times]})
    command = [sys.executable, "-m", "benchmarks.store", str(port), table]
    with started(command, chosen, folder / "store.log", port=port):
        yield port


def _warm(request: Request) -> None:
    """Ask until the node has heard of the warrant, and once the whole way."""
    until_s = time.monotonic() + 10.0
    while True:
        try:
            _read(request, at_most=1)
        except BrokenError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.1)
        else:
            return


def _read(request: Request, at_most: int = sys.maxsize) -> tuple[float, int]:
    """Read an answer to its end; gives seconds and bytes, its head too. Raises: BrokenError."""
    buffer = memoryview(bytearray(_PIECE_BYTES))
    began_s = time.perf_counter()
    with socket.create_connection((HOST, request.port), timeout=STALL_S) as connection:
        connection.sendall(request.encode())
        head = b""
        while b"\r\n\r\n" not in head:
            received = connection.recv(_PIECE_BYTES)
            if not received:
                raise BrokenError
            head += received
        size_bytes = _size(head)
        count, tail = len(head), head[-len(LAST_CHUNK) :]
        while count < min(at_most, size_bytes) and not (
            size_bytes == sys.maxsize and tail == LAST_CHUNK
        ):
            number = connection.recv_into(buffer)
            if not number:  # broken off: the last chunk is missing, or bytes are
                raise BrokenError
            count += number
            tail = (tail + bytes(buffer[max(0, number - 8) : number]))[-len(LAST_CHUNK) :]
    return time.perf_counter() - began_s, count


def _size(head: bytes) -> int:
    """Give how long the whole answer is, its head too; as long as can be where chunks say it."""
    fields, end, _ = head.lower().partition(b"\r\n\r\n")
    if not fields.startswith(b"http/1.1 200 "):
        raise BrokenError
    _, name, value = fields.partition(b"\r\ncontent-length:")
    if not name:
        return sys.maxsize
    return len(fields) + len(end) + int(value.partition(b"\r\n")[0])


@contextmanager
def _watching(process: Process) -> Iterator[list[int]]:
    """Look at the process's memory all the while; gives what was seen."""
    seen: list[int] = []
    done = threading.Event()

    def watch() -> None:
        while True:
            seen.append(process.memory_bytes())
            if done.wait(EVERY_S):
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()
