"""How wide a part of a lesion must be to stay: Dice and longest diameters with and without spikes.

    python Testing/Benchmarks/lesion_opening.py DATA [--model NAME]

DATA holds dataset.json; its training scans with complete tumors are segmented as the product does, but
without what the model's manifest says of spikes, and then opened by balls of several sizes. Diameters are
compared for lesions of 10 mm and more, if a drawn lesion stands for one alone. Validation patients have no
part in it.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from as_drawn import as_drawn  # noqa: E402
from scipy import ndimage  # noqa: E402

from LiverSegLib import Segmenter  # noqa: E402
from LiverSegLib.errors import NoLiverError  # noqa: E402
from LiverSegLib.evaluation.overlap import dice  # noqa: E402
from LiverSegLib.labels import TUMOUR  # noqa: E402
from LiverSegLib.masks.components import connected_components  # noqa: E402
from LiverSegLib.masks.lesion_limits import MINIMUM_LESION_ML  # noqa: E402
from LiverSegLib.masks.lesion_opening import spikes  # noqa: E402
from LiverSegLib.measure.diameters import longest_in_slices  # noqa: E402

SHARES = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6)
"""Of a lesion's radius; the ball's radius in mm is at most ten times that. 0: spikes stay."""
LEAST_MM = 10.0

Row = Dict[float, Tuple[float, List[float]]]
"""Share -> Dice, and the relative error of each lesion's longest diameter."""


def opened(labels: sitk.Image, share: float) -> np.ndarray:
    """bool (z, y, x): the lesions without what a ball of that share of their radius does not reach."""
    lesions = sitk.GetArrayFromImage(labels) == TUMOUR
    if share:
        lesions &= ~spikes(labels, radius_mm=10 * share, radius_share=share, least_ml=MINIMUM_LESION_ML)
    return lesions


def longest_mm(lesion: np.ndarray, spacing: Sequence[float]) -> float:
    """Longest diameter in a slice, mm; spacing is (x, y, z)."""
    box = ndimage.find_objects(lesion.astype(np.uint8))[0]
    step_x, step_y = np.array([spacing[0], 0.0, 0.0]), np.array([0.0, spacing[1], 0.0])
    return longest_in_slices(lesion[box], step_x, step_y).longest_mm


def diameter_errors(drawn: np.ndarray, truth: np.ndarray, spacing: Sequence[float]) -> List[float]:
    """Drawn by true diameter, less 1, of each lesion that a drawn one stands for alone."""
    (ours, count), (theirs, lesions) = connected_components(drawn), connected_components(truth)
    found = []
    for number in range(1, lesions + 1):
        lesion = theirs == number
        true_mm = longest_mm(lesion, spacing)
        shared = np.bincount(ours[lesion], minlength=count + 1)[1:]
        if true_mm < LEAST_MM or not shared.any():
            continue
        mine = ours == 1 + int(np.argmax(shared))
        if len(np.unique(theirs[mine & truth])) == 1:
            found.append(longest_mm(mine, spacing) / true_mm - 1)
    return found


def measured(data: Path, entry: Dict[str, Any], segmenter: Segmenter) -> Optional[Row]:
    """Dice and diameters of a scan by share; None if no liver is found."""
    try:
        labels = segmenter.segment(sitk.ReadImage(str(data / entry["image"]))).labels
    except NoLiverError:
        return None
    truth = sitk.GetArrayFromImage(sitk.ReadImage(str(data / entry["label"]))) == TUMOUR
    row: Row = {}
    for share in SHARES:
        drawn = opened(labels, share)
        row[share] = dice(drawn, truth), diameter_errors(drawn, truth, labels.GetSpacing())
    return row


def report(rows: Dict[str, List[Row]]) -> str:
    """Mean Dice of each patient by share, then means over patients, and the mean error of diameters."""
    lines = [f"{'patient':<14}" + "".join(f"{share or 'as drawn':>10}" for share in SHARES)]
    means = {
        patient: [np.mean([row[s][0] for row in found]) for s in SHARES] for patient, found in rows.items()
    }
    lines += [
        f"{patient:<14}" + "".join(f"{mean:>10.3f}" for mean in scores) for patient, scores in means.items()
    ]
    lines.append(
        f"{'mean':<14}" + "".join(f"{mean:>10.3f}" for mean in np.mean(list(means.values()), axis=0))
    )
    better = [sum(scores[i] > scores[0] for scores in means.values()) for i in range(len(SHARES))]
    lines.append(f"{'better in':<14}" + "".join(f"{count:>10}" for count in better))
    errors = [
        np.mean([abs(error) for found in rows.values() for row in found for error in row[share][1]])
        for share in SHARES
    ]
    return "\n".join([*lines, f"{'diameters off':<14}" + "".join(f"{100 * each:>9.1f}%" for each in errors)])


def main(arguments: Optional[Sequence[str]] = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="default")
    options = parser.parse_args(arguments)
    entries = json.loads((options.data / "dataset.json").read_text(encoding="utf-8"))["cases"]
    rows: Dict[str, List[Row]] = {}
    with tempfile.TemporaryDirectory() as room:
        segmenter = Segmenter(str(as_drawn(options.model, Path(room), ("lesion_opening",))))
        for entry in entries:
            if entry["split"] != "train" or "liver tumour" not in entry["annotated"]:
                continue
            row = measured(options.data, entry, segmenter)
            if row is not None:
                rows.setdefault(entry["patient"], []).append(row)
            print(f"  {entry['id']}", file=sys.stderr, flush=True)
    print(report(rows) if rows else "No training scan has complete tumors.")


if __name__ == "__main__":
    main()
