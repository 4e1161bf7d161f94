"""Tables: a run as Markdown that reads as text, too."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from benchmarks.figures import OURS, Figure, significant
from benchmarks.run import Change, Run, compare

ACROSS: Final = 5  # more columns than that are hard to read
NOISE: Final = 0.05  # a change below it is not worth a word

_NUMBER: Final = re.compile(r"(~ )?([\d,.]+×?( ±>?\d+%)?)?")
_MEANT: Final = (
    "Medians of rounds; `±` is half of what lies between the lowest and the highest. "
    "What each figure means: docs/benchmarks.md."
)
_TIMES: Final = (
    "Above 1× is better now; `~`: the rounds of both overlap, or it is next to nothing. "
    "What became of the peers tells how far the machine differs."
)


def markdown(run: Run, recorded: Run | None) -> str:
    """Write the whole run, and how it differs from the recorded one."""
    tree = " with changes" if run.dirty else ""
    of = f"{run.at}, commit `{run.commit}`{tree}, effort `{run.effort}`, {run.seconds:.0f} s."
    parts = [
        f"# Benchmarks\n\n{of} {_MEANT}\n",
        _pairs("machine", run.machine.items()),
        _pairs("version", run.versions.items()),
    ]
    for section in run.sections():
        parts.append(f"## {section}\n")
        parts += [f"{note}.\n" for note in run.notes.get(section, ())]
        figures = run.only(section)
        for workload in dict.fromkeys(each.workload for each in figures):
            parts.append(_workload([f for f in figures if f.workload == workload]))
    if recorded is not None:
        parts.append(_changes(run, recorded))
    return "\n".join(parts)


def _workload(figures: Sequence[Figure]) -> str:
    """Write a table of one workload: engines down and measures across, or else if too many."""
    measures = list(dict.fromkeys(_titled(each.measure, each.unit) for each in figures))
    engines = list(dict.fromkeys(each.engine for each in figures))
    cells = {(each.engine, _titled(each.measure, each.unit)): _cell(each) for each in figures}
    name = figures[0].workload
    if len(measures) > ACROSS:
        rows = [[title, *(cells.get((each, title), "") for each in engines)] for title in measures]
        return aligned([name, *engines], rows)
    rows = [[each, *(cells.get((each, title), "") for title in measures)] for each in engines]
    return aligned([name, *measures], rows)


def _titled(measure: str, unit: str) -> str:
    return measure if measure == unit else f"{measure}, {unit}"


def _cell(each: Figure) -> str:
    if not each.spread:
        return significant(each.median)
    apart = each.spread / 2
    return f"{significant(each.median)} ±{f'{apart:.0%}' if apart < 1 else '>99%'}"


def _changes(run: Run, recorded: Run) -> str:
    """Write what differs from the recorded run: ours first, then the rest."""
    changes = compare(run, recorded)
    same_machine = run.machine.get("cpu") == recorded.machine.get("cpu")
    of = f"That of {recorded.at}, commit `{recorded.commit}`, effort `{recorded.effort}`."
    parts = [f"## against the recorded run\n\n{of} {_TIMES}\n"]
    if not same_machine:
        parts.append("It was another machine: only ratios between engines can be compared.\n")
    if run.effort != recorded.effort:
        parts.append("It took another effort.\n")
    ours = [each for each in changes if each.now.engine == OURS]
    rest = [each for each in changes if each.now.engine != OURS]
    if not changes:
        parts.append("Both have no figure in common.\n")
    tables = [[_change(each) for each in some] for some in (ours, rest)]
    parts += [aligned(_CHANGED, rows) for rows in tables if rows]
    return "\n".join(parts)


_CHANGED: Final = ("section", "workload", "engine", "measure", "then", "now", "times")


def _change(each: Change) -> list[str]:
    now, times = each.now, each.times
    said = "" if times is None else f"{times:.2f}×"
    if each.within_spread or (times is not None and abs(times - 1) < NOISE):
        said = f"~ {said}"
    return [
        *(now.section, now.workload, now.engine, _titled(now.measure, now.unit)),
        *(significant(each.then.median), significant(now.median), said),
    ]


def _pairs(title: str, pairs: Iterable[tuple[str, str]]) -> str:
    return aligned([title, ""], [list(pair) for pair in pairs])


def aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table whose columns line up; numbers, all but the first, to the right."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    right = [i > 0 and _is_number(rows, i) for i in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(cells, widths, right, strict=True)
        ]
        return f"| {' | '.join(padded)} |"

    rule = [
        "-" * (width + 1) + (":" if is_right else "-")
        for width, is_right in zip(widths, right, strict=True)
    ]
    return "\n".join([line(head), f"|{'|'.join(rule)}|", *map(line, rows), ""])


def _is_number(rows: Sequence[Sequence[str]], i: int) -> bool:
    return all(_NUMBER.fullmatch(row[i]) for row in rows)
