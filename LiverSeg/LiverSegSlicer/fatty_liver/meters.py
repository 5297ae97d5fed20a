"""What measures ROIs, kept per scan and mask: made once, in pieces, then a measurement takes little."""

import importlib
from typing import Any, Dict, Optional, Tuple

import slicer
from slicer.i18n import tr as _

from LiverSegLib.errors import InputChangedError, InputError
from LiverSegLib.labels import LABELS

from ..scene.segments import LABELMAP, labelsOf
from ..scene.volumes import checkVolume, volumeGrid
from ..work.input_watch import volumeState
from ..work.run import Pieces

MOST_KEPT = 2
"""A meter of a long scan holds some hundred megabytes."""

_LIBRARIES = (
    "numpy.testing",
    "numpy.f2py",
    "scipy.linalg",
    "scipy.sparse.linalg",
    "scipy.sparse.csgraph",
    "scipy.special",
    "scipy.ndimage",
    "SimpleITK",
    "LiverSegLib.masks.components",
    "LiverSegLib.steatosis.roi_statistics",
    "LiverSegLib.steatosis.placement",
    "LiverSegLib.steatosis.assess",
)
"""What the core's measuring imports, parts before what needs them (SciPy needs the first two); one by one,
because together they would stop the window for a second."""


class Meters:
    """The meters of this panel or script."""

    def __init__(self) -> None:
        self._kept: Dict[str, Tuple[Any, Any]] = {}

    def ready(
        self,
        volumeNode: "slicer.vtkMRMLScalarVolumeNode",
        segmentationNode: "slicer.vtkMRMLSegmentationNode",
    ) -> Optional[Any]:
        """Return the ``RoiMeter`` of a scan and its segments, None if there is none for them as they are."""
        state, meter = self._kept.get(segmentationNode.GetID(), (None, None))
        return meter if state is not None and state == _state(volumeNode, segmentationNode) else None

    def make(
        self,
        volumeNode: "slicer.vtkMRMLScalarVolumeNode",
        segmentationNode: "slicer.vtkMRMLSegmentationNode",
    ) -> Pieces:
        """Do the work of making a meter, piece by piece; the result is the ``RoiMeter``, ready in all parts.

        Raises:
            InputError: the scan or the segments cannot be used, or were changed meanwhile.
            NoLiverError: there is no liver.
        """
        meter = self.ready(volumeNode, segmentationNode)
        if meter is not None:
            return meter
        checkVolume(volumeNode)
        for name in _LIBRARIES:
            importlib.import_module(name)
            yield
        from LiverSegLib.steatosis.roi_statistics import RoiMeter

        state = _state(volumeNode, segmentationNode)
        labels = labelsOf(segmentationNode, volumeNode)
        yield
        voxels, grid = slicer.util.arrayFromVolume(volumeNode), volumeGrid(volumeNode)
        meter = yield from RoiMeter.in_pieces(voxels, grid, labels)
        yield
        if volumeNode.GetScene() is None or segmentationNode.GetScene() is None:
            raise InputError(_("The scan or its segmentation was removed from the scene."))
        if state != _state(volumeNode, segmentationNode):
            raise InputChangedError(_("The segmentation was changed during the work; please do it again."))
        self._keep(segmentationNode.GetID(), state, meter)
        return meter

    def forget(self) -> None:
        """Let go of everything."""
        self._kept.clear()

    def _keep(self, key: str, state: Any, meter: Any) -> None:
        self._kept.pop(key, None)
        self._kept[key] = (state, meter)
        for old in list(self._kept)[:-MOST_KEPT]:
            del self._kept[old]


def _state(
    volumeNode: "slicer.vtkMRMLScalarVolumeNode", segmentationNode: "slicer.vtkMRMLSegmentationNode"
) -> Tuple[Any, ...]:
    """What a meter rests on: the voxels and the segments, each as which objects, and when last changed."""
    segments = []
    for info in LABELS.values():
        segment = segmentationNode.GetSegmentation().GetSegment(info.key)
        image = None if segment is None else segment.GetRepresentation(LABELMAP)
        scalars = None if image is None else image.GetPointData().GetScalars()
        changed = (image.GetMTime(), scalars.GetMTime()) if scalars is not None else ()
        segments.append((image, changed, segment.GetLabelValue() if segment is not None else 0))
    transforms = (volumeNode.GetTransformNodeID(), segmentationNode.GetTransformNodeID())
    return (volumeState(volumeNode), tuple(segments), transforms)
