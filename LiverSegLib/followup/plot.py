"""Values over time as one drawing (SVG): sum of diameters with the borders of response, volumes."""

from html import escape
from typing import Callable, List, Optional, Sequence, Tuple

from .comparison import FollowUp
from .recist import PROGRESSION_MM, PROGRESSION_PERCENT, RESPONSE_PERCENT
from .visits import days_between

WIDTH, HEIGHT = 1000, 300
"""Size of the drawing in its own units."""
PANEL_WIDTH, LEFT, TOP, BOTTOM = 290, 46, 34, 250
GAP = 60
INK, SOFT, LINE = "#17222d", "#566472", "#d5dce3"
SUM, TUMOUR, LIVER = "#0a5a7d", "#b3403a", "#8a5a2b"
ROOM = 1.15
"""The axis ends this much above the highest value."""

BORDER_NAME_WIDTH = 132
"""Room that the longest name of a border takes."""
NUMBER_SIZE = (34, 34)
"""Room that a point takes with its number above."""

Value = Optional[float]
Place = Tuple[float, float]


def plot(found: FollowUp) -> str:
    """Return the drawing as an SVG element, three panels side by side."""
    places = _places(found)
    names = [visit.date or str(number) for number, visit in enumerate(found.visits, start=1)]
    measured = [visit.result.measurements for visit in found.visits]
    tumour = [item.organ("tumour").volume_ml if item.organ("tumour").segmented else None for item in measured]
    liver: List[Value] = [item.organ("liver").volume_ml for item in measured]
    panels = [
        _panel(0, "Sum of diameters (mm)", found.sums_mm, places, names, SUM, _borders(found.sums_mm)),
        _panel(1, "Tumor volume (ml)", tumour, places, names, TUMOUR, ()),
        _panel(2, "Liver volume with tumors (ml)", liver, places, names, LIVER, ()),
    ]
    spoken = "Sum of diameters, tumor volume and liver volume at each date; the numbers stand in the tables."
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(spoken)}" '
        f'style="display:block;width:100%;height:auto">{"".join(panels)}</svg>'
    )


def _places(found: FollowUp) -> List[float]:
    """Where each date stands from left to right, 0 to 1: in proportion to time, if the dates are known."""
    count = len(found.visits)
    days = [days_between(found.visits[0].date, visit.date) for visit in found.visits]
    known = [day for day in days if day is not None]
    if len(known) < count or known[-1] <= 0:
        return [index / (count - 1) for index in range(count)]
    return [day / known[-1] for day in known]


def _borders(sums: Sequence[Value]) -> Tuple[Tuple[float, str], ...]:
    """Heights of the borders of response and of progression at the last date, with their names."""
    first, before = sums[0], [value for value in sums[:-1] if value is not None]
    if not first or not before:
        return ()
    nadir = min(before)
    worse = max(nadir * (1 + PROGRESSION_PERCENT / 100), nadir + PROGRESSION_MM)
    return (
        (first * (1 - RESPONSE_PERCENT / 100), f"partial response, −{RESPONSE_PERCENT:.0f} %"),
        (worse, f"progression, +{PROGRESSION_PERCENT:.0f} %"),
    )


def _panel(
    number: int,
    title: str,
    values: Sequence[Value],
    places: Sequence[float],
    names: Sequence[str],
    colour: str,
    borders: Sequence[Tuple[float, str]],
) -> str:
    left = LEFT + number * (PANEL_WIDTH + GAP - LEFT / 2)
    width = PANEL_WIDTH - LEFT
    known = [value for value in values if value is not None]
    top = ROOM * max([*known, *(height for height, _ in borders), 1e-6])

    def at(place: float, value: float) -> Tuple[float, float]:
        return left + 14 + place * (width - 28), BOTTOM - value / top * (BOTTOM - TOP - 12)

    parts = [_text(left, TOP - 14, title, INK, anchor="start", bold=True)]
    parts.append(f'<path d="M{left} {TOP}V{BOTTOM}H{left + width}" stroke="{LINE}" fill="none"/>')
    parts.append(_text(left - 6, BOTTOM + 4, "0", SOFT, anchor="end"))
    if not known:
        return "".join([*parts, _text(left + width / 2, 140, "not known", SOFT)])
    points = [at(place, value) for place, value in zip(places, values) if value is not None]
    way = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    parts.append(f'<path d="M{way}" stroke="{colour}" stroke-width="2.5" fill="none"/>')
    for height, name in borders:
        _, y = at(0, height)
        parts.append(
            f'<path d="M{left} {y:.1f}H{left + width}" stroke="{SOFT}" stroke-dasharray="5 4" fill="none"/>'
        )
        parts.append(_border_name(name, left, left + width, y, points))
    for (x, y), value in zip(points, known):
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}" stroke="#fff"/>')
        parts.append(_text(x, y - 10, f"{value:.0f}" if value >= 100 else f"{value:.1f}", INK, bold=True))
    return "".join([*parts, *_dates(places, names, lambda place: at(place, 0.0)[0])])


def _border_name(name: str, left: float, right: float, height: float, points: Sequence[Place]) -> str:
    """A border's name at its line, where it covers no number of a point, if there is such a place."""
    half = BORDER_NAME_WIDTH / 2
    places = [
        (x, y) for y in (height - 4, height + 13) for x in (right - half, (left + right) / 2, left + half)
    ]

    def covered(place: Place) -> int:
        across, down = half + NUMBER_SIZE[0] / 2, NUMBER_SIZE[1]
        return sum(abs(place[0] - x) < across and y - down < place[1] < y + down / 2 for x, y in points)

    x, y = min(places, key=covered)
    return _text(x, y, name, SOFT, size=11)


def _dates(places: Sequence[float], names: Sequence[str], across: Callable[[float], float]) -> List[str]:
    """The names of the dates under the axis; one that would cover its neighbor is left out."""
    parts = []
    order = [0, len(places) - 1, *range(1, len(places) - 1)]
    taken: List[float] = []
    for index in order:
        x = across(places[index])
        if all(abs(x - other) > 68 for other in taken):
            taken.append(x)
            parts.append(_text(x, BOTTOM + 20, names[index], SOFT, size=12))
    return parts


def _text(
    x: float, y: float, text: str, colour: str, *, anchor: str = "middle", bold: bool = False, size: int = 13
) -> str:
    weight = 700 if bold else 400
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
        f'fill="{colour}" paint-order="stroke" stroke="#fff" stroke-width="3">{escape(text)}</text>'
    )
