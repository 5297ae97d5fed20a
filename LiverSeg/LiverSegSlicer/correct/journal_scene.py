"""From the scene into a journal and back, piece by piece."""

import os
import platform
import time
import zlib
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import vtk_to_numpy

from LiverSegLib.errors import InputChangedError, InputError
from LiverSegLib.labels import LABELS

from ..scene import parts, results
from ..scene.automatic import automaticOf, keepAutomatic
from ..scene.placed_masks import PlacedImage, maskOn, placedImage, slabs, united
from ..scene.segments import LABELMAP, imageToRas
from ..scene.views import styleSegmentation
from ..scene.volumes import seriesUidOf, toWorld, volumeGrid
from .journal_files import Entry, StoredSegment, readVoxels

SCAN_SLAB_BYTES = 1 << 23
"""So much of a scan is summed up in one piece."""

_ATTRIBUTES = (parts.APPLIED, parts.MEASURED)
_TEXTS = (parts.SUMMARY, parts.REVIEW, parts.REJECTED)
"""What is kept of a segmentation besides its segments: numbers, who accepted it, lesions rejected."""


def describe(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", path: Path, edits: int, checksum: int
) -> Tuple[Entry, Tuple[PlacedImage, ...]]:
    """Return what the journal of a result says, and the label maps of its segments in the same order.

    Args:
        path: of the journal.
        edits: how many there were.
        checksum: of the voxels of the scan.

    Raises:
        InputError: the scan is gone.
    """
    volumeNode = parts.requireVolume(segmentationNode)
    segments, placed = _segments(segmentationNode, volumeNode, automatic=False)
    automaticNode = automaticOf(segmentationNode)
    if automaticNode is not None:
        more, images = _segments(automaticNode, volumeNode, automatic=True)
        segments, placed = segments + more, placed + images
    texts = {role: parts.part(segmentationNode, role) for role in _TEXTS}
    node = {name: segmentationNode.GetAttribute(name) for name in _ATTRIBUTES}
    node.update({role: textNode.GetText() for role, textNode in texts.items() if textNode is not None})
    entry = Entry(
        path,
        scanName=volumeNode.GetName() or "",
        segmentationName=segmentationNode.GetName() or "",
        seriesUID=seriesUidOf(volumeNode),
        grid=volumeGrid(volumeNode),
        checksum=checksum,
        time=datetime.now().astimezone().isoformat(timespec="seconds"),
        edits=edits,
        pid=os.getpid(),
        host=platform.node(),
        node=node,
        segments=tuple(segments),
    )
    return entry, tuple(placed)


def packedSlabs(placed: Tuple[PlacedImage, ...]) -> Iterator[Tuple[int, bytes]]:
    """Yield the voxels of label maps in slabs, as bits, each with the index of its label map.

    Raises:
        InputChangedError: the segments were changed meanwhile.
    """
    states = [item.state for item in placed]
    for index, item in enumerate(placed):
        for extent in slabs(item.extent):
            if item.state != states[index]:
                raise InputChangedError(
                    _("The segmentation was changed while it was written to the journal.")
                )
            yield index, np.packbits(maskOn(item, item, extent)).tobytes()


def voxelChecksum(volumeNode: "slicer.vtkMRMLScalarVolumeNode") -> Iterator[None]:
    """Return a checksum of the voxels of a scan, in pieces: it tells two scans apart, nothing more."""
    voxels = slicer.util.arrayFromVolume(volumeNode)
    thickness = max(1, SCAN_SLAB_BYTES // max(1, voxels[:1].nbytes))
    checksum = zlib.crc32(f"{voxels.shape} {voxels.dtype.str}".encode("ascii"))
    for first in range(0, len(voxels), thickness):
        checksum = zlib.crc32(np.ascontiguousarray(voxels[first : first + thickness]), checksum)
        yield
    return checksum


def restoring(entry: Entry, volumeNode: "slicer.vtkMRMLScalarVolumeNode") -> Iterator[None]:
    """Make a result of a journal in the scene, in pieces.

    Its segments, the automatic ones, the last numbers, review and rejected lesions come back. Where the edits
    were not measured, the numbers count as out of date. It has no surfaces until they are asked for.

    Returns:
        The new segmentation node.

    Raises:
        InputError: the journal is damaged, or of another scan.
    """
    if entry.problem:
        raise InputError(entry.problem)
    if entry.grid is None or not volumeGrid(volumeNode).coincides(entry.grid):
        text = _("These corrections are of another scan than {name}.")
        raise InputError(text.format(name=volumeNode.GetName()))
    images = []
    for index, item in enumerate(entry.segments):
        voxels = yield from readVoxels(entry, index)
        images.append(_image(voxels, item))
        yield
    labelmap = yield from _automaticLabelmap(entry, images)
    name = entry.segmentationName or _("{volume} segmentation").format(volume=volumeNode.GetName())
    segmentationNode = slicer.mrmlScene.AddNewNodeByClass(
        "vtkMRMLSegmentationNode", slicer.mrmlScene.GenerateUniqueName(name)
    )
    try:
        _fill(segmentationNode, volumeNode, entry, images, labelmap)
    except Exception:
        for node in (*parts.partNodes(segmentationNode), segmentationNode):
            slicer.mrmlScene.RemoveNode(node)
        raise
    return segmentationNode


def _segments(
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
    volumeNode: "slicer.vtkMRMLVolumeNode",
    automatic: bool,
) -> Tuple[List[StoredSegment], List[PlacedImage]]:
    """Return the segments that have label maps, and these."""
    toScan = np.eye(4)
    if segmentationNode.GetTransformNodeID() != volumeNode.GetTransformNodeID():
        toScan = np.linalg.inv(toWorld(volumeNode)) @ toWorld(segmentationNode)
    found: List[StoredSegment] = []
    images: List[PlacedImage] = []
    for key in segmentationNode.GetSegmentation().GetSegmentIDs():
        placed = placedImage(segmentationNode, key)
        if placed is None:
            continue
        segment = segmentationNode.GetSegmentation().GetSegment(key)
        terminology = vtk.reference("")
        segment.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), terminology)
        first = next(slabs(placed.extent), None)
        found.append(
            StoredSegment(
                segmentID=key,
                name=segment.GetName() or "",
                color=tuple(segment.GetColor()),
                terminology=str(terminology),
                extent=placed.extent,
                matrix=tuple((toScan @ imageToRas(placed.image)).ravel().tolist()),
                slab=1 if first is None else first[5] - first[4] + 1,
                automatic=automatic,
            )
        )
        images.append(placed)
    return found, images


