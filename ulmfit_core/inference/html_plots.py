"""Curves of a report as SVG that stands in the page itself: no script, no link; colours are the page's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

WIDTH, HEIGHT = 360, 300
LEFT, RIGHT, TOP, BOTTOM = 58, 20, 10, 42  # margins around the field
TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Line:
    """Points whose coordinates lie between 0 and 1. `style` names a class of the page's style sheet."""

    x: Sequence[float] | np.ndarray
    y: Sequence[float] | np.ndarray
    style: str = "answers"
    dots: bool = False


def plot(lines: Sequence[Line], title: str, x_title: str, y_title: str) -> str:
    """Two axes from 0 to 100 %. `title` is what a screen reader says of it."""
    across = (LEFT + WIDTH - RIGHT) / 2
    down = (TOP + HEIGHT - BOTTOM) / 2
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" class="plot" role="img" aria-label="{escape(title)}">'
        f"{''.join(map(_grid, TICKS))}{''.join(map(_line, lines))}"
        f'<text x="{across:.0f}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x_title)}</text>'
        f'<text transform="translate(12 {down:.0f}) rotate(-90)" text-anchor="middle">{escape(y_title)}</text></svg>'
    )


def _x(value: float) -> float:
    return LEFT + value * (WIDTH - LEFT - RIGHT)


def _y(value: float) -> float:
    return TOP + (1 - value) * (HEIGHT - TOP - BOTTOM)


def _grid(value: float) -> str:
    return (
        f'<path class="grid" d="M{_x(value):.1f} {_y(0):.1f}V{_y(1):.1f}M{_x(0):.1f} {_y(value):.1f}H{_x(1):.1f}"/>'
        f'<text class="tick" x="{_x(value):.1f}" y="{_y(0) + 15:.1f}" text-anchor="middle">{value:.0%}</text>'
        f'<text class="tick" x="{_x(0) - 5:.1f}" y="{_y(value) + 4:.1f}" text-anchor="end">{value:.0%}</text>'
    )


def _line(line: Line) -> str:
    points = [f"{_x(float(x)):.1f} {_y(float(y)):.1f}" for x, y in zip(line.x, line.y, strict=True)]
    path = f'<path class="{line.style}" d="M{"L".join(points)}"/>' if points else ""
    if not line.dots:
        return path
    places = (point.split() for point in points)
    return path + "".join(f'<circle class="{line.style}" cx="{x}" cy="{y}" r="3"/>' for x, y in places)
