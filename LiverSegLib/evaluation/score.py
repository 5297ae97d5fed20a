"""Scores of one case: each structure of a prediction against its reference."""

import math
from dataclasses import dataclass, field
from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np

from ..images.grid import Grid, bounding_box, grow_box
from .chaos import ChaosScore, chaos_score
from .lesions import SIZE_BINS_MM, LesionDetection, lesion_detection
from .lits import LitsCase, burden_error, score_lits_case
from .overlap import Overlap
from .structures import Structure
from .surface_distances import normalised_surface_dice, surface_distances

LIVER, LESION_IOUS = "liver", (0.0, 0.5)
"""The organ of tumor burden; lesions count as found above these intersections over union."""

BOTH, MISSED, FALSE, EMPTY = "both", "missed", "false", "empty"
"""Presence of a structure: in both masks, in the reference only, in the prediction only, in neither."""


@dataclass(frozen=True)
class Settings:
    """How cases are scored.

    Attributes:
        structures: what is scored.
        tolerance_mm: of the surface Dice.
        size_bins_mm: ascending borders of the size classes of lesions.
        surface_dice: False leaves it out (it needs MONAI).
        lits, chaos: score by these challenges' definitions too.
    """

    structures: Tuple[Structure, ...]
    tolerance_mm: float = 2.0
    size_bins_mm: Tuple[float, ...] = SIZE_BINS_MM
    surface_dice: bool = True
    lits: bool = False
    chaos: bool = False

    def to_dict(self) -> Dict[str, Any]:
        """Return plain JSON-ready data; an open upper border is None."""
        return {
            "structures": [item.to_dict() for item in self.structures],
            "tolerance_mm": self.tolerance_mm,
            "size_bins_mm": [value if math.isfinite(value) else None for value in self.size_bins_mm],
            "lesion_ious": list(LESION_IOUS),
            "lits": self.lits,
            "chaos": self.chaos,
        }


@dataclass(frozen=True)
class StructureScore:
    """A structure of a case.

    Attributes:
        structure: its name.
        presence: one of ``BOTH``, ``MISSED``, ``FALSE``, ``EMPTY``.
        overlap: volumes in ml of reference, prediction, and what they share.
        metrics: key of ``metrics.METRICS`` -> value; None where it is undefined.
        lesions: detection above each of ``LESION_IOUS``; empty for organs.
        chaos: the CHAOS score, if it was asked for and there is one.
    """

    structure: str
    presence: str
    overlap: Overlap
    metrics: Dict[str, Optional[float]]
    lesions: Tuple[LesionDetection, ...] = ()
    chaos: Optional[ChaosScore] = None

    def to_dict(self) -> Dict[str, Any]:
        """Return plain JSON-ready data."""
        content: Dict[str, Any] = {
            "structure": self.structure,
            "presence": self.presence,
            "reference_ml": self.overlap.reference,
            "prediction_ml": self.overlap.prediction,
            "shared_ml": self.overlap.both,
            "metrics": dict(self.metrics),
        }
        if self.lesions:
            content["lesions"] = {
                f"iou_above_{least:g}": found.to_dict() for least, found in zip(LESION_IOUS, self.lesions)
            }
        if self.chaos is not None:
            content["chaos"] = self.chaos.to_dict()
        return content


@dataclass(frozen=True)
class CaseScore:
    """A case.

    Attributes:
        case: its name.
        structures: scores of the structures that the reference annotates.
        lits: scores by LiTS's definitions, if they were asked for and liver and lesions are annotated.
        notes: sentences on what was done to compare the two.
    """

    case: str
    structures: Tuple[StructureScore, ...]
    lits: Optional[LitsCase] = None
    notes: Tuple[str, ...] = field(default=())

    def of(self, name: str) -> Optional[StructureScore]:
        """The score of a structure, None if the case has none."""
        return next((item for item in self.structures if item.structure == name), None)

    def to_dict(self) -> Dict[str, Any]:
        """Return plain JSON-ready data."""
        return {
            "case": self.case,
            "structures": [item.to_dict() for item in self.structures],
            "notes": list(self.notes),
        }


