"""A cohort as a table (CSV): the columns ``path``, ``id``, ``series``, ``modality``, and any others."""

import csv
import os
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from ..errors import InputError
from ..images.modality import CT, MR
from .case import Case, safe_name

KNOWN = ("path", "id", "series", "modality")
"""Columns that mean something here; only ``path`` must be there. Others are carried into the tables."""


def read_case_list(path: Path) -> Tuple[Case, ...]:
    """Return the cases of a list, in its order.

    The separator is a comma, a semicolon or a tab, whichever the first line has. Paths are relative to the
    list's folder. Without ``id`` a case is named by its path.

    Raises:
        InputError: it is no table, has no column ``path``, a row without a path, or two cases of one name.
            Whether the scans are there is seen case by case.
    """
    cases: List[Case] = []
    lines: Dict[str, int] = {}
    for line, row in _rows(path):
        case = _case(path, line, row)
        first = lines.setdefault(case.name.lower(), line)
        if first != line:
            raise InputError(
                f'{path} has the case "{case.name}" twice, in lines {first} and {line}: the column "id" must '
                f"tell them apart."
            )
        cases.append(case)
    return tuple(cases)


def _rows(path: Path) -> List[Tuple[int, Dict[str, str]]]:
    """Line number and cells of each row that is not empty."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            separator = max(",;\t", key=first.count)
            file.seek(0)
            reader = csv.reader(file, delimiter=separator, strict=True)
            heads = [head.strip() for head in next(reader, [])]
            found = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as a CSV table in UTF-8.", str(error)) from error
    heads = [head.lower() if head.lower() in KNOWN else head for head in heads]
    if "path" not in heads:
        raise InputError(f'{path} needs a column "path"; it has {", ".join(filter(None, heads)) or "none"}.')
    twice = next((head for head in heads if head and heads.count(head) > 1), None)
    if twice is not None:
        raise InputError(f'{path} has the column "{twice}" twice.')
    for line, cells in found:
        if len(cells) > len(heads):
            raise InputError(f"{path} has {len(cells)} cells in line {line} under {len(heads)} headings.")
    return [(line, {head: cell.strip() for head, cell in zip(heads, cells)}) for line, cells in found]


def _case(path: Path, line: int, row: Dict[str, str]) -> Case:
    source = row.get("path", "")
    if not source:
        raise InputError(f"{path} has no path in line {line}.")
    modality = _modality(path, line, row.get("modality", ""))
    is_remote = source.startswith(("http://", "https://"))
    place = source if is_remote else os.path.abspath(os.path.join(path.parent, os.path.expanduser(source)))
    series = row.get("series") or None
    name = row.get("id") or (f"{source}/{series}" if series else source)
    more = tuple((head, text) for head, text in row.items() if head and head not in KNOWN)
    return Case(safe_name(_stem(name)), place, series, modality, more)


def _modality(path: Path, line: int, text: str) -> Optional[str]:
    if text and text.upper() not in (CT, MR):
        raise InputError(f'{path} has the modality "{text}" in line {line}; there are {CT} and {MR}.')
    return text.upper() or None


def _stem(name: str) -> str:
    from ..images.files import VOLUMES

    return next((name[: -len(end)] for end in VOLUMES if name.lower().endswith(end)), name)
