"""The plot of Bland and Altman as an SVG picture: differences of pairs against their means.

SVG needs no drawing library, prints sharply, and opens in every browser and word processor.
"""

import math
from html import escape
from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .agreement import BlandAltman, Interval
from .comparison import Comparison

WIDTH, HEIGHT = 860, 540
"""Size of the picture in pixels."""

LEFT, RIGHT, TOP, BOTTOM = 92, 190, 64, 70
"""Margins around the plot; the right one holds the lines' names."""

POINT_RADIUS = 4.5
TICKS = 6
"""About so many ticks an axis."""

ROOM = 0.08
"""Free part of the plot beyond the outermost point or line on each side."""

INK, SOFT, GRID, POINTS, BIAS, LIMITS = "#17222d", "#566472", "#e3e8ec", "#0a5a7d", "#17222d", "#9a4a00"

_FONT = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
_LABEL_HEIGHT = 30.0


class _Line(NamedTuple):
    """A horizontal line of the plot with its confidence band."""

    value: float
    interval: Optional[Interval]
    name: str
    colour: str
    dashed: bool


class _Axes(NamedTuple):
    """Value ranges of the plot; methods give pixels."""

    x: Tuple[float, float]
    y: Tuple[float, float]

    def across(self, value: float) -> float:
        """Pixels from the left for a value on the x axis."""
        low, high = self.x
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def down(self, value: float) -> float:
        """Pixels from the top for a value on the y axis."""
        low, high = self.y
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def difference_plot(comparison: Comparison) -> str:
    """Return the plot of automatic minus manual as the text of an SVG file.

    The bias is a full line, the limits of agreement are dashed, the bands behind them are their confidence
    intervals. With a single case there is a point and no line.
    """
    quantity = comparison.quantity
    means = (comparison.manual + comparison.automatic) / 2
    differences = comparison.automatic - comparison.manual
    lines = _lines(comparison.bland_altman)
    reach = [end for line in lines for end in (line.interval or (line.value,))]
    axes = _Axes(_range(means), _range([*differences, *reach, 0.0]))
    unit = f" ({quantity.unit})" if quantity.unit else ""
    count = f"{len(means)} case" + "s" * (len(means) != 1)
    parts = [
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        _text(LEFT, 30, f"{quantity.name}: automatic against manual", size=19, weight=650),
        _text(LEFT, 50, f"Bland-Altman plot, {count}", size=13, fill=SOFT),
        *_grid(axes),
        *(_band(axes, line) for line in lines if line.interval),
        *(_rule(axes, line) for line in lines),
        *_points(axes, means, differences, comparison.cases),
        *_names(axes, lines, quantity.decimals, quantity.unit),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 20, f"Mean of both{unit}", anchor="middle"),
        _text(0, 0, f"Automatic − manual{unit}", anchor="middle", place=_along_the_left()),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" role="img" aria-label="{escape(_spoken(comparison))}" style="{_FONT}">\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _lines(found: BlandAltman) -> List[_Line]:
    if found.sd is None:
        return []
    share = f"{found.multiplier:g} SD"
    return [
        _Line(found.upper, found.upper_interval, f"bias + {share}", LIMITS, True),
        _Line(found.bias, found.bias_interval, "bias", BIAS, False),
        _Line(found.lower, found.lower_interval, f"bias − {share}", LIMITS, True),
    ]


def _range(values: Sequence[float]) -> Tuple[float, float]:
    """Lowest and highest value with room around them; never empty."""
    low, high = float(np.min(values)), float(np.max(values))
    room = ROOM * (high - low) if high > low else max(abs(high) * ROOM, ROOM)
    return low - room, high + room


def ticks(low: float, high: float) -> List[float]:
    """Round numbers, about ``TICKS`` of them, from ``low`` to ``high``."""
    power = 10.0 ** math.floor(math.log10((high - low) / TICKS))
    steps = [factor * power for factor in (10, 5, 2, 1)]
    marks = [range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1) for step in steps]
    best = min(range(len(steps)), key=lambda index: abs(len(marks[index]) - TICKS))
    return [number * steps[best] for number in marks[best]]


