"""LiTS, the Liver Tumor Segmentation Benchmark (Bilic et al. 2023, doi:10.1016/j.media.2022.102680)."""

import re
from pathlib import Path
from typing import Dict, Iterator, List, Optional

from LiverSegLib.training.case import Case
from LiverSegLib.training.data.layouts.layout import LIVER, LIVER_TUMOUR, Layout, in_order, stem
from LiverSegLib.training.data.options import SourceOptions

VALUES = ((1, LIVER), (2, LIVER_TUMOUR))
"""Value 2 lies inside the liver: where tumors are not learnt, it is liver."""
SAME_PATIENT = ((0, 1), (6, 8))
"""Volumes that look like one patient; LiTS itself does not say which belong together."""


def _recognised(folder: Path) -> bool:
    return next(_volumes(folder, "volume-*"), None) is not None


def _volumes(folder: Path, pattern: str) -> Iterator[Path]:
    return (path for ending in (".nii", ".nii.gz") for path in folder.rglob(pattern + ending))


def _cases(folder: Path, source: SourceOptions) -> List[Case]:
    labels = {_number(path): path for path in _volumes(folder, "segmentation-*")}
    images = [*_volumes(folder, "volume-*"), *_volumes(folder, "test-volume-*")]
    return [_case(path, labels) for path in in_order(images)]


def _case(image: Path, labels: Dict[int, Path]) -> Case:
    number, test = _number(image), image.name.startswith("test-")
    label: Optional[Path] = None if test else labels.get(number)
    name = stem(image)
    same = next((pair for pair in SAME_PATIENT if number in pair), None)
    return Case(
        id=name,
        patient=name if same is None or test else f"volume-{same[0]}",
        images=(image,),
        label=label,
        annotated=() if label is None else (LIVER, LIVER_TUMOUR),
        values=() if label is None else VALUES,
        modality="CT",
        dataset="LiTS",
        split="unlabelled" if label is None else None,
    )


def _number(path: Path) -> int:
    return int(re.findall(r"\d+", stem(path))[-1])


LITS = Layout(
    "LiTS",
    "Expected: volume-N.nii and segmentation-N.nii, in one folder or in those of the training batches.",
    _recognised,
    _cases,
)
