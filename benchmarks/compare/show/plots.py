"""Drawings of a comparison, as SVG and PNG: what has no data is not drawn, and its absence is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchmarks.compare.files import GROWTH, PLOTS, STRESS, Grown, Stressed, read_rows

COLOURS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#D55E00", "#0072B2", "#CC79A7", "#999999")
"""Okabe & Ito 2008: told apart by people who do not see all colours. Line and marker change with each round."""
LINES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D")
_STYLE: dict[Any, Any] = {
    "font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25,
    "legend.frameon": False, "legend.fontsize": 8,
    "svg.fonttype": "none", "svg.hashsalt": "obverse", "text.parse_math": False,
    "figure.constrained_layout.use": True,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PlotData:
    """What plots are drawn from."""

    methods: Sequence[Mapping[str, Any]]
    """The methods of results.json."""
    stress: Sequence[Stressed]
    """The rows of stress.csv; none where robustness was not measured."""
    growth: Sequence[Grown]
    """The rows of growth.csv; none where growth was not measured."""
    style: Mapping[str, Mapping[str, Any]]
    """Matplotlib's settings of each method's line."""


@dataclass(frozen=True, kw_only=True)
class Plot:
    """One drawing of the report."""

    name: str
    """What its files are called."""
    caption: str
    """What the report tells below it."""
    missing: str
    """What the report tells where `draw` gives None."""
    draw: Callable[[PlotData], Figure | None]
    """Draws it; None where there is nothing to draw."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What became of a plot."""

    name: str
    """What its files are called."""
    text: str
    """The caption, or why there was nothing to draw."""
    svg: Path | None
    """The file; None where there was nothing to draw."""


def draw_plots(out: Path, results: Mapping[str, Any]) -> list[Drawn]:
    """Writes plots/NAME.svg and .png; files of plots that have no data any more are removed."""
    names = [m["name"] for m in results["methods"]]
    stress = read_rows(out / STRESS, Stressed) if (out / STRESS).exists() else []
    growth = read_rows(out / GROWTH, Grown) if (out / GROWTH).exists() else []
    everyone = list(dict.fromkeys([*names, *(r.method for r in stress), *(r.method for r in growth)]))
    # The baseline keeps the first colour whatever else is there.
    everyone.sort(key=lambda name: name != results.get("baseline"))
    style = {name: _style(i, first=name == results.get("baseline")) for i, name in enumerate(everyone)}
    data = PlotData(methods=results["methods"], stress=stress, growth=growth, style=style)
    folder = out / PLOTS
    folder.mkdir(exist_ok=True)
    drawn = []
    for plot in TABLE:
        with rc_context(_STYLE):
            figure = plot.draw(data)
            files = [folder / f"{plot.name}.{suffix}" for suffix in ("svg", "png")]
            for path in files:
                path.unlink(missing_ok=True)
                if figure is not None:
                    figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)
        text = plot.caption if figure is not None else plot.missing
        drawn.append(Drawn(name=plot.name, text=text, svg=files[0] if figure is not None else None))
    return drawn


def _style(place: int, *, first: bool) -> dict[str, Any]:
    turn = place // len(COLOURS)
    return {
        "color": COLOURS[place % len(COLOURS)], "linestyle": LINES[turn % len(LINES)],
        "marker": MARKERS[turn % len(MARKERS)], "linewidth": 2.4 if first else 1.3, "markersize": 4,
    }  # fmt: skip


def _label(data: PlotData, name: str) -> str:
    sampled = any(m["name"] == name and m.get("sample") is not None for m in data.methods)
    return _plain(f"{name} (sample)" if sampled else name)


def _plain(text: str) -> str:
    """Matplotlib leaves labels that begin with _ out of legends."""
    return f" {text}" if text.startswith("_") else text


def _logarithmic(axes: Axes, letters: str) -> None:
    """Plain numbers at powers of ten; file names may hold dollar signs, so that nothing is read as mathematics."""
    for letter in letters:
        axes.set(**{f"{letter}scale": "log"})
        axis = axes.xaxis if letter == "x" else axes.yaxis
        low, high = axis.get_view_interval()
        near = high / max(low, 1e-12) < 30  # less than a decade and a half: powers of ten alone are too few
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if near else (1,)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())


def _one(width: float = 7, height: float = 4.2, columns: int = 1) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height))
    return figure, list(figure.subplots(1, columns, squeeze=False)[0])


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper")


