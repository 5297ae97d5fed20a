"""How accurate a model is on labelled scans: Dice, ASSD, volumes, tumour detection, and silence where there
is no liver.

    python Testing/Benchmarks/accuracy.py DATA_FOLDER [--model NAME] [--split val] [--cases ID ...]
        [--beside MODEL|FILE ...] [--json FILE]

DATA_FOLDER holds dataset.json (see docs/accuracy.md). Structures that a case does not annotate are not
scored. ``--beside`` puts another model beside it, case by case and with a paired test over patients: a
model's name or folder, or what an earlier run wrote with ``--json``.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk
from accuracy_beside import paired_by_patient, read_rows, side_by_side

from LiverSegLib import Segmenter
from LiverSegLib.errors import NoLiverError
from LiverSegLib.evaluation.lesions import lesion_detection
from LiverSegLib.evaluation.overlap import dice
from LiverSegLib.evaluation.surface_distances import assd_mm
from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR

STRUCTURES = {"liver": (LIVER, TUMOUR), "spleen": (SPLEEN,), "liver tumour": (TUMOUR,)}
TARGETS = {
    "liver mean": 0.967,
    "liver worst": 0.955,
    "spleen mean": 0.965,
    "lits02 tumour": 0.65,
    "10 mm liver": 0.94,
}


def score_case(entry: Dict[str, Any], folder: Path, segmenter: Segmenter, mirror: bool) -> Dict[str, Any]:
    """Segment one case and compare it with its label."""
    started = time.monotonic()
    image = sitk.ReadImage(str(folder / entry["image"]))
    row: Dict[str, Any] = {"case": entry["id"], "phase": entry["phase"], "slice_mm": image.GetSpacing()[2]}
    try:
        result = segmenter.segment(str(folder / entry["image"]), mirror=mirror)
    except NoLiverError:
        row["found"] = 0
        predicted = np.zeros(image.GetSize()[::-1], np.uint8)
    else:
        predicted = sitk.GetArrayFromImage(result.labels)
        row["found"] = int(np.count_nonzero(predicted))
        row["phase_estimate"] = result.provenance["phase"]["phase"]
        row["lesions reported"] = len(result.measurements.lesions)
    row["seconds"] = round(time.monotonic() - started, 1)
    if "label" not in entry:
        return row
    reference = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / entry["label"])))
    for name in entry["annotated"]:
        values, spacing = STRUCTURES[name], image.GetSpacing()
        a, b = np.isin(reference, values), np.isin(predicted, values)
        if name == "liver tumour":
            row["lesions"] = lesion_detection(a, b, spacing)
            row["false lesions"] = row["lesions"].total.predictions - row["lesions"].total.correct
            if not a.any():
                continue
        row[f"{name} dice"] = round(float(dice(a, b)), 4)
        if a.any() and b.any():
            row[f"{name} assd_mm"] = round(float(assd_mm(a, b, spacing)), 2)
            row[f"{name} volume_error_percent"] = round(100 * (b.sum() / a.sum() - 1), 1)
    return row


Rows = List[Dict[str, Any]]


def score(
    entries: Sequence[Dict[str, Any]], segmenter: Segmenter, options: argparse.Namespace
) -> Tuple[Rows, Rows]:
    """Rows of the cases that are asked for, and of the scans without a liver."""
    rows: Rows = []
    negatives: Rows = []
    for entry in entries:
        if (
            entry["id"] not in options.cases
            if options.cases
            else entry["split"] not in (options.split, "negative")
        ):
            continue
        row = score_case(entry, options.data, segmenter, options.mirror)
        (negatives if entry["split"] == "negative" else rows).append(row)
        print(f"  {entry['id']} {row['seconds']} s", file=sys.stderr, flush=True)
    return rows, negatives


def print_beside(
    other: str, rows: Rows, entries: Sequence[Dict[str, Any]], options: argparse.Namespace
) -> None:
    """Print the model's figures beside those of another model, or of an earlier run's file."""
    if other.endswith(".json"):
        before = read_rows(Path(other))
    else:
        before, _ = score(entries, Segmenter(other, options.device, precision=options.precision), options)
    lines = side_by_side(before, rows)
    print(f"\nBeside {Path(other).name}")
    print_table(lines, ["case", "figure", "before", "after", "difference"])
    patients = {entry["id"]: entry.get("patient", entry["id"]) for entry in entries}
    print()
    print_table(
        paired_by_patient(lines, patients), ["figure", "patients", "before", "after", "better", "worse", "p"]
    )


def lesion_rows(rows: Sequence[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Recall and precision of tumours by size (mm), one row per case and size that has lesions."""
    lines = []
    for row in rows:
        if "lesions" not in row:
            continue
        for group in (*row["lesions"].by_size, row["lesions"].total):
            if not group.references and not group.predictions:
                continue
            upper = f" to {group.upper_mm:g}" if np.isfinite(group.upper_mm) else " and more"
            line = {
                "case": row["case"],
                "size_mm": "all" if group is row["lesions"].total else f"{group.lower_mm:g}{upper}",
                "lesions": group.references,
                "found": group.detected,
                "recall": group.detected / group.references if group.references else None,
                "predicted": group.predictions,
                "right": group.correct,
                "precision": group.correct / group.predictions if group.predictions else None,
            }
            lines.append(line)
    return lines


