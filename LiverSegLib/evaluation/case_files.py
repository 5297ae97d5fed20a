"""Which prediction belongs to which reference: files matched by the names of their cases.

A folder's cases are the volume files in it, the folders in it that hold a ``segmentation`` of LiverSeg, and
the folders in it that hold DICOM files. A name is the file's without its extension and without what marks a
label file ("_seg", "-label", "segmentation-", ...). A table (CSV with the columns ``case`` and ``file``) or
a data set's ``dataset.json`` says it outright.
"""

import csv
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ..errors import InputError, UnreadableImageError
from ..images.files import VOLUMES

INDEX = "dataset.json"

RESULT = "segmentation"
"""Name, without extension, of the labels in a folder of results."""

_SUFFIX = re.compile(
    r"[-_. ](seg|segmentation|label|labels|labelmap|mask|masks|gt|pred|prediction|reference)$", re.IGNORECASE
)
_PREFIX = re.compile(r"^(?:test[-_])?(segmentation|seg|label|labels|mask)[-_]", re.IGNORECASE)
_IMAGE_PREFIX = re.compile(r"^(?:test[-_])?volume[-_]", re.IGNORECASE)


@dataclass(frozen=True)
class CaseFile:
    """Labels of a case, before anything is read of them.

    Attributes:
        case: its name.
        path: a file or a DICOM folder.
        annotated: names of the structures that the labels are complete for; None: nothing is said.
        image: the scan, where the data set says which.
    """

    case: str
    path: Path
    annotated: Optional[Tuple[str, ...]] = None
    image: Optional[Path] = None


@dataclass(frozen=True)
class Matched:
    """References and predictions of the same cases.

    Attributes:
        pairs: reference and prediction, by name of the case.
        missing: cases without a prediction.
        extra: predictions without a reference.
    """

    pairs: Tuple[Tuple[CaseFile, CaseFile], ...]
    missing: Tuple[str, ...]
    extra: Tuple[str, ...]


def find_cases(path: Path, *, split: Optional[str] = None) -> Dict[str, CaseFile]:
    """Return the cases of a folder, a table, a ``dataset.json`` or a single file, by name.

    Args:
        path: where.
        split: only cases of this split; needs a ``dataset.json``.

    Raises:
        UnreadableImageError: there is no such file or folder, or no label file in it.
        InputError: two files have the same case, or a table or ``dataset.json`` cannot be read.
    """
    index = path / INDEX if path.is_dir() else path
    if index.name == INDEX and index.is_file():
        entries = _entries(index)
        if entries is not None:
            return _of_index(index, entries, split)
    if split is not None:
        raise InputError(f"{path} has no {INDEX} that says which cases are of the split {split}.")
    if path.is_dir():
        return _of_folder(path)
    if path.suffix.lower() == ".csv" and path.is_file():
        return _of_table(path)
    if not path.is_file():
        raise UnreadableImageError(f"There is no file or folder {path}.")
    return {case_name(path.name): CaseFile(case_name(path.name), path)}


def match_cases(predictions: Mapping[str, CaseFile], references: Mapping[str, CaseFile]) -> Matched:
    """Match cases by name, in the order of the names.

    A single prediction and a single reference belong together whatever their names.

    Raises:
        InputError: no case is in both, or a prediction is the very file of its reference.
    """
    matched = _by_name(predictions, references)
    for reference, prediction in matched.pairs:
        if os.path.realpath(reference.path) == os.path.realpath(prediction.path):
            raise InputError(f"{prediction.path} is given as prediction and as reference.")
    return matched


def _by_name(predictions: Mapping[str, CaseFile], references: Mapping[str, CaseFile]) -> Matched:
    if len(predictions) == 1 and len(references) == 1:
        (prediction,), (reference,) = predictions.values(), references.values()
        return Matched(((reference, prediction),), (), ())
    both = sorted(set(predictions) & set(references))
    if not both:
        raise InputError(
            f"No prediction has the name of a reference: {_some(predictions)} against {_some(references)}."
        )
    pairs = tuple((references[case], predictions[case]) for case in both)
    missing, extra = set(references) - set(both), set(predictions) - set(both)
    return Matched(pairs, tuple(sorted(missing)), tuple(sorted(extra)))


def find_images(folder: Path) -> Dict[str, Path]:
    """Return the scans in a folder by the names of their cases: volume files whose names do not say that they
    hold labels, and folders with DICOM files.

    Raises:
        UnreadableImageError: there is no such folder.
    """
    if not folder.is_dir():
        raise UnreadableImageError(f"There is no folder {folder}.")
    found: Dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        is_file = path.is_file() and path.name.lower().endswith(VOLUMES) and not names_labels(path.name)
        if is_file or (path.is_dir() and _labels_in(path) == path):
            found.setdefault(case_name(path.name), path)
    return found


