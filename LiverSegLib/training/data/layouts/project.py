"""A folder with a ``dataset.json`` of this project's own kind, which lists every case."""

from pathlib import Path
from typing import Any, List, Mapping

from LiverSegLib.errors import InputError
from LiverSegLib.training.case import Case
from LiverSegLib.training.data.layouts.layout import BACKGROUND, Layout, Values, read_json
from LiverSegLib.training.data.options import SourceOptions

NEGATIVE = "negative"
SPLITS = ("train", "val", "test", "unlabelled")


def _recognised(folder: Path) -> bool:
    path = folder / "dataset.json"
    return path.is_file() and isinstance(read_json(path).get("cases"), list)


def _cases(folder: Path, source: SourceOptions) -> List[Case]:
    data = read_json(folder / "dataset.json")
    entries = data.get("cases")
    if not isinstance(entries, list):
        raise InputError(f"{folder / 'dataset.json'} has no list of cases.", PROJECT.expects)
    values = _values(data)
    dataset = str(data.get("name", folder.name))
    cases = [_case(folder, entry, values, dataset) for entry in entries]
    # In scans of the split "negative" nothing may be found. They are for judging alone: a network that has
    # learnt from them is not tested by them.
    return [case for case, entry in zip(cases, entries) if entry.get("split") != NEGATIVE]


def _values(data: Mapping[str, Any]) -> Values:
    labels = data.get("labels", {"0": BACKGROUND, "1": "liver", "2": "spleen", "3": "liver tumour"})
    try:
        return tuple((int(value), str(name)) for value, name in labels.items())
    except (AttributeError, ValueError) as error:
        raise InputError("The labels in dataset.json must be numbers with names.", str(labels)) from error


def _case(folder: Path, entry: Mapping[str, Any], values: Values, dataset: str) -> Case:
    try:
        name, image = str(entry["id"]), folder / entry["image"]
    except (KeyError, TypeError) as error:
        raise InputError("A case in dataset.json has no id or no image.", str(entry)) from error
    label = entry.get("label")
    split = entry.get("split")
    return Case(
        id=name,
        patient=str(entry.get("patient", name)),
        images=(image,),
        label=None if label is None else folder / label,
        annotated=tuple(entry.get("annotated", ())),
        values=values,
        modality=str(entry.get("modality", "other")),
        dataset=dataset,
        split=split if split in SPLITS else None,
    )


PROJECT = Layout(
    "a data set with a dataset.json that lists cases",
    "Expected: dataset.json with a list `cases`, each with id, image, label, annotated, patient and split.",
    _recognised,
    _cases,
)
