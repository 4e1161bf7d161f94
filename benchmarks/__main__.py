"""Measure Withhold against what people would use instead: `python -m benchmarks [SECTION…]`.

All sections take under ten minutes. JSON, a table and plots go to benchmarks/results/latest; they
are compared with the run in benchmarks/results/recorded. docs/benchmarks.md: how to read them.
"""

import argparse
import importlib.util
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks import cache, end_to_end, kernel, ledger, streaming, transforms, workers
from benchmarks.effort import FULL, QUICK, SMOKE, Effort
from benchmarks.figures import Result
from benchmarks.machine import commit, machine, versions
from benchmarks.run import Run, parse_run, print_run
from benchmarks.table import markdown

RESULTS: Final = Path(__file__).parent / "results"
RECORDED: Final = RESULTS / "recorded"
RUN: Final = "run.json"
SECTIONS: Final[Mapping[str, Callable[[Effort], Result]]] = {
    "kernel": kernel.measure,
    "transforms": transforms.measure,
    "cache": cache.measure,
    "end-to-end": end_to_end.measure,
    "ledger": ledger.measure,
    "streaming": streaming.measure,
    "workers": workers.measure,
}


def main(words: Sequence[str]) -> int:
    """Measure, print the table, and write JSON, table and plots."""
    arguments = _parser().parse_args(words)
    unknown = [name for name in arguments.sections if name not in SECTIONS]
    if unknown:
        sys.stderr.write(
            f"error: there is no section `{unknown[0]}`\nhint: there are {', '.join(SECTIONS)}\n"
        )
        return 2
    effort: Effort = arguments.effort
    if arguments.record and (effort is not FULL or arguments.sections):
        sys.stderr.write("error: only a full run of all sections is recorded\n")
        return 2
    run = _measure(arguments.sections or list(SECTIONS), effort)
    file = RECORDED / RUN
    recorded = parse_run(file.read_bytes()) if file.exists() else None
    sys.stdout.write(markdown(run, recorded))
    with tempfile.TemporaryDirectory() as scratch:
        # A smoke is to show that everything works; what it measured is not worth keeping.
        _write(run, recorded, Path(scratch) if effort is SMOKE else arguments.into)
    if arguments.record:
        _write(run, None, RECORDED)
    return 0


def _measure(names: Sequence[str], effort: Effort) -> Run:
    began_s = time.monotonic()
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    head, dirty = commit()
    results: dict[str, Result] = {}
    for name in names:
        section_s = time.monotonic()
        results[name] = SECTIONS[name](effort)
        sys.stderr.write(f"{name}: {time.monotonic() - section_s:.0f} s\n")
    return Run(
        at=at,
        commit=head,
        dirty=dirty,
        effort=effort.name,
        seconds=round(time.monotonic() - began_s, 1),
        machine=machine(),
        versions=versions(),
        notes={name: result.notes for name, result in results.items()},
        figures=[figure for result in results.values() for figure in result.figures],
    )


def _write(run: Run, recorded: Run | None, into: Path) -> None:
    """Write all forms of a run; the plots where matplotlib is installed."""
    into.mkdir(parents=True, exist_ok=True)
    (into / RUN).write_bytes(print_run(run))
    (into / "table.md").write_text(markdown(run, recorded), encoding="utf-8")
    if importlib.util.find_spec("matplotlib") is None:
        sys.stderr.write("no plots: matplotlib is not installed; `make bench` installs it\n")
        return
    # Loaded here: whoever runs the suite without plots needs no matplotlib.
    importlib.import_module("benchmarks.plots").draw(run, into)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    effort = parser.add_mutually_exclusive_group()
    effort.add_argument(
        "--quick", dest="effort", action="store_const", const=QUICK, default=FULL,
        help="fewer and shorter rounds: to see where one stands",
    )  # fmt: skip
    effort.add_argument(
        "--smoke", dest="effort", action="store_const", const=SMOKE,
        help="as short as can be, nothing is written: to see that everything works",
    )  # fmt: skip
    parser.add_argument(
        "--record", action="store_true", help="make this the run that later ones are compared with"
    )
    parser.add_argument(
        "--into",
        type=Path,
        default=RESULTS / "latest",
        metavar="DIR",
        help="where to write (default: results/latest)",
    )
    return parser


if __name__ == "__main__":
    # What was started is ended, whoever ends the run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1:]))