def case_name(name: str) -> str:
    """Return the case that a file's name stands for.

    >>> [case_name(name) for name in ("p01_seg.nii.gz", "segmentation-3.nii", "lits02_label.mha", "a.b.nrrd")]
    ['p01', '3', 'lits02', 'a.b']
    """
    stem = _stem(name)
    for pattern in (_SUFFIX, _PREFIX, _IMAGE_PREFIX):
        shorter = pattern.sub("", stem)
        if shorter and shorter != stem:
            return shorter
    return stem


def _stem(name: str) -> str:
    for extension in VOLUMES:
        if name.lower().endswith(extension):
            return name[: -len(extension)]
    return name


def names_labels(name: str) -> bool:
    """Whether a file's name says that it holds labels."""
    stem = _stem(name)
    return bool(_SUFFIX.search(stem) or _PREFIX.search(stem))


def _of_folder(folder: Path) -> Dict[str, CaseFile]:
    found: Dict[str, List[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_file() and path.name.lower().endswith(VOLUMES):
            found.setdefault(case_name(path.name), []).append(path)
        elif path.is_dir():
            inside = _labels_in(path)
            if inside is not None:
                found.setdefault(case_name(path.name), []).append(inside)
    if not found:
        raise UnreadableImageError(f"The folder {folder} holds no label file.")
    return {case: CaseFile(case, _one(case, paths, folder)) for case, paths in found.items()}


def _labels_in(folder: Path) -> Optional[Path]:
    """The labels in a case's own folder: LiverSeg's, else the folder itself if it holds DICOM files."""
    for extension in VOLUMES:
        if (folder / f"{RESULT}{extension}").is_file():
            return folder / f"{RESULT}{extension}"
    files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    return folder if any(_is_dicom(path) for path in files[:20]) else None


def _is_dicom(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(132)[128:] == b"DICM"


def _one(case: str, paths: List[Path], folder: Path) -> Path:
    """The label file of a case: the only one, or the only one whose name says that it holds labels."""
    marked = [path for path in paths if names_labels(path.name)]
    chosen = paths if len(paths) == 1 else marked
    if len(chosen) != 1:
        names = " and ".join(f'"{path.name}"' for path in (chosen or paths)[:2])
        raise InputError(f'In {folder} the case "{case}" has more than one label file: {names}.')
    return chosen[0]


def _of_table(path: Path) -> Dict[str, CaseFile]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows, heads = list(reader), reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as a CSV table.", str(error)) from error
    if "case" not in heads or "file" not in heads:
        raise InputError(f'{path} needs the columns "case" and "file"; it has {", ".join(heads) or "none"}.')
    found: Dict[str, CaseFile] = {}
    for row in rows:
        case, name = (row["case"] or "").strip(), (row["file"] or "").strip()
        if not case or not name:
            raise InputError(f"{path} has a row without a case or without a file.")
        if case in found:
            raise InputError(f'{path} has the case "{case}" twice.')
        found[case] = CaseFile(case, Path(os.path.join(path.parent, name)))
    if not found:
        raise InputError(f"{path} has no rows.")
    return found


def _entries(index: Path) -> Optional[List[Dict[str, Any]]]:
    """The cases of a ``dataset.json``; None if it has no list ``cases`` (other programs' have not)."""
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{index} cannot be read as JSON.", str(error)) from error
    cases = content.get("cases") if isinstance(content, dict) else None
    return cases if isinstance(cases, list) else None


def _of_index(index: Path, entries: List[Dict[str, Any]], split: Optional[str]) -> Dict[str, CaseFile]:
    found: Dict[str, CaseFile] = {}
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
            raise InputError(f"{index} has a case without an id.")
        if not isinstance(entry.get("label"), str) or (split is not None and entry.get("split") != split):
            continue
        if entry["id"] in found:
            raise InputError(f'{index} has the case "{entry["id"]}" twice.')
        annotated, image = entry.get("annotated"), entry.get("image")
        found[entry["id"]] = CaseFile(
            entry["id"],
            index.parent / entry["label"],
            None if annotated is None else tuple(str(name) for name in annotated),
            index.parent / image if isinstance(image, str) else None,
        )
    if not found:
        which = "" if split is None else f" of the split {split}"
        raise InputError(f"{index} has no case with a label{which}.")
    return found


def _some(cases: Mapping[str, CaseFile]) -> str:
    names = sorted(cases)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(f'"{name}"' for name in names[:3]) + more
