"""How narrow the panel can be: Slicer's dock must never be forced wider by what the panel says."""

from typing import List

import ctk
import qt

MOST_WIDTH = 320
"""Pixels that no state of the panel may ask for more than, at 96 dpi and Slicer's usual font; Slicer's dock
has 330 at rest."""


def keepNarrow(uiWidget) -> None:
    """Let sections and labels of several lines become as narrow as the dock, whatever text they hold.

    A ctkCollapsibleButton takes its size hint for its least width, and the hint of a label that breaks its
    lines is some 540 pixels.
    """
    for section in uiWidget.findChildren(ctk.ctkCollapsibleButton):
        _setHorizontal(section, qt.QSizePolicy.Preferred)
    for label in uiWidget.findChildren(qt.QLabel):
        if label.wordWrap:
            _setHorizontal(label, qt.QSizePolicy.Ignored)


def leastWidth(uiWidget) -> int:
    """Pixels that the panel and all around it, out to the module's own widget, ask for at least."""
    return outermost(uiWidget).minimumSizeHint.width()


def tooWide(uiWidget) -> List[str]:
    """The names of visible widgets that ask for more than ``MOST_WIDTH``, each with its width."""
    widgets = [widget for widget in uiWidget.findChildren(qt.QWidget) if widget.isVisible()]
    widths = [(widget.objectName, widget.minimumSizeHint.width()) for widget in widgets]
    return [f"{name or 'unnamed'}: {width}" for name, width in widths if width > MOST_WIDTH]


def outermost(uiWidget):
    """The module's own widget, which Slicer puts into its dock; the panel itself where it stands alone."""
    widget = uiWidget
    while widget is not None and not widget.className().endswith("ModuleWidget"):
        widget = widget.parentWidget()
    return uiWidget if widget is None else widget


def _setHorizontal(widget, policy) -> None:
    changed = widget.sizePolicy
    changed.setHorizontalPolicy(policy)
    widget.setSizePolicy(changed)