def _line(axes: Axes, data: PlotData, name: str, points: Sequence[Sequence[float]], **changes: Any) -> None:
    x, y = zip(*points, strict=True)
    axes.plot(x, y, label=_label(data, name), **{**data.style[name], **changes})


def _recall_at_k(data: PlotData) -> Figure | None:
    curves = {m["name"]: m["curves"]["recall_at_k"] for m in data.methods if m["curves"]["recall_at_k"]}
    if not curves:
        return None
    figure, (axes,) = _one()
    for name, points in curves.items():
        _line(axes, data, name, points)
    axes.set(xlabel="K, pictures of the list", ylabel="recall@K", ylim=(0, 1.01))
    _logarithmic(axes, "x")
    _legend(figure, axes)
    return figure


def _roc(data: PlotData) -> Figure | None:
    curves = {m["name"]: m["curves"]["roc"] for m in data.methods if m["curves"]["roc"]}
    if not curves:
        return None
    figure, (left, right) = _one(10, 4.2, 2)
    least = min((x for points in curves.values() for x, _ in points if x > 0), default=1e-6)
    for name, points in curves.items():
        # Without a false pair a point lies at the left edge: a logarithmic axis has no zero.
        shown = [(max(x, least / 2), y) for x, y in points]
        _line(left, data, name, shown, marker="", drawstyle="steps-post")
        missed = [(x, 1 - y) for x, y in shown if y < 1]
        if missed:
            _line(right, data, name, missed, marker="", drawstyle="steps-post")
    rate = "false-positive rate over photo-picture pairs"
    left.set(xlabel=rate, ylabel="true-positive rate (ROC)", ylim=(0, 1.01))
    right.set(xlabel=rate, ylabel="missed right pairs (DET)")
    _logarithmic(left, "x")
    _logarithmic(right, "xy")
    _legend(figure, left)
    return figure


def _precision_recall(data: PlotData) -> Figure | None:
    curves = {m["name"]: m["curves"]["precision_recall"] for m in data.methods if m["curves"]["precision_recall"]}
    if not curves:
        return None
    figure, (axes,) = _one()
    for name, points in curves.items():
        _line(axes, data, name, points, marker="")
    axes.axhline(0.9, color="#666666", linewidth=0.8, linestyle=":")
    axes.set(xlabel="recall, photos of gallery pictures", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.01))
    _legend(figure, axes)
    return figure


def _reliability(data: PlotData) -> Figure | None:
    curves = {m["name"]: m["all"]["reliability"] for m in data.methods if m["all"]["reliability"]}
    if not curves:
        return None
    figure, (axes,) = _one(5, 4.2)
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=1, linestyle=":")
    for name, points in curves.items():
        _line(axes, data, name, [(p, right) for _, p, right in points])
        for count, p, right in points:
            axes.annotate(str(count), (p, right), textcoords="offset points", xytext=(5, -9), fontsize=7)
    axes.set(xlabel="match ratio / 100, mean of the bin", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.02))
    axes.legend()
    return figure


def _time_recall(data: PlotData) -> Figure | None:
    points = {
        m["name"]: (m["all"]["figures"]["ms_p50"], m["all"]["figures"]["ranked_first"])
        for m in data.methods
        if m["all"]["figures"]["ms_p50"] and m["all"]["figures"]["ranked_first"] is not None
    }
    if not points:
        return None
    figure, (axes,) = _one()
    for name, point in points.items():
        _line(axes, data, name, [point], markersize=8, linestyle="")
    axes.set(xlabel="milliseconds per photo (median)", ylabel="right picture ranked first", ylim=(0, 1.01))
    _logarithmic(axes, "x")
    _legend(figure, axes)
    return figure


