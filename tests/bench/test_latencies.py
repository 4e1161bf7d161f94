import random

import pytest

from withhold.bench.latencies import Latencies


@pytest.mark.parametrize("q", [0.01, 0.5, 0.9, 0.99, 1.0])
def test_a_quantile_is_exact_to_half_a_percent(q: float) -> None:
    chance = random.Random(7)
    values = sorted(chance.lognormvariate(-6, 2) for _ in range(20_000))
    latencies = Latencies()
    for value in values:
        latencies.add(value)
    exact_ms = values[max(round(q * len(values)) - 1, 0)] * 1e3
    assert latencies.quantile_ms(q) == pytest.approx(exact_ms, rel=0.0051)


def test_of_nothing_a_quantile_is_zero() -> None:
    assert Latencies().quantile_ms(0.99) == 0.0


def test_what_is_too_short_or_too_long_counts_as_the_bound() -> None:
    latencies = Latencies()
    latencies.add(0.0)
    latencies.add(1e9)
    assert latencies.quantile_ms(0.5) == pytest.approx(0.001, rel=0.01)
    assert latencies.quantile_ms(1.0) == pytest.approx(1e6, rel=0.02)


def test_one_can_be_counted_many_times() -> None:
    latencies = Latencies()
    latencies.add(0.001, 99)
    latencies.add(0.5)
    assert latencies.total == 100
    assert latencies.quantile_ms(0.99) == pytest.approx(1, rel=0.01)
    assert latencies.quantile_ms(1.0) == pytest.approx(500, rel=0.01)
