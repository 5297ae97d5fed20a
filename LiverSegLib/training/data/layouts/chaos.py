"""CHAOS, CT and MR (Kavur et al. 2021, doi:10.1016/j.media.2020.101950): DICOM images, PNG labels."""

from pathlib import Path
from typing import List, Tuple

from LiverSegLib.errors import InputError
from LiverSegLib.training.case import Case
from LiverSegLib.training.data.layouts.layout import LIVER, SPLEEN, Layout, Values, natural
from LiverSegLib.training.data.options import SourceOptions

IMAGES, GROUND = "DICOM_anon", "Ground"

CT_VALUES: Values = ((1, LIVER), (255, LIVER))
MR_RANGES = ((55, 70, LIVER), (110, 135, "right kidney"), (175, 200, "left kidney"), (240, 255, SPLEEN))
"""First and last gray value of each organ in the labels of MR, as the organizers' own scripts read them; they
are written as 63, 126, 189 and 252."""
MR_VALUES: Values = tuple((value, name) for low, high, name in MR_RANGES for value in range(low, high + 1))
MR_STRUCTURES = tuple(name for _, _, name in MR_RANGES)

SERIES = {"T1-in": ("T1DUAL", "InPhase"), "T1-out": ("T1DUAL", "OutPhase"), "T2": ("T2SPIR", "")}
"""Series of a recipe -> folder of the sequence, and of the phase in it."""


def _patients(folder: Path, kind: str) -> List[Path]:
    """Folders of the patients of CT or MR, wherever the data set's own folders begin, by set and number."""
    depth = {"CT": f"{kind}/*/{IMAGES}", "MR": f"{kind}/*/T*/{IMAGES}"}[kind]
    found = {path.parents[0 if kind == "CT" else 1] for path in folder.rglob(depth)}
    if not found and folder.name == kind:
        found = {path.parents[0 if kind == "CT" else 1] for path in folder.glob(depth.split("/", 1)[1])}
    return sorted(found, key=lambda path: natural(str(path)))


def _ct_cases(folder: Path, source: SourceOptions) -> List[Case]:
    cases = []
    for patient in _patients(folder, "CT"):
        ground = patient / GROUND
        name = f"CT-{patient.name}"
        cases.append(_case(name, name, patient / IMAGES, ground, CT_VALUES, (LIVER,), "CT"))
    return cases


def _mr_cases(folder: Path, source: SourceOptions) -> List[Case]:
    """A case for each series: in-phase and out-of-phase have one label, T2 one of its own."""
    cases = []
    for patient in _patients(folder, "MR"):
        for series in source.series:
            sequence, phase = SERIES[series]
            images = patient / sequence / IMAGES / phase
            name = f"MR-{patient.name}"
            ground = patient / sequence / GROUND
            cases.append(_case(f"{name}-{series}", name, images, ground, MR_VALUES, MR_STRUCTURES, "MR"))
    return cases


def _case(
    name: str, patient: str, images: Path, ground: Path, values: Values, annotated: Tuple[str, ...], kind: str
) -> Case:
    """The test sets came without labels."""
    labelled = ground.is_dir()
    if not labelled and "Train" in str(images):
        raise InputError(f"{images.parent} has no folder {GROUND} beside its images.", str(images))
    return Case(
        id=name,
        patient=patient,
        images=(images,),
        label=ground if labelled else None,
        annotated=annotated if labelled else (),
        values=values if labelled else (),
        modality=kind,
        dataset=f"CHAOS {kind}",
        split=None if labelled else "unlabelled",
    )


CHAOS_CT = Layout(
    "CHAOS CT",
    "Expected: CT/N/DICOM_anon with DICOM files and CT/N/Ground with PNG files.",
    lambda folder: bool(_patients(folder, "CT")),
    _ct_cases,
)
CHAOS_MR = Layout(
    "CHAOS MR",
    "Expected: MR/N/T1DUAL and MR/N/T2SPIR, each with DICOM_anon and Ground.",
    lambda folder: bool(_patients(folder, "MR")),
    _mr_cases,
)
