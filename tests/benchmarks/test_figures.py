import pytest

from benchmarks.figures import ratio, significant
from tests.benchmarks.runs import cpu, rate


def test_a_figure_is_the_median_of_its_rounds_and_their_bounds() -> None:
    found = rate(90, 300, 100)
    assert (found.median, found.low, found.high) == (100, 90, 300)
    assert found.spread == pytest.approx(2.1)


def test_more_requests_are_better_and_less_time_is() -> None:
    assert rate(1).better == "higher"
    assert cpu(1).better == "lower"


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    # Both were slow in the last round: that says nothing about either.
    assert ratio([200, 210, 20], [100, 100, 10]) == pytest.approx(2.0)
    with pytest.raises(ValueError, match="longer"):
        ratio([1], [1, 2])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (12345.6, "12,346")],
)
def test_three_figures_count(value: float, text: str) -> None:
    assert significant(value) == text
