"""What the layouts of data sets have in common."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Tuple

from LiverSegLib.errors import InputError
from LiverSegLib.training.case import Case
from LiverSegLib.training.data.options import SourceOptions

Values = Tuple[Tuple[int, str], ...]
"""Pairs of a value in a label and the name of its structure."""

BACKGROUND = "background"
"""Name of what belongs to no structure, among the values of a case."""
VOLUMES = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd")


@dataclass(frozen=True)
class Layout:
    """One way in which folders and files of a data set are named.

    Attributes:
        title: the data set's name.
        expects: what the folder must hold, a sentence.
        recognised: whether a folder looks like it; cheap.
        cases: all cases of a folder, in a stable order.
    """

    title: str
    expects: str
    recognised: Callable[[Path], bool]
    cases: Callable[[Path, SourceOptions], List[Case]]


def natural(text: str) -> Tuple[Any, ...]:
    """Sort key that puts image_2 before image_10."""
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text))


def in_order(paths: Iterable[Path]) -> List[Path]:
    """Paths by name, numbers in them by value; hidden files are left out."""
    return sorted((p for p in paths if not p.name.startswith(".")), key=lambda p: natural(p.name))


def stem(path: Path) -> str:
    """A file's name without the ending of a volume."""
    ending = next((e for e in VOLUMES if path.name.lower().endswith(e)), path.suffix)
    return path.name[: len(path.name) - len(ending)] if ending else path.name


def read_json(path: Path) -> Dict[str, Any]:
    """A JSON file that holds an object.

    Raises:
        InputError: it is missing or holds something else.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as JSON.", str(error)) from error
    if not isinstance(data, dict):
        raise InputError(f"{path} does not hold a JSON object.")
    return data


def names_of(values: Values) -> Tuple[str, ...]:
    """The structures that values name, each once."""
    return tuple(dict.fromkeys(name for _, name in values if name != BACKGROUND))


def structure_name(word: str, *, of_liver: bool) -> str:
    """The name that recipes use for what a data set calls ``word``.

    Args:
        of_liver: whether tumors of the data set are those of the liver.
    """
    name = re.sub(r"[_\s]+", " ", word.strip().lower())
    if of_liver and name in {"cancer", "tumor", "tumour", "tumors", "tumours", "lesion", "lesions"}:
        return LIVER_TUMOUR
    if name in {"liver tumor", "liver lesion", "liver lesions", "liver tumors"}:
        return LIVER_TUMOUR
    side = re.fullmatch(r"(.+) (left|right)", name)
    joined = re.fullmatch(r"(left|right)(kidney|lung|surrenalgland)", name)
    if joined:
        return " ".join(joined.groups())
    return f"{side.group(2)} {side.group(1)}" if side else name


LIVER, SPLEEN, LIVER_TUMOUR = "liver", "spleen", "liver tumour"


def mask_structure(path: Path) -> str:
    """The structure of a mask's file or folder: ``livertumor03`` is a liver tumor, ``kidney_left.nii.gz`` the
    left kidney.
    """
    word = stem(path) if path.is_file() else path.name
    if re.fullmatch(r"livertumou?rs?\d*", word.lower()):
        return LIVER_TUMOUR
    return structure_name(word, of_liver=False)
