import json

import pytest

from benchmarks.run import compare, parse_run, print_run
from tests.benchmarks.runs import cpu, rate, run


def test_a_run_is_read_as_it_was_written() -> None:
    made = run([rate(1, 2, 3), cpu(4.5)])
    read = parse_run(print_run(made))
    assert read.figures == made.figures
    assert print_run(read) == print_run(made)


def test_another_format_is_refused() -> None:
    document = json.loads(print_run(run([])))
    with pytest.raises(ValueError, match="format"):
        parse_run(json.dumps({**document, "format": 2}).encode())


def test_above_one_is_better_whatever_the_unit() -> None:
    changes = compare(run([rate(200), cpu(50)]), run([rate(100), cpu(100)]))
    assert [each.times for each in changes] == [2.0, 2.0]
    changes = compare(run([rate(50), cpu(200)]), run([rate(100), cpu(100)]))
    assert [each.times for each in changes] == [0.5, 0.5]


def test_only_what_both_measured_is_compared() -> None:
    then = run([rate(1, engine="a peer"), rate(1)])
    now = run([rate(1), rate(1, workload="100 KB")])
    assert [each.now.key for each in compare(now, then)] == [rate(1).key]


def test_rounds_that_overlap_may_be_noise() -> None:
    (near,) = compare(run([rate(90, 110)]), run([rate(100, 120)]))
    (far,) = compare(run([rate(90, 110)]), run([rate(120, 130)]))
    assert near.within_spread
    assert not far.within_spread


def test_nothing_is_no_ratio() -> None:
    (change,) = compare(run([rate(1)]), run([rate(0)]))
    assert change.times is None
    (change,) = compare(run([rate(0)]), run([rate(0)]))
    assert change.times == 1.0
