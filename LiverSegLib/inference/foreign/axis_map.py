"""Resampling along one axis: where the new samples lie between the old ones, and their weights.

Splines, their borders and the rounding of nearest neighbours are those of ``scipy.ndimage``, which nnU-Net
(by way of ``skimage.transform.resize``) and TotalSegmentator use. All of them work axis by axis, so a matrix
for each axis does the same with far less memory.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import List, Tuple

import numpy as np
from scipy import ndimage

FACES, CORNERS = "faces", "corners"
"""What old and new grid have in common along an axis: both outer faces (nnU-Net), or the centres of both end
samples (TotalSegmentator)."""
NEGLIGIBLE = 1e-9
"""Weights of a spline below this are left out: the image has float32 voxels."""


@dataclass(frozen=True)
class AxisMap:
    """Samples of an axis taken from ``before`` others, by a spline of an order from 0 to 5.

    Attributes:
        before: number of old samples.
        positions: (after,) float64, where the new samples lie, in old samples from 0 on.
        order: 0 is the nearest neighbour, 1 linear.
        extend: beyond the ends a spline sees the last sample again; if not, the samples mirrored.
    """

    before: int
    positions: np.ndarray
    order: int
    extend: bool = True

    @classmethod
    def between(cls, before: int, after: int, order: int, ends: str = FACES) -> "AxisMap":
        """The map between two grids that share their FACES or their CORNERS."""
        steps = np.arange(after, dtype=float)
        if ends == CORNERS:
            positions = steps * ((before - 1) / (after - 1) if after > 1 else 1.0)
        else:
            positions = (steps + 0.5) * (before / after) - 0.5
        return cls(before, positions, order, ends != CORNERS)

    @classmethod
    def stepped(cls, before: int, after: int, step: float, order: int) -> "AxisMap":
        """The map between grids that share the centre of their first sample (MONAI); ``step`` is the distance
        of the new ones, in old samples."""
        return cls(before, np.arange(after, dtype=float) * step, order)

    @property
    def after(self) -> int:
        """Number of new samples."""
        return len(self.positions)

    @cached_property
    def is_identity(self) -> bool:
        """Whether the new samples are the old ones."""
        return self.after == self.before and bool(np.allclose(self.positions, np.arange(self.before)))

    @cached_property
    def matrix(self) -> np.ndarray:
        """Weights (after, before), float32."""
        return self._weights().astype(np.float32)

    def _weights(self) -> np.ndarray:
        if self.order > 1:
            mode = "nearest" if self.extend else "mirror"
            columns = [
                ndimage.map_coordinates(unit, self.positions[None], order=self.order, mode=mode)
                for unit in np.eye(self.before)
            ]
            weights = np.stack(columns, 1)
            weights[np.abs(weights) < NEGLIGIBLE] = 0
            return weights
        low, high, share = self.neighbours
        weights = np.zeros((self.after, self.before))
        rows = np.arange(self.after)
        np.add.at(weights, (rows, low), 1 - share)
        np.add.at(weights, (rows, high), share)
        return weights

    @cached_property
    def neighbours(self) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For orders 0 and 1: the old sample below each new one, the one above, and the share of that.

        Returns:
            (low, high, share), each (after,): int64, int64, float64.
        """
        last = self.before - 1
        if self.order == 0:
            low = np.clip(np.floor(self.positions + 0.5), 0, last).astype(np.int64)
            return low, low, np.zeros(self.after)
        places = np.clip(self.positions, 0, last)
        low = np.minimum(np.floor(places).astype(np.int64), last)
        share = places - low
        return low, np.where(share > 0, np.minimum(low + 1, last), low), share

    @cached_property
    def reach(self) -> List[Tuple[int, int]]:
        """For each old sample the new samples, first and past the last, that it has a weight in."""
        found = []
        for column in self.matrix.T:
            rows = np.flatnonzero(column)
            found.append((int(rows[0]), int(rows[-1]) + 1) if rows.size else (0, 0))
        return found
