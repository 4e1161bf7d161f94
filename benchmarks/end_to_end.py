"""End to end: requests per second, latencies at fixed rates, CPU and memory, against peers.

All engines run at once, each alone on the proxy's core while it is its turn; upstream and load are
on the other cores. Every engine first gives the answer that it owes, or the run stops.
"""

import json
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

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


def _measure(
    workload: Workload, running: Mapping[str, Running], port: int, effort: Effort
) -> list[Figure]:
    rounds: dict[tuple[str, str], list[float]] = defaultdict(list)  # by engine and measure
    asked = {name: each.ask(workload) for name, each in running.items()}
    asked[DIRECT] = Request(port, workload.path)
    for request in asked.values():
        saturate(request, effort.seconds / 2)  # warm
    for _ in range(effort.rounds):
        for name, request in asked.items():
            before_s = running[name].process.cpu_s() if name in running else 0.0
            load = saturate(request, effort.seconds)
            rounds[name, REQUESTS].append(load.requests_per_s)
            if name in running:
                used_s = running[name].process.cpu_s() - before_s
                rounds[name, "CPU a request"].append(used_s / load.count * 1e6)
    for _ in range(effort.rounds):
        for rate in RATES[workload.name]:
            for name, request in asked.items():
                if rate > CEILING * min(rounds[name, REQUESTS]):
                    continue
                process = running[name].process if name in running else None
                before_s = process.cpu_s() if process else 0.0
                paced = at_rate(request, rate, effort.paced_s)
                if paced is None:
                    continue
                rounds[name, f"p50 at {rate:,}/s"].append(paced.p50_ms)
                rounds[name, f"p99 at {rate:,}/s"].append(paced.p99_ms)
                if process and rate == CPU_AT[workload.name]:
                    used_s = process.cpu_s() - before_s
                    rounds[name, f"CPU at {rate:,}/s"].append(used_s / paced.count * 1e6)
    found = [
        figure(SECTION, workload.name, name, measured, _unit(measured), each)
        for (name, measured), each in rounds.items()
    ]
    for peer in COMPARED:
        if peer in running:
            ours, theirs = rounds[OURS, REQUESTS], rounds[peer, REQUESTS]
            times = [ratio([o], [t]) for o, t in zip(ours, theirs, strict=True)]
            found.append(figure(SECTION, workload.name, OURS, f"of {peer}", "×", times))
    return found


def _unit(measured: str) -> str:
    if measured == REQUESTS:
        return REQUESTS
    return "µs" if measured.startswith("CPU") else "ms"


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
    asked = urllib.request.Request(url, headers=dict(request.headers))  # noqa: S310 - http, ours
    try:
        with urllib.request.urlopen(asked, timeout=ANSWER_S) as answer:  # noqa: S310 - likewise
            body: bytes = answer.read()
    except OSError:
        return None
    return body


def _where(shared: Cores) -> str:
    said = (
        f"the proxy's core is {sorted(shared.proxy)}, load (`{generator()}`) and upstream "
        f"(`{upstream_name()}`) are on {sorted(shared.load)}"
    )
    return f"{said}: they share it, so all figures are too low" if shared.shared else said
