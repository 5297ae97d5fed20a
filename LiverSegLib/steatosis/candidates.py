"""Places for cubes in an organ: which voxel centres keep the distances, what a cube there would measure."""

from typing import Optional, Tuple

import numpy as np

from ..images.grid import Grid, grow_box
from ..labels import TUMOUR
from ..measure.measurements import Vector, vector
from .organs import OrganRegion
from .roi_weights import voxel_weights

_INSIDE, _LESION = 1, 2
"""Bits of the voxel codes: inside the organ, part of a lesion."""
_SAME_MM = 1e-6
_PARTS = 3
"""A cube is divided into so many parts along each axis to see how even it is."""


class Sites:
    """The voxel centres of an organ as centres of cubes of one size.

    A cube fits where every voxel outside the organ, taken as a block with its own extent, is at least
    ``margin_mm`` away from every point of the cube, and every lesion voxel at least ``lesion_margin_mm``: the
    cube lies in the organ eroded by a ball. Distances are those of boxes along the patient's axes that hold
    the voxels: exact where the scan lies along those axes, too small (never too large) on oblique scans. What
    lies beyond the scan counts as outside.

    Args:
        organ: where.
        labels, voxels: the mask and the scan in HU, (z, y, x).
        grid: of both.
        side_mm: side of the cube; along an axis with thicker slices it is one slice.
        margin_mm, lesion_margin_mm: distances.
    """

    def __init__(
        self,
        organ: OrganRegion,
        labels: np.ndarray,
        voxels: np.ndarray,
        grid: Grid,
        *,
        side_mm: float,
        margin_mm: float,
        lesion_margin_mm: float,
    ) -> None:
        self.organ, self.grid = organ, grid
        self.size = cube_size(grid, side_mm)
        self._voxels = voxels
        middle = grid.points(np.zeros((1, 3)))[0]
        self._first, self._weights = voxel_weights(grid, tuple(middle), self.size)
        self._parts = self._part_numbers()
        self._offsets, distances = _distances(grid, self.size, max(margin_mm, lesion_margin_mm))
        self._near = distances < margin_mm - _SAME_MM
        self._near_lesion = distances < lesion_margin_mm - _SAME_MM
        self._corner = np.array([part.start for part in organ.box[::-1]])
        self._margin = -self._offsets[0]
        self._codes = _codes(organ, labels, self._margin)
        self._probes = self._probe_indices(margin_mm), self._probe_indices(lesion_margin_mm)

    @property
    def cube_voxels(self) -> float:
        """Sum of the weights of a cube's voxels."""
        return float(self._weights.sum())

    def lattice(self, step_mm: float) -> np.ndarray:
        """Return voxel indices (n, 3) (x, y, z) in the organ about ``step_mm`` apart, or every voxel of
        thicker ones.
        """
        strides = [max(1, int(round(step_mm / spacing))) for spacing in self.grid.spacing]
        thinned = self.organ.parenchyma[tuple(slice(s // 2, None, s) for s in strides[::-1])]
        z, y, x = np.nonzero(thinned)
        index = np.stack([x, y, z], axis=1)
        return index * strides + [s // 2 for s in strides] + self._corner

    def probable(self, indices: np.ndarray) -> Tuple[np.ndarray, int, int]:
        """Keep the indices (n, 3) whose cube passes at 26 points of its widened surface; all others do not
        fit.

        Returns:
            The indices kept, the number of those too near the border and of those too near a lesion.
        """
        codes = self._codes.ravel()
        strides = np.array([1, self._codes.shape[2], self._codes.shape[1] * self._codes.shape[2]])
        base = (indices - self._corner + self._margin) @ strides
        kept = np.arange(len(indices))
        counts = []
        for probes, bit, wanted in ((self._probes[0], _INSIDE, _INSIDE), (self._probes[1], _LESION, 0)):
            before = len(kept)
            for offset in probes @ strides:
                kept = kept[(codes[base[kept] + offset] & bit) == wanted]
            counts.append(before - len(kept))
        return indices[kept], counts[0], counts[1]

    def obstacle(self, index: np.ndarray) -> Optional[str]:
        """Return "border" or "lesion" if the cube at a voxel (x, y, z) is too near to one, or None."""
        at = index - self._corner
        shape = self._near.shape[::-1]
        z, y, x = (slice(int(at[axis]), int(at[axis]) + shape[axis]) for axis in (2, 1, 0))
        around = self._codes[z, y, x]
        if not (around[self._near] & _INSIDE).all():
            return "border"
        if (around[self._near_lesion] & _LESION).any():
            return "lesion"
        return None

    def measure(self, index: np.ndarray) -> Tuple[float, float]:
        """Return weighted mean and SD (HU) of the cube at a voxel (x, y, z), all of it within the scan."""
        return weighted_mean_sd(self._hu_at(index), self._weights)

    def unevenness(self, index: np.ndarray) -> float:
        """Return the variance (HU squared) between the 27 parts of a cube, thirds along each axis.

        Noise averages out over a part, a vessel that crosses the cube does not.
        """
        hu = self._hu_at(index).ravel().astype(np.float64)
        weights = self._weights.ravel()
        in_part = np.bincount(self._parts, weights, minlength=_PARTS**3)
        sums = np.bincount(self._parts, weights * hu, minlength=_PARTS**3)
        there = in_part > 0
        means, counts = sums[there] / in_part[there], in_part[there]
        middle = (counts * means).sum() / counts.sum()
        return float((counts * (means - middle) ** 2).sum() / counts.sum())

    def centre(self, index: np.ndarray) -> Vector:
        """Return the LPS mm of a voxel (x, y, z)."""
        return vector(self.grid.points(index[None])[0])

    def _hu_at(self, index: np.ndarray) -> np.ndarray:
        """Return the HU (z, y, x) of the voxels that the weights of a cube at a voxel (x, y, z) belong to."""
        first = index + self._first
        shape = self._weights.shape
        z, y, x = (slice(int(first[2 - axis]), int(first[2 - axis]) + shape[axis]) for axis in range(3))
        return self._voxels[z, y, x]

    def _part_numbers(self) -> np.ndarray:
        """Return for each voxel of the weights, in memory order, in which of the 27 parts of the cube it
        lies.
        """
        z, y, x = np.indices(self._weights.shape)
        offsets = (np.stack([x, y, z], axis=-1) + self._first) @ self.grid.steps.T
        thirds = np.clip(np.floor((offsets / np.array(self.size) + 0.5) * _PARTS), 0, _PARTS - 1)
        return (thirds @ np.array([1, _PARTS, _PARTS**2])).astype(int).ravel()

    def _probe_indices(self, margin_mm: float) -> np.ndarray:
        """Return the voxels (26, 3) relative to the centre that hold points almost ``margin_mm`` from the
        cube.
        """
        ways = np.array(
            [(x, y, z) for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1) if x or y or z]
        )
        points = ways * (np.array(self.size) / 2) * 0.999
        points += 0.999 * margin_mm * ways / np.linalg.norm(ways, axis=1)[:, None]
        # Faces first: they drop most.
        points = points[np.argsort(np.abs(ways).sum(axis=1), kind="stable")]
        return np.rint(points @ np.linalg.inv(self.grid.steps).T).astype(int)


def cube_size(grid: Grid, side_mm: float) -> Vector:
    """Return the sides (x, y, z) of a cube, along the patient's axes; at least one voxel along each."""
    edges = {patient_axis: grid.spacing[axis] for axis, patient_axis in enumerate(grid.patient_axes)}
    return vector(max(side_mm, edges[axis]) for axis in range(3))


def weighted_mean_sd(hu: np.ndarray, weights: np.ndarray) -> Tuple[float, float]:
    """Return mean and SD (divided by n) of HU values whose voxels count by ``weights`` of the same shape."""
    total = weights.sum()
    values = hu.astype(np.float64)
    mean = float((weights * values).sum() / total)
    return mean, float(np.sqrt((weights * (values - mean) ** 2).sum() / total))


def _distances(grid: Grid, size: Vector, margin_mm: float) -> Tuple[np.ndarray, np.ndarray]:
    """Return how far voxels around a cube's centre, itself a voxel, are from the cube.

    Returns:
        First and last index (2, 3) (x, y, z), and mm (z, y, x): the distance between the cube and the box
        that holds the voxel; -1 where they overlap.
    """
    touching = np.array(size) / 2 + np.abs(grid.steps).sum(axis=1) / 2
    most = np.ceil(np.abs(np.linalg.inv(grid.steps)) @ (touching + margin_mm)).astype(int)
    z, y, x = (np.arange(-most[axis], most[axis] + 1) for axis in (2, 1, 0))
    index = np.stack(np.broadcast_arrays(x[None, None, :], y[None, :, None], z[:, None, None]), axis=-1)
    gaps = np.abs(index @ grid.steps.T) - touching
    distances = np.sqrt((np.maximum(gaps, 0.0) ** 2).sum(axis=-1))
    distances[(gaps < -_SAME_MM).all(axis=-1)] = -1.0
    return np.stack([-most, most]), distances


def _codes(organ: OrganRegion, labels: np.ndarray, margin: np.ndarray) -> np.ndarray:
    """Return bits (z, y, x) of the organ's box, ``margin`` (x, y, z) voxels wider on every side."""
    margins = [int(m) for m in margin[::-1]]
    codes = np.zeros([n + 2 * m for n, m in zip(organ.mask.shape, margins)], np.uint8)
    codes[tuple(slice(m, m + n) for n, m in zip(organ.mask.shape, margins))] = organ.mask
    seen = grow_box(organ.box, margins, labels.shape)
    target = tuple(
        slice(s.start - part.start + m, s.stop - part.start + m)
        for s, part, m in zip(seen, organ.box, margins)
    )
    codes[target] |= (labels[seen] == TUMOUR).astype(np.uint8) * np.uint8(_LESION)
    return codes
