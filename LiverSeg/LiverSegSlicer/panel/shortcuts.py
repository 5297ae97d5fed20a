"""Keys of the panel, which work only while it is shown."""

from typing import Any, Callable, Dict, List

import qt
import slicer

from ..slots import guarded

ADD, REMOVE, UNDO, REDO, NEXT_LESION, PREVIOUS_LESION, ACCEPT = (
    "A", "R", "Ctrl+Z", "Ctrl+Y", "N", "P", "Ctrl+Return",
)  # fmt: skip
"""What the keys do, in this order, as tooltips name them."""


class Shortcuts:
    """Args:
    actions: key -> what it does.
    """

    def __init__(self, actions: Dict[str, Callable[[], None]]) -> None:
        self._actions = actions
        self._shortcuts: List[Any] = []

    def install(self) -> None:
        """Make the keys work in Slicer's main window; nothing without one."""
        window = slicer.util.mainWindow()
        if self._shortcuts or window is None:
            return
        for key, action in self._actions.items():
            shortcut = qt.QShortcut(window)
            shortcut.setKey(qt.QKeySequence(key))
            shortcut.connect("activated()", guarded(action))
            self._shortcuts.append(shortcut)

    def remove(self) -> None:
        """Leave the keys to others."""
        shortcuts, self._shortcuts = self._shortcuts, []
        for shortcut in shortcuts:
            shortcut.setEnabled(False)
            shortcut.setParent(None)
            shortcut.deleteLater()
