"""Metrics: counts and times, by catalogued names and codes. No label says who or whose.

Each app has a registry of its own. With several workers, `PROMETHEUS_MULTIPROC_DIR` is set before
Python starts, and what is exposed is the sum of all of them.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from withhold.minimize.tally import Tally
from withhold.names import Reason, ResourceName

# What tells of a store's data or of the catalogue; that somebody is no target tells of neither.
_OF_DATA: Final = frozenset({Reason.MALFORMED, Reason.UNDATED, Reason.NO_SUBJECT})
_WITHHELD: Final = "withhold_withheld"
_STORE_SECONDS: Final = "withhold_store_seconds"
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)


@dataclass(frozen=True)
class Metrics:
    """One app's metrics."""

    registry: CollectorRegistry
    requests: Counter  # by code
    request_seconds: Histogram
    store_seconds: Histogram  # by store, to the answer's head
    allowlists: Counter  # by where they came from
    rejected: Counter
    withheld: Counter  # by resource, reason and place
    receipts: Counter  # by type and outcome
    ledger_seconds: Histogram
    in_flight: Gauge

    def count_allowlist(self, layer: str) -> None:
        """Count where an allowlist came from, or that a cache's entry was rejected."""
        if layer == "rejected":
            self.rejected.inc()
        else:
            labelled(self.allowlists, layer).inc()

    def count_withheld(self, resource: ResourceName, tally: Tally) -> None:
        """Count what had not the form, the time or the subject that the catalogue promises."""
        for (reason, place), count in tally.withheld.items():
            if reason in _OF_DATA:
                self.withheld.labels(resource, reason, place).inc(count)

    def count_request(self, code: str, seconds: float) -> None:
        """Count an answer and its time."""
        labelled(self.requests, code).inc()
        self.request_seconds.observe(seconds)

    def count_receipt(self, kind: str, outcome: str) -> None:
        """Count an entry of the ledger."""
        labelled(self.receipts, kind, outcome).inc()

    def expose(self, *, whole: bool) -> bytes:
        """Give the text format of Prometheus; if not `whole`, without what answers withheld."""
        registry = self.registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # it has no types
        families = tuple(registry.collect())
        return generate_latest(_Families(families if whole else without_withheld(families)))


@lru_cache(maxsize=1_024)
def labelled(counter: Counter, *values: str) -> Counter:
    """Give the counter of these labels, in a tenth of the time that the library takes to find it.

    `values`: words of ours only: what somebody else says would be kept here.
    """
    return counter.labels(*values)


@dataclass(frozen=True)
class _Families(Collector):
    """Families that were collected, for what writes them down."""

    families: tuple[Metric, ...]

    def collect(self) -> Iterable[Metric]:
        return self.families


def without_withheld(families: Iterable[Metric]) -> tuple[Metric, ...]:
    """Leave out the families that tell what is behind an answer, with all their samples."""
    # INVARIANT: beside an answer of `{}` one would say what was withheld, place by place, the other
    # how many pages the store had (law 2).
    return tuple(each for each in families if each.name not in {_WITHHELD, _STORE_SECONDS})


def make_metrics() -> Metrics:
    """Make the metrics of one app."""
    registry = CollectorRegistry()

    def histogram(name: str, means: str, *labels: str) -> Histogram:
        return Histogram(name, means, labels, registry=registry, buckets=_SECONDS)

    def counter(name: str, means: str, *labels: str) -> Counter:
        return Counter(name, means, labels, registry=registry)

    return Metrics(
        registry=registry,
        requests=counter("withhold_requests", "Requests answered", "code"),
        request_seconds=histogram("withhold_request_seconds", "From request to answer"),
        store_seconds=histogram(_STORE_SECONDS, "To the head of the answer", "store"),
        allowlists=counter("withhold_allowlists", "Allowlists used", "layer"),
        rejected=counter("withhold_cache_rejected", "Cache entries that were not authentic"),
        withheld=counter(
            *(_WITHHELD, "Covered values that could not be disclosed"),
            *("resource", "reason", "place"),
        ),
        receipts=counter("withhold_receipts", "Ledger entries made", "type", "outcome"),
        ledger_seconds=histogram("withhold_ledger_seconds", "Until a receipt was durable"),
        in_flight=Gauge(
            *("withhold_in_flight", "Requests under way"),
            registry=registry,
            multiprocess_mode="livesum",
        ),
    )
