"""When the views are arranged for a result: once, after the first run on a scan."""

from typing import Optional, Set

from ..parameters import Preferences
from ..scene import views
from ..scene.parts import resultFor


class Arrangement:
    """Shows what a run brought, and arranges layout, window, slices and cameras if the run was the first on
    its scan and the user wants that.

    Args:
        preferences: say whether the user wants it.
    """

    def __init__(self, preferences: Preferences) -> None:
        self._preferences = preferences
        self._arranged: Set[str] = set()
        self._first: Optional[str] = None

    def begin(self, volumeNode) -> None:
        """The user has started a run on a scan."""
        key = volumeNode.GetAddressAsString("vtkMRMLNode")
        isFirst = resultFor(volumeNode) is None and key not in self._arranged
        self._first = key if isFirst else None

    def show(self, volumeNode, segmentationNode) -> None:
        """Show the result of the run that was begun last."""
        if self._first is not None and self._preferences.arrangeViews:
            self._arranged.add(self._first)
            views.showResult(volumeNode, segmentationNode)
        else:
            views.showInViews(volumeNode, segmentationNode)
        self._first = None
