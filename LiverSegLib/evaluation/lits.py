"""Scores as the LiTS challenge defines them (Bilic et al., Med Image Anal 2023;84:102680,
doi:10.1016/j.media.2022.102680, and its published scorer, github.com/PatrickChrist/lits-challenge-scoring).

- Liver is every label from 1 on, lesion the lesion's label. Without a predicted liver voxel that is not
  lesion, the liver's Dice of the case is 0 and its distances are infinite.
- Dice per case is the mean over cases; a case without lesions in either mask counts 1. Dice global pools the
  voxels of all cases.
- Lesions are components of voxels that share faces. Reference lesions that one predicted lesion covers, each
  more than any other prediction does, become one; every predicted lesion belongs to the one that it overlaps
  most; predicted lesions with the same reference become one. Such a pair is detected if its intersection over
  union is more than 0, or 0.5. Precision is pairs / predicted components, recall pairs / reference
  components, over all cases, so that a lesion found in two pieces counts one right and one wrong.
- Dice, VOE, RVD, ASSD, RMSD and MSSD of lesions are means over the pairs detected at 0.5, of all cases.
- A surface voxel shares a face or an edge with the outside.
- Tumor burden is lesion / (liver and lesion), by voxels; its error is reference minus prediction: root mean
  square, and the largest in absolute value, over cases. A case without a predicted liver has no burden.

Two slips of the published scorer are not repeated: one version takes the union of a pair with another pair's
prediction, and the largest error of burden without its absolute value.
"""

import math
from dataclasses import dataclass
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ..images.grid import bounding_box
from ..masks.components import connected_components
from .overlap import Overlap, Spacing, checked_masks
from .surface_distances import SurfaceRule, surface_distances

MINIMUM_IOUS = (0.0, 0.5)
"""Pairs of lesions are detected above these intersections over union."""

SURFACE = SurfaceRule(edges=True)
"""Surface voxels of the published scorer."""


class Shape(NamedTuple):
    """How well two masks that are both not empty agree; distances in mm, the difference relative."""

    dice: float
    jaccard: float
    voe: float
    rvd: float
    assd_mm: float
    rmsd_mm: float
    mssd_mm: float


MISSED = Shape(0.0, 0.0, 1.0, math.inf, math.inf, math.inf, math.inf)
"""What an object without a prediction gets."""


class Pair(NamedTuple):
    """Reference lesions and predicted lesions that belong together: their component numbers (1...), and the
    intersection over union of the two groups."""

    references: Tuple[int, ...]
    predictions: Tuple[int, ...]
    iou: float


@dataclass(frozen=True)
class LitsCase:
    """One case.

    Attributes:
        liver: agreement of the livers.
        liver_overlap, lesion_overlap: in voxels; what the pooled Dice adds up.
        liver_dice, lesion_dice: of the case, by the rules for empty masks.
        references, predictions: numbers of lesions.
        detected: pairs above each of ``MINIMUM_IOUS``.
        lesions: agreement of each pair detected at 0.5.
        burden_error: reference minus prediction, parts of one; None without a liver in one of the masks.
    """

    liver: Shape
    liver_overlap: Overlap
    lesion_overlap: Overlap
    liver_dice: float
    lesion_dice: float
    references: int
    predictions: int
    detected: Tuple[int, int]
    lesions: Tuple[Shape, ...]
    burden_error: Optional[float]


def score_lits_case(
    liver: np.ndarray,
    lesion: np.ndarray,
    predicted_liver: np.ndarray,
    predicted_lesion: np.ndarray,
    spacing: Spacing,
) -> LitsCase:
    """Score one case.

    Args:
        liver, predicted_liver: masks (z, y, x) of liver and lesion together.
        lesion, predicted_lesion: masks (z, y, x) of the lesions.
        spacing: mm (x, y, z).

    Raises:
        UsageError: the masks differ in shape or have no three axes.
    """
    liver, predicted_liver = checked_masks(liver, predicted_liver)
    lesion, predicted_lesion = checked_masks(lesion, predicted_lesion)
    liver_overlap = Overlap.of(liver, predicted_liver)
    lesion_overlap = Overlap.of(lesion, predicted_lesion)
    has_liver = bool((predicted_liver & ~predicted_lesion).any())
    if not has_liver:
        liver_overlap = Overlap(liver_overlap.reference, 0.0, 0.0)
    box = bounding_box(lesion | predicted_lesion) or (slice(0, 0),) * 3
    references, count = connected_components(lesion[box], corners=False)
    predictions, predicted_count = connected_components(predicted_lesion[box], corners=False)
    pairs = lesion_pairs(references, count, predictions, predicted_count)
    good = [pair for pair in pairs if pair.iou > MINIMUM_IOUS[1]]
    shapes = tuple(
        _shape(np.isin(references, pair.references), np.isin(predictions, pair.predictions), spacing)
        for pair in good
    )
    return LitsCase(
        liver=_shape(liver, predicted_liver, spacing) if has_liver else MISSED,
        liver_overlap=liver_overlap,
        lesion_overlap=lesion_overlap,
        liver_dice=liver_overlap.dice if has_liver else 0.0,
        lesion_dice=lesion_overlap.dice,
        references=count,
        predictions=predicted_count,
        detected=(len(pairs), len(good)),
        lesions=shapes,
        burden_error=burden_error(liver, lesion, predicted_liver, predicted_lesion),
    )


