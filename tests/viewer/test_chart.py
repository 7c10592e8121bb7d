"""Numbers into places on a drawing."""

from __future__ import annotations

import math
import re

import pytest

from agentgym.viewer.chart import BOTTOM, DOTS, HEIGHT, LEFT, POINTS, RIGHT, TOP, WIDTH, figure, plot, points_of, ticks
from agentgym.viewer.training import Series

RISING = Series([0, 50, 100], [0.0, 0.5, 1.0])


def places(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"([\d.e+-]+) ([\d.e+-]+)", path)]


def test_a_line_goes_from_corner_to_corner() -> None:
    drawn = plot({"mean": RISING})
    assert drawn is not None
    [line] = drawn.lines
    left, right, bottom, top = LEFT, WIDTH - RIGHT, HEIGHT - BOTTOM, TOP
    assert places(line.path) == [(left, bottom), ((left + right) / 2, (bottom + top) / 2), (right, top)]
    assert list(line.dots) == places(line.path)
    assert line.band == ""
    assert (line.steps, line.values, line.last) == ("0 50 100", "0 0.5 1", "1")
    assert [float(x) for x in line.xs.split()] == [x for x, _ in places(line.path)]
    assert [tick.label for tick in drawn.y_ticks] == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
    assert [(tick.at, tick.label) for tick in drawn.x_ticks][:: len(drawn.x_ticks) - 1] == [(left, "0"), (right, "100")]
    assert drawn.said == "train steps 0 to 100; mean 0 to 1"


def test_the_axis_reaches_as_far_as_is_wanted() -> None:
    drawn = plot({"idle": Series([1, 2], [0.2, 0.3])}, unit="%", low=0.0, high=1.0)
    assert drawn is not None
    assert [tick.label for tick in drawn.y_ticks] == ["0%", "20%", "40%", "60%", "80%", "100%"]
    assert drawn.lines[0].values == "20% 30%"


def test_many_points_become_means_with_a_band() -> None:
    series = Series(list(range(10_000)), [float(n % 2) for n in range(10_000)])
    points = points_of(series)
    assert len(points) == POINTS
    assert {(point.low, point.high) for point in points} == {(0.0, 1.0)}
    assert all(abs(point.mean - 0.5) < 0.01 for point in points)
    drawn = plot({"x": series})
    assert drawn is not None
    assert len(places(drawn.lines[0].band)) == 2 * POINTS
    assert drawn.lines[0].dots == ()


def test_a_line_is_broken_where_nothing_is_known() -> None:
    drawn = plot({"x": Series(list(range(1, 41)), [math.nan if n == 20 else 1.0 for n in range(40)])})
    assert drawn is not None
    assert drawn.lines[0].path.count("M") == 2
    assert len(drawn.lines[0].steps.split()) == 39
    assert 40 > DOTS
    alone = plot({"x": Series([*range(1, 41)], [1.0, math.nan] * 20)})
    assert alone is not None
    assert len(alone.lines[0].dots) == 20  # a line of one point would not be seen


@pytest.mark.parametrize("values", [[], [math.nan], [math.inf], [1e300]])
def test_nothing_to_draw(values: list[float]) -> None:
    assert plot({"x": Series(list(range(len(values))), values)}) is None


@pytest.mark.parametrize("value", [0.0, 1.0, -3.0, 1e-30, 1e90])
def test_one_point_is_a_chart_as_well(value: float) -> None:
    drawn = plot({"x": Series([7], [value])})
    assert drawn is not None
    [(x, y)] = drawn.lines[0].dots
    assert LEFT <= x <= WIDTH
    assert TOP <= y <= HEIGHT - BOTTOM


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.31, 0.33), (-5, 17), (3, 3), (0, 0), (1e-9, 3e-9), (0, 123_456), (-1e50, 1e50)])  # fmt: skip
def test_ticks_are_round_and_enclose(low: float, high: float) -> None:
    found = ticks(low, high, 5)
    assert 2 <= len(found) <= 8
    assert found[0] <= low + 1e-9 * abs(low)
    assert found[-1] >= high - 1e-9 * abs(high)
    step = found[1] - found[0]
    assert f"{step:.0e}"[0] in "125"


def test_ticks_that_are_close_are_told_apart() -> None:
    drawn = plot({"pearson": Series([1, 2], [0.9961, 0.9979])})
    assert drawn is not None
    labels = [tick.label for tick in drawn.y_ticks]
    assert len(set(labels)) == len(labels) > 2


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [(0.123456, "", "0.123"), (12345.0, "", "12,345"), (1.28e-5, "", "1.28e-05"), (1e-17, "", "0"), (0.0746, "%", "7.46%"),
     (1.0, "%", "100%"), (1.284, "s", "1.28s"), (math.nan, "", "\N{EN DASH}")],
)  # fmt: skip
def test_figures(value: float, unit: str, shown: str) -> None:
    assert figure(value, unit) == shown  # type: ignore[arg-type]
