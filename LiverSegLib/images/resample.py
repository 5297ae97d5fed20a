"""Resampling of scans: an axis-aligned copy of an oblique one, and weights that resample along an axis."""

from typing import Callable, Optional

import numpy as np
import SimpleITK as sitk

from .grid import Grid

AIR_HU = -1024.0
AXIS_ALIGNED_LIMIT_VOXELS = 512
"""An axis-aligned copy of an oblique scan has at most so many voxels along an axis."""


def axis_aligned(image: sitk.Image, spacing: float, check: Optional[Callable[[], None]] = None) -> sitk.Image:
    """Resample an oblique image onto a grid along the patient's axes that holds all of it, anti-aliased where
    it gets coarser.

    Args:
        image: any direction matrix.
        spacing: mm, isotropic; made coarser where the grid would exceed AXIS_ALIGNED_LIMIT_VOXELS along an
            axis.
        check: called between steps; may raise to cancel.

    Raises:
        ImageGeometryError: the image is not 3-D or its axes do not span space.
    """
    grid = Grid.of(image).axis_aligned(spacing, most=AXIS_ALIGNED_LIMIT_VOXELS)
    image = _smoothed(image, max(grid.spacing), check)
    return sitk.Resample(
        image, grid.size, sitk.Transform(), sitk.sitkLinear, grid.origin, grid.spacing, grid.direction,
        AIR_HU, image.GetPixelID(),
    )  # fmt: skip


def _smoothed(image: sitk.Image, step: float, check: Optional[Callable[[], None]] = None) -> sitk.Image:
    """The image averaged along its own axes over a triangle as wide as ``step`` mm, where its voxels are
    finer: what :func:`axis_weights` does to an aligned scan. Noise finer than the new grid would else alias.
    """
    smooth = sitk.Cast(image, sitk.sitkFloat32)
    for axis, have in enumerate(image.GetSpacing()):
        if check:
            check()
        # The linear interpolation that follows smooths too, over a triangle of one voxel: variances add.
        width = np.sqrt(max(0.0, step**2 - have**2)) / have
        reach = int(np.ceil(width)) - 1
        if reach < 1 or image.GetSize()[axis] < 2:
            continue
        weights = 1 - np.abs(np.arange(-reach, reach + 1)) / width
        shape = [1, 1, 1]
        shape[2 - axis] = len(weights)
        kernel = sitk.GetImageFromArray((weights / weights.sum()).reshape(shape).astype(np.float32))
        smooth = sitk.Convolution(smooth, kernel, False, sitk.ConvolutionImageFilter.ZERO_FLUX_NEUMANN_PAD)
    return sitk.Cast(smooth, image.GetPixelID())


def axis_weights(count: int, step: float, out_count: int, shift: float = 0.0) -> np.ndarray:
    """Weights that resample one axis: float32 (out_count, count), each row summing to one.

    Output voxel j is centred at ``(j + 0.5) * step - 0.5 + shift`` input voxels. The kernel is a triangle as
    wide as the coarser of the two grids: linear interpolation where the axis gets finer, anti-aliasing where
    it gets coarser. Beyond the ends the last voxel counts.
    """
    centres = np.clip((np.arange(out_count) + 0.5) * step - 0.5 + shift, 0, count - 1)
    distance = np.abs(centres[:, None] - np.arange(count)[None])
    weights = np.clip(1 - distance / max(1.0, step), 0, None)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)
