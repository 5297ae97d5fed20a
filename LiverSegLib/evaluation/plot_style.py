"""matplotlib's look of plots in a page: its colors stand for the page's own, light and dark."""

COLOURS = {
    "#010203": "var(--ink)",
    "#020304": "var(--soft)",
    "#030405": "var(--line)",
    "#040506": "var(--accent)",
}
"""What stands in matplotlib's file -> what the page makes of it."""
INK, SOFT, LINE, ACCENT = COLOURS

STYLE = {
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "font.size": 12,
    "svg.fonttype": "none",
    "svg.hashsalt": "LiverSeg",
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
}
