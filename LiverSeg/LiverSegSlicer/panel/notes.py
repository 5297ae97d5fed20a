"""Notes in the panel: a sentence, with a coloured bar before it that tells its kind.

The words keep the theme's own colour and so can be read in every theme. The bar is a frame of its own: a
label with a style sheet would keep the old theme's colours when the user changes the theme.
"""

from typing import Optional, Sequence, Tuple

import qt

from ..sentences import sentences as inUserLanguage

PLAIN = "plain"
GOOD = "good"
WARNING = "warning"
ERROR = "error"

_BARS = {GOOD: "#3d9a50", WARNING: "#e0a000", ERROR: "#d9453d"}
"""Kind of note -> colour of its bar; each stands out on white and on dark grey."""


_BAR_PIXELS, _ROOM_PIXELS, _LINE_PIXELS = 3, 6, 2
"""Width of the bar, room between it and the words, room between lines."""


class Note:
    """One note, built into an empty widget of the panel, ``<name>Note``.

    Args:
        ui: the panel's widgets; gets ``<name>Bar`` and ``<name>Label`` among them.
        name: beginning of the widgets' names.
        tip: tooltip of the words.

    Attributes:
        column: the layout of the words, for more above them.
    """

    def __init__(self, ui, name: str, tip: str) -> None:
        self._note = getattr(ui, f"{name}Note")
        row = qt.QHBoxLayout(self._note)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(_ROOM_PIXELS)
        self._bar = added(ui, f"{name}Bar", qt.QFrame(self._note))
        self._bar.setFixedWidth(_BAR_PIXELS)
        row.addWidget(self._bar)
        self.column = qt.QVBoxLayout()
        self.column.setSpacing(_LINE_PIXELS)
        row.addLayout(self.column)
        self._label = added(ui, f"{name}Label", qt.QLabel(self._note))
        # a text of several lines must never make the panel wider
        self._label.setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Minimum)
        self._label.wordWrap = True
        self._label.toolTip = tip
        self.column.addWidget(self._label)
        self._shown: Optional[Tuple[str, str]] = None

    def show(self, text: str, kind: str = PLAIN) -> None:
        """Show ``text`` as a note of this kind, or nothing if there is no text."""
        if self._shown == (text, kind):
            return
        self._shown = (text, kind)
        # Qt breaks a long path after each slash, but not after a backslash
        self._label.setText(text.replace("\\", "\\\u200b"))
        colour = _BARS.get(kind)
        self._bar.setVisible(colour is not None)
        self._bar.styleSheet = f"background-color: {colour};" if colour else ""
        self._note.setVisible(bool(text))

    def isShown(self) -> bool:
        """Whether there is a text."""
        return self._shown is not None and bool(self._shown[0])

    def warn(self, sentences: Sequence[str]) -> None:
        """Show the sentences as a warning, each on a line of its own, or nothing if there are none."""
        self.show("\n".join(inUserLanguage(sentences)), WARNING)


def added(ui, name: str, widget):
    """Give a widget made here a name, and the panel's widgets that widget; return it."""
    widget.objectName = name
    setattr(ui, name, widget)
    return widget