def _fill(
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
    volumeNode: "slicer.vtkMRMLScalarVolumeNode",
    entry: Entry,
    images: List[Any],
    labelmap: Optional[Any],
) -> None:
    segmentationNode.SetNodeReferenceID(parts.VOLUME, volumeNode.GetID())
    segmentationNode.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    for item, image in zip(entry.segments, images):
        if not item.automatic:
            segmentationNode.GetSegmentation().AddSegment(_segment(item, image), item.segmentID)
    styleSegmentation(segmentationNode)
    if labelmap is not None:
        keepAutomatic(segmentationNode, labelmap)
    segmentationNode.SetAttribute(parts.APPLIED, entry.node.get(parts.APPLIED) or "")
    segmentationNode.SetAttribute(parts.TIME, str(time.time_ns() // 1000))
    for role, name in _textNames().items():
        if isinstance(entry.node.get(role), str):
            parts.makePart(segmentationNode, role, "vtkMRMLTextNode", name).SetText(entry.node[role])
    summary = parts.summaryOf(segmentationNode)
    if summary is not None:
        results.updateMeasurements(segmentationNode, summary)
    # they are the numbers of the segments that were measured last
    segmentationNode.SetAttribute(parts.MEASURED, entry.node.get(parts.MEASURED) or "")


def _textNames() -> Dict[str, str]:
    return {
        parts.SUMMARY: _("{volume} LiverSeg summary"),
        parts.REVIEW: _("{volume} review"),
        parts.REJECTED: _("{volume} rejected lesions"),
    }


def _segment(item: StoredSegment, image: Any) -> "slicer.vtkSegment":
    segment = slicer.vtkSegment()
    segment.SetName(item.name)
    segment.SetColor(*item.color)
    segment.SetLabelValue(1)
    if item.terminology:
        segment.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), item.terminology)
    segment.AddRepresentation(LABELMAP, image)
    return segment


def _image(voxels: np.ndarray, item: StoredSegment) -> Any:
    """Return voxels, (z, y, x), as vtkOrientedImageData in the place of a stored segment."""
    image = slicer.vtkOrientedImageData()
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(item.matrix)
    image.SetImageToWorldMatrix(matrix)
    image.SetExtent(*item.extent)
    if voxels.size:
        image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
        vtk_to_numpy(image.GetPointData().GetScalars()).reshape(voxels.shape)[:] = voxels
    return image


def _automaticLabelmap(entry: Entry, images: List[Any]) -> Iterator[None]:
    """Return the automatic segments as one label map, in pieces; None if the journal has none."""
    values = {info.key: info.value for info in LABELS.values()}
    found = [
        (item, PlacedImage(image, 1, None))
        for item, image in zip(entry.segments, images)
        if item.automatic and item.segmentID in values
    ]
    if not found:
        return None
    reference = found[0][1]
    extent = united(*(placed.extent for _item, placed in found))
    labels = np.zeros(tuple(extent[axis * 2 + 1] - extent[axis * 2] + 1 for axis in (2, 1, 0)), np.uint8)
    for item, placed in found:
        for slab in slabs(extent):
            part = labels[slab[4] - extent[4] : slab[5] - extent[4] + 1]
            np.copyto(part, values[item.segmentID], where=maskOn(placed, reference, slab))
            yield
    return _image(labels, replace(found[0][0], extent=extent))
