"""Raw folders of nnU-Net, version 2 (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z)."""

from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple

from LiverSegLib.errors import InputError
from LiverSegLib.training.case import Case
from LiverSegLib.training.data.layouts.layout import (
    Layout,
    Values,
    in_order,
    names_of,
    read_json,
    structure_name,
)
from LiverSegLib.training.data.options import SourceOptions


def _recognised(folder: Path) -> bool:
    path = folder / "dataset.json"
    return path.is_file() and {"channel_names", "file_ending"} <= set(read_json(path))


def _cases(folder: Path, source: SourceOptions) -> List[Case]:
    data = read_json(folder / "dataset.json")
    try:
        channels, ending = dict(data["channel_names"]), str(data["file_ending"])
        values = _values(data["labels"])
    except (KeyError, TypeError, ValueError) as error:
        text = f"{folder / 'dataset.json'} lacks channel_names, file_ending or labels of nnU-Net."
        raise InputError(text, str(error)) from error
    if data.get("dataset"):
        raise InputError(f"{folder} lists its files under `dataset`, which is not read.", NNUNET.expects)
    modality = _modality(channels)
    cases = []
    for part, labels in (("imagesTr", folder / "labelsTr"), ("imagesTs", None)):
        for name in _names(folder / part, ending):
            label = None if labels is None else labels / f"{name}{ending}"
            known = label is not None
            cases.append(
                Case(
                    id=name,
                    patient=name,
                    # What is missing is found out with the other broken cases.
                    images=tuple(folder / part / f"{name}_{k:04d}{ending}" for k in range(len(channels))),
                    label=label,
                    annotated=names_of(values) if known else (),
                    values=values if known else (),
                    modality=modality,
                    dataset=folder.name,
                    split=None if known else "unlabelled",
                )
            )
    return cases


def _names(folder: Path, ending: str) -> List[str]:
    """Names of the cases whose images lie in a folder."""
    paths = in_order(folder.glob(f"*_[0-9][0-9][0-9][0-9]{ending}"))
    return list(dict.fromkeys(path.name[: -len(ending) - 5] for path in paths))


def _values(labels: Mapping[str, Any]) -> Values:
    """Of regions, which share values, a value belongs to the smallest."""
    if "ignore" in labels:
        raise InputError("Labels with voxels to ignore are not read.", str(dict(labels)))
    of_liver = "liver" in {name.lower() for name in labels}
    smallest: Dict[int, Tuple[int, str]] = {}
    for name, value in labels.items():
        values = [int(v) for v in value] if isinstance(value, (list, tuple)) else [int(value)]
        for one in values:
            if one not in smallest or len(values) < smallest[one][0]:
                smallest[one] = (len(values), structure_name(name, of_liver=of_liver))
    return tuple((value, name) for value, (_, name) in sorted(smallest.items()))


def _modality(channels: Mapping[str, str]) -> str:
    names = {str(name).upper() for name in channels.values()}
    if names == {"CT"}:
        return "CT"
    return "MR" if all(name.startswith(("MR", "T1", "T2", "FLAIR", "DWI")) for name in names) else "other"


NNUNET = Layout(
    "nnU-Net raw data",
    "Expected: dataset.json with channel_names, labels and file_ending; imagesTr/CASE_0000.ext and labelsTr.",
    _recognised,
    _cases,
)
