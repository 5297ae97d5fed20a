"""Tasks of the Medical Segmentation Decathlon (Antonelli et al. 2022, doi:10.1038/s41467-022-30695-9)."""

from pathlib import Path
from typing import Any, List, Mapping, Optional

from LiverSegLib.errors import InputError
from LiverSegLib.training.case import Case
from LiverSegLib.training.data.layouts.layout import (
    BACKGROUND,
    Layout,
    Values,
    names_of,
    read_json,
    stem,
    structure_name,
)
from LiverSegLib.training.data.options import SourceOptions


def _recognised(folder: Path) -> bool:
    path = folder / "dataset.json"
    return path.is_file() and isinstance(read_json(path).get("training"), list)


def _cases(folder: Path, source: SourceOptions) -> List[Case]:
    data = read_json(folder / "dataset.json")
    training, tests = data.get("training"), data.get("test", [])
    if not isinstance(training, list) or not isinstance(tests, list):
        raise InputError(f"{folder / 'dataset.json'} has no list `training`.", MSD.expects)
    values = _values(data)
    modality = _modality(data)
    name = f"MSD {folder.name}" if folder.name.startswith("Task") else f"MSD {data.get('name', folder.name)}"
    cases = []
    for entry in training:
        if not isinstance(entry, dict) or not {"image", "label"} <= set(entry):
            raise InputError("An entry of `training` in dataset.json has no image or no label.", str(entry))
        cases.append(_case(folder, entry["image"], entry["label"], values, modality, name))
    return cases + [_case(folder, image, None, values, modality, name) for image in tests]


def _values(data: Mapping[str, Any]) -> Values:
    labels = data.get("labels", {})
    of_liver = "liver" in {str(name).lower() for name in labels.values()}
    return tuple(
        (int(value), BACKGROUND if int(value) == 0 else structure_name(str(name), of_liver=of_liver))
        for value, name in labels.items()
    )


def _modality(data: Mapping[str, Any]) -> str:
    named = {str(name).upper() for name in dict(data.get("modality", {})).values()}
    if named == {"CT"}:
        return "CT"
    return "MR" if named and all("MR" in name or name in {"T1", "T2", "FLAIR"} for name in named) else "other"


def _case(
    folder: Path, image: str, label: Optional[str], values: Values, modality: str, dataset: str
) -> Case:
    path = folder / image
    name = stem(path)
    return Case(
        id=name,
        patient=name,
        images=(path,),
        label=None if label is None else folder / label,
        annotated=() if label is None else names_of(values),
        values=() if label is None else values,
        modality=modality,
        dataset=dataset,
        split="unlabelled" if label is None else None,
    )


MSD = Layout(
    "Medical Segmentation Decathlon",
    "Expected: dataset.json with a list `training` of images and labels, in imagesTr and labelsTr.",
    _recognised,
    _cases,
)