def score_case(
    case: str,
    reference: np.ndarray,
    prediction: np.ndarray,
    grid: Grid,
    settings: Settings,
    *,
    annotated: Optional[Sequence[str]] = None,
    notes: Sequence[str] = (),
) -> CaseScore:
    """Score one case.

    Args:
        case: its name.
        reference, prediction: label values (z, y, x) on ``grid``.
        grid: where the voxels lie.
        settings: how.
        annotated: names of the structures that the reference is complete for; None: all.
        notes: sentences that the score is to carry.

    Raises:
        UsageError: the arrays differ in shape.
    """
    scored = [item for item in settings.structures if annotated is None or item.name in annotated]
    masks = {item.name: (item.mask(reference), item.mask(prediction, prediction=True)) for item in scored}
    lesion = next((item.name for item in scored if item.is_lesion), None)
    burden = None
    with_burden = lesion is not None and LIVER in masks
    if lesion is not None and with_burden:
        (liver, predicted_liver), (tumour, predicted_tumour) = masks[LIVER], masks[lesion]
        burden = burden_error(liver, tumour, predicted_liver, predicted_tumour)
    scores = tuple(
        _score_structure(item, *masks[item.name], grid, settings, burden if item.name == lesion else None)
        for item in scored
    )
    lits = None
    if settings.lits and lesion is not None and with_burden:
        lits = score_lits_case(liver, tumour, predicted_liver, predicted_tumour, grid.spacing)
    return CaseScore(case, scores, lits, tuple(notes))


def _score_structure(
    structure: Structure,
    reference: np.ndarray,
    prediction: np.ndarray,
    grid: Grid,
    settings: Settings,
    burden: Optional[float],
) -> StructureScore:
    overlap = Overlap.of(reference, prediction, grid.voxel_ml)
    presence = _presence(overlap)
    metrics: Dict[str, Optional[float]] = {
        "dice": overlap.dice,
        "jaccard": overlap.jaccard,
        "voe": 1.0 - overlap.jaccard,
        "rvd_percent": _percent(overlap.relative_difference),
        **_distances(reference, prediction, grid, settings, presence),
        "volume_difference_ml": overlap.prediction - overlap.reference,
    }
    lesions: Tuple[LesionDetection, ...] = ()
    if structure.is_lesion:
        lesions = tuple(
            lesion_detection(reference, prediction, grid.spacing, settings.size_bins_mm, minimum_iou=least)
            for least in LESION_IOUS
        )
        total = lesions[0].total
        metrics.update(recall=total.recall, precision=total.precision, f1=total.f1, burden_error=burden)
    chaos = chaos_score(reference, prediction, grid.spacing) if settings.chaos else None
    return StructureScore(structure.name, presence, overlap, metrics, lesions, chaos)


def _presence(overlap: Overlap) -> str:
    if overlap.reference:
        return BOTH if overlap.prediction else MISSED
    return FALSE if overlap.prediction else EMPTY


def _distances(
    reference: np.ndarray, prediction: np.ndarray, grid: Grid, settings: Settings, presence: str
) -> Dict[str, Optional[float]]:
    """The metrics of surfaces; an empty pair agrees perfectly, a single empty mask leaves distances
    undefined."""
    nothing = 0.0 if presence == EMPTY else None
    values: Dict[str, Optional[float]] = dict.fromkeys(("assd_mm", "rmsd_mm", "mssd_mm", "hd95_mm"), nothing)
    share: Optional[float] = 1.0 if presence == EMPTY else 0.0
    if presence == BOTH:
        box = bounding_box(reference | prediction)
        if box is not None:  # the same result, and less to copy
            box = grow_box(box, (1, 1, 1), reference.shape)
            reference, prediction = reference[box], prediction[box]
        found = surface_distances(reference, prediction, grid.spacing)
        if found is not None:
            values = {
                "assd_mm": found.mean,
                "rmsd_mm": found.root_mean_square,
                "mssd_mm": found.maximum,
                "hd95_mm": found.percentile95,
            }
        if settings.surface_dice:
            share = normalised_surface_dice(reference, prediction, grid.spacing, settings.tolerance_mm)
    if settings.surface_dice:
        values["surface_dice"] = share
    return values


def _percent(share: Optional[float]) -> Optional[float]:
    return None if share is None else 100.0 * share
