"""Distributions of a cohort's numbers as inline SVG, by matplotlib, in the page's own colors."""

import io
from html import escape
from typing import List, Sequence

import numpy as np

from ..evaluation.html import number, with_own_ids
from ..evaluation.plot_style import ACCENT, COLOURS, INK, LINE, STYLE
from .rows import Column

WIDTH, HEIGHT = 320, 150
"""Pixels of a panel."""
MOST_BARS = 30


def histogram(column: Column, values: Sequence[float]) -> str:
    """One panel: how many cases have which value, the median marked; empty without values."""
    known = np.array([value for value in values if np.isfinite(value)])
    if not known.size:
        return ""
    import matplotlib.style
    from matplotlib.figure import Figure

    with matplotlib.style.context(["default", STYLE]):
        figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72), dpi=72)
        figure.patch.set_alpha(0)
        axes = figure.add_axes((0.12, 0.18, 0.84, 0.64))
        axes.patch.set_alpha(0)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.hist(known, bins=_edges(known, column).tolist(), color=ACCENT, alpha=0.75, edgecolor="none")
        axes.axvline(float(np.median(known)), color=INK, linewidth=1.5)
        axes.grid(axis="y", color=LINE, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.locator_params(axis="x", nbins=5)
        axes.locator_params(axis="y", nbins=5, integer=True)
        unit = f" ({column.unit})" if column.unit else ""
        axes.set_title(f"{column.name}{unit}", loc="left", fontsize=13, weight="bold", color=INK)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    return _inline(file.getvalue(), column, known)


def _edges(known: np.ndarray, column: Column) -> "np.ndarray":
    """Borders of the bars: whole numbers for counts, else by Freedman and Diaconis as numpy has them."""
    low, high = float(known.min()), float(known.max())
    if column.key == "lesions" and high - low < MOST_BARS:
        return np.arange(np.floor(low) - 0.5, high + 1.5)
    if high == low:
        return np.array([low - 0.5, low + 0.5])
    bars = len(np.histogram_bin_edges(known, "fd")) - 1 if known.size > 2 else 1
    return np.linspace(low, high, int(np.clip(bars, 5, MOST_BARS)) + 1)


def _inline(svg: str, column: Column, known: np.ndarray) -> str:
    element = svg[svg.index("<svg") :]
    for placeholder, variable in COLOURS.items():
        element = element.replace(placeholder, variable)
    low, middle, high = (number(float(v), column.decimals) for v in np.percentile(known, (0, 50, 100)))
    words: List[str] = [f"{column.name}: median {middle}", f"{low} to {high} {column.unit}".strip()]
    label = escape(f"{', '.join(words)}, {known.size} cases", quote=True)
    element = with_own_ids(element, column.key)
    return element.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
