"""Workers: two against one, where there are cores for them and for the load beside them."""

import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks import ours
from benchmarks.bodies import ACCOUNT, WORKLOADS
from benchmarks.effort import Effort
from benchmarks.figures import REQUESTS, Result, figure, ratio
from benchmarks.load import NotAnsweredError, Request, saturate
from benchmarks.processes import cores, on
from benchmarks.upstream import upstream

SECTION: Final = "workers"
COUNTS: Final = (1, 2)
CONNECTIONS: Final = 64
READY_S: Final = 10.0


def measure(effort: Effort) -> Result:
    """Measure requests per second with one worker and with two."""
    shared = cores(max(COUNTS))
    rounds: dict[int, list[float]] = defaultdict(list)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="withhold-bench-")))
        port = stack.enter_context(upstream(folder / "upstream", WORKLOADS, shared.load))
        running = {
            count: stack.enter_context(
                ours.proxy(folder / str(count), port, shared.proxy, workers=count)
            )
            for count in COUNTS
        }
        stack.enter_context(on(shared.load))
        for each in running.values():
            _warm(each.request(ACCOUNT.path), effort.warm_s)
        for _ in range(effort.rounds):
            for count, each in running.items():
                load = saturate(each.request(ACCOUNT.path), effort.seconds, CONNECTIONS)
                rounds[count].append(load.requests_per_s)
    names = {count: f"{count} worker{'s' * (count > 1)}" for count in COUNTS}
    figures = [
        figure(SECTION, ACCOUNT.name, names[count], REQUESTS, REQUESTS, each)
        for count, each in rounds.items()
    ]
    times = [ratio([two], [one]) for one, two in zip(rounds[1], rounds[2], strict=True)]
    figures.append(figure(SECTION, ACCOUNT.name, names[2], f"of {names[1]}", "×", times))
    notes: list[str] = []
    if shared.shared:
        notes.append(
            f"there are only {len(shared.proxy)} cores, which both workers share with load and "
            "upstream: what the second one adds is what these leave, and no measure of scaling"
        )
    return Result(tuple(figures), tuple(notes))


def _warm(request: Request, seconds: float) -> None:
    """Ask until every worker has heard of the warrant, and no answer is another than 200."""
    until_s = time.monotonic() + READY_S
    while True:
        try:
            saturate(request, seconds, CONNECTIONS)
        except NotAnsweredError:
            if time.monotonic() > until_s:
                raise
        else:
            return
