"""A segment's voxels on the grid of another image, a slab at a time where the whole would take long.

Where the segment lies on that grid its voxels are taken as they are; else they are resampled, nearest
neighbor, through the transforms of both nodes, be these linear or not.
"""

from dataclasses import dataclass
from typing import Any, Iterator, Optional, Tuple

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from LiverSegLib.images.grid import bounding_box

from .segments import LABELMAP, imageToRas

Extent = Tuple[int, int, int, int, int, int]
"""First and last index along i, j, k, as Slicer has it."""

NOTHING: Extent = (0, -1, 0, -1, 0, -1)
"""An extent without voxels."""

SLAB_VOXELS = 1 << 21
"""So many voxels are looked at in one piece: a few milliseconds."""
RESAMPLED_SLAB_VOXELS = 1 << 18
"""The same where they are resampled."""

_SAME_GRID_VOXELS = 0.01
"""Two grids are one if their voxels lie no further apart than this part of a voxel."""
_SAMPLES_A_SIDE = 5
"""Points a side by which a box is followed through a transform that may bend it."""


@dataclass(frozen=True)
class PlacedImage:
    """A segment's label map with what its place depends on.

    Attributes:
        image: vtkOrientedImageData; it may hold other segments too.
        labelValue: of the segment in the image.
        transformNode: parent transform of the segmentation, None without one.
    """

    image: Any
    labelValue: int
    transformNode: Any

    @property
    def extent(self) -> Extent:
        """The extent of the image; a last index below the first where it has no voxel."""
        return tuple(self.image.GetExtent())

    @property
    def voxels(self) -> np.ndarray:
        """The values of the image, (z, y, x), not copied."""
        scalars = self.image.GetPointData().GetScalars()
        if scalars is None or not self.image.GetNumberOfPoints():
            return np.zeros((0, 0, 0), np.uint8)
        return vtk_to_numpy(scalars).reshape(self.image.GetDimensions()[::-1])

    @property
    def voxelMl(self) -> float:
        """Volume of a voxel in ml, without the parent transform."""
        return float(abs(np.linalg.det(imageToRas(self.image)[:3, :3]))) / 1000.0

    @property
    def state(self) -> Tuple[Any, ...]:
        """What changes with the voxels or their place."""
        scalars = self.image.GetPointData().GetScalars()
        times = (self.image.GetMTime(), 0 if scalars is None else scalars.GetMTime())
        transformID = None if self.transformNode is None else self.transformNode.GetID()
        return (*times, self.labelValue, transformID)


def placedImage(segmentationNode: "slicer.vtkMRMLSegmentationNode", segmentID: str) -> Optional[PlacedImage]:
    """Return the label map of a segment; None if there is no such segment, or it has none."""
    segment = segmentationNode.GetSegmentation().GetSegment(segmentID)
    image = None if segment is None else segment.GetRepresentation(LABELMAP)
    if image is None:
        return None
    return PlacedImage(image, segment.GetLabelValue(), segmentationNode.GetParentTransformNode())


def isOnGrid(placed: PlacedImage, reference: PlacedImage) -> bool:
    """Whether the voxels of both are voxels of one grid, with the same indices."""
    if placed.transformNode is not reference.transformNode:
        return False
    mine, its = imageToRas(placed.image), imageToRas(reference.image)
    far = np.array(
        [*(max(abs(n) for n in reference.extent[axis * 2 : axis * 2 + 2]) for axis in range(3)), 1]
    )
    steps = np.linalg.norm(its[:3, :3], axis=0)
    return bool((np.abs(mine - its)[:3] @ far).max() <= _SAME_GRID_VOXELS * steps.min())


def maskOn(placed: PlacedImage, reference: PlacedImage, extent: Extent) -> np.ndarray:
    """Return the voxels of a segment as bool (z, y, x) on a part of another image's grid.

    Args:
        placed: the segment.
        reference: whose grid it is.
        extent: the part, in indices of that grid; it may reach beyond the reference.
    """
    mask = np.zeros(_shape(extent), bool)
    if mask.size and placed.voxels.size:
        image = placed.image if isOnGrid(placed, reference) else _resampled(placed, reference, extent)
        _paste(mask, extent, PlacedImage(image, placed.labelValue, None))
    return mask


