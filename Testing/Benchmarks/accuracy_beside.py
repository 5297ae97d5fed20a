"""Two models on the same scans side by side, with a paired test over patients; used by accuracy.py.

Patients are the sample, not scans: several scans of a patient count as their mean.
"""

import json
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence

import numpy as np

from LiverSegLib.errors import InputError
from LiverSegLib.evaluation.paired import compare_pairs

NAMES = ("liver dice", "spleen dice", "liver tumour dice", "false lesions")
LOWER_IS_BETTER = ("false lesions",)

Row = Mapping[str, Any]


def read_rows(path: Path) -> List[Dict[str, Any]]:
    """The rows of an earlier run, or of another program, from a file as ``accuracy.py --json`` writes it:
    ``{"accuracy": {"table": [{"case": ..., "liver dice": ...}]}}``.

    Raises:
        InputError: the file holds no such rows.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["accuracy"]["table"]
        return [{**row, "case": str(row["case"])} for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} holds no table as accuracy.py --json writes it.", str(error)) from error


def side_by_side(before: Iterable[Row], after: Iterable[Row]) -> List[Dict[str, Any]]:
    """A row for each case and figure that both have: case, figure, before, after, difference."""
    earlier = {row["case"]: row for row in before}
    return [
        {
            "case": row["case"], "figure": name, "before": float(earlier[row["case"]][name]),
            "after": float(row[name]), "difference": float(row[name]) - float(earlier[row["case"]][name]),
        }
        for row in after
        for name in NAMES
        if name in row and name in earlier.get(row["case"], {})
    ]  # fmt: skip


def paired_by_patient(rows: Sequence[Row], patient_of: Mapping[str, str]) -> List[Dict[str, Any]]:
    """For each figure: patients, means before and after, patients better and worse, and the p value of the
    signed-rank test over patients; with fewer than six patients none can be below 0.05.

    Args:
        rows: of :func:`side_by_side`.
        patient_of: case -> patient.
    """
    found = []
    for name in NAMES:
        patients: Dict[str, List[Row]] = {}
        for row in rows:
            if row["figure"] == name:
                patients.setdefault(patient_of.get(row["case"], row["case"]), []).append(row)
        if not patients:
            continue
        before, after = (
            [float(np.mean([row[key] for row in group])) for group in patients.values()]
            for key in ("before", "after")
        )
        pair = compare_pairs(before, after, higher_is_better=name not in LOWER_IS_BETTER)
        p: Optional[float] = pair.test.p_value
        found.append({
            "figure": name, "patients": pair.n, "before": pair.first_mean, "after": pair.second_mean,
            "better": pair.wins, "worse": pair.losses, "p": p,
        })  # fmt: skip
    return found
