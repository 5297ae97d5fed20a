"""The scale of fatty-liver grades as a drawing: four fields in colours that the colour-blind tell apart, with
the ratio and its interval on it."""

from html import escape
from typing import Dict, List, Tuple

from ..steatosis.assessment import GRADES, Assessment
from .pieces import css

GRADE_COLOURS: Dict[str, Tuple[int, int, int]] = {
    "normal": (68, 119, 170),
    "mild": (204, 187, 68),
    "moderate": (238, 119, 51),
    "severe": (136, 34, 85),
}
"""Grade -> colour (sRGB 0..255), after Paul Tol's qualitative schemes, which the colour-blind tell apart.
Grades are always written out beside them."""

WIDTH, HEIGHT = 620, 92
"""Size of the drawing in its own units."""

BAR_TOP, BAR_HEIGHT = 34, 20
END_ROOM = 0.35
"""The scale ends this far beyond the lowest and the highest cut-off, or at the ratio if it is farther."""

NEAR_EDGE = 70.0
"""A text whose place is nearer to the edge than this is kept within the drawing."""


def grade_scale(steatosis: Assessment) -> str:
    """Return the scale with the ratio of an assessment as an SVG element; empty without a ratio."""
    ratio, interval, cut_offs = steatosis.ratio, steatosis.ratio_interval, steatosis.cut_offs
    if ratio is None:
        return ""
    borders = [cut_offs.severe_below, cut_offs.moderate_below, cut_offs.normal_above]
    low = min(max(borders[0] - END_ROOM, 0.0), ratio, *(interval or ()))
    high = max(borders[-1] + END_ROOM, ratio, *(interval or ()))

    def place(value: float) -> float:
        return (min(max(value, low), high) - low) / (high - low) * WIDTH

    ends = [low, *borders, high]
    parts: List[str] = []
    for grade, start, stop in zip(reversed(GRADES), ends, ends[1:]):
        parts.append(_field(grade, place(start), place(stop), chosen=grade == steatosis.grade))
    for border in borders:
        parts.append(_text(place(border), BAR_TOP + BAR_HEIGHT + 34, f"{border:g}", "#566472"))
    x = place(ratio)
    if interval is not None:
        left, right = (place(value) for value in interval)
        parts.append(
            f'<path d="M{left:.1f} {BAR_TOP - 8}H{right:.1f}M{left:.1f} {BAR_TOP - 12}v8M{right:.1f} '
            f'{BAR_TOP - 12}v8" stroke="#17222d" stroke-width="2" fill="none"/>'
        )
    parts.append(
        f'<path d="M{x:.1f} {BAR_TOP + 1}l-7 -12h14z" fill="#17222d" stroke="#fff" stroke-width="1.5"/>'
        f'<path d="M{x:.1f} {BAR_TOP}v{BAR_HEIGHT}" stroke="#17222d" stroke-width="2"/>'
    )
    parts.append(_text(_within(x), BAR_TOP - 18, f"{ratio:.2f}", "#17222d", bold=True))
    spoken = f"Ratio {ratio:.2f} on the scale of grades."
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(spoken)}">{"".join(parts)}</svg>'
    )


def _field(grade: str, left: float, right: float, *, chosen: bool) -> str:
    """One grade's field with its name; that of the grade is framed and its name bold."""
    frame = ' stroke="#17222d" stroke-width="2.5"' if chosen else ""
    box = f'x="{left:.1f}" y="{BAR_TOP}" width="{right - left:.1f}" height="{BAR_HEIGHT}"'
    name = _text((left + right) / 2, BAR_TOP + BAR_HEIGHT + 17, grade, "#17222d", bold=chosen)
    return f'<rect {box} fill="{css(GRADE_COLOURS[grade])}"{frame}/>{name}'


def _within(x: float) -> float:
    return min(max(x, NEAR_EDGE / 3), WIDTH - NEAR_EDGE / 3)


def _text(x: float, y: float, text: str, colour: str, *, bold: bool = False) -> str:
    weight = 700 if bold else 400
    return (
        f'<text x="{x:.1f}" y="{y}" text-anchor="middle" font-size="14" font-weight="{weight}" '
        f'fill="{colour}">{escape(text)}</text>'
    )
