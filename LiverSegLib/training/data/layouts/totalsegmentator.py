"""TotalSegmentator's data set (Wasserthal et al. 2023, doi:10.1148/ryai.230024): a mask a structure."""

import csv
from pathlib import Path
from typing import Dict, List, Optional

from LiverSegLib.errors import InputError
from LiverSegLib.training.case import Case
from LiverSegLib.training.data.layouts.layout import Layout, in_order, mask_structure
from LiverSegLib.training.data.options import SourceOptions

IMAGES = {"ct.nii.gz": "CT", "mri.nii.gz": "MR"}
MASKS, META = "segmentations", "meta.csv"


def _image(patient: Path) -> Optional[Path]:
    return next((patient / name for name in IMAGES if (patient / name).is_file()), None)


def _patients(folder: Path) -> List[Path]:
    return in_order(path for path in folder.iterdir() if path.is_dir() and _image(path) is not None)


def _recognised(folder: Path) -> bool:
    return any(_image(path) is not None for path in folder.iterdir() if path.is_dir())


def _cases(folder: Path, source: SourceOptions) -> List[Case]:
    splits = _splits(folder / META)
    return [_case(patient, splits.get(patient.name)) for patient in _patients(folder)]


def _case(patient: Path, split: Optional[str]) -> Case:
    image, masks = _image(patient), patient / MASKS
    assert image is not None
    found = in_order(masks.glob("*.nii.gz")) if masks.is_dir() else []
    names = tuple(mask_structure(path) for path in found)
    return Case(
        id=patient.name,
        patient=patient.name,
        images=(image,),
        label=masks if found else None,
        annotated=names,
        values=tuple(enumerate(names, start=1)),
        modality=IMAGES[image.name],
        dataset=f"TotalSegmentator {IMAGES[image.name]}",
        split=split if found else "unlabelled",
    )


def _splits(meta: Path) -> Dict[str, str]:
    """Subject -> "train", "val" or "test", of the table that the data set brings; empty without it."""
    if not meta.is_file():
        return {}
    try:
        text = meta.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{meta} cannot be read.", str(error)) from error
    rows = csv.DictReader(text.splitlines(), delimiter=";" if ";" in text.split("\n", 1)[0] else ",")
    pairs = ((row.get("image_id"), row.get("split")) for row in rows)
    return {name: split for name, split in pairs if name and split in ("train", "val", "test")}


TOTALSEGMENTATOR = Layout(
    "TotalSegmentator",
    "Expected: sNNNN/ct.nii.gz and sNNNN/segmentations/*.nii.gz for each subject, and meta.csv.",
    _recognised,
    _cases,
)
