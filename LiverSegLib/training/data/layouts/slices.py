"""CHAOS MR as PNG: single slices to train on, whole patients to test with.

``train/{Data,Ground}`` are slices with random flips, turns and zoom, named by number alone; ``Ground`` is a
mask of the liver with interpolated borders. ``test/NAME/{Data,Ground}`` are stacks from the feet to the head,
in CHAOS's gray codes. Neither has a spacing: a pixel counts as 1 mm.
"""

from pathlib import Path
from typing import List, Sequence

import numpy as np

from LiverSegLib.errors import InputError
from LiverSegLib.training.case import Case
from LiverSegLib.training.data.layouts.chaos import MR_STRUCTURES, MR_VALUES
from LiverSegLib.training.data.layouts.layout import BACKGROUND, LIVER, Layout, Values, in_order
from LiverSegLib.training.data.options import SourceOptions

IMAGES, GROUND = "Data", "Ground"
DATASET = "CHAOS MR slices"

MASK_VALUES: Values = tuple((value, LIVER if value > 127 else BACKGROUND) for value in range(256))
"""Half a pixel and more is liver."""

FIRST_OF_PATIENT = (0, 61, 88, 108, 143, 180, 205, 223, 259, 302, 324, 358, 384, 412, 442, 469)
"""Numbers of the slices with which the 16 patients of the published 500 begin.

The files do not say. They were told apart by eye: each patient's slices follow each other, sorted by the
text of their number (1, 10 to 19, 2, 20 ...). Cut to the body, mirror images allowed, all 176 pairs of slices
with a correlation above 0.9 lie within one patient, and no two slices that are more than 80 files apart
correlate above 0.87.
"""
PUBLISHED_SLICES = 500
SLICES_OF_PATIENT = 32
"""In other collections as many slices in a row count as one patient."""


def _recognised(folder: Path) -> bool:
    return (folder / "train" / IMAGES).is_dir() or bool(_stacks(folder))


def _stacks(folder: Path) -> List[Path]:
    test = folder / "test"
    return in_order(p for p in test.iterdir() if (p / IMAGES).is_dir()) if test.is_dir() else []


def _cases(folder: Path, source: SourceOptions) -> List[Case]:
    files = in_order((folder / "train" / IMAGES).glob("*.png"))
    if not files and not _stacks(folder):
        raise InputError(f"{folder} holds no PNG slices.", SLICES.expects)
    first = FIRST_OF_PATIENT if len(files) == PUBLISHED_SLICES else range(0, len(files), SLICES_OF_PATIENT)
    return [
        *(_slice(path, folder, number, first) for number, path in enumerate(files)),
        *(_stack(path) for path in _stacks(folder)),
    ]


def _slice(image: Path, folder: Path, number: int, first: Sequence[int]) -> Case:
    patient = int(np.searchsorted(np.asarray(first), number, side="right"))
    return Case(
        id=f"train-{image.stem}",
        patient=f"train-patient-{patient:02d}",
        images=(image,),
        label=folder / "train" / GROUND / image.name,
        annotated=(LIVER,),
        values=MASK_VALUES,
        modality="MR",
        dataset=DATASET,
    )


def _stack(patient: Path) -> Case:
    return Case(
        id=f"test-{patient.name}",
        patient=patient.name,
        images=(patient / IMAGES,),
        label=patient / GROUND,
        annotated=MR_STRUCTURES,
        values=MR_VALUES,
        modality="MR",
        dataset=DATASET,
        split="test",
    )


SLICES = Layout(
    "PNG slices of CHAOS MR",
    "Expected: train/Data and train/Ground with PNG slices, test/NAME/Data and test/NAME/Ground with stacks.",
    _recognised,
    _cases,
)
