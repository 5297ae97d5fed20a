"""The plot of Bland and Altman as an SVG picture, differences of pairs against their means; by matplotlib."""

import io
from functools import partial
from typing import TYPE_CHECKING, List, NamedTuple, Optional, Tuple
from xml.etree import ElementTree

from .agreement import BlandAltman, Interval
from .comparison import Comparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 860, 540
"""Size of the picture in pixels. At 72 of them an inch, matplotlib's points are pixels."""
LEFT, RIGHT, TOP, BOTTOM = 92, 214, 64, 70
"""Margins around the axes in pixels; the right one holds the lines' names."""
CAPTION_HEIGHT = 30.0
"""Pixels that a line's name and value need, one above the other."""

INK, SOFT, GRID, POINTS, BIAS, LIMITS = "#17222d", "#566472", "#e3e8ec", "#0a5a7d", "#17222d", "#9a4a00"

STYLE = {
    "axes.autolimit_mode": "data",
    "axes.axisbelow": True,
    "axes.edgecolor": SOFT,
    "axes.formatter.useoffset": False,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.xmargin": 0.08,
    "axes.ymargin": 0.08,
    "font.sans-serif": ["Segoe UI", "Roboto", "Helvetica Neue", "Arial", "DejaVu Sans"],
    "font.size": 13,
    "grid.color": GRID,
    "svg.fonttype": "none",
    "svg.hashsalt": "LiverSeg",
    "text.color": INK,
    "xtick.color": SOFT,
    "xtick.major.size": 0,
    "xtick.major.pad": 8,
    "ytick.color": SOFT,
    "ytick.major.size": 0,
    "ytick.major.pad": 10,
}
"""Settings of matplotlib: text stays text, and the same numbers give the same file."""

NAMES = ("manual", "automatic")
"""What the first and the second way are called unless others are named."""

SVG = "http://www.w3.org/2000/svg"


class _Line(NamedTuple):
    """A horizontal line of the plot with its confidence interval."""

    value: float
    interval: Optional[Interval]
    name: str
    colour: str
    dashed: bool


def difference_plot(comparison: Comparison, names: Tuple[str, str] = NAMES) -> str:
    """Return the plot of automatic minus manual as the text of an SVG file.

    Args:
        comparison: the pairs.
        names: what the first and the second way are called.

    The bias is a full line, the limits of agreement are dashed, the bands behind them are their confidence
    intervals. With a single case there is a point and no line. A point names its case when the mouse pointer
    rests on it.
    """
    import matplotlib.style
    from matplotlib.figure import Figure

    with matplotlib.style.context(["default", STYLE]):  # whatever the user's own settings are
        figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72), dpi=72)
        _draw(figure, comparison, names)
        file = io.StringIO()
        unwritten = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(file, format="svg", metadata=unwritten)
    return _described(file.getvalue(), comparison)


def _draw(figure: "Figure", comparison: Comparison, names: Tuple[str, str]) -> None:
    quantity, lines = comparison.quantity, _lines(comparison.bland_altman)
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    axes = figure.add_axes((LEFT / WIDTH, BOTTOM / HEIGHT, inner_width / WIDTH, inner_height / HEIGHT))
    axes.locator_params(nbins=7, steps=(1, 2, 5, 10))
    axes.axhline(0, color=SOFT, linewidth=1)
    for line in lines:
        axes.axhline(line.value, color=line.colour, linewidth=1.8, dashes=(4, 3) if line.dashed else ())
        if line.interval:
            axes.axhspan(*line.interval, color=line.colour, alpha=0.1, linewidth=0)
    means = (comparison.manual + comparison.automatic) / 2
    differences = comparison.automatic - comparison.manual
    point = partial(axes.plot, markersize=9, markeredgecolor=POINTS, markerfacecolor=(POINTS, 0.6), zorder=3)
    for number, (mean, difference) in enumerate(zip(means, differences)):
        point(mean, difference, "o", gid=f"case-{number}")
    unit = f" ({quantity.unit})" if quantity.unit else ""
    axes.set_xlabel(f"Mean of both{unit}", labelpad=12)
    first, second = names
    start = "Automatic" if names == NAMES else second
    axes.set_ylabel(f"{start} − {first}{unit}")
    axes.yaxis.set_label_coords(24 / WIDTH, 0.5, transform=figure.transFigure)
    count = f"{len(means)} case" + "s" * (len(means) != 1)
    write = partial(axes.annotate, xycoords="axes fraction", textcoords="offset points")
    title = f"{quantity.name}: {second} against {first}"
    write(title, (0, 1), (0, 34), size=19, weight="bold")
    write(f"Bland-Altman plot, {count}", (0, 1), (0, 14), color=SOFT)
    _write_captions(axes, lines, comparison)


def _lines(found: BlandAltman) -> List[_Line]:
    """Upper limit, bias and lower limit; none where the differences have no spread to compute them from."""
    if found.bias is None or found.upper is None or found.lower is None:
        return []
    share = f"{found.multiplier:g} SD"
    return [
        _Line(found.upper, found.upper_interval, f"bias + {share}", LIMITS, True),
        _Line(found.bias, found.bias_interval, "bias", BIAS, False),
        _Line(found.lower, found.lower_interval, f"bias − {share}", LIMITS, True),
    ]


def _write_captions(axes: "Axes", lines: List[_Line], comparison: Comparison) -> None:
    """Write each line's name and value at its right end, moved apart where lines lie close together."""
    if not lines:
        return
    decimals, unit = comparison.quantity.decimals, comparison.quantity.unit
    bottom, top = axes.get_ylim()
    room = CAPTION_HEIGHT * (top - bottom) / (HEIGHT - TOP - BOTTOM)
    upper, bias, lower = (line.value for line in lines)
    write = partial(axes.annotate, xycoords=axes.get_yaxis_transform(), textcoords="offset points")
    for line, height in zip(lines, (max(upper, bias + room), bias, min(lower, bias - room))):
        value = f"{_number(line.value, decimals)} {unit}".rstrip()
        if line.interval:
            low, high = (_number(end, decimals) for end in line.interval)
            value += f" ({low} to {high})"
        write(line.name, (1, height), (12, 2), color=line.colour, weight="bold")
        write(value, (1, height), (12, -13), color=line.colour, size=12)


def _described(svg: str, comparison: Comparison) -> str:
    """The picture with its content in words, the name of each point, and its size in pixels."""
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    root = ElementTree.fromstring(svg)
    root.attrib.update(width=str(WIDTH), height=str(HEIGHT), role="img")
    root.set("aria-label", _in_words(comparison))
    groups = {group.get("id"): group for group in root.iter(f"{{{SVG}}}g")}
    for number, case in enumerate(comparison.cases):
        title = ElementTree.Element(f"{{{SVG}}}title")
        title.text = case
        groups[f"case-{number}"].insert(0, title)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _in_words(comparison: Comparison) -> str:
    """The picture in words, for those who hear it."""
    quantity = comparison.quantity
    numbers = [_number(line.value, quantity.decimals) for line in _lines(comparison.bland_altman)]
    if not numbers:
        return f"Difference of one case, {quantity.name}."
    upper, bias, lower = numbers
    return f"{quantity.name}: bias {bias}, limits of agreement {lower} to {upper}."


def _number(value: float, decimals: int) -> str:
    """A number with a true minus sign and no negative zero."""
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")
