"""Notes in the panel: a sentence, with a coloured bar before it that tells its kind.

The words keep the theme's own colour and so can be read in every theme. The bar is a frame of its own: a
label with a style sheet would keep the old theme's colours when the user changes the theme.
"""

from typing import Optional, Sequence, Tuple

from ..sentences import sentences as inUserLanguage

PLAIN = "plain"
GOOD = "good"
WARNING = "warning"
ERROR = "error"

_BARS = {GOOD: "#3d9a50", WARNING: "#e0a000", ERROR: "#d9453d"}
"""Kind of note -> colour of its bar; each stands out on white and on dark grey."""


class Note:
    """One note; ``ui`` has the widgets ``<name>Note``, and in it ``<name>Bar`` and ``<name>Label``."""

    def __init__(self, ui, name: str) -> None:
        self._note = getattr(ui, f"{name}Note")
        self._bar = getattr(ui, f"{name}Bar")
        self._label = getattr(ui, f"{name}Label")
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

    def warn(self, sentences: Sequence[str]) -> None:
        """Show the sentences as a warning, each on a line of its own, or nothing if there are none."""
        self.show("\n".join(inUserLanguage(sentences)), WARNING)
