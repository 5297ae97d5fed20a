"""ROIs as boxes of Slicer's markups: made from the core's ROIs, read back as they stand now, and watched.

A box hangs under its scan's transform and keeps in attributes its organ, whether it counts, and where it was
placed automatically; so a box that anyone moved, in any module, is known as edited. Tables, files and reports
call it "L1", its node bears the name "Liver ROI 1", since other modules list it.
"""

import re
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from LiverSegLib.errors import InputError
from LiverSegLib.steatosis.roi import LIVER_KEY, ORGANS, SPLEEN_KEY, Roi

from ..scene import parts
from ..scene.folders import fileInSubfolder
from ..scene.parts import scanName
from ..scene.volumes import toWorld
from ..slots import guarded

ORGAN = "LiverSeg.Organ"
"""Attribute of a box: the key of the organ that it measures."""
REJECTED = "LiverSeg.Rejected"
"""Attribute of a box that does not count."""
PLACED = "LiverSeg.Placed"
"""Attribute of a box: where it was placed automatically, LPS mm."""
FOLDER = "LiverSeg.RoiFolder"
"""Attribute of the subject-hierarchy folder of a result's boxes."""

COLOURS = {LIVER_KEY: (1.0, 0.55, 0.3), SPLEEN_KEY: (0.85, 0.6, 1.0)}
"""The hues of the masks, brighter, to be seen on them."""
REJECTED_OPACITY = 0.35
FILL_OPACITY = 0.15
HANDLE_PERCENT = 0.8
TEXT_PERCENT = 2.5
"""Of the view's diagonal: small, for there are ten of them."""

SAME_MM = 0.01
"""A box that lies this near to where it was placed has not been moved; files round."""
STRAIGHT = 0.01
"""Largest cosine by which the side of a box may lean from an axis of the patient."""

