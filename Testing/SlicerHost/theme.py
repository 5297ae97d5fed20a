"""The light and the dark look of Slicer, by palette."""

from PySide6 import QtGui, QtWidgets
from PySide6.QtGui import QPalette

LIGHT = {
    QPalette.Window: "#efefef",
    QPalette.WindowText: "#000000",
    QPalette.Base: "#ffffff",
    QPalette.AlternateBase: "#f5f5f5",
    QPalette.Text: "#000000",
    QPalette.Button: "#efefef",
    QPalette.ButtonText: "#000000",
    QPalette.ToolTipBase: "#ffffdc",
    QPalette.ToolTipText: "#000000",
    QPalette.Highlight: "#308cc6",
    QPalette.HighlightedText: "#ffffff",
    QPalette.Link: "#0000ff",
    QPalette.BrightText: "#ff0000",
    QPalette.PlaceholderText: "#808080",
}
DARK = {
    QPalette.Window: "#353535",
    QPalette.WindowText: "#ffffff",
    QPalette.Base: "#232323",
    QPalette.AlternateBase: "#2d2d2d",
    QPalette.Text: "#ffffff",
    QPalette.Button: "#353535",
    QPalette.ButtonText: "#ffffff",
    QPalette.ToolTipBase: "#353535",
    QPalette.ToolTipText: "#ffffff",
    QPalette.Highlight: "#2a82da",
    QPalette.HighlightedText: "#000000",
    QPalette.Link: "#2a82da",
    QPalette.BrightText: "#ff0000",
    QPalette.PlaceholderText: "#a0a0a0",
}
THEMES = {"light": LIGHT, "dark": DARK}
DISABLED = {"light": "#9a9a9a", "dark": "#808080"}
TEXT_ROLES = (QPalette.WindowText, QPalette.Text, QPalette.ButtonText)


def apply(name: str) -> None:
    """Gives the application the theme "light" or "dark".

    Raises:
        ValueError: no such theme.
    """
    if name not in THEMES:
        raise ValueError(f"no theme {name!r}. Available: {sorted(THEMES)}")
    palette = QPalette()
    for role, color in THEMES[name].items():
        palette.setColor(role, QtGui.QColor(color))
    for role in TEXT_ROLES:
        palette.setColor(QPalette.Disabled, role, QtGui.QColor(DISABLED[name]))
    QtWidgets.QApplication.setPalette(palette)
