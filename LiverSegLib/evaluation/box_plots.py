"""Box plots of the metrics, one panel a metric and one row a structure, as inline SVG; by matplotlib.

Colors are the page's own variables, so that the plot follows its light and dark look.
"""

import inspect
import io
from typing import TYPE_CHECKING, Any, Dict, List, Sequence, Tuple

import numpy as np

from .html import on_screen, with_own_ids
from .metrics import BY_KEY, Metric
from .plot_style import ACCENT, COLOURS, INK, LINE, STYLE
from .score import BOTH, MISSED
from .summary import StructureSummary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = ("dice", "surface_dice", "assd_mm", "hd95_mm", "rvd_percent", "recall", "precision")
"""Metrics with a panel, where any case has them."""

PANEL_WIDTH, ROW_HEIGHT = 320, 30
"""Pixels of a panel and of a structure's row."""


def box_plots(summaries: Sequence[StructureSummary]) -> str:
    """Return the panels as inline SVG elements, empty without values.

    Boxes run from the first to the third quartile with the median, whiskers to the furthest case within 1.5
    times that; every case is a point, which names it when the mouse pointer rests on it.
    """
    wanted = [BY_KEY[key] for key in SHOWN]
    panels = [(metric, _values(metric, summaries)) for metric in wanted]
    return "".join(_panel(metric, rows) for metric, rows in panels if any(len(row[1]) for row in rows))


Row = Tuple[str, List[float], List[str]]
"""A structure, its values, their cases."""


def _values(metric: Metric, summaries: Sequence[StructureSummary]) -> List[Row]:
    rows: List[Row] = []
    for summary in summaries:
        if not any(metric.key in score.metrics for _, score in summary.scores):
            continue
        known = [
            (score.metrics[metric.key], case)
            for case, score in summary.scores
            if score.presence in (BOTH, MISSED) and score.metrics.get(metric.key) is not None
        ]
        rows.append((summary.structure, [float(v) for v, _ in known if v is not None], [c for _, c in known]))
    return rows


def _panel(metric: Metric, rows: List[Row]) -> str:
    import matplotlib.style
    from matplotlib.figure import Figure

    height = 66 + ROW_HEIGHT * len(rows)
    with matplotlib.style.context(["default", STYLE]):
        figure = Figure(figsize=(PANEL_WIDTH / 72, height / 72), dpi=72)
        figure.patch.set_alpha(0)
        left, bottom = 92 / PANEL_WIDTH, 28 / height
        axes = figure.add_axes((left, bottom, 0.96 - left, 1 - 34 / height - bottom))
        _draw(axes, metric, rows)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    return _inline(file.getvalue(), metric, rows)


def _draw(axes: "Axes", metric: Metric, rows: List[Row]) -> None:
    axes.patch.set_alpha(0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    places = np.arange(len(rows))[::-1]
    filled = [(place, row[1]) for place, row in zip(places, rows) if row[1]]
    axes.boxplot(
        [values for _, values in filled],
        positions=[place for place, _ in filled],
        **_lying(axes),
        widths=0.56,
        showfliers=False,
        manage_ticks=False,
        boxprops={"color": ACCENT},
        whiskerprops={"color": ACCENT},
        capprops={"color": ACCENT},
        medianprops={"color": INK, "linewidth": 2},
    )
    for place, (_, values, _) in zip(places, rows):
        for number, value in enumerate(values):
            height = place + 0.16 * np.sin(2.4 * number)  # spread, and the same each time
            axes.plot(
                value, height, "o", markersize=4.5, color=ACCENT, alpha=0.55, markeredgewidth=0,
                gid=f"case-{place}-{number}",
            )  # fmt: skip
    axes.set_yticks(places, [on_screen(row[0]) for row in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    if metric.unit == "" and metric.better == "higher":
        low = min(min(values) for _, values in filled)
        axes.set_xlim(max(-0.02, min(0.95, low - 0.1 * (1 - low) - 0.02)), 1.01)
    elif metric.better == "lower":
        axes.set_xlim(left=0)
    axes.grid(axis="x", color=LINE, linewidth=0.8)
    axes.locator_params(axis="x", nbins=5)
    unit = f" ({metric.unit})" if metric.unit else ""
    axes.set_title(f"{metric.name}{unit}", loc="left", fontsize=13, weight="bold", color=INK)


def _lying(axes: "Axes") -> Dict[str, Any]:
    """What makes a box plot horizontal: the argument changed with matplotlib 3.10."""
    named = "orientation" in inspect.signature(axes.boxplot).parameters
    return {"orientation": "horizontal"} if named else {"vert": False}


def _inline(svg: str, metric: Metric, rows: List[Row]) -> str:
    """The SVG element with the page's colors, names of the points, and a description."""
    from html import escape

    element = svg[svg.index("<svg") :]
    for placeholder, variable in COLOURS.items():
        element = element.replace(placeholder, variable)
    for place, (_, values, cases) in zip(range(len(rows))[::-1], rows):
        for number, (value, case) in enumerate(zip(values, cases)):
            title = f"<title>{escape(case)}: {value:.{metric.decimals}f} {metric.unit}</title>"
            mark = f'<g id="case-{place}-{number}">'
            element = element.replace(mark, f"<g>{title}", 1)
    element = with_own_ids(element, metric.key)
    words = "; ".join(f"{name}: {_in_words(values, metric)}" for name, values, _ in rows)
    label = escape(f"Box plot of {metric.name}. {words}", quote=True)
    return element.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)


def _in_words(values: List[float], metric: Metric) -> str:
    if not values:
        return "no values"
    low, median, high = (float(value) for value in np.percentile(values, (0, 50, 100)))
    decimals = metric.decimals
    return f"median {median:.{decimals}f}, {low:.{decimals}f} to {high:.{decimals}f}, {len(values)} cases"
