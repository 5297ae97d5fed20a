"""The score of the CHAOS challenge (Kavur et al., Med Image Anal 2021;69:101950,
doi:10.1016/j.media.2020.101950).

Four metrics of a case, each turned into 0..100 points, and their mean:

- Dice: 100 x Dice if it is more than 0.8, else 0.
- RAVD, the absolute volume difference as a share of the reference: 100 points at 0 %, linearly down to 0 at
  5 %.
- ASSD, the average symmetric surface distance: 100 points at 0 mm, linearly down to 0 at 15 mm.
- MSSD, the maximum symmetric surface distance: 100 points at 0 mm, linearly down to 0 at 60 mm.

The challenge maps each metric linearly between its best and its worst value and gives nothing beyond its
threshold; for Dice these values are 1 and 0, so that its points are the Dice itself. Surface voxels share a
face with a voxel outside the mask;
what lies beyond the image is not outside, as in the challenge's own program. The score of a case with an
empty mask is 0; where both are empty there is none.
"""

from typing import Any, Dict, NamedTuple, Optional, Sequence

import numpy as np

from .overlap import Overlap, Spacing
from .surface_distances import SurfaceRule, surface_distances

LEAST_DICE = 0.8
MOST_RAVD_PERCENT = 5.0
MOST_ASSD_MM = 15.0
MOST_MSSD_MM = 60.0
"""At these values the points end."""

SURFACE = SurfaceRule(border_is_outside=False)
"""Surface voxels of the challenge's program."""


class ChaosScore(NamedTuple):
    """Metrics of a case and their points, 0..100.

    Attributes:
        dice: 0..1.
        ravd_percent, assd_mm, mssd_mm: None with an empty mask.
        points_dice, points_ravd, points_assd, points_mssd: each 0..100.
    """

    dice: float
    ravd_percent: Optional[float]
    assd_mm: Optional[float]
    mssd_mm: Optional[float]
    points_dice: float
    points_ravd: float
    points_assd: float
    points_mssd: float

    @property
    def score(self) -> float:
        """Mean of the four points, 0..100."""
        return (self.points_dice + self.points_ravd + self.points_assd + self.points_mssd) / 4

    def to_dict(self) -> Dict[str, Any]:
        """Return plain JSON-ready data, with the score."""
        return {**self._asdict(), "score": self.score}


def chaos_score(reference: np.ndarray, prediction: np.ndarray, spacing: Spacing) -> Optional[ChaosScore]:
    """Score a structure of a case; None if both masks are empty.

    Args:
        reference, prediction: masks (z, y, x).
        spacing: mm (x, y, z).

    Raises:
        UsageError: the masks differ in shape or have no three axes.
    """
    overlap = Overlap.of(reference, prediction)
    if not (overlap.reference or overlap.prediction):
        return None
    distances = surface_distances(reference, prediction, spacing, SURFACE)
    relative = overlap.relative_difference
    if distances is None or relative is None:
        return ChaosScore(overlap.dice, None, None, None, 0.0, 0.0, 0.0, 0.0)
    return scored(overlap.dice, 100.0 * abs(relative), distances.mean, distances.maximum)


def scored(dice: float, ravd_percent: float, assd_mm: float, mssd_mm: float) -> ChaosScore:
    """Turn the four metrics into points.

    >>> round(scored(0.98, 1.32, 0.89, 21.89).score, 1)
    82.3
    """
    return ChaosScore(
        dice,
        ravd_percent,
        assd_mm,
        mssd_mm,
        100.0 * dice if dice > LEAST_DICE else 0.0,
        _points(ravd_percent, MOST_RAVD_PERCENT),
        _points(assd_mm, MOST_ASSD_MM),
        _points(mssd_mm, MOST_MSSD_MM),
    )


def summarise_chaos(scores: Sequence[ChaosScore]) -> Dict[str, Any]:
    """Return the means over cases, JSON-ready; None without any."""
    keys = ("points_dice", "points_ravd", "points_assd", "points_mssd", "score")
    means = {key: float(np.mean([getattr(item, key) for item in scores])) if scores else None for key in keys}
    return {"cases": len(scores), **means}


def _points(value: float, most: float) -> float:
    return 100.0 * max(0.0, 1.0 - value / most)