def summary(
    rows: Sequence[Dict[str, Any]], negatives: Sequence[Dict[str, Any]]
) -> Dict[str, Optional[float]]:
    """The figures that have targets."""
    liver = [row["liver dice"] for row in rows if "liver dice" in row]
    spleen = [row["spleen dice"] for row in rows if "spleen dice" in row]
    thick = [row["liver dice"] for row in rows if "liver dice" in row and row["slice_mm"] >= 9]
    tumour = [
        row["liver tumour dice"] for row in rows if row["case"] == "lits02" and "liver tumour dice" in row
    ]
    return {
        "liver mean": _mean(liver),
        "liver worst": min(liver) if liver else None,
        "spleen mean": _mean(spleen),
        "10 mm liver": min(thick) if thick else None,
        "lits02 tumour": tumour[0] if tumour else None,
        "voxels in negatives": float(sum(row["found"] for row in negatives)),
    }


def _mean(values: Sequence[float]) -> Optional[float]:
    return round(float(np.mean(values)), 4) if values else None


def print_table(rows: Sequence[Dict[str, Any]], columns: Sequence[str]) -> None:
    """Print rows as aligned columns; a dash where a row has no value."""
    cells = [list(columns)] + [[_cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    for line in cells:
        print("  ".join(value.ljust(width) for value, width in zip(line, widths)).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Command line; returns 1 if a target is missed."""
    parser = argparse.ArgumentParser(description="Measure a model's accuracy on labelled scans.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--split", default="val")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--mirror", action="store_true")
    parser.add_argument("--cases", nargs="+", help="these cases alone, of whatever split")
    parser.add_argument("--beside", nargs="+", default=[], metavar="MODEL|FILE")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    index = options.data / "dataset.json"
    if not index.is_file():
        print(
            f"{options.data} holds no dataset.json; give DATA=FOLDER (docs/accuracy.md says what is in it).",
            file=sys.stderr,
        )
        return 2
    entries = json.loads(index.read_text(encoding="utf-8"))["cases"]
    segmenter = Segmenter(options.model, options.device, precision=options.precision)
    rows, negatives = score(entries, segmenter, options)
    columns = [
        "case", "phase", "phase_estimate", "slice_mm", "liver dice", "liver assd_mm",
        "liver volume_error_percent", "spleen dice", "spleen assd_mm", "liver tumour dice",
        "lesions reported", "seconds",
    ]  # fmt: skip
    model, device = segmenter.model, segmenter.device
    print(f"model {model.name} {model.sha256[:12]}, {device.kind} {device.precision}\n")
    print_table(rows, columns)
    print("\nLesions by size")
    lesions = lesion_rows(rows)
    print_table(lesions, list(lesions[0]) if lesions else ["case"])
    print("\nScans without a liver")
    print_table(negatives, ["case", "found", "seconds"])
    for other in options.beside:
        print_beside(other, rows, entries, options)
    figures = summary(rows, negatives)
    print("\nTargets")
    missed = 0
    for name, value in figures.items():
        target = TARGETS.get(name)
        good = value == 0 if target is None else value is None or value >= target
        missed += not good
        wanted = "0" if target is None else f">= {target}"
        print(f"  {name}: {_cell(value)} (target {wanted}) {'ok' if good else 'MISSED'}")
    if options.json:
        kept = (
            "case",
            "phase",
            "slice_mm",
            "liver dice",
            "spleen dice",
            "liver tumour dice",
            "false lesions",
        )
        table = [{key: row[key] for key in kept if key in row} for row in rows]
        report = {
            "accuracy": {
                "dataset": f"LiverSeg {options.split} cases",
                "table": table,
                "summary": figures,
                "lesions": lesions,
            }
        }
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
