"""Observers of VTK objects that go away together: every host widget follows some node."""

from typing import Any, Callable, List, Tuple

import shiboken6
import vtk
from PySide6 import QtCore

from .recorder import recorder


class Observations:
    """Observers that are removed at once by `clear`, or silent as soon as their owner's widget is deleted."""

    def __init__(self, owner: QtCore.QObject) -> None:
        self._owner = owner
        self._tags: List[Tuple[Any, int]] = []

    def add(self, source: Any, event: Any, function: Callable[[], None]) -> None:
        """Calls `function()` on the event; its exceptions are noted, as VTK only prints them."""

        def observer(caller: Any, name: str) -> None:
            if not shiboken6.isValid(self._owner):
                return
            try:
                function()
            except Exception:
                recorder.exception(f"OBSERVER {getattr(function, '__qualname__', function)}")

        self._tags.append((source, source.AddObserver(event, observer)))

    def add_with_node(
        self, source: Any, event: Any, function: Callable[[Any], None], priority: float = 0.0
    ) -> None:
        """Calls `function(node)` with the node that the event carries."""

        @vtk.calldata_type(vtk.VTK_OBJECT)
        def observer(caller: Any, name: str, node: Any) -> None:
            if not shiboken6.isValid(self._owner):
                return
            try:
                function(node)
            except Exception:
                recorder.exception(f"OBSERVER {getattr(function, '__qualname__', function)}")

        self._tags.append((source, source.AddObserver(event, observer, priority)))

    def clear(self) -> None:
        for source, tag in self._tags:
            source.RemoveObserver(tag)
        self._tags = []
