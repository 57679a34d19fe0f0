"""Bars by day as SVG: text that stands in the page, with attributes alone, as the page's policy demands."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

from markupsafe import Markup, escape

WIDTH, HEIGHT, FOOT, LEFT = 960, 220, 22, 44
"""Of the drawing, in units of its view box; below and beside it are the axes' texts."""
MOST_BARS = 92
"""More days than that are drawn by week, so that a bar can be seen."""


def bars(counts: Mapping[dt.date, int] | Iterable[tuple[dt.date, int]], first: dt.date, last: dt.date) -> Markup:
    """Counts of the days `first` to `last`; those without any are 0."""
    step = 1 if (last - first).days < MOST_BARS else -(-((last - first).days + 1) // MOST_BARS)
    number = (last - first).days // step + 1
    heights = [0] * number
    for day, count in dict(counts).items():
        heights[(day - first).days // step] += count
    top = _round_up(max(heights, default=0))
    wide = (WIDTH - LEFT) / number
    tall = HEIGHT - FOOT
    drawn = [_grid(top, tall)]
    for place, count in enumerate(heights):
        if count:
            day = first + dt.timedelta(days=place * step)
            high = max(1.0, count / top * (tall - 8))
            x, y = LEFT + place * wide + wide * 0.12, tall - high
            drawn.append(
                f'<rect class="bar" x="{x:.1f}" y="{y:.1f}" width="{max(1.0, wide * 0.76):.1f}" height="{high:.1f}" '
                f'rx="2"><title>{day.isoformat()}: {count}</title></rect>'
            )
    for place in sorted({0, number // 2, number - 1}):
        day = first + dt.timedelta(days=place * step)
        anchor = "start" if place == 0 else "end" if place == number - 1 and number > 1 else "middle"
        x = LEFT + (place + (0 if anchor == "start" else 1 if anchor == "end" else 0.5)) * wide
        drawn.append(f'<text x="{x:.1f}" y="{HEIGHT - 5}" text-anchor="{anchor}">{day.isoformat()}</text>')
    inner = "".join(drawn)
    label = escape(f"{first.isoformat()} to {last.isoformat()}")
    return Markup(f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{inner}</svg>')


def _grid(top: int, tall: int) -> str:
    lines = []
    for part in (0.0, 0.5, 1.0):
        y = tall - part * (tall - 8)
        lines.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        if part in (0.0, 1.0) or top % 2 == 0:
            lines.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{round(top * part)}</text>')
    return "".join(lines)


def _round_up(value: int) -> int:
    """To 1, 2, 5 times a power of ten: what an axis ends at."""
    power = 1
    while True:
        for factor in (1, 2, 5):
            if factor * power >= value:
                return factor * power
        power *= 10
