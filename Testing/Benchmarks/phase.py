"""Contrast phase: what is estimated on every series of a folder, beside what is known of it.

    python Testing/Benchmarks/phase.py DATA_FOLDER [--labels FOLDER]

DATA_FOLDER holds dataset.json (see docs/accuracy.md). The liver and spleen that the bundled model finds are
kept in --labels (benchmark-output/phase-labels), so that a second run takes a minute. Fails if an enhanced
scan passes as unenhanced: its liver would be graded for fat.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import SimpleITK as sitk
from accuracy import print_table

from LiverSegLib import Segmenter
from LiverSegLib.errors import NoLiverError
from LiverSegLib.measure.phase import attenuations, decide

UNENHANCED = "unenhanced"


def labels_of(entry: Dict[str, Any], folder: Path, kept: Path, segmenter: List[Segmenter]) -> sitk.Image:
    """The model's labels of a case, from the kept ones if they are there; all 0 without a liver."""
    path = kept / f"{entry['id']}.nii.gz"
    if path.is_file():
        return sitk.ReadImage(str(path))
    if not segmenter:
        segmenter.append(Segmenter())
    source = folder / entry["image"]
    try:
        labels = segmenter[0].segment(str(source)).labels
    except NoLiverError:
        image = sitk.ReadImage(str(source))
        labels = sitk.Image(image.GetSize(), sitk.sitkUInt8)
        labels.CopyInformation(image)
    kept.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(labels, str(path), useCompression=True)
    print(f"  {entry['id']} segmented", file=sys.stderr, flush=True)
    return labels


def row_of(entry: Dict[str, Any], image: sitk.Image, labels: sitk.Image) -> Dict[str, Any]:
    """What is measured and estimated on a case."""
    measured = attenuations(image, labels)
    estimate = decide(measured)
    known, found = entry["phase"], estimate.phase
    if known == "unknown":
        verdict = ""
    elif known != UNENHANCED and found == UNENHANCED:
        verdict = "ENHANCED TAKEN FOR UNENHANCED"
    elif known == UNENHANCED and found not in (UNENHANCED, "unknown"):
        verdict = "taken for enhanced"
    else:
        verdict = "right" if found in known else "not told" if found == "unknown" else "other phase"
    return {
        "series": entry["id"],
        "split": entry["split"],
        "known": known,
        "estimated": found,
        "confidence": f"{estimate.confidence:.2f}",
        "liver": _hu(measured.liver),
        "spleen": _hu(measured.spleen),
        "aorta": _hu(measured.aorta),
        "kidneys": _hu(measured.kidneys),
        "verdict": verdict,
    }


def _hu(value: Optional[float]) -> Optional[str]:
    return None if value is None else f"{value:.0f}"


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Command line; returns 1 if an enhanced scan passes as unenhanced."""
    parser = argparse.ArgumentParser(description="Estimate the contrast phase of every series of a folder.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--labels", type=Path, default=Path("benchmark-output/phase-labels"))
    options = parser.parse_args(arguments)
    entries = json.loads((options.data / "dataset.json").read_text(encoding="utf-8"))["cases"]
    segmenter: List[Segmenter] = []
    rows = []
    for entry in entries:
        if entry["modality"] != "CT":
            continue
        labels = labels_of(entry, options.data, options.labels, segmenter)
        rows.append(row_of(entry, sitk.ReadImage(str(options.data / entry["image"])), labels))
    print_table(rows, list(rows[0]))
    known = [row for row in rows if row["known"] != "unknown"]
    native = [row for row in known if row["known"] == UNENHANCED]
    wrong = [row for row in known if row["verdict"].isupper()]
    print(
        f"\n{len(known)} series of known phase, HU as median. Enhanced taken for unenhanced: {len(wrong)} of "
        f"{len(known) - len(native)}. Unenhanced recognised: "
        f"{sum(row['estimated'] == UNENHANCED for row in native)} of {len(native)}. Right phase: "
        f"{sum(row['verdict'] == 'right' for row in known)} of {len(known)}; not told: "
        f"{sum(row['verdict'] == 'not told' for row in known)}."
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