def _grid(axes: _Axes) -> List[str]:
    parts = []
    across, down = ticks(*axes.x), ticks(*axes.y)
    for value in across:
        x = axes.across(value)
        parts.append(f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="{GRID}"/>')
        parts.append(_text(x, HEIGHT - BOTTOM + 20, _tick(value, across), anchor="middle", fill=SOFT))
    for value in down:
        y = axes.down(value)
        colour = SOFT if abs(value) < 1e-12 else GRID
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{colour}"/>')
        parts.append(_text(LEFT - 10, y + 4.5, _tick(value, down), anchor="end", fill=SOFT))
    frame = f'x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" height="{HEIGHT - TOP - BOTTOM}"'
    return [*parts, f'<rect {frame} fill="none" stroke="{SOFT}"/>']


def _tick(value: float, all_ticks: Sequence[float]) -> str:
    """A tick's number with as many decimals as its distance to the next needs."""
    step = all_ticks[1] - all_ticks[0] if len(all_ticks) > 1 else abs(value) or 1.0
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return _number(value, decimals)


def _band(axes: _Axes, line: _Line) -> str:
    top, bottom = axes.down(line.interval.high), axes.down(line.interval.low)
    box = f'x="{LEFT}" y="{top:.1f}" width="{WIDTH - LEFT - RIGHT}" height="{bottom - top:.1f}"'
    return f'<rect {box} fill="{line.colour}" opacity="0.10"/>'


def _rule(axes: _Axes, line: _Line) -> str:
    dash = ' stroke-dasharray="7 5"' if line.dashed else ""
    y = axes.down(line.value)
    return f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{line.colour}" stroke-width="1.8"{dash}/>'


def _points(axes: _Axes, means: np.ndarray, differences: np.ndarray, cases: Sequence[str]) -> List[str]:
    """Circles that name their case when the pointer rests on them."""
    return [
        f'<circle cx="{axes.across(mean):.1f}" cy="{axes.down(difference):.1f}" r="{POINT_RADIUS}" '
        f'fill="{POINTS}" fill-opacity="0.6" stroke="{POINTS}"><title>{escape(case)}</title></circle>'
        for mean, difference, case in zip(means, differences, cases)
    ]


def _names(axes: _Axes, lines: Sequence[_Line], decimals: int, unit: str) -> List[str]:
    """Each line's name and value at its right end, moved apart where lines lie close together."""
    parts = []
    middles = _apart([axes.down(line.value) for line in lines])
    for line, y in zip(lines, middles):
        value = f"{_number(line.value, decimals)} {unit}".rstrip()
        x = WIDTH - RIGHT + 12
        parts.append(_text(x, y - 2, line.name, fill=line.colour, weight=600))
        interval = ""
        if line.interval:
            interval = f" ({_number(line.interval.low, decimals)} to {_number(line.interval.high, decimals)})"
        parts.append(_text(x, y + 13, value + interval, fill=line.colour, size=12))
    return parts


def _apart(places: Sequence[float]) -> List[float]:
    """The places, from top to bottom, pushed away from the middle one until texts fit between them."""
    if len(places) < 3:
        return list(places)
    top, middle, bottom = places
    return [min(top, middle - _LABEL_HEIGHT), middle, max(bottom, middle + _LABEL_HEIGHT)]


def _spoken(comparison: Comparison) -> str:
    """The picture in words, for those who hear it."""
    found, quantity = comparison.bland_altman, comparison.quantity
    if found.sd is None:
        return f"Difference of one case, {quantity.name}."
    numbers = [_number(value, quantity.decimals) for value in (found.bias, found.lower, found.upper)]
    return f"{quantity.name}: bias {numbers[0]}, limits of agreement {numbers[1]} to {numbers[2]}."


def _along_the_left() -> str:
    return f'transform="translate(24 {(TOP + HEIGHT - BOTTOM) / 2:.0f}) rotate(-90)"'


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 13,
    anchor: str = "start",
    fill: str = INK,
    weight: int = 400,
    place: str = "",
) -> str:
    where = place or f'x="{x:.1f}" y="{y:.1f}"'
    look = f'font-size="{size}" text-anchor="{anchor}" fill="{fill}" font-weight="{weight}"'
    return f"<text {where} {look}>{escape(text)}</text>"


def _number(value: float, decimals: int) -> str:
    """A number with a true minus sign and no negative zero."""
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")
