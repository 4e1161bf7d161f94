"""Plots of a run, as PNG and SVG: bars with their values, and lines where a rate grows."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from benchmarks import end_to_end, kernel, transforms
from benchmarks.bodies import ACCOUNT, SESSIONS
from benchmarks.figures import OURS, REQUESTS, Figure, significant
from benchmarks.run import Run

INK: Final = "#1f2933"
FAINT: Final = "#9aa5b1"
OURS_COLOUR: Final = "#0b6e4f"
PEER_COLOUR: Final = "#b8c4ce"
COLOURS: Final[Mapping[str, str]] = {
    OURS: OURS_COLOUR,
    "nginx, passing": "#7b8794",
    "nginx + Lua": "#c05621",
    "Envoy + Lua": "#805ad5",
    "mitmproxy + orjson": "#b7791f",
    "Starlette + httpx, passing": "#3182ce",
    end_to_end.DIRECT: "#cbd2d9",
    kernel.BY_HAND: "#c05621",
}
WIDTH_IN: Final = 8.0
BAR_IN: Final = 0.42
_STYLE: Final[dict[Any, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.hashsalt": "withhold",  # the same figures give the same bytes
    "svg.fonttype": "none",
}


def draw(run: Run, into: Path) -> None:
    """Draw what the run has figures for; files are named after what they show."""
    with mpl.rc_context(_STYLE):
        for name, canvas in _canvases(run).items():
            canvas.savefig(into / f"{name}.png", dpi=150, facecolor="white")
            canvas.savefig(into / f"{name}.svg", facecolor="white", metadata={"Date": None})


def _canvases(run: Run) -> dict[str, Canvas]:
    found: dict[str, Canvas] = {}
    end = run.only(end_to_end.SECTION)
    for workload in (ACCOUNT.name, SESSIONS.name):
        slug = workload.lower().replace(" ", "-")
        some = [f for f in end if f.workload == workload]
        if some:
            found[f"requests-{slug}"] = _bars(
                f"Requests per second, {workload}, one core", _measured(some, REQUESTS), REQUESTS
            )
            found[f"cpu-{slug}"] = _bars(
                f"CPU a request, {workload}", _measured(some, "CPU a request"), "µs"
            )
        lines = [f for f in end if f.workload.startswith(f"{workload}, p")]
        if lines:
            found[f"latency-{slug}"] = _latencies(workload, lines)
    if some := [f for f in run.only(kernel.SECTION) if f.workload == kernel.COVERED_NAME]:
        found["kernel-by-covered"] = _covered(some)
    if some := [f for f in run.only(kernel.SECTION) if f.measure == "MB/s"]:
        found["kernel"] = _pairs("The kernel, MB/s", some, lambda f: f.workload, "MB/s")
    if some := run.only(transforms.SECTION):
        title = "A value: ours from JSON to JSON, the library's call alone; logarithmic"
        found["transforms"] = _pairs(title, some, lambda f: f.measure, "ns", log=True)
    return found


def _measured(figures: Sequence[Figure], measure: str) -> list[Figure]:
    return [each for each in figures if each.measure == measure]


def _bars(title: str, figures: Sequence[Figure], unit: str) -> Canvas:
    """Draw one bar an engine, best above, ours in its colour; whiskers are the rounds' spread."""
    some = [each for each in figures if each.engine != end_to_end.DIRECT]
    some.sort(key=lambda f: f.median, reverse=some[0].better == "lower")
    canvas, axes = _canvas(title, 0.9 + BAR_IN * len(some))
    for at, each in enumerate(some):
        colour = OURS_COLOUR if each.engine == OURS else PEER_COLOUR
        axes.barh(at, each.median, height=0.62, color=colour)
        axes.hlines(at, each.low, each.high, color=INK, linewidth=1)
        axes.annotate(
            f"{significant(each.median)} {unit}",
            (max(each.high, each.median), at),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontweight="bold" if each.engine == OURS else "normal",
        )
    _label(axes, [each.engine for each in some])
    axes.set_xlim(0, max(each.high for each in some) * 1.22)
    axes.set_xticks([])
    return canvas


