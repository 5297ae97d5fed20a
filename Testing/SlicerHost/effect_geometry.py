"""From a slice view's pixels to patient coordinates and voxels, as the segment editor's effects count."""

from typing import Any, List, Sequence

import vtk

from .recorder import recorder


def xyz_to_ras(xyz: Sequence[float], slice_node: Any) -> List[float]:
    """Pixel (from the lower left corner) of a slice view and layer -> RAS mm."""
    return list(slice_node.GetXYToRAS().MultiplyPoint((*xyz, 1.0))[:3])


def ras_to_xy(ras: Sequence[float], slice_node: Any) -> List[int]:
    """RAS mm -> pixel of a slice view, whole numbers towards zero as QPoint makes them."""
    inverse = vtk.vtkMatrix4x4()
    vtk.vtkMatrix4x4.Invert(slice_node.GetXYToRAS(), inverse)
    return [int(value) for value in inverse.MultiplyPoint((*ras, 1.0))[:2]]


def ras_to_ijk(ras: Sequence[float], image: Any, transform_node: Any = None) -> List[int]:
    """RAS mm -> voxel (i, j, k) of a vtkOrientedImageData under a transform.

    Slicer adds one half and cuts the fraction off, so that up to 1.5 voxels below the first still give 0.
    """
    point = (*ras, 1.0)
    if transform_node is not None:
        if transform_node.IsTransformToWorldLinear():
            from_world = vtk.vtkMatrix4x4()
            transform_node.GetMatrixTransformFromWorld(from_world)
            point = from_world.MultiplyPoint(point)
        else:
            recorder.violation("xyToIjk: the parent transform is not linear; Slicer prints this and skips it")
    to_image = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(to_image)
    to_image.Invert()
    return [int(value + 0.5) for value in to_image.MultiplyPoint(point)[:3]]


def slice_spacing(slice_node: Any, slice_logic: Any) -> float:
    """Distance of neighbouring slices of a view in mm."""
    if slice_node.GetSliceSpacingMode() == slice_node.PrescribedSliceSpacingMode:
        return slice_node.GetPrescribedSliceSpacing()[2]
    return slice_logic.GetLowestVolumeSliceSpacing()[2]
