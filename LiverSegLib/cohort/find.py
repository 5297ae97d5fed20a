"""The scans below a folder: volume files whose names do not say that they hold labels, and DICOM series."""

import os
from pathlib import Path
from typing import List, Sequence, Tuple

from ..errors import LiverSegError
from ..evaluation.case_files import names_labels
from ..images.files import VOLUMES
from .case import Case, safe_name
from .sources import Found

_RESULT = "measurements.json"
"""A folder with this file holds LiverSeg's results, not scans."""


def find_in_folder(root: Path, leave_out: Sequence[Path] = ()) -> Found:
    """Return the scans below ``root``, named by their way from it.

    Of DICOM every folder is looked at for itself: each suitable series is a case.

    Args:
        root: a folder.
        leave_out: folders in it that are not entered.
    """
    cases: List[Case] = []
    left_out: List[Tuple[str, str]] = []
    barred = {os.path.realpath(path) for path in leave_out}
    for place, folders, names in os.walk(root):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(os.path.join(place, name)) not in barred
        )
        if _RESULT in names:
            folders[:] = []
            continue
        seen = [name for name in sorted(names) if not name.startswith(".") and name != "DICOMDIR"]
        volumes = [name for name in seen if name.lower().endswith(VOLUMES)]
        cases += [_of_file(root, place, name) for name in volumes if not names_labels(name)]
        if any(_is_dicom(os.path.join(place, name)) for name in seen if name not in volumes):
            found, others = _of_dicom(root, place)
            cases += found
            left_out += others
    return Found(tuple(cases), tuple(left_out))


def _of_file(root: Path, place: str, name: str) -> Case:
    path = os.path.join(place, name)
    stem = next(name[: -len(end)] for end in VOLUMES if name.lower().endswith(end))
    way = os.path.relpath(place, root)
    return Case(safe_name(stem if way == "." else f"{way}/{stem}"), os.path.abspath(path))


def _of_dicom(root: Path, place: str) -> Tuple[List[Case], List[Tuple[str, str]]]:
    """The suitable series of the files that lie in ``place`` itself, and why the others are not."""
    from ..images import list_series

    way = os.path.relpath(place, root)
    name, source = os.path.basename(os.path.abspath(root)) if way == "." else way, os.path.abspath(place)
    try:
        listed = list_series(place)
    except LiverSegError:  # damaged: the case fails with the sentence that the user would get for it alone
        return [Case(safe_name(name), source)], []
    here = [info for info in listed if any(os.path.dirname(path) == source for path in info.files)]
    usable = [info for info in here if info.suitable]
    others = [(f"{source}: series {info.line()}", info.reason) for info in here if not info.suitable]
    if len(usable) == 1:
        return [Case(safe_name(name), source, usable[0].uid)], others
    return [
        Case(safe_name(f"{name}/{info.number if info.number is not None else info.uid}"), source, info.uid)
        for info in usable
    ], others


def _is_dicom(path: str) -> bool:
    """Whether a file starts like DICOM; one that cannot be opened does not."""
    from ..images.dicom import is_dicom

    try:
        return path.lower().endswith((".dcm", ".dicom", ".ima")) or is_dicom(path)
    except OSError:
        return False
