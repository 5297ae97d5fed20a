"""Fit a model's second look: which of the lesions that it draws are lesions, told by plain features.

    python Testing/Benchmarks/second_look.py DATA [--model NAME] [--free ID ...] [--keep SHARE]
        [--write model.json]

DATA holds dataset.json. Lesions are drawn in the training scans with complete tumors and in those without any
(``--free``; by default the recipe's ``pack.tumour_free``); a drawn lesion is right if a tenth of it or more
is tumor in the reference. The regression is judged by leaving each patient out in turn: what the others teach
decides about the patient. The threshold is the one at which, patients left out, the share ``--keep`` of the
right lesions stays. Validation patients have no part in it.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk
from scipy import optimize

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from as_drawn import as_drawn, model_file, write_rule  # noqa: E402

from LiverSegLib import Segmenter  # noqa: E402
from LiverSegLib.errors import NoLiverError  # noqa: E402
from LiverSegLib.labels import TUMOUR  # noqa: E402
from LiverSegLib.masks.cleanup import MINIMUM_LESION_ML  # noqa: E402
from LiverSegLib.measure.lesions import narrow_lesions  # noqa: E402
from LiverSegLib.measure.second_look import FEATURES, candidates  # noqa: E402
from LiverSegLib.training.recipe import read_recipe  # noqa: E402

RIGHT_SHARE = 0.1
RIDGE = 1.0
"""Penalty on the squared weights of standardised features: there are few lesions."""


@dataclass(frozen=True)
class Drawn:
    """A lesion that the model drew: whose, where, its features, and whether the reference confirms it."""

    case: str
    patient: str
    volume_ml: float
    features: Tuple[float, ...]
    right: bool


@dataclass(frozen=True)
class Fitted:
    """A logistic regression: mean, standard deviation and weight of each feature, and the bias."""

    mean: np.ndarray
    deviation: np.ndarray
    weights: np.ndarray
    bias: float

    def likelihoods(self, features: np.ndarray) -> np.ndarray:
        """Likelihoods (n,) of lesions with features (n, FEATURES)."""
        total = self.bias + (features - self.mean) / self.deviation @ self.weights
        return np.asarray(1 / (1 + np.exp(-total)))


def fit(features: np.ndarray, right: np.ndarray, patients: Sequence[str]) -> Fitted:
    """Fit by maximum likelihood with a ridge; each patient weighs as much as the root of his lesions' number.

    Args:
        features: (n, FEATURES).
        right: bool (n,).
        patients: of each lesion.
    """
    counts = {patient: list(patients).count(patient) for patient in set(patients)}
    share = np.array([counts[patient] ** -0.5 for patient in patients])
    mean, deviation = features.mean(0), np.maximum(features.std(0), 1e-3)
    scaled = (features - mean) / deviation
    sign = np.where(right, 1.0, -1.0)

    def loss(values: np.ndarray) -> float:
        margin = sign * (scaled @ values[:-1] + values[-1])
        return float(share @ np.logaddexp(0, -margin) + RIDGE / 2 * values[:-1] @ values[:-1])

    found = optimize.minimize(loss, np.zeros(features.shape[1] + 1), method="BFGS")
    return Fitted(mean, deviation, found.x[:-1], float(found.x[-1]))


def patients_left_out(lesions: Sequence[Drawn]) -> np.ndarray:
    """The likelihood (n,) of each lesion by what the other patients teach."""
    features, right = arrays(lesions)
    patients = np.array([lesion.patient for lesion in lesions])
    result = np.zeros(len(lesions))
    for patient in sorted(set(patients)):
        others, own = patients != patient, patients == patient
        result[own] = fit(features[others], right[others], list(patients[others])).likelihoods(features[own])
    return result


def arrays(lesions: Sequence[Drawn]) -> Tuple[np.ndarray, np.ndarray]:
    """Features (n, FEATURES) and bool (n,)."""
    return np.array([lesion.features for lesion in lesions]), np.array([lesion.right for lesion in lesions])


def threshold(likelihoods: np.ndarray, right: np.ndarray, keep: float) -> float:
    """The likelihood from which on this share of the right lesions stays."""
    return float(np.quantile(likelihoods[right], 1 - keep, method="lower"))


def collect(
    data: Path, entries: Sequence[Dict[str, Any]], free: Sequence[str], segmenter: Segmenter
) -> List[Drawn]:
    """Draw and judge the lesions of all scans of which it is known."""
    found: List[Drawn] = []
    for entry in entries:
        known = "liver tumour" in entry["annotated"]
        if entry["split"] != "train" or not (known or entry["id"] in free):
            continue
        image = sitk.ReadImage(str(data / entry["image"]))
        try:  # the smallest size is given, so nothing is left out that the second look could judge
            result = segmenter.segment(image, minimum_lesion_ml=MINIMUM_LESION_ML)
        except NoLiverError:
            continue
        reference = sitk.GetArrayFromImage(sitk.ReadImage(str(data / entry["label"])))
        truth = reference == TUMOUR if known else np.zeros_like(reference, bool)
        narrow = {repr(box) for box, _ in narrow_lesions(result.labels)}  # they are left out in any case
        for each in candidates(result.labels, result.image, result.probability):
            if repr(each.box) in narrow:
                continue
            values = tuple(each.features[name] for name in FEATURES)
            right = bool(truth[each.box][each.mask].mean() >= RIGHT_SHARE)
            volume = float(np.exp(each.features["log_volume"]))
            found.append(Drawn(entry["id"], entry["patient"], volume, values, right))
        print(f"  {entry['id']}", file=sys.stderr, flush=True)
    return found


def report(lesions: Sequence[Drawn], likelihoods: np.ndarray, least: float) -> str:
    """A row for each case: lesions drawn, right ones, and what stays of both, patients left out."""
    lines = [f"{'case':<24}{'right':>7}{'stay':>6}{'false':>7}{'stay':>6}"]
    for case in dict.fromkeys(lesion.case for lesion in lesions):
        own = [k for k, lesion in enumerate(lesions) if lesion.case == case]
        right = [k for k in own if lesions[k].right]
        false = [k for k in own if not lesions[k].right]
        stay = [sum(likelihoods[k] >= least for k in group) for group in (right, false)]
        lines.append(f"{case:<24}{len(right):>7}{stay[0]:>6}{len(false):>7}{stay[1]:>6}")
    return "\n".join(lines)


def main(arguments: Optional[Sequence[str]] = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--free", nargs="+", help="training scans without any tumor")
    parser.add_argument("--keep", type=float, default=0.9)
    parser.add_argument("--write", type=model_file, help="a model.json that gets the second look")
    options = parser.parse_args(arguments)
    entries = json.loads((options.data / "dataset.json").read_text(encoding="utf-8"))["cases"]
    free = options.free or read_recipe("bundled-segment-lesions").pack.tumour_free
    with tempfile.TemporaryDirectory() as room:  # a second look comes before lesions grow
        lesions = collect(options.data, entries, free, Segmenter(str(as_drawn(options.model, Path(room)))))
    features, right = arrays(lesions)
    likelihoods = patients_left_out(lesions)
    least = threshold(likelihoods, right, options.keep)
    fitted = fit(features, right, [lesion.patient for lesion in lesions])
    look = {
        "weights": {
            name: [round(float(v), 4) for v in (fitted.mean[k], fitted.deviation[k], fitted.weights[k])]
            for k, name in enumerate(FEATURES)
        },
        "bias": round(fitted.bias, 4),
        "least": round(least, 4),
    }
    print(report(lesions, likelihoods, least))
    kept = likelihoods >= least
    for name, group in (("right", right), ("false", ~right)):
        print(f"{name}: {group.sum()} drawn, {(group & kept).sum()} stay")
    print(json.dumps(look))
    if options.write:
        write_rule(options.write, "second_look", look)


if __name__ == "__main__":
    main()