def burden_error(
    liver: np.ndarray, lesion: np.ndarray, predicted_liver: np.ndarray, predicted_lesion: np.ndarray
) -> Optional[float]:
    """Return the tumor burden of the reference minus that of the prediction, parts of one; None if there is
    no liver in one of them.

    Args:
        liver, predicted_liver: masks (z, y, x) of liver and lesion together.
        lesion, predicted_lesion: masks (z, y, x) of the lesions.
    """
    livers = [np.count_nonzero(mask) for mask in (liver, predicted_liver)]
    lesions = [np.count_nonzero(mask) for mask in (lesion, predicted_lesion)]
    if not all(livers):
        return None
    return float(lesions[0] / livers[0] - lesions[1] / livers[1])


def lesion_pairs(
    references: np.ndarray, reference_count: int, predictions: np.ndarray, prediction_count: int
) -> List[Pair]:
    """Return the groups of reference and predicted lesions that belong together.

    Args:
        references, predictions: numbered components (z, y, x), 0 outside, 1..count inside.

    Where overlaps tie, the lower number has it.
    """
    shape = (prediction_count + 1, reference_count + 1)
    both = np.ravel_multi_index((predictions.ravel(), references.ravel()), shape)
    table = np.bincount(both, minlength=shape[0] * shape[1]).reshape(shape)
    overlap = table[1:, 1:]  # (prediction, reference), voxels
    groups: Dict[int, List[int]] = {}  # by the prediction that covers them most
    for reference in range(reference_count):
        if overlap[:, reference].any():
            groups.setdefault(int(overlap[:, reference].argmax()), []).append(reference)
    merged = sorted(groups.values())
    if not merged:
        return []
    shares = np.stack([overlap[:, group].sum(axis=1) for group in merged], axis=1)
    best = shares.argmax(axis=1)
    pairs = []
    for number, group in enumerate(merged):
        members = np.flatnonzero((best == number) & (shares[:, number] > 0))
        if not len(members):
            continue
        shared = int(shares[members, number].sum())
        sizes = int(table[1:][members].sum() + table[:, 1:][:, group].sum())
        true, predicted = (tuple(int(item) + 1 for item in part) for part in (group, members))
        pairs.append(Pair(true, predicted, shared / (sizes - shared)))
    return pairs


def summarise_lits(cases: Sequence[LitsCase]) -> Dict[str, Any]:
    """Return the challenge's figures over cases as JSON-ready data, grouped as ``liver``, ``lesion``,
    ``detection`` and ``burden``; infinite means and means of nothing are None.

    Args:
        cases: at least one.
    """
    lesions = [shape for case in cases for shape in case.lesions]
    references, predictions = (
        sum(counts) for counts in zip(*((case.references, case.predictions) for case in cases))
    )
    detection = {}
    for number, least in enumerate(MINIMUM_IOUS):
        right = sum(case.detected[number] for case in cases)
        precision = right / predictions if predictions else 0.0
        recall = right / references if references else 0.0
        f1 = 2 * precision * recall / (precision + recall) if right else 0.0
        detection[f"iou_above_{least:g}"] = {
            "true_positives": right,
            "false_positives": predictions - right,
            "false_negatives": references - right,
            "precision": precision,
            "recall": recall,
            "f1": f1,
        }
    errors = [case.burden_error for case in cases if case.burden_error is not None]
    return {
        "cases": len(cases),
        "liver": {
            "dice_per_case": float(np.mean([case.liver_dice for case in cases])),
            "dice_global": _pooled([case.liver_overlap for case in cases]).dice,
            **_means([case.liver for case in cases]),
        },
        "lesion": {
            "dice_per_case": float(np.mean([case.lesion_dice for case in cases])),
            "dice_global": _pooled([case.lesion_overlap for case in cases]).dice,
            **_means(lesions),
            "pairs_detected": len(lesions),
        },
        "detection": detection,
        "burden": summarise_burden(errors),
    }


def summarise_burden(errors: Sequence[float]) -> Dict[str, Any]:
    """Return root mean square and largest absolute error of the tumor burden; None without any."""
    if not errors:
        return {"cases": 0, "rmse": None, "max_error": None}
    values = np.abs(np.asarray(errors, dtype=float))
    rmse = float(np.sqrt(np.mean(values**2)))
    return {"cases": len(errors), "rmse": rmse, "max_error": float(values.max())}


def _shape(reference: np.ndarray, prediction: np.ndarray, spacing: Spacing) -> Shape:
    box = bounding_box(reference | prediction)
    if box is None:
        return MISSED
    reference, prediction = reference[box], prediction[box]
    found, distances = (
        Overlap.of(reference, prediction),
        surface_distances(reference, prediction, spacing, SURFACE),
    )
    if distances is None or found.relative_difference is None:
        return MISSED
    return Shape(
        found.dice, found.jaccard, 1.0 - found.jaccard, found.relative_difference,
        distances.mean, distances.root_mean_square, distances.maximum,
    )  # fmt: skip


def _pooled(overlaps: Sequence[Overlap]) -> Overlap:
    return sum(overlaps, Overlap(0.0, 0.0, 0.0))


def _means(shapes: Sequence[Shape]) -> Dict[str, Optional[float]]:
    means = {
        name: float(np.mean([getattr(shape, name) for shape in shapes])) if shapes else None
        for name in Shape._fields
    }
    return {name: None if mean is None or not math.isfinite(mean) else mean for name, mean in means.items()}