def _robustness(data: PlotData) -> Figure | None:
    if not data.stress:
        return None
    factors = list(dict.fromkeys(r.factor for r in data.stress))
    columns = min(4, len(factors))
    lines = -(-len(factors) // columns)
    figure = Figure(figsize=(2.7 * columns + 1.8, 2.4 * lines))
    grid = figure.subplots(lines, columns, squeeze=False, sharey=True).ravel()
    for axes, factor in zip(grid, factors, strict=False):
        for name in dict.fromkeys(r.method for r in data.stress if r.factor == factor):
            rows = sorted((r.strength, r.recall_at_1) for r in data.stress if (r.factor, r.method) == (factor, name))
            _line(axes, data, name, rows)
        axes.set(xlabel=_plain(factor), ylim=(0, 1.02))
    for axes in grid[len(factors) :]:
        axes.set_axis_off()
    for axes in grid[::columns]:
        axes.set_ylabel("ranked first")
    _legend(figure, grid[0])
    return figure


def _growth(data: PlotData) -> Figure | None:
    if not data.growth:
        return None
    figure, (left, right) = _one(10, 4.2, 2)
    for name in dict.fromkeys(r.method for r in data.growth):
        rows = sorted((r for r in data.growth if r.method == name), key=lambda r: r.gallery)
        _line(left, data, name, [(r.gallery, r.recall_at_100) for r in rows])
        timed = [(r.gallery, r.ms) for r in rows if r.ms > 0]
        if timed:
            _line(right, data, name, timed)
    left.set(xlabel="pictures of the gallery", ylabel="recall@100 of the shortlist", ylim=(0, 1.01))
    right.set(xlabel="pictures of the gallery", ylabel="milliseconds per photo")
    _logarithmic(left, "x")
    _logarithmic(right, "xy")
    _legend(figure, left)
    return figure


def _verifiers(data: PlotData) -> Figure | None:
    cells: dict[tuple[str, str], float] = {}
    for method in data.methods:
        checked, value = method.get("verifier"), method["all"]["figures"]["ranked_first"]
        if isinstance(checked, Mapping) and "estimator" in checked and value is not None:
            parts = [str(checked["estimator"]).removeprefix("usac_")]
            parts += [f"ratio {checked['ratio']}"] if checked.get("ratio") else []
            parts += ["mutual"] if checked.get("mutual") else []
            row = f"{'+'.join(method['shortlists'])}, {checked['features']}"
            cells[row, "\n".join(parts)] = value
    rows, columns = (sorted({key[i] for key in cells}) for i in (0, 1))
    if len(cells) < 4 or len(rows) < 2 or len(columns) < 2:
        return None
    figure, (axes,) = _one(max(5, 1.0 * len(columns) + 2), max(3, 0.5 * len(rows) + 1.5))
    values = np.array([[cells.get((r, c), np.nan) for c in columns] for r in rows])
    axes.imshow(values, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        text = "" if np.isnan(value) else f"{value:.3f}"
        axes.text(j, i, text, ha="center", va="center", color="white" if value < 0.6 else "black", fontsize=8)
    axes.set_xticks(range(len(columns)), [_plain(c) for c in columns], fontsize=7)
    axes.set_yticks(range(len(rows)), [_plain(r) for r in rows])
    axes.grid(False)
    return figure


TABLE: tuple[Plot, ...] = (
    Plot(
        name="recall_at_k", draw=_recall_at_k,
        caption="Recall@K of the shortlist; of the final ranking for a method that has no shortlist.",
        missing="Recall@K: no photo of a gallery picture was scored.",
    ),
    Plot(
        name="roc", draw=_roc,
        caption="All photo-picture pairs: the right ones that are found, and those that are missed, against the share "
        "of the others that score as high. A curve ends where the method's lists end.",
        missing="ROC and DET: no method listed anything.",
    ),
    Plot(
        name="precision_recall", draw=_precision_recall,
        caption="The best picture of every photo, pooled, as one threshold falls; dotted: 90 % precision.",
        missing="Precision and recall: no method listed anything.",
    ),
    Plot(
        name="reliability", draw=_reliability,
        caption="Reliability of the match ratio: on the dotted line it is what it claims. Numbers: photos of the bin.",
        missing="Reliability: no method of this run states a probability.",
    ),
    Plot(
        name="time_recall", draw=_time_recall,
        caption="Recall against time: up and to the left is better.",
        missing="Time and recall: no time was measured.",
    ),
    Plot(
        name="robustness", draw=_robustness,
        caption="Simulated photos with one factor at growing strength: right picture ranked first.",
        missing="Robustness: not measured here; `obverse stress SET` does.",
    ),
    Plot(
        name="growth", draw=_growth,
        caption="Shortlist recall and time as the gallery grows.",
        missing="Growth: not measured in this run.",
    ),
    Plot(
        name="verifiers", draw=_verifiers,
        caption="Verifiers side by side: right picture ranked first.",
        missing="Verifiers: fewer than four combinations were run, no grid to show.",
    ),
)  # fmt: skip
