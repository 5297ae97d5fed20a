"""Fatty-liver readings of many cases as a table, whoever made them.

A table is a CSV file (commas, semicolons or tabs; with the latter two also decimal commas), one row a case:

=============  ==================================================================================
``case``       name of the case
``ratio``      liver/spleen attenuation ratio
``liver_hu``   mean attenuation of the liver in HU
``spleen_hu``  mean attenuation of the spleen in HU
``grade``      normal, mild, moderate or severe (or 0, 1, 2, 3); empty: not graded
=============  ==================================================================================

``case`` and at least one more of these are needed; other columns are ignored. Headings may be written in
capitals and with units, such as "Liver (HU)". A ratio that is missing is computed from liver and spleen.
"""

import csv
import io
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, NamedTuple, Optional, Union

from ..errors import InputError, UnreadableImageError
from ..steatosis.assessment import GRADES

CASE, GRADE = "case", "grade"

CASE_FILE = "steatosis.csv"
"""The table of one case that ``liverseg steatosis`` writes."""


class Quantity(NamedTuple):
    """A number that both ways measure: column, name and unit, decimals worth showing."""

    key: str
    name: str
    unit: str
    decimals: int


QUANTITIES = (
    Quantity("ratio", "Liver/spleen ratio", "", 3),
    Quantity("liver_hu", "Liver", "HU", 1),
    Quantity("spleen_hu", "Spleen", "HU", 1),
)
"""What can be compared as numbers, in the order in which it is shown."""

_ALIASES = {
    "case": ("case", "case_id", "id", "name", "scan", "patient", "study"),
    "ratio": ("ratio", "liver_spleen_ratio", "liver_to_spleen_ratio", "l_s_ratio", "ls_ratio", "l_s"),
    "liver_hu": ("liver_hu", "liver", "liver_mean_hu", "mean_liver_hu"),
    "spleen_hu": ("spleen_hu", "spleen", "spleen_mean_hu", "mean_spleen_hu"),
    "grade": ("grade", "steatosis_grade", "grading"),
}
_GRADE_WORDS = {**{grade: grade for grade in GRADES}, **{str(n): grade for n, grade in enumerate(GRADES)}}
_NO_VALUE = ("", "-", "–", "na", "n/a", "nan", "none", "not graded")


@dataclass(frozen=True)
class Reading:
    """What one way says of a case; None where it says nothing.

    Attributes:
        case: its name.
        ratio: liver/spleen.
        liver_hu, spleen_hu: HU.
        grade: one of ``GRADES``.
    """

    case: str
    ratio: Optional[float] = None
    liver_hu: Optional[float] = None
    spleen_hu: Optional[float] = None
    grade: Optional[str] = None


@dataclass(frozen=True)
class Readings:
    """The readings of a table, by case.

    Attributes:
        path: where they come from.
        by_case: case -> reading, in the table's order.
    """

    path: str
    by_case: Mapping[str, Reading]


def read_readings(path: Union[str, "os.PathLike[str]"]) -> Readings:
    """Read a table of readings.

    Args:
        path: A CSV file; or a folder, in which every ``CASE_FILE`` at any depth is read, as one table.

    Raises:
        UnreadableImageError: no such file or folder, no table in the folder, or it cannot be read.
        InputError: it is no such table; the sentence says where and why.
    """
    path = Path(path)
    if not path.is_dir():
        return _read_table(path)
    tables = [_read_table(file) for file in sorted(path.rglob(CASE_FILE))]
    if not tables:
        raise UnreadableImageError(f"There is no {CASE_FILE} in the folder {path}.")
    by_case: Dict[str, Reading] = {}
    where: Dict[str, str] = {}
    for table in tables:
        for case, reading in table.by_case.items():
            if case in by_case:
                raise InputError(
                    f'The case "{case}" is in {where[case]} and in {table.path}; '
                    "`liverseg steatosis --case NAME` gives cases names of their own."
                )
            by_case[case], where[case] = reading, table.path
    return Readings(str(path), by_case)


