"""Detection of lesions: which connected components of a reference a prediction finds, and which it invents.

Masks are bool (or 0 / non-zero) arrays (z, y, x) of equal shape; spacing is mm (x, y, z); sizes are diameters
in mm of the ball of equal volume.
"""

import math
from typing import Dict, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ..errors import UsageError
from ..images.grid import bounding_box
from ..masks.components import component_sums, connected_components
from .overlap import Spacing, checked_masks

SIZE_BINS_MM = (0.0, 10.0, 20.0, math.inf)
"""Default borders of the size classes of lesions: diameter in mm of the ball of equal volume."""


class SizeClass(NamedTuple):
    """Lesions with a diameter from ``lower_mm`` to below ``upper_mm``: how many there are, how many match."""

    lower_mm: float
    upper_mm: float
    references: int
    detected: int
    predictions: int
    correct: int

    @property
    def recall(self) -> Optional[float]:
        """Detected reference lesions / reference lesions; None without any."""
        return self.detected / self.references if self.references else None

    @property
    def precision(self) -> Optional[float]:
        """Correct predicted lesions / predicted lesions; None without any."""
        return self.correct / self.predictions if self.predictions else None

    @property
    def f1(self) -> Optional[float]:
        """Harmonic mean of recall and precision; 0 if one is 0 or there is none to find; None without any
        lesion."""
        recall, precision = self.recall, self.precision
        if recall is None and precision is None:
            return None
        return 2 * recall * precision / (recall + precision) if recall and precision else 0.0


class LesionDetection(NamedTuple):
    """Detection of lesions over all sizes and by size class."""

    total: SizeClass
    by_size: Tuple[SizeClass, ...]

    def to_dict(self) -> Dict[str, object]:
        """Return plain dicts and lists; an open upper border is None."""
        return {
            "total": _class_to_dict(self.total),
            "by_size": [_class_to_dict(item) for item in self.by_size],
        }


def pooled_detection(found: Sequence[LesionDetection]) -> Optional[LesionDetection]:
    """Return the counts of many cases added up, or None without any; all have the same size classes."""
    if not found:
        return None
    by_size = tuple(_added(classes) for classes in zip(*(item.by_size for item in found)))
    return LesionDetection(_added([item.total for item in found]), by_size)


def lesion_detection(
    reference: np.ndarray,
    prediction: np.ndarray,
    spacing: Spacing,
    bins: Sequence[float] = SIZE_BINS_MM,
    *,
    minimum_iou: float = 0.0,
) -> LesionDetection:
    """Count lesions found and missed, by size.

    Lesions are 26-connected components. A reference lesion is detected if it overlaps predicted lesions, and
    if its intersection over union with all of these together is more than ``minimum_iou``; a predicted lesion
    is correct by the same rule the other way round. 0, the default, asks for any overlap, a single voxel.
    (The LiTS challenge asks for more than 0.5 between matched groups of lesions: see ``lits``.) Recall is by
    the size of the reference lesions, precision by that of the predicted ones; size is the diameter of the
    ball of equal volume.

    Args:
        spacing: mm (x, y, z).
        bins: ascending borders of the size classes in mm, at least two. Lesions outside them count in the
            total only.
        minimum_iou: 0 to below 1.

    Raises:
        UsageError: bins or minimum_iou are out of range.
    """
    if len(bins) < 2 or any(not a < b for a, b in zip(bins, bins[1:])):
        raise UsageError(f"The borders of size classes must ascend, not {tuple(bins)}.")
    if not 0.0 <= minimum_iou < 1.0:
        raise UsageError(f"The minimum intersection over union must lie between 0 and 1, not {minimum_iou}.")
    reference, prediction = checked_masks(reference, prediction)
    box = bounding_box(reference | prediction)
    if box is None:
        box = (slice(0, 0),) * 3
    references, predictions = (_Lesions.of(mask[box], spacing) for mask in (reference, prediction))
    overlap = _overlaps(references, predictions)
    found = _matched(overlap, references.sizes, predictions.sizes, minimum_iou)
    correct = _matched(overlap.T, predictions.sizes, references.sizes, minimum_iou)

    def counted(lower: float, upper: float) -> SizeClass:
        true = (references.diameters >= lower) & (references.diameters < upper)
        predicted = (predictions.diameters >= lower) & (predictions.diameters < upper)
        counts = (np.count_nonzero(x) for x in (true, true & found, predicted, predicted & correct))
        return SizeClass(float(lower), float(upper), *(int(count) for count in counts))

    return LesionDetection(counted(0.0, math.inf), tuple(counted(a, b) for a, b in zip(bins, bins[1:])))


class _Lesions(NamedTuple):
    """The lesions of one mask: numbered components, sizes in voxels (n,), ball diameters in mm (n,)."""

    components: np.ndarray
    sizes: np.ndarray
    diameters: np.ndarray

    @classmethod
    def of(cls, mask: np.ndarray, spacing: Spacing) -> "_Lesions":
        components, count = connected_components(mask)
        sizes = component_sums(components, count)[1:]
        return cls(components, sizes, np.cbrt(6.0 * sizes * float(np.prod(spacing)) / math.pi))


def _overlaps(references: _Lesions, predictions: _Lesions) -> np.ndarray:
    """Return the voxels that reference lesion i and predicted lesion j share, int64 (i, j)."""
    counts = np.zeros((len(references.sizes), len(predictions.sizes)), dtype=np.int64)
    both = (references.components > 0) & (predictions.components > 0)
    np.add.at(counts, (references.components[both] - 1, predictions.components[both] - 1), 1)
    return counts


def _matched(
    overlap: np.ndarray, sizes: np.ndarray, other_sizes: np.ndarray, minimum_iou: float
) -> np.ndarray:
    """Tell which lesions (n,) match the other mask's lesions that they overlap, taken together."""
    shared = overlap.sum(axis=1)
    union = sizes + (overlap > 0) @ other_sizes - shared
    return (shared > 0) & (shared > minimum_iou * union)


def _class_to_dict(item: SizeClass) -> Dict[str, object]:
    return {
        "lower_mm": item.lower_mm,
        "upper_mm": item.upper_mm if math.isfinite(item.upper_mm) else None,
        "references": item.references,
        "detected": item.detected,
        "predictions": item.predictions,
        "correct": item.correct,
        "recall": item.recall,
        "precision": item.precision,
        "f1": item.f1,
    }


def _added(classes: Sequence[SizeClass]) -> SizeClass:
    first = classes[0]
    return SizeClass(
        first.lower_mm,
        first.upper_mm,
        sum(item.references for item in classes),
        sum(item.detected for item in classes),
        sum(item.predictions for item in classes),
        sum(item.correct for item in classes),
    )
