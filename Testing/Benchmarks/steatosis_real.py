"""Fatty liver on labelled scans: ROIs on the model's mask, on the reference mask, and whole organs, side by
side."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk

from LiverSegLib.errors import NoLiverError
from LiverSegLib.evaluation.agreement import bland_altman, icc_2_1, mann_whitney_u, wilcoxon_signed_rank
from LiverSegLib.models import load_model
from LiverSegLib.steatosis.assess import Assessment, assess_scan

UNENHANCED, ENHANCED = "unenhanced", "enhanced"
ENHANCED_PHASES = ("arterial", "portal", "late", "late arterial")
QUANTITIES = ("liver HU", "spleen HU", "ratio")
KINDS = ("model", "reference", "whole organ")

Values = Dict[str, Optional[float]]
"""Quantity -> value, None where the spleen is not annotated."""


@dataclass(frozen=True)
class Case:
    """One scan.

    Attributes:
        name, split: as the data set has them.
        group: UNENHANCED, ENHANCED, or "unknown" where the data set does not say.
        values: kind of KINDS -> its values.
        model, reference: the assessments; ``model`` is None if the model found no liver.
    """

    name: str
    split: str
    group: str
    values: Dict[str, Values]
    model: Optional[Assessment]
    reference: Assessment


class ModelMasks:
    """Masks of a model, made once and kept in a folder if one is given."""

    def __init__(self, model: str, folder: Optional[Path]) -> None:
        self.name, self.sha256 = model, load_model(model).sha256
        self._folder = None if folder is None else folder / self.sha256[:12]
        self._segmenter: Any = None

    def mask(self, name: str, path: Path) -> Optional[sitk.Image]:
        """Return the mask of a scan, or None if the model finds no liver."""
        kept = None if self._folder is None else self._folder / f"{name}.nii.gz"
        if kept is not None and kept.is_file():
            return sitk.ReadImage(str(kept))
        if self._segmenter is None:
            from LiverSegLib import Segmenter

            self._segmenter = Segmenter(self.name)
        print(f"  segmenting {name}", file=sys.stderr, flush=True)
        try:
            labels = self._segmenter.segment(str(path)).labels
        except NoLiverError:
            return None
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            sitk.WriteImage(labels, str(kept))
        return labels


def read_cases(data: Path, masks: ModelMasks) -> List[Case]:
    """Return all cases of a data set (dataset.json) that have a labelled liver."""
    entries = json.loads((data / "dataset.json").read_text(encoding="utf-8"))["cases"]
    wanted = [e for e in entries if "label" in e and "liver" in e["annotated"] and e["split"] != "negative"]
    return [_case(entry, data, masks) for entry in wanted]


def _case(entry: Dict[str, Any], data: Path, masks: ModelMasks) -> Case:
    image = sitk.ReadImage(str(data / entry["image"]))
    label = sitk.Cast(sitk.ReadImage(str(data / entry["label"])), sitk.sitkUInt8)
    mask = masks.mask(entry["id"], data / entry["image"])
    reference = assess_scan(image, label)
    model = None if mask is None else assess_scan(image, mask)
    spleen = "spleen" in entry["annotated"]
    values = {
        "model": _values(model, spleen),
        "reference": _values(reference, spleen),
        "whole organ": _whole_organs(reference, spleen),
    }
    phase = entry["phase"]
    group = UNENHANCED if phase == UNENHANCED else ENHANCED if phase in ENHANCED_PHASES else "unknown"
    return Case(entry["id"], entry["split"], group, values, model, reference)


def _values(found: Optional[Assessment], spleen: bool) -> Values:
    if found is None:
        return dict.fromkeys(QUANTITIES)
    if not spleen:
        return {"liver HU": found.liver_mean, "spleen HU": None, "ratio": None}
    return {"liver HU": found.liver_mean, "spleen HU": found.spleen_mean, "ratio": found.ratio}


def _whole_organs(found: Assessment, spleen: bool) -> Values:
    liver = found.whole_organ["liver"].mean_hu
    whole_spleen = found.whole_organ["spleen"].mean_hu if spleen and "spleen" in found.whole_organ else None
    ratio = liver / whole_spleen if whole_spleen and whole_spleen > 0 else None
    return {"liver HU": liver, "spleen HU": whole_spleen, "ratio": ratio}


def case_rows(cases: Sequence[Case]) -> List[Dict[str, Any]]:
    """Return a row for each case."""
    rows = []
    for case in cases:
        row: Dict[str, Any] = {"case": case.name, "split": case.split, "is": case.group}
        row["taken for"] = case.model.conditions.phase if case.model else "no liver"
        for quantity in QUANTITIES:
            for kind in KINDS:
                row[f"{quantity} {kind}"] = case.values[kind][quantity]
        row["grade"] = case.model.grade or "refused" if case.model else None
        rows.append(row)
    return rows


def agreement_rows(cases: Sequence[Case]) -> List[Dict[str, Any]]:
    """Return rows that compare the model's ROIs with those on the reference mask, and with whole organs."""
    rows = []
    for group, wanted in ((UNENHANCED, (UNENHANCED,)), (ENHANCED, (ENHANCED,)), ("all", None)):
        for other in KINDS[1:]:
            for quantity in QUANTITIES:
                pairs = [
                    (case.values[other][quantity], case.values["model"][quantity])
                    for case in cases
                    if wanted is None or case.group in wanted
                ]
                rows.append(_agreement(group, other, quantity, [p for p in pairs if None not in p]))
    return [row for row in rows if row["n"] > 1]


