"""Notices that boxes are moved, resized, renamed, accepted or rejected, in whatever module."""

from typing import Callable, List, Sequence

import qt
import slicer
import vtk
from slicer.util import VTKObservationMixin

from ..slots import guarded


class RoiWatch(VTKObservationMixin):
    """Watches the boxes of one result.

    Args:
        onChanged: called without arguments in the event loop's next turn, once for all that happened.
    """

    def __init__(self, onChanged: Callable[[], None]) -> None:
        VTKObservationMixin.__init__(self)
        self._nodes: List[object] = []
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.connect("timeout()", guarded(onChanged))

    def watch(self, nodes: Sequence["slicer.vtkMRMLMarkupsROINode"]) -> None:
        """Watch these boxes from now on, and no others."""
        if self._nodes == list(nodes):
            return
        self.removeObservers()
        self._nodes = list(nodes)
        for node in self._nodes:
            for event in (
                vtk.vtkCommand.ModifiedEvent,
                slicer.vtkMRMLMarkupsNode.PointModifiedEvent,
                slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
            ):
                self.addObserver(node, event, guarded(self._onModified))

    def close(self) -> None:
        """Watch nothing any more."""
        self._timer.stop()
        self.removeObservers()
        self._nodes = []

    def _onModified(self, _caller=None, _event=None) -> None:
        self._timer.start()
