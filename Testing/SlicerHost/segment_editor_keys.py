"""The keyboard shortcuts of the segment editor, as long as they are installed."""

from typing import Any, Callable, List

import slicer
from PySide6 import QtGui

from .pythonqt import unwrap
from .segment_editor_effects import Effects

PREVIOUS, NEXT = ("Q", "/", ",", ">"), ("W", "*", ".", "<")
"""Keys for the segment before and after the selected one."""


class Shortcuts:
    """Args:
    editor: the qMRMLSegmentEditorWidget.
    effects: its effects.
    locked: whether the editor is read-only: no effect is chosen by a key then.
    """

    def __init__(self, editor: Any, effects: Effects, locked: Callable[[], bool]) -> None:
        self._editor, self._effects, self._locked = editor, effects, locked
        self._shortcuts: List[QtGui.QShortcut] = []

    def install(self, parent: Any = None) -> None:
        """In a widget, the main window where none is given."""
        self.uninstall()
        parent = parent if parent is not None else unwrap(slicer.util.mainWindow())
        if parent is None:
            return
        for index in range(1, 11):
            self._add(parent, str(index % 10), lambda index=index: self._toggle(index))
            self._add(parent, f"Shift+{index % 10}", lambda index=index: self._toggle(index + 10))
        self._add(parent, "Escape", lambda: self._toggle(0))
        self._add(parent, "Space", self._use_last)
        for key in ("Z", QtGui.QKeySequence.Undo):
            self._add(parent, key, self._editor.undo)
        for key in ("Y", QtGui.QKeySequence.Redo):
            self._add(parent, key, self._editor.redo)
        for key in PREVIOUS:
            self._add(parent, key, self._editor.selectPreviousSegment)
        for key in NEXT:
            self._add(parent, key, self._editor.selectNextSegment)
        self._add(parent, "I", self._editor.toggleSourceVolumeIntensityMaskEnabled)

    def _add(self, parent: Any, key: Any, function: Callable[[], None]) -> None:
        shortcut = QtGui.QShortcut(QtGui.QKeySequence(key), parent)
        shortcut.activated.connect(function)
        self._shortcuts.append(shortcut)

    def uninstall(self) -> None:
        """Takes them away again."""
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.deleteLater()
        self._shortcuts = []

    def _toggle(self, index: int) -> None:
        if not self._locked():
            effect = self._effects.by_index(index)
            self._editor.setActiveEffect(None if effect is self._effects.active else effect)

    def _use_last(self) -> None:
        if not self._locked():
            self._editor.setActiveEffect(self._effects.last_active)
