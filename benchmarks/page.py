"""What the comparisons write for people: tables between two comments of a page, curves as an SVG drawing."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

Curve = list[tuple[float, float]]
PAGE = Path("docs/performance.md")
# Of a drawing: width, height, and the margins left, right, top and bottom, in pixels.
WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 62, 170, 18, 46
COLOURS = ("#0b6e99", "#c1440e", "#7a5195", "#5a9bb8", "#2f4b3c", "#b0851a")


def write_between(page: Path, marker: str, text: str) -> None:
    """Replace what stands between the two comments of that name in `page`."""
    begin, end = f"<!-- {marker} -->", f"<!-- end of {marker} -->"
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, found, after = rest.partition(end)
    assert found, f"{page} has no {begin} … {end}"
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def drawing(curves: dict[str, Curve], across: str, up: str, marks: list[float] | None = None) -> str:
    """An SVG of named curves of (x, y) with both axes; `across` and `up` say what the axes are.

    `marks`: the figures across, all of them above 0 and none beyond the points, on a logarithmic axis.
    """
    points = [point for curve in curves.values() for point in curve]
    steps = marks or round_steps(0.0, max(x for x, _ in points))
    place = Axes(steps, round_steps(*_range([y for _, y in points])), math.log if marks else float)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">']
    parts += [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>', *place.grid(), *place.titles(across, up)]
    for number, (name, curve) in enumerate(curves.items()):
        parts += place.line(name, curve, number)
    return "\n".join([*parts, "</svg>", ""])


def panels(drawings: dict[str, str]) -> str:
    """Several drawings as one, two in a row, each under its title."""
    head = 24
    rows = math.ceil(len(drawings) / 2)
    size = f"0 0 {2 * WIDTH} {rows * (HEIGHT + head)}"
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}" font-family="sans-serif">']
    parts.append('<rect width="100%" height="100%" fill="white"/>')
    for number, (title, drawn) in enumerate(drawings.items()):
        x, y = WIDTH * (number % 2), (HEIGHT + head) * (number // 2)
        parts.append(_text(x + (LEFT + WIDTH - RIGHT) / 2, y + 18, title, "middle"))
        # A group, since not every viewer takes an SVG inside another.
        parts += [f'<g transform="translate({x} {y + head})">', *drawn.splitlines()[1:-1], "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def round_steps(low: float, high: float) -> list[float]:
    """From 4 to 8 round figures in even steps, the first at most `low`, the last at least `high`."""
    ideal = (high - low) / 5 or 1.0
    power = 10 ** math.floor(math.log10(ideal))
    step = power * min((1, 2, 5, 10), key=lambda size: abs(math.log(size * power / ideal)))
    return [step * number for number in range(math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9) + 1)]


def _range(values: list[float]) -> tuple[float, float]:
    return min(values), max(values)


class Axes:
    """From figures to pixels; `across` and `up` are the figures written on the axes, `scale` is that of `across`."""

    def __init__(self, across: list[float], up: list[float], scale: Callable[[float], float] = float):
        self.across, self.up, self._scale = across, up, scale

    def x(self, value: float) -> float:
        first, last = self._scale(self.across[0]), self._scale(self.across[-1])
        share = (self._scale(value) - first) / (last - first)
        return round(LEFT + (WIDTH - LEFT - RIGHT) * share, 1)

    def y(self, value: float) -> float:
        share = (value - self.up[0]) / (self.up[-1] - self.up[0])
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share, 1)

    def grid(self) -> list[str]:
        parts = []
        for x in self.across:
            parts.append(_segment(self.x(x), TOP, self.x(x), HEIGHT - BOTTOM))
            parts.append(_text(self.x(x), HEIGHT - BOTTOM + 17, f"{x:.6g}", "middle"))
        for y in self.up:
            parts.append(_segment(LEFT, self.y(y), WIDTH - RIGHT, self.y(y)))
            parts.append(_text(LEFT - 7, self.y(y) + 4, f"{y:.3g}", "end"))
        return parts

    def titles(self, across: str, up: str) -> list[str]:
        middle = (TOP + HEIGHT - BOTTOM) / 2
        return [
            _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 9, across, "middle"),
            f'<g transform="rotate(-90 15 {middle})">{_text(15, middle, up, "middle")}</g>',
        ]

    def line(self, name: str, curve: Curve, number: int) -> list[str]:
        colour, y = COLOURS[number % len(COLOURS)], TOP + 16 + 20 * number
        path = " ".join(f"{self.x(a)},{self.y(b)}" for a, b in curve)
        # A line of one point would not be seen.
        alone = curve if len(curve) == 1 else []
        dot = [f'<circle cx="{self.x(a)}" cy="{self.y(b)}" r="3" fill="{colour}"/>' for a, b in alone]
        return [
            *dot,
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
            _segment(WIDTH - RIGHT + 12, y - 4, WIDTH - RIGHT + 34, y - 4, colour, 2),
            _text(WIDTH - RIGHT + 40, y, name, "start"),
        ]


def _segment(x1: float, y1: float, x2: float, y2: float, colour: str = "#dddddd", width: int = 1) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}" stroke-width="{width}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" font-size="12" fill="#333333" text-anchor="{anchor}">{text}</text>'
