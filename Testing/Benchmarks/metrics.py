"""Metrics of a predicted mask against a reference. Masks are bool (or 0 / non-zero) arrays (z, y, x) of equal
shape.

Surface distances run between the centres of surface voxels: voxels of the mask that share a face with a voxel
outside it, where what lies beyond the array is outside.

Empty masks: two empty masks agree perfectly (Dice 1, distances 0); if only one is empty, Dice is 0 and
distances are infinite.
"""

import math
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from scipy.spatial import cKDTree

from LiverSegLib.errors import UsageError
from LiverSegLib.images.grid import bounding_box
from LiverSegLib.masks.components import Box, boundary_voxels, component_sums, connected_components

Spacing = Tuple[float, float, float]

SIZE_BINS_MM = (0.0, 10.0, 20.0, math.inf)
"""Default borders of the size classes of lesions: diameter in mm of the ball of equal volume."""


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """Return the Dice coefficient 2|A and B| / (|A| + |B|) (Dice, Ecology 1945;26:297-302), 0..1."""
    a, b = _masks(a, b)
    total = np.count_nonzero(a) + np.count_nonzero(b)
    return 1.0 if total == 0 else 2.0 * np.count_nonzero(a & b) / total


def assd_mm(a: np.ndarray, b: np.ndarray, spacing: Spacing) -> float:
    """Return the average symmetric surface distance in mm: the mean over the surface voxels of both masks of
    the distance to the other's surface (Heimann et al., IEEE Trans Med Imaging 2009;28:1251-1265).

    Args:
        spacing: mm (x, y, z).
    """
    distances = _surface_distances(a, b, spacing)
    if distances is None:
        return _distance_without_surfaces(a, b)
    return float(np.concatenate(distances).mean())


def hd95_mm(a: np.ndarray, b: np.ndarray, spacing: Spacing) -> float:
    """Return the robust Hausdorff distance in mm: the larger of the two directed 95th percentiles of surface
    distances.

    Args:
        spacing: mm (x, y, z).
    """
    distances = _surface_distances(a, b, spacing)
    if distances is None:
        return _distance_without_surfaces(a, b)
    return float(max(np.percentile(directed, 95) for directed in distances))


def surface_dice(a: np.ndarray, b: np.ndarray, spacing: Spacing, tolerance_mm: float) -> float:
    """Return the share of both surfaces' voxels that lie within a tolerance of the other surface, 0..1
    (Nikolov et al., J Med Internet Res 2021;23:e26151, with surface voxels in place of surface elements).

    Args:
        spacing: mm (x, y, z).
        tolerance_mm: mm.
    """
    distances = _surface_distances(a, b, spacing)
    if distances is None:
        return 1.0 if _distance_without_surfaces(a, b) == 0 else 0.0
    return float((np.concatenate(distances) <= tolerance_mm).mean())


class VolumeError(NamedTuple):
    """Volumes in ml, their signed difference, and that in percent of the reference (None if empty)."""

    reference_ml: float
    prediction_ml: float
    difference_ml: float
    difference_percent: Optional[float]


def volume_error(reference: np.ndarray, prediction: np.ndarray, spacing: Spacing) -> VolumeError:
    """Compare volumes; a positive difference means that the prediction is too large.

    Args:
        spacing: mm (x, y, z).
    """
    reference, prediction = _masks(reference, prediction)
    voxel_ml = float(np.prod(spacing)) / 1000.0
    true, predicted = (np.count_nonzero(mask) * voxel_ml for mask in (reference, prediction))
    percent = 100.0 * (predicted - true) / true if true > 0 else None
    return VolumeError(true, predicted, predicted - true, percent)


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
    if its intersection over union with all of these together is at least ``minimum_iou``; a predicted lesion
    is correct by the same rule the other way round. 0, the default, asks for any overlap, a single voxel; the
    LiTS challenge asks for 0.5 (Bilic et al., Med Image Anal 2023;84:102680) between matched groups of
    lesions, which this equals unless lesions merge or split on both sides at once. Recall is by the size of
    the reference lesions, precision by that of the predicted ones; size is the diameter of the ball of equal
    volume.

    Args:
        spacing: mm (x, y, z).
        bins: ascending borders of the size classes in mm, at least two. Lesions outside them count in the
            total only.
        minimum_iou: 0..1.

    Raises:
        UsageError: bins or minimum_iou are out of range.
    """
    if len(bins) < 2 or any(not a < b for a, b in zip(bins, bins[1:])):
        raise UsageError(f"The borders of size classes must ascend, not {tuple(bins)}.")
    if not 0.0 <= minimum_iou <= 1.0:
        raise UsageError(f"The minimum intersection over union must lie between 0 and 1, not {minimum_iou}.")
    reference, prediction = _masks(reference, prediction)
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
    return (shared > 0) & (shared >= minimum_iou * union)


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
    }


def _masks(a: np.ndarray, b: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    if a.shape != b.shape or a.ndim != 3:
        raise UsageError(f"Two masks of the same three axes are needed, not {a.shape} and {b.shape}.")
    return a.astype(bool, copy=False), b.astype(bool, copy=False)


def _surface_distances(a: np.ndarray, b: np.ndarray, spacing: Spacing) -> Optional[List[np.ndarray]]:
    """Return the distances in mm from a's surface to b's and from b's to a's, or None if a mask is empty."""
    surfaces = []
    for mask in _masks(a, b):
        box = bounding_box(mask)
        if box is None:
            return None
        surfaces.append(_surface_points(mask[box], box, spacing))
    first, second = surfaces
    return [cKDTree(second).query(first)[0], cKDTree(first).query(second)[0]]


def _surface_points(mask: np.ndarray, box: Box, spacing: Spacing) -> np.ndarray:
    corner = [part.start for part in box]
    return (np.argwhere(boundary_voxels(mask, border_is_outside=True)) + corner)[:, ::-1] * np.asarray(
        spacing, dtype=float
    )


def _distance_without_surfaces(a: np.ndarray, b: np.ndarray) -> float:
    return math.inf if a.any() or b.any() else 0.0
