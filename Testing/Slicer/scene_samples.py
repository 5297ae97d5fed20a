"""Made-up scans in the scene and the results that a worker would bring of them, for tests of the scene work.

It starts the stand-in Slicer and then imports the module's own files, so tests take these from here.
"""

import itertools
import sys
import time
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

import numpy as np

from SlicerHost import boot

boot()
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [folder for folder in (str(ROOT), str(ROOT / "LiverSeg")) if folder not in sys.path]

import slicer  # noqa: E402
import vtk  # noqa: E402

from LiverSegLib.measure import measure  # noqa: E402
from LiverSegLib.surfaces import surface_arrays  # noqa: E402
from LiverSegLib.surfaces.organs import organ_surfaces  # noqa: E402
from LiverSegSlicer.scene import (  # noqa: E402
    fingerprint,  # noqa: E402
    highlight,
    lesion_marks,
    parts,
    results,
    segments,
    views,  # noqa: E402
    volumes,
)

__all__ = ["views", "highlight", "lesion_marks", "parts", "segments", "fingerprint"]

SHAPE = (14, 22, 26)
"""Of the scans, (z, y, x)."""

TURN = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])

GEOMETRIES: Dict[str, np.ndarray] = {
    "axial": np.diag([-4.0, -4.0, 5.0]),
    "left-handed": np.diag([4.0, -4.0, 5.0]),
    "anisotropic": np.diag([-0.7, -2.1, 8.0]),
    "oblique": TURN @ np.array([[1, 0, 0], [0, 0.8, 0.6], [0, -0.6, 0.8]]) @ np.diag([-4.0, -4.0, 5.0]),
    "sagittal": np.array([[0.0, 0.0, 5.0], [-4.0, 0.0, 0.0], [0.0, -4.0, 0.0]]),
    "sheared": np.array([[-4.0, 0.0, 0.0], [0.0, -4.0, 1.5], [0.0, 0.0, 4.5]]),
}
"""Name -> the steps in RAS mm from voxel to voxel along i, j, k, in columns."""

ORIGIN = (31.5, -12.25, 400.0)

MOVED = np.eye(4)
"""A rigid transform to the world that is a multiple of nothing."""
MOVED[:3, :3] = np.array([[0.8, 0.0, 0.6], [0.0, 1.0, 0.0], [-0.6, 0.0, 0.8]]) @ TURN
MOVED[:3, 3] = (15.0, -40.0, 7.0)


def labelArray() -> np.ndarray:
    """Liver with two tumours, and spleen, uint8 (z, y, x)."""
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    labels = np.zeros(SHAPE, np.uint8)
    labels[((z - 7) / 5) ** 2 + ((y - 11) / 8) ** 2 + ((x - 9) / 7) ** 2 < 1] = 1
    labels[((z - 7) / 3) ** 2 + ((y - 12) / 4) ** 2 + ((x - 21) / 3) ** 2 < 1] = 2
    labels[6:9, 9:12, 7:10] = 3
    labels[5, 13:15, 11:13] = 3
    return labels


def addScan(
    geometry: str = "axial",
    name: str = "CT of the liver",
    labels: Optional[np.ndarray] = None,
    dtype: Any = np.int16,
) -> "slicer.vtkMRMLScalarVolumeNode":
    """A CT in the scene that shows what ``labels`` say, without a file."""
    labels = labelArray() if labels is None else labels
    hu = np.array([-90, 60, 50, 30], float)[labels] + 3 * np.sin(np.arange(labels.size)).reshape(labels.shape)
    hu[0], hu[1, 0] = -1000, 700
    voxels = np.clip(hu, 0, 255) if dtype == np.uint8 else hu
    node = slicer.util.addVolumeFromArray(voxels.astype(dtype), name=name)
    setGeometry(node, GEOMETRIES[geometry])
    return node


def setGeometry(
    node: "slicer.vtkMRMLVolumeNode", steps: np.ndarray, origin: Sequence[float] = ORIGIN
) -> None:
    """Place a volume: ``steps`` (3, 3) in columns and the centre of its first voxel, RAS mm."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = steps, origin
    node.SetIJKToRASMatrix(asVtk(matrix))


def asVtk(matrix: np.ndarray) -> "vtk.vtkMatrix4x4":
    """A 4 x 4 array as VTK's matrix."""
    result = vtk.vtkMatrix4x4()
    for row, column in itertools.product(range(4), range(4)):
        result.SetElement(row, column, float(matrix[row, column]))
    return result


def addTransform(matrix: np.ndarray) -> "slicer.vtkMRMLLinearTransformNode":
    """A linear transform node in the scene, 4 x 4, RAS mm."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    node.SetMatrixTransformToParent(asVtk(matrix))
    return node


def runOn(
    volumeNode: "slicer.vtkMRMLScalarVolumeNode", labels: Optional[np.ndarray] = None, surfaces: bool = True
) -> results.RunResult:
    """What a run on a volume would bring if it found ``labels``; the core measures and makes the surfaces."""
    labels = labelArray() if labels is None else labels
    grid = volumes.volumeGrid(volumeNode)
    mask = grid.image(labels)
    scan = grid.image(slicer.util.arrayFromVolume(volumeNode).astype(np.float32))
    probability = np.where(labels > 0, 200, 0).astype(np.uint8)
    measurements = measure(mask, scan, probability=probability, phase="portal")
    meshes = organ_surfaces(mask) if surfaces else {}
    arrays = {key: surface_arrays(mesh) for key, mesh in meshes.items()}
    return results.RunResult(
        name=volumeNode.GetName(),
        labels=labels,
        grid=grid,
        summary={
            "name": volumeNode.GetName(),
            "measurements": measurements.to_dict(),
            "provenance": {"model": "made-up", "note": 'quotes " and ümlauts; colons: kept'},
            "warnings": list(measurements.warnings),
        },
        surfaces={
            key: (np.array(points, np.float32), np.array(triangles, np.int32))
            for key, (points, triangles) in arrays.items()
        },
    )


def paint(segmentationNode: "slicer.vtkMRMLSegmentationNode", segmentID: str, extent: Sequence[int]) -> None:
    """Add a block of voxels (i0, i1, j0, j1, k0, k1) to a segment, as an editor does."""
    reference = segmentationNode.GetSegmentation().GetSegment("liver").GetRepresentation("Binary labelmap")
    matrix = vtk.vtkMatrix4x4()
    reference.GetImageToWorldMatrix(matrix)
    brush = slicer.vtkOrientedImageData()
    brush.SetExtent(*extent)
    brush.SetImageToWorldMatrix(matrix)
    brush.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    brush.GetPointData().GetScalars().Fill(1)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    # MODE_MERGE_MAX would write the brush's value, the liver's label, into the label map that segments share
    assert logic.SetBinaryLabelmapToSegment(brush, segmentationNode, segmentID, logic.MODE_MERGE_MASK, extent)


def itemPath(node: "slicer.vtkMRMLNode") -> list:
    """Names of the subject hierarchy items from the scene down to a node's."""
    hierarchyNode = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item, names = hierarchyNode.GetItemByDataNode(node), []
    while item and item != hierarchyNode.GetSceneItemID():
        names.insert(0, hierarchyNode.GetItemName(item))
        item = hierarchyNode.GetItemParent(item)
    return names


def timed(work, seconds):
    """Go through pieces and note how long each takes, without what other processes took."""
    while True:
        begin = time.process_time()
        try:
            next(work)
        except StopIteration:
            return
        finally:
            seconds.append(time.process_time() - begin)