def _read_table(path: Path) -> Readings:
    rows = _rows(_text(path), path)
    if not rows:
        raise InputError(f"{path} is empty.")
    heading, lines = rows[0], rows[1:]
    places = _columns(heading, path)
    if not lines:
        raise InputError(f"{path} has headings but no case.")
    by_case: Dict[str, Reading] = {}
    seen: Dict[str, int] = {}
    for line in lines:
        _require_no_more_cells(line, heading, path)
        reading = _reading(line, places, path)
        if reading.case in seen:
            where = f"{seen[reading.case]} and {line.number}"
            raise InputError(f'{path} has the case "{reading.case}" twice, in lines {where}.')
        seen[reading.case] = line.number
        by_case[reading.case] = reading
    return Readings(str(path), by_case)


class _Row(NamedTuple):
    number: int
    cells: List[str]
    delimiter: str


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise UnreadableImageError(f"There is no file {path}.") from error
    except OSError as error:
        raise UnreadableImageError(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(_not_csv(path), str(error)) from error
    if "\0" in text:
        raise InputError(_not_csv(path))
    return text


def _not_csv(path: Path) -> str:
    return f"{path} is not a CSV file in UTF-8; save the sheet as CSV (UTF-8) and try again."


def _rows(text: str, path: Path) -> List[_Row]:
    """The rows that hold anything, with their line numbers; the heading tells the delimiter."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    try:
        rows = [_Row(reader.line_num, [cell.strip() for cell in cells], delimiter) for cells in reader]
    except csv.Error as error:
        raise InputError(f"{path} cannot be read as CSV: {error}.") from error
    return [row for row in rows if any(row.cells)]


def _columns(heading: _Row, path: Path) -> Dict[str, int]:
    """Our name of a column -> its place."""
    names = [re.sub(r"[^a-z0-9]+", "_", cell.lower()).strip("_") for cell in heading.cells]
    places: Dict[str, int] = {}
    for key, aliases in _ALIASES.items():
        found = [place for place, name in enumerate(names) if name in aliases]
        exact = [place for place in found if names[place] == key]
        if len(exact or found) > 1:
            raise InputError(f"{path} has more than one column for {key}.")
        if found:
            places[key] = (exact or found)[0]
    given = ", ".join(f'"{cell}"' for cell in heading.cells[:12])
    if CASE not in places:
        raise InputError(f'{path} has no column "case"; its first line reads {given}.')
    if len(places) == 1:
        wanted = ", ".join([*(quantity.key for quantity in QUANTITIES), GRADE])
        raise InputError(f"{path} has none of the columns {wanted}; its first line reads {given}.")
    return places


def _require_no_more_cells(row: _Row, heading: _Row, path: Path) -> None:
    """A decimal comma in a table whose cells commas divide makes two cells of one number."""
    filled = max((place + 1 for place, cell in enumerate(row.cells) if cell), default=0)
    if filled > len(heading.cells):
        raise InputError(
            f"{path}, line {row.number}: it has {filled} cells, the headings are {len(heading.cells)}. "
            "Numbers with decimal commas need semicolons between the cells."
        )


def _reading(row: _Row, places: Mapping[str, int], path: Path) -> Reading:
    def cell(key: str) -> str:
        place = places.get(key)
        return row.cells[place] if place is not None and place < len(row.cells) else ""

    where = f"{path}, line {row.number}"
    if not cell(CASE):
        raise InputError(f"{where}: the case has no name.")
    numbers = {
        quantity.key: _number(cell(quantity.key), quantity.key, where, decimal_comma=row.delimiter != ",")
        for quantity in QUANTITIES
    }
    liver, spleen = numbers["liver_hu"], numbers["spleen_hu"]
    if numbers["ratio"] is None and liver is not None and spleen is not None and spleen > 0:
        numbers["ratio"] = liver / spleen
    return Reading(cell(CASE), **numbers, grade=_grade(cell(GRADE), where))


def _number(text: str, key: str, where: str, *, decimal_comma: bool) -> Optional[float]:
    if text.lower() in _NO_VALUE:
        return None
    plain = text.replace("−", "-")
    if decimal_comma and "." not in plain:
        plain = plain.replace(",", ".", 1)
    try:
        value = float(plain)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f'{where}: the {key} "{text}" is not a number.')
    return value


def _grade(text: str, where: str) -> Optional[str]:
    word = text.lower()
    if word in _NO_VALUE:
        return None
    if word not in _GRADE_WORDS:
        raise InputError(
            f'{where}: the grade "{text}" is none of {", ".join(GRADES)} (or 0 to {len(GRADES) - 1}).'
        )
    return _GRADE_WORDS[word]
