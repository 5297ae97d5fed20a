"""A small data set for the tests of samples, of their cache and of preparation."""

from pathlib import Path
from typing import Any, Dict, Tuple

import torch
from data_sets import label_array, project

from LiverSegLib.training.case import Case
from LiverSegLib.training.data import (
    DataOptions,
    IntensityOptions,
    PatchOptions,
    PreparationOptions,
    SampleSet,
    read_cases,
)

STRUCTURES = ("liver", "spleen", "liver tumour")
HU = PreparationOptions(intensity=IntensityOptions(scheme="none"))
PATCH = PatchOptions(size=(4, 6, 6))


def three_patients(folder: Path) -> Path:
    """Three patients; "a" has three series, with liver and spleen, "b" a liver alone, "c" no label."""
    both = {"label": label_array(1, 2), "annotated": ["liver", "spleen"], "patient": "pa"}
    return project(
        folder,
        {
            "a1": both,
            "a2": both,
            "a3": both,
            "b": {"label": label_array(1), "annotated": ["liver"], "patient": "pb"},
            "c": {"annotated": [], "patient": "pc"},
        },
    )


def cases_of(folder: Path) -> Tuple[Case, ...]:
    return read_cases(DataOptions(folder=str(folder))).cases


def samples(folder: Path, cache: Any = None, **changes: Any) -> SampleSet:
    arguments: Dict[str, Any] = {
        "cases": [case for case in cases_of(folder) if case.label is not None],
        "structures": STRUCTURES,
        "preparation": HU,
        "patches": PATCH,
        "augmentation": None,
        "seed": 3,
        "length": 40,
        "cache": cache,
    }
    return SampleSet(**{**arguments, **changes})


def same(one: Dict[str, Any], other: Dict[str, Any]) -> bool:
    keys = ("image", "label", "annotated", "spacing")
    return one["id"] == other["id"] and all(torch.equal(one[key], other[key]) for key in keys)
