"""An evaluation as files for programs: one row a case and structure (CSV), and everything (JSON)."""

import csv
import importlib.metadata
import io
import platform
from typing import Any, Dict, List, Mapping, Optional

from .metrics import EMPTY_RULES, LESION_METRICS, LESION_RULE, METRICS, SURFACE_RULE
from .run import Evaluation
from .score import LESION_IOUS, CaseScore, StructureScore
from .summary import lits_summary, summarise

LIBRARIES = ("numpy", "scipy", "SimpleITK", "monai", "torch", "matplotlib")
"""What the figures may depend on."""

_FIRST = ("case", "structure", "presence", "reference_ml", "prediction_ml")
_COUNTS = (
    "reference_lesions",
    "predicted_lesions",
    *(f"{what}_iou_{least:g}" for least in LESION_IOUS for what in ("found", "right")),
)

COLUMNS = (
    *_FIRST,
    *(metric.key for metric in (*METRICS, *LESION_METRICS)),
    *_COUNTS,
    "chaos_score",
    "notes",
)
"""Columns of the table."""


def case_table(evaluation: Evaluation) -> str:
    """Return the table of all cases and structures as CSV; what is undefined is empty."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for case in evaluation.cases:
        for score in case.structures:
            writer.writerow(_row(case, score))
    return file.getvalue()


def _row(case: CaseScore, score: StructureScore) -> Dict[str, str]:
    row: Dict[str, Optional[float]] = {
        "reference_ml": score.overlap.reference,
        "prediction_ml": score.overlap.prediction,
        **score.metrics,
        "chaos_score": None if score.chaos is None else score.chaos.score,
    }
    words = {"case": case.case, "structure": score.structure, "presence": score.presence}
    words.update({key: "" if value is None else f"{value:.6g}" for key, value in row.items()})
    for least, found in zip(LESION_IOUS, score.lesions):
        total = found.total
        words.update(reference_lesions=str(total.references), predicted_lesions=str(total.predictions))
        words.update(
            {f"found_iou_{least:g}": str(total.detected), f"right_iou_{least:g}": str(total.correct)}
        )
    return {**words, "notes": " ".join(case.notes)}


def to_dict(evaluation: Evaluation, about: Mapping[str, Any]) -> Dict[str, Any]:
    """Return everything as JSON-ready data.

    Args:
        about: what else the file is to say: paths, LiverSeg's version, the time.
    """
    lits = lits_summary(evaluation)
    return {
        **about,
        "versions": versions(),
        "settings": evaluation.settings.to_dict(),
        "definitions": definitions(evaluation),
        "cases_scored": len(evaluation.cases),
        "missing": list(evaluation.missing),
        "extra": list(evaluation.extra),
        "failed": [{"case": item.case, "reason": item.reason} for item in evaluation.failed],
        "summary": [item.to_dict() for item in summarise(evaluation)],
        **({} if lits is None else {"lits": lits}),
        "cases": [case.to_dict() for case in evaluation.cases],
    }


def definitions(evaluation: Evaluation) -> Dict[str, str]:
    """Return what every figure means, by key."""
    found = {metric.key: metric.definition for metric in (*METRICS, *LESION_METRICS)}
    found["surface_dice"] += f" Tolerance {evaluation.settings.tolerance_mm:g} mm."
    found["dice_global"] = "Dice of the volumes of all cases together."
    found["empty_masks"], found["surfaces"], found["lesions"] = EMPTY_RULES, SURFACE_RULE, LESION_RULE
    if evaluation.settings.lits:
        found["lits"] = (
            "As the LiTS challenge (Bilic 2023, doi:10.1016/j.media.2022.102680): lesions are components of "
            "voxels "
            "that share faces, matched in groups; surface voxels share a face or an edge with the outside; "
            "Dice of "
            "lesions is 1 where both masks are empty; burden is lesion / (liver and lesion) by voxels."
        )
    if evaluation.settings.chaos:
        found["chaos"] = (
            "As the CHAOS challenge (Kavur 2021, doi:10.1016/j.media.2020.101950): mean of four scores 0 to "
            "100: Dice "
            "x 100 (0 up to 0.8), and linear down to 0 at RAVD 5 %, ASSD 15 mm, MSSD 60 mm; what lies beyond "
            "the image "
            "is no outside."
        )
    return found


def versions() -> Dict[str, str]:
    """Return the versions of Python and of the libraries that are installed."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def exported_metrics() -> List[str]:
    """Return the keys of the metrics that the tables have."""
    return [metric.key for metric in (*METRICS, *LESION_METRICS)]
