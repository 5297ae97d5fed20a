"""Overlap and volume of a predicted mask and a reference: Dice, Jaccard, volume differences.

Masks are bool (or 0 / non-zero) arrays (z, y, x) of equal shape; spacing is mm (x, y, z). Two empty masks
agree perfectly (Dice and Jaccard 1); if only one is empty, both are 0. A relative volume difference needs a
reference that is not empty: it is None else.
"""

from dataclasses import dataclass
from typing import NamedTuple, Optional, Tuple

import numpy as np

from ..errors import UsageError

Spacing = Tuple[float, float, float]
"""Millimeters between voxel centres (x, y, z)."""


@dataclass(frozen=True)
class Overlap:
    """How much two masks have in common, in voxels or in ml.

    Attributes:
        reference, prediction: sizes of the two.
        both: size of what they share.
    """

    reference: float
    prediction: float
    both: float

    @classmethod
    def of(cls, reference: np.ndarray, prediction: np.ndarray, voxel: float = 1.0) -> "Overlap":
        """Measure two masks (z, y, x); ``voxel`` is the size of a voxel.

        Raises:
            UsageError: they differ in shape or have no three axes.

        >>> whole, half = np.ones((2, 2, 2), bool), np.zeros((2, 2, 2), bool)
        >>> half[0] = True
        >>> found = Overlap.of(half, whole)
        >>> found.jaccard, found.relative_difference
        (0.5, 1.0)
        """
        reference, prediction = checked_masks(reference, prediction)
        counts = (np.count_nonzero(mask) for mask in (reference, prediction, reference & prediction))
        true, predicted, both = (float(count * voxel) for count in counts)
        return cls(true, predicted, both)

    def __add__(self, other: "Overlap") -> "Overlap":
        return Overlap(
            self.reference + other.reference, self.prediction + other.prediction, self.both + other.both
        )

    @property
    def dice(self) -> float:
        """2|A and B| / (|A| + |B|) (Dice, Ecology 1945;26:297-302), 0..1."""
        total = self.reference + self.prediction
        return 2.0 * self.both / total if total else 1.0

    @property
    def jaccard(self) -> float:
        """|A and B| / |A or B|, 0..1. One minus this is the volumetric overlap error (VOE)."""
        union = self.reference + self.prediction - self.both
        return self.both / union if union else 1.0

    @property
    def relative_difference(self) -> Optional[float]:
        """(prediction - reference) / reference: positive where the prediction is too large."""
        return (self.prediction - self.reference) / self.reference if self.reference else None


class VolumeError(NamedTuple):
    """Volumes in ml, their signed difference, and that in percent of the reference (None if empty)."""

    reference_ml: float
    prediction_ml: float
    difference_ml: float
    difference_percent: Optional[float]


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """Return the Dice coefficient of two masks (z, y, x), 0..1.

    Raises:
        UsageError: they differ in shape or have no three axes.
    """
    return Overlap.of(a, b).dice


def volume_error(reference: np.ndarray, prediction: np.ndarray, spacing: Spacing) -> VolumeError:
    """Compare volumes; a positive difference means that the prediction is too large.

    Args:
        reference, prediction: masks (z, y, x).
        spacing: mm (x, y, z).

    Raises:
        UsageError: the masks differ in shape or have no three axes.
    """
    found = Overlap.of(reference, prediction, float(np.prod(spacing)) / 1000.0)
    relative = found.relative_difference
    percent = None if relative is None else 100.0 * relative
    return VolumeError(found.reference, found.prediction, found.prediction - found.reference, percent)


def checked_masks(a: np.ndarray, b: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Return two masks as bool arrays (z, y, x).

    Raises:
        UsageError: they differ in shape or have no three axes.
    """
    if a.shape != b.shape or a.ndim != 3:
        raise UsageError(f"Two masks of the same three axes are needed, not {a.shape} and {b.shape}.")
    return a.astype(bool, copy=False), b.astype(bool, copy=False)
