from benchmarks.figures import figure
from benchmarks.table import ACROSS, aligned, markdown
from tests.benchmarks.runs import cpu, rate, run


def lines_of(table: str, *cells: str) -> list[str]:
    """The lines that hold all these."""
    return [line for line in table.splitlines() if all(cell in line for cell in cells)]


def test_columns_line_up_and_numbers_stand_right() -> None:
    assert aligned(["name", "count"], [["a", "1"], ["longer", "1,000"]]).splitlines() == [
        "| name   | count |",
        "|--------|------:|",
        "| a      |     1 |",
        "| longer | 1,000 |",
    ]


def test_engines_stand_down_and_measures_across() -> None:
    table = markdown(run([rate(100), cpu(5), rate(300, engine="a peer")]), None)
    assert "| 1 KB     | requests/s | CPU a request, µs |" in table
    assert lines_of(table, "| withhold | ", "100", "5.00")
    assert lines_of(table, "| a peer   | ", "300")
    assert "something is left out.\n" in table


def test_many_measures_stand_down() -> None:
    figures = [figure("kernel", "w", "us", str(n), "MB/s", [n]) for n in range(ACROSS + 1)]
    assert "| w       |   us |" in markdown(run(figures), None)


def test_the_machine_the_versions_and_the_commit_are_told() -> None:
    table = markdown(run([rate(1)], dirty=True), None)
    assert lines_of(table, "a processor")
    assert lines_of(table, "`0123456789ab` with changes")
    assert "against the recorded run" not in table


def test_what_changed_is_told_as_a_ratio_and_noise_as_noise() -> None:
    then = run([rate(100), cpu(100), rate(80, engine="a peer")])
    now = run([rate(200), cpu(98), rate(80, engine="a peer")])
    table = markdown(now, then).partition("## against the recorded run")[2]
    assert lines_of(table, "withhold", "requests/s", "100", "200", "  2.00× |")
    assert lines_of(table, "withhold", "CPU a request", "~ 1.02×")
    assert lines_of(table, "a peer", "~ 1.00×")
    assert "another machine" not in table


def test_another_machine_is_told() -> None:
    then = run([rate(1)], machine={"cpu": "another"}, effort="quick")
    table = markdown(run([rate(1)]), then)
    assert "another machine" in table
    assert "another effort" in table
    assert "no figure in common" in markdown(run([rate(1)]), run([cpu(1)]))
