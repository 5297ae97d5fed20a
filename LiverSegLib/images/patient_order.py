"""Grids: seeing any scan in patient order (z up, y back, x left), and carrying results back voxel for voxel.

A scan whose axes lie within MAX_TILT_DEGREES of the patient's is only permuted and mirrored, which loses
nothing; a more oblique one is resampled upright for the network, and the result is sampled back at the place
of each of its own voxels.
"""

import itertools
from dataclasses import dataclass
from typing import Callable, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk

MAX_TILT_DEGREES = 12.0
"""The networks were trained with rotations up to this; a scan that is more oblique is resampled upright."""
AIR_HU = -1024.0
UPRIGHT_LIMIT_VOXELS = 512
"""An upright copy of an oblique scan has at most so many voxels along an axis."""

Triple = Tuple[float, float, float]
Box = Tuple[slice, slice, slice]


@dataclass(frozen=True)
class Volume:
    """A scan in patient order.

    ``array`` is a view (z, y, x) of the voxels, z to superior, y to posterior, x to left; ``spacing`` is mm
    (z, y, x). ``order`` and ``flips`` are the permutation and mirroring of numpy axes that led there.
    ``to_lps`` (4 x 4) takes voxel indices (x, y, z) of ``array`` to LPS mm. ``image`` keeps the voxels alive.
    """

    image: sitk.Image
    array: np.ndarray
    spacing: Triple
    order: Tuple[int, int, int]
    flips: Tuple[bool, bool, bool]
    to_lps: np.ndarray

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in ml."""
        return abs(float(np.linalg.det(self.to_lps[:3, :3]))) / 1000.0

    @property
    def tilt_degrees(self) -> float:
        """Largest angle between an axis of the array and the patient axis that it stands for."""
        steps = self.to_lps[:3, :3] / np.linalg.norm(self.to_lps[:3, :3], axis=0)
        return float(np.degrees(np.arccos(np.clip(np.diag(steps), -1, 1))).max())

    def restore(self, array: np.ndarray) -> np.ndarray:
        """An array in patient order -> contiguous in the image's own order (z, y, x) of numpy."""
        mirrored = array[tuple(slice(None, None, -1) if flip else slice(None) for flip in self.flips)]
        return np.ascontiguousarray(mirrored.transpose(np.argsort(self.order)))

    def apply(self, array: np.ndarray) -> np.ndarray:
        """An array in the image's own order -> a view in patient order."""
        mirrored = array.transpose(self.order)
        return mirrored[tuple(slice(None, None, -1) if flip else slice(None) for flip in self.flips)]


def patient_order(image: sitk.Image) -> Volume:
    """Return a 3-D image as a :class:`Volume`, without copying its voxels."""
    steps = np.reshape(image.GetDirection(), (3, 3)) * np.asarray(image.GetSpacing())
    unit = steps / np.linalg.norm(steps, axis=0)
    # axes[p]: the image axis (0 x, 1 y, 2 z) that runs along patient axis p (0 L, 1 P, 2 S)
    axes = max(
        itertools.permutations(range(3)), key=lambda order: sum(abs(unit[p, a]) for p, a in enumerate(order))
    )
    signs = [unit[p, a] < 0 for p, a in enumerate(axes)]
    matrix = np.eye(4)
    matrix[:3, :3] = steps[:, axes] * np.where(signs, -1.0, 1.0)
    size = np.asarray(image.GetSize())
    corner = np.where([signs[axes.index(a)] for a in range(3)], size - 1, 0)
    matrix[:3, 3] = np.asarray(image.GetOrigin()) + steps @ corner
    order = tuple(2 - a for a in axes[::-1])
    flips = tuple(bool(s) for s in signs[::-1])
    spacing = tuple(float(image.GetSpacing()[a]) for a in axes[::-1])
    empty = Volume(image, np.empty((0, 0, 0)), spacing, order, flips, matrix)  # type: ignore[arg-type]
    array = empty.apply(sitk.GetArrayViewFromImage(image))
    return Volume(image, array, spacing, order, flips, matrix)  # type: ignore[arg-type]


def upright(image: sitk.Image, spacing: float, check: Optional[Callable[[], None]] = None) -> sitk.Image:
    """Resample an oblique image onto a grid along the patient's axes that holds all of it, anti-aliased where
    it gets coarser.

    Args:
        image: any direction matrix.
        spacing: mm, isotropic; made coarser where the grid would exceed UPRIGHT_LIMIT_VOXELS along an axis.
        check: called between steps; may raise to cancel.
    """
    steps = np.reshape(image.GetDirection(), (3, 3)) * np.asarray(image.GetSpacing())
    ends = [(-0.5, n - 0.5) for n in image.GetSize()]
    corners = np.asarray(image.GetOrigin()) + np.asarray(list(itertools.product(*ends))) @ steps.T
    low, high = corners.min(0), corners.max(0)
    step = np.maximum(spacing, (high - low) / UPRIGHT_LIMIT_VOXELS)
    size = np.maximum(1, np.ceil((high - low) / step)).astype(int)
    image = _smoothed(image, float(step.max()), check)
    return sitk.Resample(
        image, size.tolist(), sitk.Transform(), sitk.sitkLinear, (low + step / 2).tolist(), step.tolist(),
        np.eye(3).ravel().tolist(), AIR_HU, image.GetPixelID(),
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


def grow_box(
    box: Box, margins: Sequence[float], shape: Sequence[int], at_least: Sequence[float] = (0, 0, 0)
) -> Box:
    """Widen a box by ``margins`` voxels a side, and to ``at_least`` voxels where the array (``shape``) allows
    it.
    """
    grown = []
    for part, margin, limit, wanted in zip(box, margins, shape, at_least):
        start, stop = max(0, int(part.start - margin)), min(limit, int(np.ceil(part.stop + margin)))
        lacking = int(np.ceil(wanted)) - (stop - start)
        if lacking > 0:
            start = max(0, start - lacking // 2)
            stop = min(limit, start + int(np.ceil(wanted)))
            start = max(0, stop - int(np.ceil(wanted)))
        grown.append(slice(start, stop))
    return tuple(grown)  # type: ignore[return-value]
