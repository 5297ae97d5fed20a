"""What the simulated reader corrects: organs and larger lesions of labelled scans, from the model's mask.

The model's masks and probabilities are computed once and kept in a cache folder.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence

import numpy as np
import SimpleITK as sitk

from LiverSegLib import Segmenter
from LiverSegLib.errors import NoLiverError
from LiverSegLib.images.grid import Grid
from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR
from LiverSegLib.masks.components import component_sums, connected_components

SMALLEST_LESION_MM = 10.0
"""Lesions below this diameter (of the ball of equal volume) are not corrected."""


@dataclass(frozen=True)
class Case:
    """One labelled scan: its entry in dataset.json, scan, reference, and the model's mask and probability.

    ``reference`` and ``predicted`` are uint8 (z, y, x) label arrays, ``probability`` uint8 as Result has it.
    """

    entry: Dict[str, Any]
    image: sitk.Image
    reference: np.ndarray
    predicted: np.ndarray
    probability: np.ndarray

    @property
    def name(self) -> str:
        """The case's identifier."""
        return str(self.entry["id"])

    @property
    def grid(self) -> Grid:
        """The grid of all arrays."""
        return Grid.of(self.image)

    @property
    def voxels(self) -> np.ndarray:
        """HU, (z, y, x), read-only."""
        return sitk.GetArrayViewFromImage(self.image)

    def showing(self, voxels: np.ndarray) -> "Case":
        """Return the case with another image, HU (z, y, x)."""
        return replace(self, image=self.grid.image(np.rint(voxels).astype(np.int16)))


@dataclass(frozen=True)
class Task:
    """One structure to correct.

    Attributes:
        target: "liver", "spleen" or "tumor".
        truth: bool (z, y, x).
        start: uint8 (z, y, x), the labels that the reader begins with.
        ignored: bool (z, y, x): other lesions, which do not count.
        origin: "model", "nothing", or "made" (correct_errors.py).
        diameter_mm: of the ball of equal volume.
        expert: whether an expert drew the reference.
    """

    case: Case
    target: str
    truth: np.ndarray
    start: np.ndarray
    ignored: np.ndarray
    origin: str
    diameter_mm: float
    expert: bool


def load_cases(data: Path, names_or_split: Sequence[str], cache: Path) -> Iterator[Case]:
    """Yield the cases of a split, or those named, in the order of dataset.json."""
    entries = json.loads((data / "dataset.json").read_text(encoding="utf-8"))["cases"]
    segmenter: List[Segmenter] = []
    for entry in entries:
        if "label" not in entry or not {entry["split"], entry["id"]} & set(names_or_split):
            continue
        image = sitk.ReadImage(str(data / entry["image"]))
        reference = sitk.GetArrayFromImage(sitk.ReadImage(str(data / entry["label"])))
        kept = cache / f"{entry['id']}.npz"
        if not kept.is_file():
            segmenter = segmenter or [Segmenter()]
            _keep_prediction(segmenter[0], data / entry["image"], reference.shape, kept)
        with np.load(kept) as arrays:
            yield Case(entry, image, reference, arrays["labels"], arrays["probability"])


def _keep_prediction(segmenter: Segmenter, scan: Path, shape: Sequence[int], kept: Path) -> None:
    try:
        result = segmenter.segment(str(scan))
        labels, probability = sitk.GetArrayFromImage(result.labels), result.probability
    except NoLiverError:
        labels, probability = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    kept.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(kept, labels=labels, probability=probability)


def tasks_of(case: Case) -> Iterator[Task]:
    """Yield what there is to correct in a case."""
    nothing = np.zeros(case.reference.shape, bool)
    sources = case.entry["label_source"]
    structures = {"liver": (LIVER, TUMOUR), "spleen": (SPLEEN,)}
    for target, values in structures.items():
        truth = np.isin(case.reference, values)
        if target in case.entry["annotated"] and truth.any():
            expert = sources[target].startswith("expert")
            yield Task(
                case, target, truth, case.predicted, nothing, "model", diameter_mm(case, truth), expert
            )
    lesions, count = connected_components(case.reference == TUMOUR)
    sizes = component_sums(lesions, count)
    for number in range(1, count + 1):
        truth = lesions == number
        diameter = np.cbrt(6 * sizes[number] * case.grid.voxel_ml * 1000 / np.pi)
        if diameter < SMALLEST_LESION_MM:
            continue
        ignored = (lesions > 0) & ~truth
        expert = sources["liver tumour"].startswith("expert")
        without = np.where(case.predicted == TUMOUR, np.uint8(LIVER), case.predicted)
        yield Task(case, "tumor", truth, case.predicted, ignored, "model", diameter, expert)
        yield Task(case, "tumor", truth, without, ignored, "nothing", diameter, expert)


def diameter_mm(case: Case, mask: np.ndarray) -> float:
    """The diameter in mm of the ball of a mask's volume."""
    return float(np.cbrt(6 * np.count_nonzero(mask) * case.grid.voxel_ml * 1000 / np.pi))
