"""Series over train steps as the figures of a drawing: where lines, ticks and labels lie. Knows no metric and no HTML.

Many points are put together by neighbours: the line is their mean, the band around it reaches from the lowest to the
highest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Literal, NamedTuple

from agentgym.viewer.format import UNKNOWN, count
from agentgym.viewer.training import Series

WIDTH, HEIGHT = 420, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 8, 22
"""Margins: the labels of the axes stand in them."""
POINTS = 90
"""Drawn of one series."""
DOTS = 30
"""Of as few points each one is marked."""
X_TICKS, Y_TICKS = 6, 5
_LARGEST = 1e100
"""What is beyond is no figure that anybody can read."""

Unit = Literal["", "%", "s"]


class Tick(NamedTuple):
    at: float
    label: str


class Point(NamedTuple):
    """One or several neighbours."""

    step: int
    mean: float
    """NaN where none of them is known."""
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Line:
    """One series, drawn."""

    label: str
    path: str
    """SVG path data."""
    band: str
    """Likewise; empty where every point is one step's."""
    dots: tuple[tuple[float, float], ...]
    xs: str
    """Of the points that are drawn, with `steps` and `values` as they are read off; apart by spaces."""
    steps: str
    values: str
    last: str
    """The newest value."""


@dataclass(frozen=True, slots=True)
class Plot:
    """Everything that a chart shows."""

    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    step: int
    """The newest."""
    said: str
    """The same in a sentence."""


def plot(
    series: Mapping[str, Series], *, unit: Unit = "", low: float | None = None, high: float | None = None
) -> Plot | None:
    """The series by their labels; the axis reaches at least from `low` to `high`. None: there is nothing to draw."""
    points = {label: some for label, one in series.items() if _known(some := points_of(one))}
    known = [point for some in points.values() for point in _known(some)]
    if not known:
        return None
    lowest = min([point.low for point in known] + ([] if low is None else [low]))
    highest = max([point.high for point in known] + ([] if high is None else [high]))
    y_ticks = ticks(lowest, highest, Y_TICKS)
    steps = [point.step for point in known]
    first, last = min(steps), max(max(steps), min(steps) + 1)
    y_place = _scale(y_ticks[0], y_ticks[-1], HEIGHT - BOTTOM, TOP)
    x_place = _scale(first, last, LEFT, WIDTH - RIGHT)
    # between two train steps nothing lies
    x_ticks = [tick for tick in ticks(first, last, X_TICKS) if first <= tick <= last and tick == round(tick)]
    lines = tuple(_line(label, some, x_place, y_place, unit) for label, some in points.items())
    return Plot(
        lines,
        tuple(Tick(x_place(tick), f"{tick:,.0f}") for tick in x_ticks),
        tuple(Tick(y_place(tick), _label(tick, y_ticks[1] - y_ticks[0], unit)) for tick in y_ticks),
        max(steps),
        f"train steps {first:,} to {last:,}; "
        + "; ".join(f"{line.label} {line.values.partition(' ')[0]} to {line.last}" for line in lines),
    )


def points_of(series: Series) -> list[Point]:
    """What is drawn of a series, at most POINTS."""
    n = len(series.steps)
    n_drawn = min(n, POINTS)
    cuts = [i * n // n_drawn for i in range(n_drawn + 1)] if n else [0]
    return [_together(series.steps[a:b], series.values[a:b]) for a, b in pairwise(cuts)]


def ticks(low: float, high: float, n: int) -> list[float]:
    """Round numbers, at most `n` steps apart from another, that enclose the range."""
    if high <= low:
        high = low + (abs(low) or 1.0)
    magnitude = 10.0 ** math.floor(math.log10((high - low) / n))
    step = next(m * magnitude for m in (1, 2, 5, 10) if (high - low) / (m * magnitude) <= n)
    return [step * i for i in range(math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9) + 1)]


def figure(value: float, unit: Unit = "") -> str:
    """Three digits that tell; no spaces."""
    if math.isnan(value):
        return UNKNOWN
    if unit == "%":
        return f"{100 * value:.3g}%" if abs(value) < 1 else f"{100 * value:.0f}%"
    shown = count(value) if abs(value) >= 1000 else f"{0.0 if abs(value) < 1e-12 else value:.3g}"
    return f"{shown}s" if unit == "s" else shown


def _label(tick: float, step: float, unit: Unit) -> str:
    """Of a tick: with the digits that tell it from its neighbours."""
    if unit == "%":
        return f"{_label(100 * tick, 100 * step, '')}%"
    if abs(tick) >= 1000:
        return figure(tick, unit)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    shown = f"{tick:.{decimals}f}" if decimals < 7 else f"{tick:.1e}"
    return f"{shown}s" if unit == "s" else shown


def _together(steps: Sequence[int], values: Sequence[float]) -> Point:
    known = [value for value in values if abs(value) < _LARGEST]
    step = steps[len(steps) // 2]
    if not known:
        return Point(step, math.nan, math.nan, math.nan)
    return Point(step, math.fsum(known) / len(known), min(known), max(known))


class _scale:
    """From numbers to places on the drawing."""

    def __init__(self, low: float, high: float, start: float, stop: float) -> None:
        self._low, self._start = low, start
        self._each = (stop - start) / (high - low)

    def __call__(self, value: float) -> float:
        return round(self._start + (value - self._low) * self._each, 1)


def _line(label: str, points: Sequence[Point], x_place: _scale, y_place: _scale, unit: Unit) -> Line:
    path, band, dots = [], [], []
    wide = any(point.high > point.low for point in points)
    for piece in _pieces(points):
        drawn = [(x_place(point.step), y_place(point.mean)) for point in piece]
        path.append("M" + "L".join(f"{x:g} {y:g}" for x, y in drawn))
        if len(points) <= DOTS or len(piece) == 1:
            dots += drawn
        if wide and len(piece) > 1:
            there = [f"{x_place(point.step):g} {y_place(point.high):g}" for point in piece]
            back = [f"{x_place(point.step):g} {y_place(point.low):g}" for point in reversed(piece)]
            band.append("M" + "L".join([*there, *back]) + "Z")
    known = _known(points)
    return Line(
        label=label,
        path="".join(path),
        band="".join(band),
        dots=tuple(dots),
        xs=" ".join(f"{x_place(point.step):g}" for point in known),
        steps=" ".join(str(point.step) for point in known),
        values=" ".join(figure(point.mean, unit) for point in known),
        last=figure(known[-1].mean, unit),
    )


def _known(points: Sequence[Point]) -> list[Point]:
    return [point for point in points if not math.isnan(point.mean)]


def _pieces(points: Sequence[Point]) -> Iterator[list[Point]]:
    """Neighbours that are known: where nothing is known the line is broken."""
    for is_known, piece in groupby(points, lambda point: not math.isnan(point.mean)):
        if is_known:
            yield list(piece)