_ENGLISH_PREFIXES = {LIVER_KEY: "Liver ROI", SPLEEN_KEY: "Spleen ROI"}
_TO_LPS = np.array([-1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Box:
    """A box with what belongs to it.

    Attributes:
        node: the markups node.
        others: its display and storage nodes.
        place: folder in the subject hierarchy, and position in it; None for a new box.
    """

    node: Any
    others: Tuple[Any, ...]
    place: Optional[Tuple[int, int]] = None


def makeRoi(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", volumeNode: "slicer.vtkMRMLVolumeNode", roi: Roi
) -> Box:
    """Make the nodes of an ROI of the core's, which lies in the volume's own space.

    None is in the scene yet (``roi_exchange`` puts them there): there each change would redraw the views.
    """
    roiNode = _newNode("vtkMRMLMarkupsROINode")
    roiNode.SetName(nodeName(roi.name))
    roiNode.SetROIType(roiNode.ROITypeBox)
    roiNode.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    roiNode.SetCenter(*(np.array(roi.centre) * _TO_LPS).tolist())
    roiNode.SetSize(*roi.size)
    roiNode.SetAttribute(ORGAN, roi.organ)
    if roi.automatic:
        roiNode.SetAttribute(PLACED, " ".join(f"{value:.4f}" for value in (*roi.centre, *roi.size)))
    roiNode.SetNodeReferenceID(parts.OWNER, segmentationNode.GetID())
    displayNode = _newNode("vtkMRMLMarkupsROIDisplayNode")
    _style(displayNode, COLOURS[roi.organ])
    return Box(roiNode, (displayNode,))


def fileRois(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> None:
    """File the boxes of a result in a folder of their own within the result's folder."""
    name = _("{volume} fatty liver ROIs").format(volume=scanName(segmentationNode))
    fileInSubfolder(segmentationNode, parts.roisOf(segmentationNode), name, FOLDER)


def readRoi(roiNode: "slicer.vtkMRMLMarkupsROINode", volumeNode: "slicer.vtkMRMLVolumeNode") -> Roi:
    """Return a box as it lies now in the volume's own space.

    Raises:
        InputError: it is turned against the axes of the patient, has no place or no size, or lies under a
            non-linear transform.
    """
    name = nameOf(roiNode)
    place = _place(roiNode, volumeNode)
    if place is None:
        raise InputError(_("{name} has no place or no size: delete it and add another.").format(name=name))
    centre, size = place
    placed = _numbers(roiNode.GetAttribute(PLACED))
    automatic = len(placed) == 6 and np.allclose((*centre, *size), placed, rtol=0, atol=SAME_MM)
    return Roi(name, organOf(roiNode), centre, size, automatic)


def nodeName(shortName: str) -> str:
    """Return the name of the node of an ROI: "Liver ROI 1" for "L1"; another name stays as it is."""
    for organ, letter in ORGANS.items():
        if re.fullmatch(rf"{letter}\d+", shortName):
            return f"{_prefixes()[organ]} {shortName[1:]}"
    return shortName


def shortName(name: str) -> str:
    """Return the name of an ROI for tables: "L1" for the node "Liver ROI 1"; one that the user gave stays."""
    for organ, letter in ORGANS.items():
        for prefix in (_prefixes()[organ], _ENGLISH_PREFIXES[organ]):  # the scene may come from elsewhere
            match = re.fullmatch(rf"{re.escape(prefix)} (\d+)", name)
            if match is not None:
                return letter + match.group(1)
    return name


def nameOf(roiNode: "slicer.vtkMRMLMarkupsROINode") -> str:
    """Return the name of a box in tables, files and reports."""
    return shortName(roiNode.GetName() or "")


def organOf(roiNode: "slicer.vtkMRMLMarkupsROINode") -> str:
    """Return the key of the organ that a box measures."""
    organ = roiNode.GetAttribute(ORGAN)
    return organ if organ in ORGANS else LIVER_KEY


def isAccepted(roiNode: "slicer.vtkMRMLMarkupsROINode") -> bool:
    """Whether a box counts."""
    return roiNode.GetAttribute(REJECTED) is None


def setAccepted(roiNode: "slicer.vtkMRMLMarkupsROINode", accepted: bool) -> None:
    """Let a box count or not; one that does not is shown pale."""
    if accepted == isAccepted(roiNode):
        return
    wasModifying = roiNode.StartModify()
    roiNode.SetAttribute(REJECTED, None if accepted else "1")
    roiNode.CreateDefaultDisplayNodes()
    roiNode.GetDisplayNode().SetOpacity(1.0 if accepted else REJECTED_OPACITY)
    roiNode.EndModify(wasModifying)


def lockRois(nodes: List["slicer.vtkMRMLMarkupsROINode"], locked: bool) -> None:
    """Let boxes be dragged or not, in every module; a locked one has no handles."""
    for roiNode in nodes:
        if bool(roiNode.GetLocked()) != locked:
            roiNode.SetLocked(locked)
    if locked:
        showHandles(nodes, None)


def showHandles(nodes: List["slicer.vtkMRMLMarkupsROINode"], chosenID: Optional[str]) -> None:
    """Show the handles of the chosen box, unless it is locked, and of no other."""
    for roiNode in nodes:
        roiNode.CreateDefaultDisplayNodes()
        displayNode = roiNode.GetDisplayNode()
        hasHandles = roiNode.GetID() == chosenID and not roiNode.GetLocked()
        if bool(displayNode.GetHandlesInteractive()) != hasHandles:
            displayNode.SetHandlesInteractive(hasHandles)
        if bool(displayNode.GetScaleHandleVisibility()) != hasHandles:
            displayNode.SetScaleHandleVisibility(hasHandles)


def centreInWorld(roiNode: "slicer.vtkMRMLMarkupsROINode") -> Tuple[float, float, float]:
    """Return the centre of a box, world RAS mm."""
    centre = [0.0, 0.0, 0.0]
    roiNode.GetCenterWorld(centre)
    return centre[0], centre[1], centre[2]


def roiNodes(
    segmentationNode: Optional["slicer.vtkMRMLSegmentationNode"],
) -> List["slicer.vtkMRMLMarkupsROINode"]:
    """Return the boxes of a result, the liver's first, by number."""
    if segmentationNode is None:
        return []
    return sorted(parts.roisOf(segmentationNode), key=_order)


class RoiWatch(VTKObservationMixin):
    """Watches the boxes of one result.

    Args:
        onChanged: called without arguments in the event loop's next turn, once for all that happened.
    """

    def __init__(self, onChanged: Callable[[], None]) -> None:
        VTKObservationMixin.__init__(self)
        self._nodes: List[Any] = []
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


def _order(roiNode: "slicer.vtkMRMLMarkupsROINode") -> Tuple[int, int, str]:
    name = nameOf(roiNode)
    number = "".join(letter for letter in name if letter.isdigit())
    return list(ORGANS).index(organOf(roiNode)), int(number or 0), name


def _prefixes() -> Dict[str, str]:
    return {LIVER_KEY: _("Liver ROI"), SPLEEN_KEY: _("Spleen ROI")}


def _place(
    roiNode: "slicer.vtkMRMLMarkupsROINode", volumeNode: "slicer.vtkMRMLVolumeNode"
) -> Optional[Tuple[Tuple[float, float, float], Tuple[float, float, float]]]:
    """Return centre and size, LPS mm of the volume's own space; None without a place or a size."""
    if not roiNode.GetNumberOfControlPoints() or min(roiNode.GetSize()) <= 0:
        return None
    transformNode = roiNode.GetParentTransformNode()
    if transformNode is not None and not transformNode.IsTransformToWorldLinear():
        text = _("{name} lies under a non-linear transform and cannot be measured.")
        raise InputError(text.format(name=nameOf(roiNode)))
    matrix = slicer.util.arrayFromVTKMatrix(roiNode.GetObjectToNodeMatrix())
    if roiNode.GetTransformNodeID() != volumeNode.GetTransformNodeID():
        matrix = np.linalg.inv(toWorld(volumeNode)) @ toWorld(roiNode) @ matrix
    sides = matrix[:3, :3] * np.array(roiNode.GetSize())
    lengths = np.linalg.norm(sides, axis=0)
    if np.count_nonzero(np.abs(sides / lengths) > STRAIGHT) > 3:
        text = _("{name} is turned and does not count: only boxes along the patient's axes are measured.")
        raise InputError(text.format(name=nameOf(roiNode)))
    centre, size = matrix[:3, 3] * _TO_LPS, np.abs(sides).max(axis=1)
    return tuple(map(float, centre)), tuple(map(float, size))


def _numbers(text: Optional[str]) -> Tuple[float, ...]:
    try:
        return tuple(float(value) for value in (text or "").split())
    except ValueError:  # someone else wrote the attribute
        return ()


def _newNode(className: str) -> Any:
    node = slicer.mrmlScene.CreateNodeByClass(className)
    node.UnRegister(None)  # Python holds it from here on
    return node


def _style(displayNode: "slicer.vtkMRMLMarkupsROIDisplayNode", colour: Tuple[float, float, float]) -> None:
    displayNode.SetColor(*colour)
    displayNode.SetSelectedColor(*colour)
    displayNode.SetFillOpacity(FILL_OPACITY)
    displayNode.SetTextScale(TEXT_PERCENT)
    displayNode.SetPropertiesLabelVisibility(True)
    displayNode.SetVisibility3D(True)
    displayNode.SetInteractionHandleScale(HANDLE_PERCENT)
    displayNode.SetHandlesInteractive(False)
    displayNode.SetTranslationHandleVisibility(True)
    displayNode.SetScaleHandleVisibility(False)
    displayNode.SetRotationHandleVisibility(False)