def _agreement(group: str, other: str, quantity: str, pairs: Sequence[Tuple[Any, Any]]) -> Dict[str, Any]:
    first, second = ([float(pair[side]) for pair in pairs] for side in (0, 1))
    row: Dict[str, Any] = {"scans": group, "model's ROIs against": other, "of": quantity, "n": len(pairs)}
    if len(pairs) < 2:
        return row
    limits = bland_altman(first, second)
    return {
        **row,
        "bias": limits.bias,
        "SD": limits.sd,
        "lower limit": limits.lower,
        "upper limit": limits.upper,
        "ICC(2,1)": icc_2_1(np.array([first, second]).T).value,
        "Mann-Whitney p": mann_whitney_u(first, second).p_value,
        "Wilcoxon p": wilcoxon_signed_rank(first, second).p_value,
    }


def refusal_rows(cases: Sequence[Case]) -> List[Dict[str, Any]]:
    """Return how many scans were graded, and how many refused for contrast medium or something else."""
    rows = []
    for group in (UNENHANCED, ENHANCED, "unknown"):
        for kind in KINDS[:2]:
            found = [
                case.model if kind == "model" else case.reference for case in cases if case.group == group
            ]
            made = [assessment for assessment in found if assessment is not None]
            contrast = [a for a in made if a.conditions.phase != UNENHANCED]
            refused = [a for a in made if a.grade is None]
            rows.append(
                {
                    "scans": group,
                    "mask": kind,
                    "n": len(made),
                    "graded": len(made) - len(refused),
                    "refused for contrast": len(contrast),
                    "refused for something else": len(refused)
                    - len([a for a in contrast if a.grade is None]),
                }
            )
    return [row for row in rows if row["n"]]


def remarks(cases: Sequence[Case]) -> List[str]:
    """Return sentences on the interval, and on the mean over pairs of ROIs against the ratio of means."""
    both = [(c.model, c.reference) for c in cases if c.model is not None and c.values["model"]["ratio"]]
    both = [(model, other) for model, other in both if other.ratio_interval is not None]
    held = sum(
        reference.ratio_interval[0] <= model.ratio <= reference.ratio_interval[1] for model, reference in both
    )
    apart = max((abs(a.ratio - a.ratio_of_means) for pair in both for a in pair), default=0.0)
    return [
        "The ratio on the model's mask lies within the 95 % interval of that on the reference mask in "
        f"{held} of {len(both)} scans.",
        f"The mean over pairs of ROIs and the ratio of means differ by at most {apart:.4f}.",
    ]


def missed(cases: Sequence[Case]) -> List[str]:
    """Return the names of enhanced scans that were graded, with either mask."""
    return [
        case.name
        for case in cases
        if case.group == ENHANCED
        and any(found is not None and found.grade is not None for found in (case.model, case.reference))
    ]
