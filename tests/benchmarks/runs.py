"""Runs of the benchmarks, made up."""

from collections.abc import Sequence
from typing import Any

from benchmarks.figures import OURS, REQUESTS, Figure, figure
from benchmarks.run import Run


def rate(*rounds: float, engine: str = OURS, workload: str = "1 KB") -> Figure:
    """Requests per second."""
    return figure("end-to-end", workload, engine, REQUESTS, REQUESTS, rounds)


def cpu(*rounds: float, engine: str = OURS) -> Figure:
    """CPU a request, of which less is better."""
    return figure("end-to-end", "1 KB", engine, "CPU a request", "µs", rounds)


def run(figures: Sequence[Figure], **changed: Any) -> Run:  # noqa: ANN401 - any member
    """A run of these figures."""
    members: dict[str, Any] = {
        "at": "2026-11-24T00:00:00Z",
        "commit": "0123456789ab",
        "dirty": False,
        "effort": "full",
        "seconds": 1.0,
        "machine": {"cpu": "a processor"},
        "versions": {"withhold": "0"},
        "notes": {"end-to-end": ("something is left out",)},
    }
    return Run(**{**members, **changed}, figures=figures)
