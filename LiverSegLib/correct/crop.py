"""The part of a scan that a correction works on: a box around the clicks, fine voxels joined in blocks."""

from dataclasses import dataclass
from typing import Sequence, Tuple

import numpy as np
from scipy import ndimage

from ..images.grid import Box, Grid, grow_box


@dataclass(frozen=True)
class Crop:
    """A box of a scan's voxels, seen in blocks.

    Attributes:
        box: of the scan's array (z, y, x).
        factors: voxels that are joined along each axis (z, y, x); 1 leaves them as they are.
        spacing: mm between the blocks' centres (z, y, x).
        shape: blocks (z, y, x); the last may be incomplete.
    """

    box: Box
    factors: Tuple[int, int, int]
    spacing: Tuple[float, float, float]
    shape: Tuple[int, int, int]

    def reduced(self, values: np.ndarray) -> np.ndarray:
        """Return the mean of each block of an array (z, y, x) of the box's shape, float32."""
        values = values.astype(np.float32)
        if self.factors == (1, 1, 1):
            return values
        missing = [(0, -length % factor) for length, factor in zip(values.shape, self.factors)]
        z, y, x = self.shape
        a, b, c = self.factors
        blocks = np.pad(values, missing, mode="edge").reshape(z, a, y, b, x, c)
        return blocks.mean(axis=(1, 3, 5), dtype=np.float32)

    def expanded(self, values: np.ndarray) -> np.ndarray:
        """Return values of the blocks (z, y, x), interpolated linearly to the box's voxels."""
        if self.factors == (1, 1, 1):
            return values
        whole = ndimage.zoom(values, self.factors, order=1, grid_mode=True, mode="nearest")
        z, y, x = (slice(0, part.stop - part.start) for part in self.box)
        return whole[z, y, x]


def crop_around(grid: Grid, inner: Box, half_mm: float, spacing_mm: float) -> Crop:
    """Return the crop that reaches ``half_mm`` beyond the box ``inner`` where the scan does.

    Voxels that are finer than ``spacing_mm`` are joined to about that size.
    """
    steps = grid.spacing[::-1]
    box = grow_box(inner, [np.ceil(half_mm / step) for step in steps], grid.shape)
    a, b, c = (max(1, int(round(spacing_mm / step))) for step in steps)
    z, y, x = (-(-(part.stop - part.start) // factor) for part, factor in zip(box, (a, b, c)))
    dz, dy, dx = (step * factor for step, factor in zip(steps, (a, b, c)))
    return Crop(box, (a, b, c), (dz, dy, dx), (z, y, x))


def touches_border(mask: np.ndarray, box: Box, shape: Sequence[int]) -> bool:
    """Whether a mask (z, y, x) of a box reaches a face of the box that is not one of the scan (``shape``)."""
    for axis, (part, count) in enumerate(zip(box, shape)):
        first, last = np.take(mask, 0, axis), np.take(mask, -1, axis)
        if (part.start > 0 and first.any()) or (part.stop < count and last.any()):
            return True
    return False
