"""How a result is shown: colours and opacities of the segments, and the views turned to it.

The cameras of the 3D views are set from the organs' box. What the view's own ``rotateToViewAxis`` and
``resetCamera`` leave depends on everything else that the scene shows.
"""

import math
from typing import Iterator, Optional, Sequence, Tuple

import numpy as np
import slicer

from LiverSegLib.images.modality import MR
from LiverSegLib.labels import LABELS, LIVER, SPLEEN, TUMOUR

from . import parts
from .highlight import scanOf
from .lesion_marks import hideDiameters, lesionPlace, showDiameters, showOnly, writeMarks
from .rejected_lesions import rejectedLesions
from .segments import segmentBox
from .why import hideEveryWhy

ABDOMEN_WINDOW, ABDOMEN_LEVEL = 400.0, 40.0
"""HU; the soft-tissue window in which abdominal CT is read."""

OPACITY_3D = {LIVER: 0.35, SPLEEN: 0.8, TUMOUR: 1.0}
"""Tumours are seen inside the liver."""
OPACITY_FILL = {LIVER: 0.12, SPLEEN: 0.12, TUMOUR: 0.25}
"""Light: the parenchyma under it is what is read."""
OUTLINE_PIXELS = 2

FRAME = 1.2
"""The slices show this much of the size of liver and spleen, where the scan is larger than that."""
FILL = 0.9
"""Part of a 3D view's height or width, whichever is tighter, that the box of the organs takes."""
WELL_WITHIN = 0.8
"""A place in this inner part of a view is seen without shifting the view."""

_USUAL_SLICES = ("Red", "Green", "Yellow")


