"""A chart with two logarithmic axes as SVG: enough for times over lengths, without a plotting library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

_WIDTH, _HEIGHT, _MARGIN = 640, 420, 70
_COLOURS = ("#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad")


def log_log(path: Path, title: str, x: str, y: str, lines: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """Write a line with dots for each name in `lines`; x in powers of 2, y in powers of 10."""
    points = [point for line in lines.values() for point in line]
    left, right = (f(math.log2(point[0]) for point in points) for f in (min, max))
    low, high = math.floor(min(math.log10(p[1]) for p in points)), math.ceil(max(math.log10(p[1]) for p in points))

    def at(point: tuple[float, float]) -> tuple[float, float]:
        across = (math.log2(point[0]) - left) / ((right - left) or 1)
        up = (math.log10(point[1]) - low) / ((high - low) or 1)
        return _MARGIN + across * (_WIDTH - 2 * _MARGIN), _HEIGHT - _MARGIN - up * (_HEIGHT - 2 * _MARGIN)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        'font-size="12"><rect width="100%" height="100%" fill="white"/>',
        _text(_WIDTH / 2, 30, title, size=15),
        _text(_WIDTH / 2, _HEIGHT - 25, x),
        _text(18, _HEIGHT / 2, y, turned=True),
    ]
    for power in range(low, high + 1):
        (x0, height), (x1, _) = at((2**left, 10**power)), at((2**right, 10**power))
        parts += [_line([(x0, height), (x1, height)], "#dddddd"), _text(x0 - 24, height + 4, f"{10.0**power:g}")]
    for length in sorted({point[0] for point in points}):
        across, bottom = at((length, 10**low))
        parts += [
            _line([(across, bottom), (across, bottom + 5)], "#888888"),
            _text(across, bottom + 20, _short(length)),
        ]
    for (name, line), colour in zip(lines.items(), _COLOURS, strict=False):
        placed = [at(point) for point in line]
        parts += [
            _line(placed, colour),
            *(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in placed),
        ]
        parts.append(_text(placed[-1][0], placed[-1][1] - 10, name, colour=colour, anchor="end"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*parts, "</svg>\n"]))


def _line(points: Sequence[tuple[float, float]], colour: str) -> str:
    places = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    return f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 12,
    colour: str = "#222222",
    anchor: str = "middle",
    turned: bool = False,
) -> str:
    turn = f' transform="rotate(-90 {x} {y})"' if turned else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}"{turn}>{text}</text>'
    )


def _short(length: float) -> str:
    return f"{length / 1024:g}k" if length >= 1024 else f"{length:g}"
