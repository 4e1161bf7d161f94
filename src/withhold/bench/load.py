"""Load: one request, asked over and over on connections that are kept alive.

`closed` asks again as soon as it is answered: what a service can do at most. `paced` asks at a
fixed rate: how long callers wait at that rate. There a latency begins when its request was due, not
when a connection was free to send it, so that a service that stalls cannot hide it by stalling us
too ("coordinated omission": Gil Tene, How NOT to Measure Latency, 2013; his wrk2 does the same).

Bodies are read and thrown away. An answer other than 200 is counted by its status; nothing that a
service says is kept or raised.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Final, cast

from httptools import HttpParserError, HttpResponseParser

from withhold.bench.latencies import Latencies

DRAIN_S: Final = 5.0  # for what is under way when the time is over
RETRY_S: Final = 0.05
BROKEN: Final = 0  # stands for a status: no whole answer came
_OK: Final = 200
_BUFFER_BYTES: Final = 256 * 2**10
# An event loop rounds its timers up to a millisecond. That is ours, not the service's: a request
# that waited for nothing else counts from when it was sent.
_ROUNDING_S: Final = 0.0015


@dataclass(frozen=True)
class Load:
    """What came of a load; latencies are those of the answers of status 200, and of no answer.

    What was due and not answered in the end has the latency that it had by then, at least.
    """

    count: int  # answers of status 200
    errors: int  # all else: another status, none, or due and never sent
    seconds: float
    requests_per_s: float  # of status 200
    p50_ms: float
    p99_ms: float
    by_status: tuple[tuple[int, int], ...] = ()  # errors by status; `BROKEN`: no answer


async def closed(host: str, port: int, request: bytes, *, connections: int, seconds: float) -> Load:
    """Ask on each connection as soon as it is answered; `request` is head and body as sent.

    Raises: OSError if nothing listens there.
    """

    def take() -> float | None:
        now_s = perf_counter()
        return now_s if now_s < run.until_s else None

    run = _Run(request, take)
    return await _drive(run, host, port, connections, seconds)


async def paced(
    host: str, port: int, request: bytes, *, rate_per_s: float, connections: int, seconds: float
) -> Load:
    """Ask at a fixed rate, on whichever connection is free; late is late by the schedule.

    Raises: OSError if nothing listens there.
    """
    taken = 0

    def take() -> float | None:
        nonlocal taken
        due_s = run.began_s + taken / rate_per_s
        if due_s >= run.until_s or perf_counter() >= run.until_s:
            return None
        taken += 1
        return due_s

    run = _Run(request, take)
    load = await _drive(run, host, port, connections, seconds)
    unsent = int(rate_per_s * seconds) - taken
    if unsent <= 0:
        return load
    # Each began to be late when it was due; a thousand steps are as fine as the buckets.
    steps = min(unsent, 1000)
    for step in range(steps):
        times = unsent * (step + 1) // steps - unsent * step // steps
        run.latencies.add((unsent - unsent * step / steps) / rate_per_s, times)
    run.errors[BROKEN] += unsent
    return run.load(seconds)


class _Run:
    """What the connections share: when to ask next, and what came of it."""

    def __init__(self, request: bytes, take: Callable[[], float | None]) -> None:
        self.request = request
        self.take = take  # when the next request is due, by `perf_counter`; None: no more
        self.began_s = self.until_s = self.last_s = 0.0
        self.count = 0
        self.latencies = Latencies()
        self.buffer = memoryview(bytearray(_BUFFER_BYTES))
        self.errors: Counter[int] = Counter()

    def load(self, seconds: float) -> Load:
        took_s = max(seconds, self.last_s - self.began_s)
        return Load(
            count=self.count,
            errors=self.errors.total(),
            seconds=took_s,
            requests_per_s=self.count / took_s,
            p50_ms=self.latencies.quantile_ms(0.50),
            p99_ms=self.latencies.quantile_ms(0.99),
            by_status=tuple(sorted(self.errors.items())),
        )


async def _drive(run: _Run, host: str, port: int, connections: int, seconds: float) -> Load:
    loop = asyncio.get_running_loop()
    lanes = [_Lane(run, host, port) for _ in range(connections)]
    tasks: list[asyncio.Task[None]] = []
    try:
        # Connecting is no part of what is measured.
        await asyncio.gather(*(lane.connect() for lane in lanes))
        run.began_s = perf_counter()
        run.until_s = run.began_s + seconds
        tasks = [loop.create_task(lane.run()) for lane in lanes]
        await asyncio.wait(tasks, timeout=seconds + DRAIN_S)
    finally:
        for task in tasks:
            task.cancel()
        for lane in lanes:
            lane.abandon()
        await asyncio.gather(*tasks, return_exceptions=True)
    return run.load(seconds)


class _Lane(asyncio.BufferedProtocol):
    """One connection at a time, and the request that is due on it."""

    def __init__(self, run: _Run, host: str, port: int) -> None:
        self._run, self._host, self._port = run, host, port
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._wake = asyncio.Event()  # set when the connection is gone, or has nothing more to do
        self._timer: asyncio.Handle | None = None
        self._due_s: float | None = None  # of a request that waits or is under way
        self._sent_s: float | None = None  # from when one under way counts

    async def connect(self) -> None:
        """Open a connection. Raises: OSError."""
        self._parser = HttpResponseParser(self)
        await self._loop.create_connection(lambda: self, self._host, self._port)

    async def run(self) -> None:
        """Ask until nothing more is due, on new connections where one breaks."""
        while True:
            self._wake.clear()
            self._next()
            await self._wake.wait()
            if self._due_s is None and self._transport is not None:
                self._transport.abort()
                return
            while self._transport is None:
                try:
                    await self.connect()
                except OSError:
                    if not self._refused():
                        return
                    await asyncio.sleep(RETRY_S)

    def abandon(self) -> None:
        """Count what is under way as not answered, and close."""
        if self._sent_s is not None:
            self._run.errors[BROKEN] += 1
            self._run.latencies.add(perf_counter() - self._sent_s)
            self._sent_s = self._due_s = None
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Lend the one buffer of all: what it holds is parsed before anything else is read."""
        del sizehint
        return self._run.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Read on; the parser calls `on_message_complete` at an answer's end."""
        try:
            self._parser.feed_data(self._run.buffer[:nbytes])
        except HttpParserError:
            if self._transport is not None:
                self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count what was under way as broken; what still waits is sent on the next connection."""
        del exc
        self._transport = None
        if self._sent_s is not None:
            self._sent_s = self._due_s = None
            self._run.errors[BROKEN] += 1
        if self._timer is not None:
            self._timer.cancel()
        self._wake.set()

    # What the parser calls.

    def on_message_complete(self) -> None:
        """Count the answer, and ask again."""
        sent_s, run = self._sent_s, self._run
        status = self._parser.get_status_code()
        if sent_s is None or status < _OK:  # not asked for, or an interim answer
            return
        self._sent_s = self._due_s = None
        run.last_s = perf_counter()
        if status == _OK:
            run.count += 1
            run.latencies.add(run.last_s - sent_s)
        else:
            run.errors[status] += 1
        if self._parser.should_keep_alive():
            self._next()
        elif self._transport is not None:
            self._transport.abort()

    # When to ask.

    def _refused(self) -> bool:
        """Count a request that no connection could be had for; False: no more is due."""
        if self._due_s is None:
            self._due_s = self._run.take()
        if self._due_s is not None and self._due_s <= perf_counter():
            self._run.errors[BROKEN] += 1
            self._due_s = None
            return True
        return self._due_s is not None

    def _next(self) -> None:
        if self._due_s is None:
            self._due_s = self._run.take()
        if self._due_s is None:
            self._wake.set()
        else:
            self._send_when_due(waited=False)

    def _send_when_due(self, *, waited: bool = True) -> None:
        due_s, transport = self._due_s, self._transport
        if due_s is None or transport is None:
            return
        late_s = perf_counter() - due_s
        if late_s < 0:
            self._timer = self._loop.call_later(-late_s, self._send_when_due)
            return
        self._sent_s = due_s + late_s if waited and late_s < _ROUNDING_S else due_s
        transport.write(self._run.request)
