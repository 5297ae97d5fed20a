"""A case's row of the tables: its numbers, with units in the names of their columns."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, NamedTuple, Optional

from .ledger import DONE, FAILED, Ledger
from .row_cache import rows_of

if TYPE_CHECKING:
    from ..result import Result
    from ..steatosis.assessment import Assessment


class Column(NamedTuple):
    """A column of numbers: its key in the tables, its name and unit on the page, decimals shown."""

    key: str
    name: str
    unit: str
    decimals: int


NUMBERS = (
    Column("liver_ml", "Liver", "ml", 0),
    Column("spleen_ml", "Spleen", "ml", 0),
    Column("tumour_ml", "Liver tumors", "ml", 1),
    Column("tumour_burden_percent", "Tumor burden", "%", 1),
    Column("lesions", "Lesions", "", 0),
    Column("largest_lesion_mm", "Largest lesion", "mm", 0),
    Column("liver_hu", "Liver, mean", "HU", 0),
    Column("spleen_hu", "Spleen, mean", "HU", 0),
    Column("liver_spleen_ratio", "Liver / spleen", "", 2),
    Column("seconds", "Time of a case", "s", 1),
)
"""Columns with a distribution on the page."""

TEXTS = (
    "case", "state", "source", "series", "modality", "phase", "fatty_liver", "warning_texts", "model",
    "model_version", "liverseg_version", "error_code", "error",
)  # fmt: skip
FLAGS = ("liver_cut_off", "spleen_cut_off")
COUNTS = ("lesions", "warnings")

ORDER = (
    "case", "state", "liver_ml", "liver_cut_off", "parenchyma_ml", "spleen_ml", "spleen_cut_off", "tumour_ml",
    "tumour_burden_percent", "lesions", "largest_lesion_mm", "largest_lesion_ml", "liver_hu", "liver_sd_hu",
    "spleen_hu", "spleen_sd_hu", "liver_spleen_ratio", "liver_minus_spleen_hu", "fatty_liver_ratio",
    "fatty_liver", "phase", "modality", "warnings", "warning_texts", "seconds", "model", "model_version",
    "liverseg_version", "error_code", "error", "source", "series",
)  # fmt: skip
"""Columns of the tables; those of the user's own list follow."""


def result_row(
    result: "Result", steatosis: "Optional[Assessment]", files: Mapping[str, Path]
) -> Dict[str, Any]:
    """The row of a result; what there is not is None."""
    measurements, provenance = result.measurements, result.provenance
    liver, spleen, tumour = (measurements.organ(key) for key in ("liver", "spleen", "tumour"))
    largest = max((lesion.longest_diameter_mm for lesion in measurements.lesions), default=None)
    return {
        "liver_ml": liver.volume_ml,
        "liver_cut_off": liver.truncated,
        "parenchyma_ml": measurements.parenchyma_ml,
        "spleen_ml": spleen.volume_ml if spleen.segmented else None,
        "spleen_cut_off": spleen.truncated,
        "tumour_ml": tumour.volume_ml if tumour.segmented else None,
        "tumour_burden_percent": measurements.tumour_burden_percent,
        "lesions": len(measurements.lesions) if tumour.segmented else None,
        "largest_lesion_mm": largest,
        "largest_lesion_ml": max((lesion.volume_ml for lesion in measurements.lesions), default=None),
        "liver_hu": liver.mean_hu,
        "liver_sd_hu": liver.sd_hu,
        "spleen_hu": spleen.mean_hu,
        "spleen_sd_hu": spleen.sd_hu,
        "liver_spleen_ratio": measurements.liver_spleen_ratio,
        "liver_minus_spleen_hu": measurements.liver_minus_spleen_hu,
        "fatty_liver_ratio": None if steatosis is None else steatosis.ratio,
        "fatty_liver": None if steatosis is None else steatosis.grade,
        "phase": measurements.phase,
        "modality": measurements.modality,
        "warnings": len(result.warnings),
        "warning_texts": " ".join(str(text) for text in result.warnings),
        "model": provenance["model"]["name"],
        "model_version": provenance["model"]["version"],
        "liverseg_version": provenance["liverseg_version"],
        "has_report": "report" in files,
    }


def read_rows(ledger: Ledger) -> List[Dict[str, Any]]:
    """The rows of all cases that are done or failed, by the cases' names.

    Raises:
        OutputError: somebody has damaged a case's folder.
    """
    states = dict.fromkeys(ledger.failures(), FAILED)
    states.update(dict.fromkeys(ledger.done(), DONE))
    return rows_of(ledger, states)
