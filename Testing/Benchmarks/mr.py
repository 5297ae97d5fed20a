"""How accurate the model for MR is on the test patients of the CHAOS MR slices: Dice and volume of the liver.

    python Testing/Benchmarks/mr.py CHAOS_MR [--model mr] [--write model.json]

CHAOS_MR holds ``test/PATIENT/Data`` and ``Ground``: T1 in phase, slices as gray PNG files from feet to head,
the liver 63 in the ground truth (doi:10.5281/zenodo.3431873). Segmented as the product segments: its tiles,
its clean-up (largest component, holes filled). The published 2-D U-Net reaches 0.89 on these four patients.
``--write`` puts the table into the model's description.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
import SimpleITK as sitk

from LiverSegLib import Segmenter
from LiverSegLib.errors import NoLiverError
from LiverSegLib.evaluation.overlap import dice

LIVER_CODE = 63
SPACING = (1.6, 1.6, 6.0)
"""mm (x, y, z): PNG files have none; that of most CHAOS MR scans, for volumes alone."""
PUBLISHED, TARGET = 0.89, 0.93


def stack(folder: Path) -> np.ndarray:
    """Gray values (z, y, x) of a folder of slices, in the order of their names."""
    slices = [sitk.GetArrayFromImage(sitk.ReadImage(str(path))) for path in sorted(folder.glob("*.png"))]
    return np.stack([each[..., 0] if each.ndim == 3 else each for each in slices])


def score(patient: Path, segmenter: Segmenter) -> Dict[str, Any]:
    """Segment one patient and compare."""
    image = sitk.GetImageFromArray(stack(patient / "Data").astype(np.int16))
    image.SetSpacing(SPACING)
    reference = stack(patient / "Ground") == LIVER_CODE
    try:
        found = sitk.GetArrayFromImage(segmenter.segment(image, modality="MR").labels) > 0
    except NoLiverError:
        found = np.zeros(reference.shape, bool)
    return {
        "case": patient.name,
        "slices": len(reference),
        "liver dice": round(float(dice(found, reference)), 4),
        "volume ratio": round(float(found.sum() / reference.sum()), 3),
    }


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Command line; returns 1 if the target is missed, 2 if there are no patients."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="mr")
    parser.add_argument("--write", type=Path, help="a model.json that gets the table")
    options = parser.parse_args(arguments)
    patients = sorted(path.parent for path in options.data.glob("test/*/Ground"))
    if not patients:
        print(f"{options.data} holds no test/PATIENT/Ground.", file=sys.stderr)
        return 2
    segmenter = Segmenter(options.model, modality="MR")
    rows: List[Dict[str, Any]] = []
    for patient in patients:
        rows.append(score(patient, segmenter))
        print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    mean = float(np.mean([row["liver dice"] for row in rows]))
    print(f"mean {mean:.4f} (published {PUBLISHED}, target {TARGET}) {'ok' if mean >= TARGET else 'MISSED'}")
    if options.write:
        content = json.loads(options.write.read_text(encoding="utf-8"))
        whole = (
            f"{len(rows)} test patients of CHAOS MR, T1 in phase, whole stacks; as the product segments them"
        )
        content["accuracy"] = {
            "dataset": whole,
            "table": [*rows, {"case": "mean", "liver dice": round(mean, 4)}],
        }
        options.write.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 0 if mean >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