def _pairs(
    title: str,
    figures: Sequence[Figure],
    group: Callable[[Figure], str],
    unit: str,
    *,
    log: bool = False,
) -> Canvas:
    """Draw a group of bars for each workload, an engine each."""
    groups = list(dict.fromkeys(map(group, figures)))
    engines = list(dict.fromkeys(each.engine for each in figures))
    canvas, axes = _canvas(title, 1.3 + 0.26 * len(engines) * len(groups))
    height = 0.8 / len(engines)
    found = {(group(each), each.engine): each for each in figures}
    for row, name in enumerate(reversed(groups)):
        for place, engine in enumerate(engines):
            each = found.get((name, engine))
            if each is None:
                continue
            at = row + 0.4 - height * (place + 0.5)
            colour = OURS_COLOUR if engine == OURS else ("#b8c4ce", "#d9e0e6")[(place - 1) % 2]
            label = engine if row == len(groups) - 1 else None
            axes.barh(at, each.median, height=height * 0.9, color=colour, label=label)
            axes.annotate(
                f"{significant(each.median)} {unit}",
                (each.median, at),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
    _label(axes, list(reversed(groups)))
    most = max(each.median for each in figures)
    if log:
        axes.set_xscale("log")
        axes.set_xlim(min(each.median for each in figures) / 2, most * 6)
        axes.minorticks_off()
    else:
        axes.set_xlim(0, most * 1.2)
    axes.set_xticks([])
    _legend(canvas, axes, len(engines))
    return canvas


def _latencies(workload: str, figures: Sequence[Figure]) -> Canvas:
    """Draw p50 and p99 by rate, side by side; both axes are logarithmic."""
    canvas = Canvas(figsize=(WIDTH_IN * 1.25, 4.4), layout="constrained")
    sides = canvas.subplots(1, 2, sharey=True)
    rates = sorted({_rate(each) for each in figures})
    for axes, quantile in zip(sides, (end_to_end.P50, end_to_end.P99), strict=True):
        some = [each for each in figures if each.workload.endswith(f", {quantile}")]
        for engine in dict.fromkeys(each.engine for each in some):
            line = sorted((_rate(f), f.median) for f in some if f.engine == engine)
            axes.plot(
                [rate for rate, _ in line],
                [value for _, value in line],
                marker="o",
                markersize=4,
                linewidth=2.4 if engine == OURS else 1.4,
                zorder=3 if engine == OURS else 2,
                color=COLOURS.get(engine, PEER_COLOUR),
                label=engine,
            )
        axes.set_title(quantile, fontsize=10, loc="left")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.minorticks_off()
        axes.set_xticks(rates, [f"{rate:,}" for rate in rates])
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_xlabel("requests per second")
        _grid(axes)
    sides[0].set_ylabel("ms")
    canvas.suptitle(
        f"Latency at fixed rates, {workload} (where an engine keeps up)",
        x=0.01,
        ha="left",
        fontweight="bold",
    )
    _legend(canvas, sides[0], 4)
    return canvas


def _covered(figures: Sequence[Figure]) -> Canvas:
    """Draw MB/s by how many fields are covered."""
    canvas, axes = _canvas("The kernel by covered fields, 200 records of 20 fields", 4.2)
    counts = sorted({int(each.measure) for each in figures})
    for engine in dict.fromkeys(each.engine for each in figures):
        line = sorted((int(f.measure), f.median) for f in figures if f.engine == engine)
        colour = COLOURS.get(engine, PEER_COLOUR)
        axes.plot(
            [count for count, _ in line],
            [value for _, value in line],
            marker="o",
            linewidth=2.4 if engine == OURS else 1.6,
            color=colour,
            label=engine,
        )
        for count, value in line:
            axes.annotate(
                significant(value),
                (count, value),
                xytext=(0, 7 if engine == OURS else -14),
                textcoords="offset points",
                ha="center",
                fontsize=8,
                color=colour,
            )
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.set_ylim(0, max(each.median for each in figures) * 1.15)
    axes.set_xlabel("covered fields")
    axes.set_ylabel("MB/s")
    _grid(axes)
    _legend(canvas, axes, 2)
    return canvas


def _rate(each: Figure) -> int:
    return int(each.measure.removesuffix("/s").replace(",", ""))


def _canvas(title: str, height_in: float) -> tuple[Canvas, Axes]:
    canvas = Canvas(figsize=(WIDTH_IN, height_in), layout="constrained")
    axes = canvas.subplots()
    canvas.suptitle(title, x=0.01, ha="left", fontweight="bold")
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
    return canvas, axes


def _label(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    for label in axes.get_yticklabels():
        if label.get_text() == OURS:
            label.set_fontweight("bold")


def _grid(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(axis="y", color="#e4e7eb", linewidth=0.8)
    axes.set_axisbelow(True)


def _legend(canvas: Canvas, axes: Axes, columns: int) -> None:
    handles, labels = axes.get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower left", ncols=columns, frameon=False)
