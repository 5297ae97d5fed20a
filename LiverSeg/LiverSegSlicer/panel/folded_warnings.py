"""Warnings in one line of the panel: how many there are, and the first; a click shows all."""

from typing import Sequence, Tuple

import qt
from slicer.i18n import tr as _

from ..slots import guarded
from .notes import WARNING, Note, added

LEAST_WIDTH = 280
"""Pixels that the block has at least, also before it is laid out: the panel is never narrower."""
_ROOM = 12
"""Pixels beside each part of the line: bar, spacing and the text's own margin."""


class FoldedWarnings:
    """Built into an empty widget of the panel, ``<name>Note``.

    Args:
        ui: the panel's widgets; gets those of a note, ``<name>Button`` and ``<name>First``, the one line.
        name: beginning of the names of these widgets.
    """

    def __init__(self, ui, name: str) -> None:
        self._noteWidget = getattr(ui, f"{name}Note")
        tip = _("What makes these numbers doubtful.")
        self._note = Note(ui, name, tip)
        self._label = getattr(ui, f"{name}Label")
        self._label.setTextFormat(qt.Qt.PlainText)
        self._button = added(ui, f"{name}Button", qt.QToolButton(self._noteWidget))
        self._button.checkable = True
        self._button.autoRaise = True
        self._button.setToolButtonStyle(qt.Qt.ToolButtonTextBesideIcon)
        self._button.toolTip = _("Shows all warnings in full; press again for one line.")
        self._first = added(ui, f"{name}First", qt.QLabel(self._noteWidget))
        self._first.setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Preferred)
        self._first.setTextFormat(qt.Qt.PlainText)
        self._first.toolTip = tip
        head = qt.QHBoxLayout()
        head.addWidget(self._button)
        head.addWidget(self._first, 1)
        head.addStretch(0)  # unfolded there is the button alone, which must not hold the words in its width
        self._note.column.insertLayout(0, head)
        self._texts: Tuple[str, ...] = ()
        self._button.connect("toggled(bool)", guarded(self._draw))
        self.show(())

    def show(self, texts: Sequence[str]) -> None:
        """Show these warnings, each once; nothing without any. It stays folded or unfolded as it was."""
        self._texts = tuple(dict.fromkeys(str(text) for text in texts if text))
        self._draw()

    def _draw(self) -> None:
        texts, unfolded = self._texts, bool(self._button.checked)
        bullet = "• " if len(texts) > 1 else ""
        self._note.show("\n".join(bullet + text for text in texts), WARNING)
        if not texts:
            return
        count = len(texts)
        self._button.setText(_("1 warning") if count == 1 else _("{count} warnings").format(count=count))
        self._button.setArrowType(qt.Qt.DownArrow if unfolded else qt.Qt.RightArrow)
        self._first.setVisible(not unfolded)
        self._first.setText(self._elided(texts[0]))
        self._first.toolTip = "\n".join(texts)
        self._label.setVisible(unfolded)

    def _elided(self, text: str) -> str:
        """Return as much of a sentence as the line has room for."""
        room = max(self._noteWidget.width, LEAST_WIDTH) - self._button.sizeHint.width() - 2 * _ROOM
        return qt.QFontMetrics(self._first.font).elidedText(text, qt.Qt.ElideRight, room)
