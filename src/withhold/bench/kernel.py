"""The kernel: the minimizer alone, in this process, on the answers that the store would give."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from withhold.bench.choice import Case
from withhold.bench.latencies import Latencies
from withhold.bench.values import PERIOD
from withhold.kinds.token import KEY_SIZE_BYTES
from withhold.minimize.minimizer import Minimized, Minimizer, subject_of


@dataclass(frozen=True)
class Kernel:
    """What the minimizer can do with one answer, over and over."""

    resource: str
    records: int
    in_bytes: int
    out_bytes: int
    covered: int  # fields
    count: int
    mb_per_s: float  # of the answer as it comes in; a megabyte is 10^6 bytes
    records_per_s: float
    cpu_us: float  # of one answer
    p50_ms: float
    p99_ms: float


def minimize(case: Case) -> Callable[[], Minimized]:
    """Give what minimizes the case's answer, as often as it is called. Raises: WithholdError."""
    shape, body = case.shape, case.answer.body
    subject = subject_of(shape.resource, shape.targets, shape.params)
    # Nobody sees a token of this: any key is as good as another.
    key = bytes(KEY_SIZE_BYTES)
    minimizer = Minimizer(case.allowlist, shape.targets, PERIOD, subject, key)
    return partial(minimizer.run_lines if shape.is_lines else minimizer.run, body)


def measure_kernel(case: Case, seconds: float) -> Kernel:
    """Minimize one answer for so long. Raises: WithholdError."""
    run, answer = minimize(case), case.answer
    first = run()
    latencies = Latencies()
    began_s, cpu_s = time.perf_counter(), time.process_time()
    now_s, until_s = began_s, began_s + seconds
    while now_s < until_s:
        before_s = now_s
        run()
        now_s = time.perf_counter()
        latencies.add(now_s - before_s)
    cpu_s, took_s, count = time.process_time() - cpu_s, now_s - began_s, latencies.total
    return Kernel(
        resource=case.shape.resource.name,
        records=answer.records,
        in_bytes=len(answer.body),
        out_bytes=0 if first.body is None else len(first.body),
        covered=len(case.allowlist.covered),
        count=count,
        mb_per_s=count * len(answer.body) / took_s / 1e6,
        records_per_s=count * answer.records / took_s,
        cpu_us=cpu_s * 1e6 / count,
        p50_ms=latencies.quantile_ms(0.50),
        p99_ms=latencies.quantile_ms(0.99),
    )
