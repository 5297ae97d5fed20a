"""Notices, while a run goes on, that what it works on is changed or removed, or that the scene is closed."""

from typing import Any, Callable, List, Optional, Tuple

import slicer
import vtk
from slicer.i18n import tr as _

from LiverSegLib.errors import InputChangedError, LiverSegError

from ..scene.volumes import ijkToRas
from ..slots import guarded


class InputWatch:
    """Watches a volume, and a segmentation if one is given, from ``start`` to ``stop``.

    Args:
        volumeNode: The scan.
        onLost: Called with the error, at most once; possibly in the middle of an event of the scene, so it
            must only take note.
        segmentationNode: What is measured or reported.
    """

    def __init__(
        self,
        volumeNode: Any,
        onLost: Callable[[LiverSegError], None],
        segmentationNode: Optional[Any] = None,
    ) -> None:
        self._volumeNode = volumeNode
        self._segmentationNode = segmentationNode
        self._onLost = onLost
        self._state = volumeState(volumeNode)
        self._observed: List[Tuple[Any, int]] = []

    def start(self) -> None:
        """Begin to watch."""
        volume, segmentation, scene = self._volumeNode, self._segmentationNode, slicer.mrmlScene
        self._observe(volume, slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent, self._onVolume)
        self._observe(volume, vtk.vtkCommand.ModifiedEvent, self._onVolume)
        self._observe(scene, slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent, self._onRemoved)
        self._observe(scene, slicer.vtkMRMLScene.StartCloseEvent, self._onClose)
        if segmentation is not None:
            for event in (
                slicer.vtkSegmentation.SourceRepresentationModified,
                slicer.vtkSegmentation.SegmentAdded,
                slicer.vtkSegmentation.SegmentRemoved,
            ):
                self._observe(segmentation.GetSegmentation(), event, self._onSegmentation)

    def stop(self) -> None:
        """Watch no longer."""
        observed, self._observed = self._observed, []
        for object_, tag in observed:
            object_.RemoveObserver(tag)

    def check(self) -> None:
        """Raise InputChangedError if the volume is not as it was, also if nobody said so."""
        if slicer.mrmlScene.IsClosing() or not slicer.mrmlScene.IsNodePresent(self._volumeNode):
            raise InputChangedError(_("The scan was removed from the scene; nothing was changed."))
        if volumeState(self._volumeNode) != self._state:
            raise InputChangedError(_("The scan was changed during the work; please run again."))

    def _observe(self, object_: Any, event: int, callback: Callable[..., None]) -> None:
        self._observed.append((object_, object_.AddObserver(event, guarded(callback))))

    def _lose(self, text: str) -> None:
        self.stop()
        self._onLost(InputChangedError(text))

    def _onVolume(self, caller: Any, event: str) -> None:
        if self._observed and volumeState(self._volumeNode) != self._state:
            self._lose(_("The scan was changed during the work; please run again."))

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onRemoved(self, caller: Any, event: str, node: Any) -> None:
        if self._observed and node is self._volumeNode:
            self._lose(_("The scan was removed from the scene; nothing was changed."))
        elif self._observed and node is not None and node is self._segmentationNode:
            self._lose(_("The segmentation was removed from the scene; nothing was changed."))

    def _onClose(self, caller: Any, event: str) -> None:
        if self._observed:
            self._lose(_("The scene was closed; the work was stopped."))

    def _onSegmentation(self, caller: Any, event: str) -> None:
        if self._observed:
            self._lose(_("The segmentation was changed during the work; please do it again."))


def volumeState(volumeNode: Any) -> Tuple[Any, ...]:
    """What must not change: the voxels (which object, when last changed) and where they lie."""
    image = volumeNode.GetImageData()
    scalars = image.GetPointData().GetScalars() if image is not None else None
    place = tuple(ijkToRas(volumeNode).ravel().tolist())
    if scalars is None:
        return (None, 0, (), place)
    return (scalars, scalars.GetMTime(), image.GetDimensions(), place)
