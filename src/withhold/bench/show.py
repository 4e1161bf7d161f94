"""Showing: what was measured, as a table for people and as JSON for programs."""

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import withhold
from withhold.bench.kernel import Kernel
from withhold.bench.measure import Measured
from withhold.terminal import out, out_json, table

_COLUMNS: Final = (
    *("resource", "records", "in", "out", "req/s", "p50", "p99", "cpu/req", "memory"),
    *("store", "ledger", "rest", "errors"),
)
_KERNEL: Final = (
    *("resource", "records", "in", "out", "fields", "MB/s", "records/s", "cpu", "p50", "p99"),
)
_UNITS: Final = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_NONE: Final = "-"
_BROKEN: Final = "no answer"


@dataclass(frozen=True)
class Setting:
    """What the figures are true of."""

    deployment: str
    instrument: str
    load: str  # how hard it was asked
    database: str
    cache: str


def machine() -> dict[str, object]:
    """Say what this machine is."""
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": os.cpu_count() or 1,
        "python": platform.python_version(),
    }


def show(setting: Setting, measured: Sequence[Measured], *, as_json: bool) -> None:
    """Write what came of a whole service."""
    if as_json:
        out_json({**_head(setting), "resources": [_members(each) for each in measured]})
        return
    _print_head(setting)
    _print_rows([_COLUMNS, *map(_row, measured)])


def show_kernel(setting: Setting, measured: Sequence[Kernel], *, as_json: bool) -> None:
    """Write what came of the minimizer alone."""
    if as_json:
        out_json({**_head(setting), "kernel": [asdict(each) for each in measured]})
        return
    _print_head(setting)
    _print_rows([_KERNEL, *map(_kernel_row, measured)])


def print_bytes(number: float) -> str:
    """Write a size: `980 B`, `1.2 kB`, `34 MB`; a kilobyte is a thousand."""
    units = [unit for unit in _UNITS if number >= _UNITS[unit]] or ["B"]
    scaled = number / _UNITS[units[-1]]
    whole = units[-1] == "B" or scaled >= 10  # noqa: PLR2004 - two digits are enough
    return f"{scaled:.{0 if whole else 1}f} {units[-1]}"


def _head(setting: Setting) -> dict[str, Any]:
    return {"withhold": withhold.__version__, "machine": machine(), **asdict(setting)}


def _print_head(setting: Setting) -> None:
    here = machine()
    rows = [
        ("deployment", f"{setting.deployment}, under {setting.instrument}"),
        ("machine", f"{here['system']}, cores: {here['cores']}, Python {here['python']}"),
        *((name, value) for name, value in asdict(setting).items() if name in _ROWS and value),
    ]
    for line in table(rows):
        out(line)
    out()


_ROWS: Final = ("load", "database", "cache")


def _print_rows(rows: Sequence[Sequence[str]]) -> None:
    """Write a table whose numbers end where the column does."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *cells in rows:
        numbers = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        out("  ".join([name.ljust(widths[0]), *numbers]))


def _row(each: Measured) -> Sequence[str]:
    load = each.load
    cpu, memory = each.cpu_us_per_request, each.memory_mib
    return [
        each.resource,
        str(each.records),
        print_bytes(each.in_bytes),
        print_bytes(each.out_bytes),
        f"{load.requests_per_s:,.0f}",
        *(_ms(value) if load.count else _NONE for value in (load.p50_ms, load.p99_ms)),
        _NONE if cpu is None else f"{cpu:,.0f} us",
        _NONE if memory is None else f"{memory:,.0f} MiB",
        *(_share(each.shares, name) for name in ("store", "ledger", "rest")),
        ", ".join(_errors(load.by_status)) or "0",
    ]


def _kernel_row(each: Kernel) -> Sequence[str]:
    return [
        each.resource,
        str(each.records),
        print_bytes(each.in_bytes),
        print_bytes(each.out_bytes),
        str(each.covered),
        f"{each.mb_per_s:,.0f}",
        f"{each.records_per_s:,.0f}",
        f"{each.cpu_us:,.0f} us",
        _ms(each.p50_ms),
        _ms(each.p99_ms),
    ]


def _ms(value: float) -> str:
    return f"{value:.2f} ms" if value < 100 else f"{value:,.0f} ms"  # noqa: PLR2004 - digits that are worth it


def _share(shares: Mapping[str, float], name: str) -> str:
    return f"{shares[name]:.0%}" if name in shares else _NONE


def _errors(by_status: Iterable[tuple[int, int]]) -> Iterable[str]:
    return (f"{number} x {status or _BROKEN}" for status, number in by_status)


def _members(each: Measured) -> dict[str, Any]:
    members = asdict(each)
    load = members.pop("load")
    load["errors_by_status"] = {str(s) if s else _BROKEN: n for s, n in load.pop("by_status")}
    return {**members, **load}
