"""End to end: requests per second, latencies at fixed rates, CPU and memory, against peers.

All engines run at once, each alone on the proxy's core while it is its turn; upstream and load are
on the other cores. Every engine first gives the answer that it owes, or the run stops.
"""

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from benchmarks.bodies import ACCOUNT, SESSIONS, WORKLOADS, Workload
from benchmarks.effort import Effort
from benchmarks.engines import ENGINES, Engine, Place, Running, expected
from benchmarks.figures import OURS, REQUESTS, Figure, Result, figure, ratio
from benchmarks.load import HOST, Request, at_rate, generator, saturate
from benchmarks.processes import Cores, Process, cores, on
from benchmarks.upstream import name as upstream_name
from benchmarks.upstream import upstream

SECTION: Final = "end-to-end"
DIRECT: Final = "no proxy"  # the upstream itself: what load and upstream cost in any case
RATES: Final[Mapping[str, Sequence[int]]] = {
    ACCOUNT.name: (250, 500, 1_000, 2_000, 4_000),
    SESSIONS.name: (100, 250, 500),
}
CPU_AT: Final[Mapping[str, int]] = {ACCOUNT.name: 1_000, SESSIONS.name: 250}
COMPARED: Final = ("nginx + Lua", "Envoy + Lua")
P50: Final = "p50"
P99: Final = "p99"
CEILING: Final = 0.8  # of what an engine can do: beyond it, a rate shows a queue and no latency
ANSWER_S: Final = 10.0
_MIB: Final = 2**20


class AnotherAnswerError(Exception):
    """An engine gives another answer than the one that it owes."""


def measure(effort: Effort) -> Result:
    """Measure all engines that are installed."""
    present = [(engine, engine.missing()) for engine in ENGINES]
    shared = cores()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="withhold-bench-")))
        port = stack.enter_context(upstream(folder / "upstream", WORKLOADS, shared.load))
        place = Place(folder, port, shared.proxy, WORKLOADS)
        running = {
            engine.name: stack.enter_context(engine.start(place))
            for engine, missing in present
            if not missing
        }
        for engine, missing in present:
            if not missing:
                _check(engine, running[engine.name])
        stack.enter_context(on(shared.load))
        found = [f for w in WORKLOADS for f in _measure(w, running, port, effort)]
        found += [_peak(name, each.process) for name, each in running.items()]
    notes = [f"`{engine.name}` is left out: {why}" for engine, why in present if why]
    return Result(tuple(found), (_where(shared), *notes))


@dataclass(frozen=True)
class _Asked:
    """Who is asked for one workload, how, and what the rounds gave."""

    requests: Mapping[str, Request]  # by engine
    processes: Mapping[str, Process]  # likewise; the upstream itself has none
    rounds: dict[tuple[str, str], list[float]]  # by engine and measure

    def add(self, name: str, measured: str, value: float) -> None:
        """Note what a round gave."""
        self.rounds.setdefault((name, measured), []).append(value)

    def cpu_s(self, name: str) -> float:
        """Give the CPU time that an engine has used."""
        return self.processes[name].cpu_s() if name in self.processes else 0.0


def _measure(
    workload: Workload, running: Mapping[str, Running], port: int, effort: Effort
) -> list[Figure]:
    requests = {name: each.ask(workload) for name, each in running.items()}
    requests[DIRECT] = Request(port, workload.path)
    asked = _Asked(requests, {name: each.process for name, each in running.items()}, {})
    for request in requests.values():
        saturate(request, effort.warm_s)
    for _ in range(effort.rounds):
        for name in requests:
            _saturate(asked, name, effort)
    for _ in range(effort.rounds):
        for rate in RATES[workload.name][: effort.rates]:
            for name in requests:
                _pace(asked, name, rate, effort, cpu=rate == CPU_AT[workload.name])
    found = [
        figure(SECTION, *_place(workload, name, measured), each)
        for (name, measured), each in asked.rounds.items()
    ]
    ours = asked.rounds[OURS, REQUESTS]
    for peer in COMPARED:
        if peer in running:
            theirs = asked.rounds[peer, REQUESTS]
            times = [ratio([o], [t]) for o, t in zip(ours, theirs, strict=True)]
            found.append(figure(SECTION, workload.name, OURS, f"of {peer}", "×", times))
    return found


def _saturate(asked: _Asked, name: str, effort: Effort) -> None:
    """Measure what an engine can do at most."""
    before_s = asked.cpu_s(name)
    load = saturate(asked.requests[name], effort.seconds)
    used_s = asked.cpu_s(name) - before_s
    asked.add(name, REQUESTS, load.requests_per_s)
    if name in asked.processes:
        asked.add(name, "CPU a request", used_s / load.count * 1e6)


def _pace(asked: _Asked, name: str, rate: int, effort: Effort, *, cpu: bool) -> None:
    """Measure latencies at a rate, where the engine keeps up with it."""
    if rate > CEILING * min(asked.rounds[name, REQUESTS]):
        return
    before_s = asked.cpu_s(name)
    load = at_rate(asked.requests[name], rate, effort.paced_s)
    used_s = asked.cpu_s(name) - before_s
    if load is None:
        return
    asked.add(name, f"{P50} {rate:,}/s", load.p50_ms)
    asked.add(name, f"{P99} {rate:,}/s", load.p99_ms)
    if cpu and name in asked.processes:
        asked.add(name, f"CPU at {rate:,}/s", used_s / load.count * 1e6)


def _place(workload: Workload, name: str, measured: str) -> tuple[str, str, str, str]:
    """Give workload, engine, measure and unit: latencies at rates are tables of their own."""
    quantile, _, rate = measured.partition(" ")
    if quantile in {P50, P99}:
        return f"{workload.name}, {quantile}", name, rate, "ms"
    return workload.name, name, measured, REQUESTS if measured == REQUESTS else "µs"


def _peak(name: str, process: Process) -> Figure:
    peak = process.peak_bytes() / _MIB
    return figure(SECTION, "memory", name, "peak", "MiB", [peak])


def _check(engine: Engine, running: Running) -> None:
    """Compare its answers; ours is asked until the node has heard of the warrant."""
    until_s = time.monotonic() + ANSWER_S
    for workload in WORKLOADS:
        request = running.ask(workload)
        while (found := _answer(request)) is None and time.monotonic() < until_s:
            time.sleep(0.1)
        if found is None or json.loads(found) != expected(engine, workload):
            message = f"`{engine.name}` gives another answer than it owes: {workload.name}"
            raise AnotherAnswerError(message)


def _answer(request: Request) -> bytes | None:
    url = f"http://{HOST}:{request.port}{request.path}"
    try:
        answer = httpx.get(url, headers=dict(request.headers), timeout=ANSWER_S, trust_env=False)
    except httpx.TransportError:
        return None
    return answer.content if answer.is_success else None


def _where(shared: Cores) -> str:
    said = (
        f"the proxy's core is {sorted(shared.proxy)}, load (`{generator()}`) and upstream "
        f"(`{upstream_name()}`) are on {sorted(shared.load)}"
    )
    return f"{said}: they share it, so all figures are too low" if shared.shared else said