def styleSegmentation(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> None:
    """Give a segmentation its display node: outline and light fill in slices, translucent liver in 3D."""
    segmentationNode.CreateDefaultDisplayNodes()
    with slicer.util.NodeModify(segmentationNode.GetDisplayNode()) as displayNode:
        displayNode.SetSliceIntersectionThickness(OUTLINE_PIXELS)
        displayNode.SetOpacity2DFill(1.0)
        displayNode.SetOpacity2DOutline(1.0)
        for label, info in LABELS.items():
            displayNode.SetSegmentOpacity3D(info.key, OPACITY_3D[label])
            displayNode.SetSegmentOpacity2DFill(info.key, OPACITY_FILL[label])
            displayNode.SetSegmentOpacity2DOutline(info.key, 1.0)


def showResult(
    volumeNode: "slicer.vtkMRMLScalarVolumeNode", segmentationNode: "slicer.vtkMRMLSegmentationNode"
) -> None:
    """Show a scan and its result, other results hidden, and arrange the views for them: four-up layout,
    abdomen window, slices through the liver, organs seen from in front in 3D.

    Without a main window only what is in the scene is set.
    """
    if parts.modalityOfResult(segmentationNode) != MR:  # an MR keeps the window that it was loaded with
        _setAbdomenWindow(volumeNode)
    showOnlyResult(segmentationNode)
    layoutManager = slicer.app.layoutManager()
    if layoutManager is None:
        return
    layoutManager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    slicer.util.setSliceViewerLayers(background=volumeNode, fit=True)
    frameLiver(segmentationNode)
    box = _organsBox(segmentationNode)
    if box is not None:
        for index in range(layoutManager.threeDViewCount):
            view = layoutManager.threeDWidget(index).threeDView()
            if view.cameraNode() is not None:
                _lookFromFront(view.cameraNode(), *box, view.width / max(1, view.height))


def showInViews(
    volumeNode: "slicer.vtkMRMLScalarVolumeNode",
    segmentationNode: Optional["slicer.vtkMRMLSegmentationNode"],
) -> None:
    """Show a scan and its result, other results and all heat maps hidden, in the views as the user has
    arranged them."""
    showOnlyResult(segmentationNode)
    hideEveryWhy()
    if slicer.app.layoutManager() is not None:
        slicer.util.setSliceViewerLayers(background=volumeNode)


def showOnlyResult(segmentationNode: Optional["slicer.vtkMRMLSegmentationNode"]) -> None:
    """Hide every result of LiverSeg but this one, or all with None.

    One without its scan stays as it is: it is a copy that the user made, or all that is left of a case.
    """
    for node in parts.allResults():
        if node is segmentationNode or parts.volumeOf(node) is not None:
            _setVisible(node, node is segmentationNode)


def frameLiver(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> None:
    """Put all slices through the middle of the liver and zoom in on liver and spleen; no liver, no change."""
    liver, organs = segmentBox(segmentationNode, LABELS[LIVER].key), _organsBox(segmentationNode)
    if liver is None or organs is None:
        return
    low, high = organs
    for logic in _sliceLogics():
        sliceNode = logic.GetSliceNode()
        _zoom(sliceNode, FRAME * (high - low))
        sliceNode.JumpSliceByCentering(*((low + high) / 2))
        sliceNode.JumpSliceByOffsetting(*np.mean(liver, axis=0))
        logic.SnapSliceOffsetToIJK()


def jumpToLesion(segmentationNode: "slicer.vtkMRMLSegmentationNode", number: int) -> bool:
    """Move the slices to where a lesion was measured and show its number there, and no other.

    Marks that were deleted are made again. Returns False if the result has no such lesion (any more).
    """
    measurements = (parts.summaryOf(segmentationNode) or {}).get("measurements", {"lesions": []})
    lesion = next((lesion for lesion in measurements["lesions"] if lesion["number"] == number), None)
    if lesion is None:
        return False
    marksNode = parts.part(segmentationNode, parts.LESION_MARKS)
    if marksNode is None:
        marksNode = writeMarks(segmentationNode, measurements)
        parts.fileParts(segmentationNode)
    marksNode.SetDisplayVisibility(True)
    showOnly(marksNode, number)
    showDiameters(segmentationNode, lesion)
    jumpSlices(lesionPlace(segmentationNode, lesion), parts.volumeOf(segmentationNode))
    return True


def jumpToRejectedLesion(segmentationNode: "slicer.vtkMRMLSegmentationNode", index: int) -> bool:
    """Move the slices to where a rejected lesion was measured, without number and diameters: it is liver.

    Returns False if ``rejectedLesions`` has none at this index (any more).
    """
    rejected = rejectedLesions(segmentationNode)
    if not 0 <= index < len(rejected):
        return False
    marksNode = parts.part(segmentationNode, parts.LESION_MARKS)
    if marksNode is not None:
        showOnly(marksNode, None)
    hideDiameters(segmentationNode)
    jumpSlices(lesionPlace(segmentationNode, rejected[index].lesion), parts.volumeOf(segmentationNode))
    return True


def jumpSlices(place: Sequence[float], volumeNode: Optional["slicer.vtkMRMLScalarVolumeNode"] = None) -> None:
    """Move the slices of one view group to a point; a view shifts sideways only if it would not show it.

    Args:
        place: world RAS mm.
        volumeNode: the scan in which the point lies: the group is that of the views that show it, or else
            the first one.
    """
    group = viewGroupOf(volumeNode)
    sliceClass = slicer.vtkMRMLSliceNode
    sliceClass.JumpAllSlices(slicer.mrmlScene, *place, sliceClass.OffsetJumpSlice, group)
    for sliceNode in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
        if sliceNode.GetViewGroup() == group and not _shows(sliceNode, place):
            sliceNode.JumpSliceByCentering(*place)


def viewGroupOf(volumeNode: Optional["slicer.vtkMRMLScalarVolumeNode"]) -> int:
    """Return the group of the first slice view that shows a volume or its highlight volume, or, if none
    does, of the first slice view.
    """
    logics = list(_sliceLogics())
    for logic in logics:
        shown = slicer.mrmlScene.GetNodeByID(logic.GetSliceCompositeNode().GetBackgroundVolumeID() or "")
        if volumeNode is not None and volumeNode in (shown, scanOf(shown)):
            return logic.GetSliceNode().GetViewGroup()
    return logics[0].GetSliceNode().GetViewGroup() if logics else 0


def isShown(volumeNode: Optional["slicer.vtkMRMLScalarVolumeNode"]) -> bool:
    """Whether a slice view shows a volume or its highlight volume in its background."""
    for logic in _sliceLogics():
        shown = slicer.mrmlScene.GetNodeByID(logic.GetSliceCompositeNode().GetBackgroundVolumeID() or "")
        if volumeNode is not None and volumeNode in (shown, scanOf(shown)):
            return True
    return False


def slicesCrossing() -> Tuple[float, float, float]:
    """Return the point, world RAS mm, in which the three slices of Slicer's usual layouts cross: the place
    that the user looks at.

    Where slices are parallel, the nearest point to all of them and to their middles.
    """
    nodes = [slicer.mrmlScene.GetSingletonNode(name, "vtkMRMLSliceNode") for name in _USUAL_SLICES]
    planes = [slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS()) for node in nodes if node is not None]
    if not planes:
        return 0.0, 0.0, 0.0
    normals, middles = np.array(planes)[:, :3, 2], np.array(planes)[:, :3, 3]
    middle = middles.mean(axis=0)
    distances = ((middles - middle) * normals).sum(axis=1)
    r, a, s = middle + np.linalg.lstsq(normals, distances, rcond=None)[0]
    return float(r), float(a), float(s)


def _lookFromFront(
    cameraNode: "slicer.vtkMRMLCameraNode", low: np.ndarray, high: np.ndarray, widthToHeight: float
) -> None:
    """Point a camera at a box from in front, the head up.

    Args:
        low, high: corners of the box, world RAS mm (3,).
        widthToHeight: of the view.
    """
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, 1.0)
    halfHeight = max(half[2], half[0] / widthToHeight) / FILL
    viewAngle = math.radians(cameraNode.GetViewAngle())  # from the lower to the upper edge of the view
    distance = half[1] + halfHeight / math.tan(viewAngle / 2)
    with slicer.util.NodeModify(cameraNode):
        cameraNode.SetFocalPoint(*middle)
        cameraNode.SetPosition(middle[0], middle[1] + distance, middle[2])
        cameraNode.SetViewUp(0.0, 0.0, 1.0)
        cameraNode.SetParallelScale(halfHeight)
    cameraNode.ResetClippingRange()


