"""3D-IRCADb-01 (Soler et al. 2010, IRCAD, Strasbourg): DICOM images, and a DICOM mask for each structure."""

import zipfile
from pathlib import Path
from typing import List, Optional

from LiverSegLib.errors import InputError
from LiverSegLib.training.case import Case
from LiverSegLib.training.data.layouts.layout import (
    LIVER,
    LIVER_TUMOUR,
    Layout,
    in_order,
    mask_structure,
)
from LiverSegLib.training.data.options import SourceOptions

IMAGES, MASKS = "PATIENT_DICOM", "MASKS_DICOM"


def _patients(folder: Path) -> List[Path]:
    places = [folder, *(path for path in folder.iterdir() if path.is_dir())]
    return in_order(path for path in places if _part(path, IMAGES) is not None)


def _part(patient: Path, name: str) -> Optional[Path]:
    """A folder or a zip file of a patient."""
    return next((path for path in (patient / name, patient / f"{name}.zip") if path.exists()), None)


def _cases(folder: Path, source: SourceOptions) -> List[Case]:
    cases = []
    for patient in _patients(folder):
        images, masks = _part(patient, IMAGES), _part(patient, MASKS)
        assert images is not None
        structures = () if masks is None else tuple(sorted({mask_structure(Path(m)) for m in _names(masks)}))
        annotated = structures
        if LIVER in structures:  # a quarter of the livers have no tumor, and so no mask of one
            annotated = (LIVER, LIVER_TUMOUR, *(s for s in structures if s not in (LIVER, LIVER_TUMOUR)))
        cases.append(
            Case(
                id=patient.name,
                patient=patient.name,
                images=(images,),
                label=masks,
                annotated=annotated,
                values=tuple(enumerate(structures, start=1)),
                modality="CT",
                dataset="3D-IRCADb-01",
                split=None if structures else "unlabelled",
            )
        )
    return cases


def _names(masks: Path) -> List[str]:
    """Names of the masks in a folder or a zip file."""
    if masks.is_dir():
        return [path.name for path in in_order(masks.iterdir()) if path.is_dir()]
    try:
        with zipfile.ZipFile(masks) as archive:
            parts = [Path(name).parts for name in archive.namelist() if not name.endswith("/")]
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{masks} is no readable zip file.", str(error)) from error
    return sorted({names[-2] for names in parts if len(names) > 1})


IRCADB = Layout(
    "3D-IRCADb",
    "Expected: 3Dircadb1.N with PATIENT_DICOM and MASKS_DICOM, as folders or as zip files.",
    lambda folder: bool(_patients(folder)),
    _cases,
)
