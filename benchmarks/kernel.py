"""The kernel: bytes in, what may leave out, against peers written by hand for the same bodies.

By workload, by how many of 20 fields are covered, and by lines of NDJSON.
"""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import orjson

from benchmarks.bodies import (
    ACCOUNT,
    ALL_SESSION_FIELDS,
    SESSION_FIELDS,
    TARGET,
    lines,
    sessions,
)
from benchmarks.effort import Effort
from benchmarks.figures import OURS, Figure, Result, figure, ratio
from benchmarks.timing import alternate
from benchmarks.workloads import minimizer, workloads

SECTION: Final = "kernel"
COVERED: Final = (1, 2, 5, 10, 20)
OF: Final = len(ALL_SESSION_FIELDS)
LINES: Final = 500  # 256 KB, what a connection gives at a time
BY_HAND: Final = "orjson by hand"
COVERED_NAME: Final = f"fields covered, of {OF}"


class AnotherAnswerError(Exception):
    """Two engines do not give the same answer."""


def measure(effort: Effort) -> Result:
    """Measure all workloads."""
    found: list[Figure] = []
    for workload in workloads():
        engines = {name: partial(each, workload.body) for name, each in workload.engines.items()}
        found += _figures(effort, workload.name, len(workload.body), workload.records, engines)
    found += _account(effort)
    for covered in COVERED:
        found += _covered(effort, covered)
    found += _lines(effort)
    return Result(tuple(found))


def _figures(
    effort: Effort,
    workload: str,
    size_bytes: int,
    records: int,
    engines: Mapping[str, Callable[[], object]],
) -> list[Figure]:
    seconds = alternate(engines, rounds=effort.turns, seconds_per_turn=effort.turn_s)
    found = []
    for name, turns in seconds.items():
        speeds = [size_bytes / each / 1e6 for each in turns]
        found.append(figure(SECTION, workload, name, "MB/s", "MB/s", speeds))
        counts = [records / each for each in turns]
        found.append(figure(SECTION, workload, name, "records/s", "records/s", counts))
        times = [ratio([theirs], [ours]) for theirs, ours in zip(turns, seconds[OURS], strict=True)]
        if name != OURS:
            found.append(figure(SECTION, workload, OURS, f"of {name}", "×", times))
    return found


def _account(effort: Effort) -> list[Figure]:
    """Measure the 1 KB of the proxies."""
    ours = minimizer(ACCOUNT.resource, {"account": TARGET})

    def by_hand(body: bytes) -> bytes:
        document = orjson.loads(body)
        return orjson.dumps({name: document[name] for name in ACCOUNT.covered})

    engines = {OURS: partial(ours.minimize, ACCOUNT.body), BY_HAND: partial(by_hand, ACCOUNT.body)}
    _agree(engines)
    return _figures(effort, "account, 1 KB, 6 of 25", len(ACCOUNT.body), 1, engines)


def _covered(effort: Effort, count: int) -> list[Figure]:
    """Measure 200 sessions of which the first `count` fields are covered."""
    fields = ALL_SESSION_FIELDS[:count]
    body = json.dumps({"account": TARGET, "rows": sessions()}, separators=(",", ":")).encode()
    named = [{"resource": "bench/account-sessions", "path": f"$.rows[*].{n}"} for n in fields]
    ours = minimizer(
        "account-sessions", {"account": TARGET}, instrument="order-for-all", fields=named
    )

    def by_hand(body: bytes) -> bytes:
        document: Any = orjson.loads(body)
        return orjson.dumps({"rows": [{n: row[n] for n in fields} for row in document["rows"]]})

    engines = {OURS: partial(ours.minimize, body), BY_HAND: partial(by_hand, body)}
    _agree(engines)
    seconds = alternate(engines, rounds=effort.turns, seconds_per_turn=effort.turn_s)
    return [
        figure(
            SECTION, COVERED_NAME, name, str(count), "MB/s", [len(body) / s / 1e6 for s in turns]
        )
        for name, turns in seconds.items()
    ]


def _lines(effort: Effort) -> list[Figure]:
    """Measure NDJSON, many lines at a go, as the proxy gives them."""
    body = lines(LINES)
    ours = minimizer("export", {"account": TARGET})

    def by_hand(body: bytes) -> bytes:
        out = []
        for line in body.splitlines():
            row: Any = orjson.loads(line)
            out.append(orjson.dumps({name: row[name] for name in SESSION_FIELDS}))
        return b"\n".join([*out, b""])

    engines: dict[str, Callable[[], bytes]] = {
        OURS: lambda: ours.run_lines(body).body or b"",
        BY_HAND: partial(by_hand, body),
    }
    _agree(engines, lambda answer: [orjson.loads(line) for line in answer.splitlines()])
    return _figures(effort, "NDJSON, 5 of 20", len(body), LINES, engines)


def _agree(
    engines: Mapping[str, Callable[[], bytes]], read: Callable[[bytes], Any] = orjson.loads
) -> None:
    answers = {name: read(engine()) for name, engine in engines.items()}
    for name, found in answers.items():
        if found != answers[OURS]:
            message = f"`{name}` gives another answer than ours"
            raise AnotherAnswerError(message)
