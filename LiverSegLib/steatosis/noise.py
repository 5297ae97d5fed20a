"""The noise of a scan in an organ: its SD, and how far voxels share it."""

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

import numpy as np

from ..images.grid import Grid
from .organs import OrganRegion

NOISE_LAG_MM = 4.0
"""Voxels so far apart hardly share their noise (kernels blur it over 1 to 2 mm), but lie in the same tissue.
"""
CORRELATION_MM = 3.0
"""Up to so far apart voxels are looked at for noise that they share."""
NOISE_VOXELS = 30000
"""About so many voxels tell the noise to half a percent."""
SQUARE_MM = 5.0
"""Size of the surroundings of a voxel whose mean tells tissues apart."""
ALIKE_SDS = 2.5
"""Surroundings that differ by more than so many robust SDs of such differences are of two tissues."""
LEAST_PAIRS = 200
"""Fewer tell nothing."""
MAD_TO_SD = 1.482602218505602
"""SD of a normal distribution whose absolute values have the median 1."""


@dataclass(frozen=True)
class Noise:
    """Noise of a scan in an organ.

    Attributes:
        sd_hu: SD that noise gives a voxel.
        correlation: sum of the squared correlations of a voxel's noise with that of all voxels, itself among
            them: the SD of n voxels is as uncertain as that of n / correlation independent ones. Kernels and
            resampling blur noise; 1 is white.
    """

    sd_hu: float
    correlation: float


def measure_noise(organ: OrganRegion, voxels: np.ndarray, grid: Grid) -> Optional[Noise]:
    """Measure the noise in an organ, or return None if it is too small.

    The SD is the median absolute difference of voxels 4 mm apart in the plane of the finest voxels, scaled
    to a normal distribution. Gradients over the organ, lesions and thick slices do not enter it. Vessels do
    not either: pairs whose surroundings (5 mm squares) differ more than those of other pairs are left out,
    as are pairs within one such step of the border. Whole numbers are spread over their rounding step, so
    that a quiet scan is not measured in steps of 1 HU.
    """
    thickest = max(range(3), key=lambda axis: grid.spacing[axis])
    plane = [axis for axis in range(3) if axis != thickest]
    pairs = _Pairs(organ, voxels)
    lags = {axis: max(1, int(round(NOISE_LAG_MM / grid.spacing[axis]))) for axis in plane}
    square = {axis: max(1, int(round(SQUARE_MM / 2 / grid.spacing[axis]))) for axis in plane}
    far = np.concatenate([pairs.differences(axis, lag, square) for axis, lag in lags.items()])
    if len(far) < LEAST_PAIRS:
        return None
    variance = _robust_variance(far)
    if variance == 0:  # a scan without noise
        return Noise(0.0, 1.0)
    correlation = 1.0
    for axis in range(3):
        lag_end = int(np.ceil(CORRELATION_MM / grid.spacing[axis]))
        near = [pairs.differences(axis, lag) for lag in range(1, min(lag_end, lags.get(axis, lag_end + 1)))]
        shared = [1.0 - _robust_variance(found) / variance for found in near if len(found) >= LEAST_PAIRS]
        correlation *= 1.0 + 2.0 * sum(np.clip(part, 0.0, 1.0) ** 2 for part in shared)
    return Noise(float(np.sqrt(variance / 2.0)), float(correlation))


class _Pairs:
    """Pairs of parenchyma voxels of an organ, a sample of them."""

    def __init__(self, organ: OrganRegion, voxels: np.ndarray) -> None:
        self._mask, self._hu = organ.parenchyma, voxels[organ.box]
        at = np.flatnonzero(organ.parenchyma)
        at = at[:: max(1, len(at) // NOISE_VOXELS)]
        self._index = np.stack(np.unravel_index(at, organ.parenchyma.shape))
        # The random numbers only spread whole numbers over their rounding step.
        self._random = np.random.default_rng(0) if voxels.dtype.kind in "iu" else None

    def differences(self, axis: int, lag: int, square: Optional[Dict[int, int]] = None) -> np.ndarray:
        """Return HU differences (float64) of pairs ``lag`` voxels apart along a grid axis (0 x, 1 y, 2 z)
        whose neighbours at that lag are parenchyma too.

        Args:
            square: voxels to each side of a voxel, by grid axis: pairs whose surroundings of that size
                differ too much are left out.
        """
        row = 2 - axis
        place = self._index[row]
        inside = (place >= lag) & (place < self._mask.shape[row] - 2 * lag)
        index = self._index[:, inside]
        for step in (-lag, lag, 2 * lag):
            index = index[:, self._mask[_moved(index, row, step)]]
        one, other = (np.stack(_moved(index, row, step)) for step in (lag, 0))
        found = self._hu[tuple(one)].astype(np.float64) - self._hu[tuple(other)].astype(np.float64)
        if self._random is not None:
            found += self._random.uniform(-0.5, 0.5, len(found))
        if square is not None and len(found) >= LEAST_PAIRS:
            apart = np.abs(self._surroundings(one, square) - self._surroundings(other, square))
            found = found[apart <= ALIKE_SDS * MAD_TO_SD * np.median(apart)]
        return found

    def _surroundings(self, index: np.ndarray, square: Dict[int, int]) -> np.ndarray:
        """Return the mean HU (n,) of the squares around voxels (3, n) (z, y, x)."""
        (row_a, half_a), (row_b, half_b) = ((2 - axis, half) for axis, half in square.items())
        # places in the flat array: three index arrays for each neighbour would take four times as long
        steps = np.cumprod((1, *self._hu.shape[:0:-1]))[::-1]
        rest = index[3 - row_a - row_b] * steps[3 - row_a - row_b]
        across = [self._along(index, row_b, b) * steps[row_b] for b in range(-half_b, half_b + 1)]
        hu, total = self._hu.ravel(), np.zeros(index.shape[1])
        for a in range(-half_a, half_a + 1):
            line = rest + self._along(index, row_a, a) * steps[row_a]
            for column in across:
                total += hu[line + column]
        return total / ((2 * half_a + 1) * (2 * half_b + 1))

    def _along(self, index: np.ndarray, row: int, step: int) -> np.ndarray:
        """Indices of an axis, moved and kept inside."""
        return np.clip(index[row] + step, 0, self._hu.shape[row] - 1)


def _moved(index: np.ndarray, row: int, step: int) -> Tuple[np.ndarray, ...]:
    return tuple(part + step if number == row else part for number, part in enumerate(index))


def _robust_variance(differences: np.ndarray) -> float:
    return float(np.median(np.abs(differences)) * MAD_TO_SD) ** 2
