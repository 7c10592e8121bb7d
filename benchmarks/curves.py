"""Curves over time as SVG, shares of one from the bottom to the top: enough for success, without a plotting library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 720, 420, 60, 150, 50, 50


@dataclass(frozen=True, slots=True)
class Curve:
    name: str
    points: Sequence[tuple[float, float]]
    """(x, share)."""
    colour: str
    dashed: bool = False


def draw(path: Path, title: str, x: str, curves: Sequence[Curve]) -> None:
    """Write them with their names at their ends; the x axis goes from 0 to the last point."""
    last = max(point[0] for curve in curves for point in curve.points)
    inner_width, inner_height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def at(point: tuple[float, float]) -> tuple[float, float]:
        return _LEFT + point[0] / last * inner_width, _TOP + (1 - point[1]) * inner_height

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        'font-size="12"><rect width="100%" height="100%" fill="white"/>',
        _text(_WIDTH / 2, 28, title, anchor="middle"),
        _text(_LEFT + inner_width / 2, _HEIGHT - 12, x, anchor="middle"),
    ]
    for fifth in range(6):
        level = fifth / 5
        parts += [
            _line([at((0, level)), at((last, level))], "#dddddd"),
            _text(_LEFT - 8, at((0, level))[1] + 4, f"{level:.0%}", anchor="end"),
            _text(at((level * last, 0))[0], _TOP + inner_height + 18, f"{level * last:.3g}", anchor="middle"),
        ]
    for curve, height in zip(curves, _apart([at(curve.points[-1])[1] for curve in curves]), strict=True):
        parts += [
            _line([at(point) for point in curve.points], curve.colour, dashed=curve.dashed),
            _text(_WIDTH - _RIGHT + 8, height + 4, curve.name, colour=curve.colour),
        ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*parts, "</svg>\n"]))


def _apart(heights: Sequence[float]) -> list[float]:
    """Moved down as far as names need that end at the same height."""
    placed = list(heights)
    for before, number in zip(order := sorted(range(len(heights)), key=heights.__getitem__), order[1:], strict=False):
        placed[number] = max(placed[number], placed[before] + 14)
    return placed


def _line(points: Sequence[tuple[float, float]], colour: str, *, dashed: bool = False) -> str:
    places = " ".join(f"{across:.1f},{down:.1f}" for across, down in points)
    dashes = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="1.8"{dashes}/>'


def _text(x: float, y: float, text: str, *, colour: str = "#222222", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}">{text}</text>'
