from pathlib import Path

import pytest

from withhold import config
from withhold.bench.answers import write_answer
from withhold.bench.choice import Case, choose
from withhold.bench.kernel import measure_kernel, minimize
from withhold.names import ResourceName, StoreName

BUNDLE = config.load(Path(__file__).parents[2] / "config").bundle


@pytest.mark.parametrize("name", ["sample/sessions", "sample/export"])
def test_the_minimizer_alone(name: str) -> None:
    choice = choose(BUNDLE, [StoreName("sample")], [ResourceName(name)], None)
    shape, allowlist = choice.chosen[0].shape, choice.chosen[0].allowlist
    case = Case(shape, allowlist, write_answer(shape, records=30, size_bytes=20_000))
    found = measure_kernel(case, 0.05)
    out = minimize(case)().body
    assert out is not None
    assert (found.resource, found.records, found.in_bytes) == (name, 30, 20_000)
    assert found.out_bytes == len(out)
    assert found.covered == len(allowlist.covered)
    assert found.count > 1
    assert found.mb_per_s == pytest.approx(found.records_per_s / 30 * 0.02)
    assert 0 < found.p50_ms <= found.p99_ms
    assert found.cpu_us > 0
