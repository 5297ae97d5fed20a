"""Volumes and attenuation of structures.

Volume: number of voxels times the volume of a voxel, |det(direction * spacing)|.
Attenuation: mean, median and standard deviation of the voxels' HU. The SD divides by n, as the intensity
variance of the Image Biomarker Standardisation Initiative (Zwanenburg et al., Radiology 2020;295:328-338)
does: it describes these voxels and does not estimate others.
"""

from dataclasses import dataclass
from typing import Optional, Tuple

import numpy as np

from ..errors import NotCTError
from ..images.grid import Grid, bounding_box
from ..masks.components import Box, box_within
from ..sentences import Sentence

_COUNTED = 1 << 20
"""Voxels counted at a time."""


@dataclass(frozen=True)
class Structure:
    """Where a structure lies: its tight box in the scan and its bool (z, y, x) mask within the box."""

    box: Box
    mask: np.ndarray

    @property
    def voxels(self) -> int:
        """Number of voxels."""
        return int(np.count_nonzero(self.mask))


@dataclass(frozen=True, eq=False)
class ScanContext:
    """What measuring a structure needs of its scan.

    Attributes:
        grid: of the scan.
        values: the scan (z, y, x) in HU.
        padding: the value outside the reconstructed circle, see ``borders``; None to look for none.
        probability: uint8 (z, y, x), 255 = 1.0, or None.
        blood_hu: attenuation of enhanced blood in the aorta, if known.
        warnings: sentences that hold for every number of this scan.
        has_hu: whether the values are HU; if not, no attenuation is measured.
    """

    grid: Grid
    values: np.ndarray
    padding: Optional[float] = None
    probability: Optional[np.ndarray] = None
    blood_hu: Optional[float] = None
    warnings: Tuple[str, ...] = ()
    has_hu: bool = True


@dataclass(frozen=True)
class Attenuation:
    """Attenuation of a structure in HU."""

    mean_hu: float
    sd_hu: float
    median_hu: float


def find_structure(labels: np.ndarray, box: Optional[Box], values: Tuple[int, ...]) -> Optional[Structure]:
    """Return the structure made of the given label values, or None if there is no such voxel.

    Args:
        labels: uint8 (z, y, x), of the scan.
        box: where to look; None for an empty mask.
        values: the label values that count.
    """
    return None if box is None else structure_in(labels[box], box, values)


def structure_in(labels: np.ndarray, box: Box, values: Tuple[int, ...]) -> Optional[Structure]:
    """Return the structure made of the given label values, or None if there is no such voxel.

    Args:
        labels: uint8 (z, y, x), those in ``box`` of the scan.
        box: of the scan.
        values: the label values that count.
    """
    mask = labels == values[0]
    for value in values[1:]:
        mask |= labels == value
    inner = bounding_box(mask)
    if inner is None:
        return None
    return Structure(box_within(box, inner), mask[inner])


def attenuation(values: np.ndarray) -> Attenuation:
    """Return mean, SD and median of HU values (n,), n at least 1.

    Raises:
        NotCTError: a value is not finite.
    """
    if values.dtype.kind in "iu" and values.dtype.itemsize <= 2:
        return _attenuation_of_whole_numbers(values)
    mean = float(values.mean(dtype=np.float64))
    if not np.isfinite(mean):
        raise NotCTError(Sentence("mask.not-finite"))
    # SD about the mean in 64 bits: sums of squares in single precision lose HU over millions of voxels.
    return Attenuation(mean, float(values.std(dtype=np.float64)), float(np.median(values)))


def _attenuation_of_whole_numbers(values: np.ndarray) -> Attenuation:
    """The same from counts of each value: exact, and without 64-bit copies of millions of voxels."""
    lowest = int(values.min())
    counts = np.zeros(int(values.max()) - lowest + 1, dtype=np.int64)
    for first in range(0, len(values), _COUNTED):
        counts += np.bincount(
            values[first : first + _COUNTED].astype(np.intp) - lowest, minlength=len(counts)
        )
    levels = lowest + np.arange(len(counts), dtype=np.float64)
    mean = float(counts @ levels) / len(values)
    variance = float(counts @ (levels - mean) ** 2) / len(values)
    below = np.cumsum(counts)
    middle = [levels[np.searchsorted(below, rank, side="right")] for rank in _middle_ranks(len(values))]
    return Attenuation(mean, float(np.sqrt(variance)), float(np.mean(middle)))


def _middle_ranks(count: int) -> Tuple[int, int]:
    return (count - 1) // 2, count // 2
