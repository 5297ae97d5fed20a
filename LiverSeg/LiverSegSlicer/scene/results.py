"""A run's result in the scene: put there in one step, measured anew.

A result is a segmentation node that references its tables, summary and lesion marks (``parts``). Nothing
that a user changed is ever written over: a result is refilled in place only while nobody has edited or
accepted anything of it (``reruns``).
"""

import time
from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional, Tuple

import numpy as np
import slicer
from slicer.i18n import tr as _

from LiverSegLib.errors import InputChangedError
from LiverSegLib.images.grid import Grid
from LiverSegLib.review import Given

from . import parts
from .automatic import keepAutomatic, removeAutomatic
from .fingerprint import isUntouched, rememberApplied, rememberMeasured
from .lesion_marks import hideDiameters, writeMarks
from .review import wasAccepted
from .segments import fillSegmentation, sharedLabelmap
from .structures import addStructures, structureRows, styleStructures, tableOf
from .tables import fillLesionsTable, fillVolumesTable
from .views import styleSegmentation
from .volumes import volumeGrid
from .why import removeWhy


@dataclass(frozen=True)
class RunResult:
    """What a run brought.

    Attributes:
        name: of the scan.
        labels: uint8 (z, y, x), values of ``LiverSegLib.labels``; they are copied into the scene.
        grid: where the labels lie, LPS mm.
        summary: "name", "measurements", "provenance", "warnings", as the worker wrote them.
        surfaces: label key -> points float32 (n, 3) LPS mm and triangles int32 (m, 3).
        structures: uint8 or uint16 (z, y, x), what else a model found; the summary's "structures" is the
            table of its values. None if there is nothing.
    """

    name: str
    labels: np.ndarray
    grid: Grid
    summary: Dict[str, Any]
    surfaces: Dict[str, Tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    structures: Optional[np.ndarray] = None


def applyResult(
    volumeNode: "slicer.vtkMRMLScalarVolumeNode",
    result: RunResult,
    *,
    replace: Optional["slicer.vtkMRMLSegmentationNode"] = None,
) -> "slicer.vtkMRMLSegmentationNode":
    """Put a result into the scene, in one step and as one undo state.

    Args:
        volumeNode: the scan that was segmented.
        result: what the run brought.
        replace: an earlier result of this volume to refill in place (``reruns`` says which may be). If
            somebody edited or accepted it, or it belongs to another volume, it is left alone and a new
            segmentation is made.

    Returns:
        The segmentation node, with its tables, summary and marks, filed beside the volume.

    Raises:
        InputChangedError: the volume was removed, or has another size or place than the labels. The scene
            is as it was.
    """
    _checkSameVoxels(volumeNode, result)
    slicer.mrmlScene.SaveStateForUndo()
    if (
        replace is None
        or parts.volumeOf(replace) is not volumeNode
        or not isUntouched(replace)
        or wasAccepted(replace)
    ):
        return _add(volumeNode, result)
    removeWhy(replace)  # its lesion is one of the earlier run
    # The node itself, its name and its place in lists stay.
    with slicer.util.NodeModify(replace):
        _fill(replace, volumeNode, result)
    _remember(replace, result, None)
    return replace


def updateMeasurements(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", summary: Mapping[str, Any]
) -> None:
    """Write new numbers of the segments as they are now: tables, summary and marks, missing ones too.

    Whether the segmentation counts as untouched does not change.
    """
    earlier = structureRows(parts.summaryOf(segmentationNode))
    if earlier and not structureRows(summary):  # they are as the run found them
        summary = {**summary, "structures": list(earlier)}
    _writeNumbers(segmentationNode, summary)
    rememberMeasured(segmentationNode)
    parts.fileParts(segmentationNode)


def _add(volumeNode: "slicer.vtkMRMLScalarVolumeNode", result: RunResult) -> "slicer.vtkMRMLSegmentationNode":
    earlier = parts.resultFor(volumeNode)
    given = Given.of(result.summary.get("provenance"))
    name = _("{volume} segmentation") if given is None else _("{volume} segmentation from {source}")
    words = {"volume": volumeNode.GetName(), "source": "" if given is None else given.name}
    name = slicer.mrmlScene.GenerateUniqueName(name.format(**words))
    segmentationNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    try:
        _fill(segmentationNode, volumeNode, result)
        _remember(segmentationNode, result, earlier)
    except Exception:
        removeAutomatic(segmentationNode)
        for node in (*parts.partNodes(segmentationNode), segmentationNode):
            slicer.mrmlScene.RemoveNode(node)
        raise
    return segmentationNode


def _fill(
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
    volumeNode: "slicer.vtkMRMLScalarVolumeNode",
    result: RunResult,
) -> None:
    labelmap = sharedLabelmap(result.labels, volumeNode)
    segmentationNode.GetSegmentation().RemoveAllSegments()
    segmentationNode.SetNodeReferenceID(parts.VOLUME, volumeNode.GetID())
    segmentationNode.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    # After the transform, because it depends on both; Slicer resamples segments to it when it saves them.
    segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    # Segments before display nodes: these would show, and convert, what is still being put together.
    segmentation = segmentationNode.GetSegmentation()
    fillSegmentation(segmentation, labelmap, result.surfaces)
    if result.structures is not None:
        hasSurfaces, table = bool(result.surfaces), tableOf(result.summary)
        addStructures(segmentation, result.structures, table, volumeNode, result.surfaces, hasSurfaces)
    styleSegmentation(segmentationNode)
    styleStructures(segmentationNode)
    keepAutomatic(segmentationNode, labelmap)


def _remember(
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
    result: RunResult,
    earlier: Optional["slicer.vtkMRMLSegmentationNode"],
) -> None:
    rememberApplied(segmentationNode)
    segmentationNode.SetAttribute(parts.TIME, str(time.time_ns() // 1000))
    _writeNumbers(segmentationNode, result.summary)
    parts.fileParts(segmentationNode, earlier)


def _writeNumbers(segmentationNode: "slicer.vtkMRMLSegmentationNode", summary: Mapping[str, Any]) -> None:
    """Write summary, tables and marks of a result; parts that are missing are made."""
    measurements, given = summary["measurements"], Given.of(summary.get("provenance"))
    segmentationNode.SetAttribute(parts.GIVEN, None if given is None else given.name)
    for role, name, fill in (
        (parts.VOLUMES_TABLE, _("{volume} volumes"), fillVolumesTable),
        (parts.LESIONS_TABLE, _("{volume} lesions"), fillLesionsTable),
    ):
        fill(parts.makePart(segmentationNode, role, "vtkMRMLTableNode", name), summary)
    parts.writeText(segmentationNode, parts.SUMMARY, _("{volume} LiverSeg summary"), summary)
    writeMarks(segmentationNode, measurements)
    hideDiameters(segmentationNode)


def _checkSameVoxels(volumeNode: "slicer.vtkMRMLScalarVolumeNode", result: RunResult) -> None:
    if volumeNode.GetScene() is None or volumeNode.GetImageData() is None:
        raise InputChangedError(_("The volume was removed while it was being segmented."))
    grid = volumeGrid(volumeNode)
    if result.labels.shape == grid.shape and grid.coincides(result.grid):
        return
    text = _("The volume {name} was changed while it was being segmented; segment it again.")
    raise InputChangedError(
        text.format(name=volumeNode.GetName()),
        details=f"volume {grid}, labels {result.labels.shape[::-1]} {result.grid}",
    )
