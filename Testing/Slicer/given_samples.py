"""Segmentations as other modules leave them in the scene: label maps, contours, surfaces."""

from typing import Any, Dict, Mapping, Optional

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk

LIVER_ENTRY = (
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical Structure~SCT^10200004^Liver"
    "~^^~Anatomic codes - DICOM master list~^^~^^"
)


def addSegmentation(name: str = "Hers", volumeNode: Any = None) -> Any:
    """An empty segmentation, drawn on a volume if one is given."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    if volumeNode is not None:
        node.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    return node


def addLabelmaps(segmentationNode: Any, volumeNode: Any, masks: Mapping[str, np.ndarray]) -> Any:
    """Add segments of these names and voxels, bool (z, y, x) on the volume's grid."""
    segmentation = segmentationNode.GetSegmentation()
    for name, mask in masks.items():
        segmentID = segmentation.AddEmptySegment("", name)
        slicer.util.updateSegmentBinaryLabelmapFromArray(
            mask.astype(np.uint8), segmentationNode, segmentID, volumeNode
        )
    return segmentationNode


def setTag(segmentationNode: Any, name: str, tag: str, value: str) -> None:
    """Give the segment of a name a tag."""
    segmentation = segmentationNode.GetSegmentation()
    segmentation.GetSegment(segmentation.GetSegmentIdBySegmentName(name)).SetTag(tag, value)


def codeAsLiver(segmentationNode: Any, name: str) -> None:
    """Give the segment of a name the terminology of the liver."""
    setTag(segmentationNode, name, slicer.vtkSegment.GetTerminologyEntryTagName(), LIVER_ENTRY)


def addContours(segmentationNode: Any, volumeNode: Any, name: str, rings: Mapping[int, Any]) -> Any:
    """A segment drawn as contours, as SlicerRT loads a structure set: closed lines.

    Args:
        rings: slice -> (low, high) voxel index of a square, in rows and columns, half a voxel outside.
    """
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    points, lines = vtk.vtkPoints(), vtk.vtkCellArray()
    for plane, (low, high) in rings.items():
        corners = [
            (low - 0.5, low - 0.5),
            (high + 0.5, low - 0.5),
            (high + 0.5, high + 0.5),
            (low - 0.5, high + 0.5),
        ]
        numbers = [points.InsertNextPoint(*matrix.MultiplyPoint((i, j, plane, 1))[:3]) for i, j in corners]
        lines.InsertNextCell(len(numbers) + 1)
        for number in (*numbers, numbers[0]):
            lines.InsertCellPoint(number)
    polyData = vtk.vtkPolyData()
    polyData.SetPoints(points)
    polyData.SetLines(lines)
    return addShape(segmentationNode, name, "Planar contour", polyData)


def addShape(segmentationNode: Any, name: str, representation: str, polyData: Any) -> Any:
    """A segment of one representation alone, which becomes the source one."""
    segment = slicer.vtkSegment()
    segment.SetName(name)
    segment.AddRepresentation(representation, polyData)
    segmentation = segmentationNode.GetSegmentation()
    segmentation.SetSourceRepresentationName(representation)
    segmentation.AddSegment(segment)
    return segmentationNode


def polyDataOf(pointsRas: np.ndarray, triangles: np.ndarray, polygons: Optional[Any] = None) -> Any:
    """A surface of triangles, or of the cells given."""
    points = vtk.vtkPoints()
    points.SetData(numpy_to_vtk(np.asarray(pointsRas, np.float32), deep=True))
    cells = polygons
    if cells is None:
        cells = vtk.vtkCellArray()
        cells.SetData(3, numpy_to_vtk(np.asarray(triangles, np.int64).ravel(), deep=True))
    polyData = vtk.vtkPolyData()
    polyData.SetPoints(points)
    polyData.SetPolys(cells)
    return polyData


def masksOf(truth: np.ndarray) -> Dict[str, np.ndarray]:
    """Segments of German names: a liver that holds its tumors, spleen, tumor, skin."""
    return {"Leber": np.isin(truth, (1, 3)), "Milz": truth == 2, "Läsion 1": truth == 3, "Haut": truth == 0}


def hers(volumeNode: Any, truth: np.ndarray, name: str = "Hers") -> Any:
    """A segmentation of label maps on a volume, with the segments of ``masksOf``."""
    return addLabelmaps(addSegmentation(name, volumeNode), volumeNode, masksOf(truth))