def _organsBox(
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
) -> Optional[Tuple[np.ndarray, np.ndarray]]:
    """Return the corners, world RAS mm (3,), of the box around liver and spleen; None if both are missing."""
    boxes = [segmentBox(segmentationNode, LABELS[label].key) for label in (LIVER, SPLEEN)]
    found = [box for box in boxes if box is not None]
    if not found:
        return None
    return np.min([low for low, _high in found], axis=0), np.max([high for _low, high in found], axis=0)


def _setAbdomenWindow(volumeNode: "slicer.vtkMRMLScalarVolumeNode") -> None:
    volumeNode.CreateDefaultDisplayNodes()
    displayNode = volumeNode.GetDisplayNode()
    displayNode.AutoWindowLevelOff()
    displayNode.SetWindowLevel(ABDOMEN_WINDOW, ABDOMEN_LEVEL)


def _setVisible(segmentationNode: "slicer.vtkMRMLSegmentationNode", visible: bool) -> None:
    marksNode = parts.part(segmentationNode, parts.LESION_MARKS)
    for node in (segmentationNode, marksNode, *parts.roisOf(segmentationNode)):
        if node is not None:
            node.SetDisplayVisibility(visible)
    if not visible:
        hideDiameters(segmentationNode)


def _sliceLogics() -> Iterator["slicer.vtkMRMLSliceLogic"]:
    layoutManager = slicer.app.layoutManager()
    if layoutManager is not None:
        for name in layoutManager.sliceViewNames():
            yield layoutManager.sliceWidget(name).sliceLogic()


def _shows(sliceNode: "slicer.vtkMRMLSliceNode", place: Sequence[float]) -> bool:
    """Whether a point in the plane of a slice lies well within its view."""
    rasToSlice = np.linalg.inv(slicer.util.arrayFromVTKMatrix(sliceNode.GetSliceToRAS()))
    across, down = (rasToSlice @ (*place, 1.0))[:2]
    width, height, _depth = sliceNode.GetFieldOfView()
    x, y, _z = sliceNode.GetXYZOrigin()
    return abs(across - x) < WELL_WITHIN * width / 2 and abs(down - y) < WELL_WITHIN * height / 2


def _zoom(sliceNode: "slicer.vtkMRMLSliceNode", size: np.ndarray) -> None:
    """Let a slice view hold a box of ``size`` (world RAS mm) if it shows more than that now."""
    axes = slicer.util.arrayFromVTKMatrix(sliceNode.GetSliceToRAS())[:3, :2]
    across, down = np.abs(axes.T) @ size
    width, height, depth = sliceNode.GetFieldOfView()
    factor = float(max(across / width, down / height))
    if 0 < factor < 1:
        sliceNode.SetFieldOfView(width * factor, height * factor, depth)
