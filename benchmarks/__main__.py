"""Run the measurements: `python -m benchmarks [--json FILE]`."""

import argparse
import json
import platform
import statistics
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path

from benchmarks.timing import alternate, median_ratio
from benchmarks.workloads import workloads


def main() -> None:
    """Measure, print a table, and write JSON where asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    arguments = parser.parse_args()
    rows: list[dict[str, str | float]] = []
    for workload in workloads():
        engines = {
            name: partial(engine, workload.body) for name, engine in workload.engines.items()
        }
        seconds = alternate(engines)
        for name, turns in seconds.items():
            median = statistics.median(turns)
            rows.append(
                {
                    "workload": workload.name,
                    "engine": name,
                    "median_us": round(median * 1e6, 1),
                    "megabytes_per_s": round(len(workload.body) / median / 1e6, 1),
                    "records_per_s": round(workload.records / median),
                    "withhold_is_times_as_fast": round(median_ratio(turns, seconds["withhold"]), 2),
                }
            )
    machine = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "msgspec": version("msgspec"),
        "orjson": version("orjson"),
    }
    _print(rows)
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine, "kernel": rows}, indent=1) + "\n")


def _print(rows: list[dict[str, str | float]]) -> None:
    out = sys.stdout.write
    out(f"{'workload':<28}{'engine':<18}{'µs':>9}{'MB/s':>9}{'records/s':>12}{'ours is':>10}\n")
    for row in rows:
        out(
            f"{row['workload']:<28}{row['engine']:<18}{row['median_us']:>9}{row['megabytes_per_s']:>9}"
            f"{row['records_per_s']:>12}{row['withhold_is_times_as_fast']:>9}x\n"
        )


if __name__ == "__main__":
    main()