def slabs(extent: Extent, voxels: int = SLAB_VOXELS) -> Iterator[Extent]:
    """Cut an extent along k into parts of about so many voxels."""
    depth, height, width = _shape(extent)
    thickness = max(1, voxels // max(1, height * width))
    for first in range(extent[4], extent[4] + depth, thickness):
        yield (*extent[:4], first, min(extent[5], first + thickness - 1))


def united(*extents: Extent) -> Extent:
    """Return the extent around several, of which those without voxels are left out."""
    filled = np.array([extent for extent in extents if min(_shape(extent)) > 0] or [NOTHING])
    return tuple(
        int(filled[:, index].min() if index % 2 == 0 else filled[:, index].max()) for index in range(6)
    )


def extentOn(placed: PlacedImage, reference: PlacedImage) -> Extent:
    """Return the part of another image's grid that holds all voxels of a segment; empty if it has none."""
    box = bounding_box(placed.voxels == placed.labelValue)
    if box is None:
        return NOTHING
    first = placed.extent[::2]
    own = [n + first[axis] for axis, part in enumerate(box[::-1]) for n in (part.start, part.stop - 1)]
    if isOnGrid(placed, reference):
        return tuple(own)
    ends = [np.linspace(own[axis * 2] - 0.5, own[axis * 2 + 1] + 0.5, _SAMPLES_A_SIDE) for axis in range(3)]
    corners = np.array(np.meshgrid(*ends)).reshape(3, -1).T
    matrix, inverse = imageToRas(placed.image), np.linalg.inv(imageToRas(reference.image))
    transform = _between(placed, reference)
    points = np.array(
        [transform.TransformPoint(point) for point in corners @ matrix[:3, :3].T + matrix[:3, 3]]
    )
    indices = points @ inverse[:3, :3].T + inverse[:3, 3]
    low, high = np.floor(indices.min(axis=0)) - 1, np.ceil(indices.max(axis=0)) + 1
    return tuple(int(n) for pair in zip(low, high) for n in pair)


def imageLike(mask: np.ndarray, extent: Extent, reference: PlacedImage) -> Any:
    """Return a mask, bool (z, y, x), as vtkOrientedImageData on the grid of another image."""
    image = _emptyImage(extent, reference)
    vtk_to_numpy(image.GetPointData().GetScalars()).reshape(mask.shape)[:] = mask
    return image


def _shape(extent: Extent) -> Tuple[int, int, int]:
    i, j, k = (max(0, extent[axis * 2 + 1] - extent[axis * 2] + 1) for axis in range(3))
    return k, j, i


def _resampled(placed: PlacedImage, reference: PlacedImage, extent: Extent) -> Any:
    found = slicer.vtkOrientedImageData()
    slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
        placed.image, _emptyImage(extent, reference), found, False, False, _between(placed, reference)
    )
    return found


def _emptyImage(extent: Extent, reference: PlacedImage) -> Any:
    image = slicer.vtkOrientedImageData()
    image.SetExtent(*extent)
    matrix = vtk.vtkMatrix4x4()
    reference.image.GetImageToWorldMatrix(matrix)
    image.SetImageToWorldMatrix(matrix)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    image.GetPointData().GetScalars().Fill(0)
    return image


def _between(placed: PlacedImage, reference: PlacedImage) -> Any:
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(
        placed.transformNode, reference.transformNode, transform
    )
    return transform


def _paste(mask: np.ndarray, extent: Extent, placed: PlacedImage) -> None:
    """Write the voxels of a segment, whose image has the indices of ``extent``, into its mask."""
    voxels, here, there = placed.voxels, [], []
    for axis in (2, 1, 0):
        start, other = extent[axis * 2], placed.extent[axis * 2]
        low = max(start, other)
        high = min(extent[axis * 2 + 1], placed.extent[axis * 2 + 1]) + 1
        if low >= high:
            return
        here.append(slice(low - start, high - start))
        there.append(slice(low - other, high - other))
    np.equal(voxels[tuple(there)], placed.labelValue, out=mask[tuple(here)])
