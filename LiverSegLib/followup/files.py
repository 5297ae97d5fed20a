"""The comparison as files: JSON, a table, the page."""

import csv
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union

from ..outputs import FileSet, Reservation, write_file_set
from ..outputs.atomic import PathLike, check_room
from ..outputs.file_set import Writer, in_words, refuse_to_overwrite, reserved
from .comparison import FollowUp

FOLLOWUP = FileSet(index="followup.json", content="follow-up")
TABLE, PAGE = "followup.csv", "followup.html"
EXPECTED_BYTES = 16_000_000
"""Room that the files may take."""

COLUMNS = (
    "lesion", "target", "date", "scan", "status", "events", "lesions_of_scan", "volume_ml",
    "longest_diameter_mm", "perpendicular_mm", "mean_hu", "volume_change_percent",
    "volume_change_from_smallest_percent", "diameter_change_percent",
    "diameter_change_from_smallest_percent",
)  # fmt: skip
"""Columns of followup.csv: a row for each lesion and date."""


def write_followup(
    found: FollowUp,
    folder: Union[PathLike, Reservation],
    *,
    version: str,
    created: str,
    page: Optional[str] = None,
) -> Dict[str, Path]:
    """Write a comparison: all files or none; those of an earlier one are replaced.

    Args:
        found: what to write.
        folder: made if missing; or a ``Reservation``.
        version: of LiverSeg.
        created: when it was made, for people.
        page: what ``followup_page`` made of it; drawn here if None.

    Returns:
        Key ("follow-up", "table", "page") -> path of each file.

    Raises:
        OutputError: the folder is in use, cannot be written to, or holds files of these names that are not
            ours. It is as it was before.
    """
    from .page import followup_page

    html = followup_page(found, version, created) if page is None else page
    files: Dict[str, Tuple[str, Writer]] = {
        "table": (TABLE, lambda path: _write_table(path, found)),
        "page": (PAGE, lambda path: _write_text(path, html)),
    }
    content = {"created": created, "liverseg_version": version, **found.to_dict()}
    return write_file_set(folder, FOLLOWUP, files, content)


def check_followup_folder(folder: Union[PathLike, Reservation]) -> None:
    """Find out before the work starts whether ``write_followup`` could write; nothing stays behind.

    Raises:
        OutputError: it could not.
    """
    with reserved(folder) as reservation:
        check_room(reservation, EXPECTED_BYTES)
        with in_words(reservation.folder):
            previous = FOLLOWUP.previous(reservation.folder)
            refuse_to_overwrite(reservation.folder, [FOLLOWUP.index, TABLE, PAGE], previous)


def table_rows(found: FollowUp) -> List[Dict[str, Any]]:
    """Return the rows of followup.csv, unrounded."""
    rows = []
    for course in found.courses:
        for index, (at, visit) in enumerate(zip(course.dates, found.visits)):
            changes: List[Optional[float]] = [
                course.change(what, index, nadir=nadir)
                for what in ("volume_ml", "longest_mm")
                for nadir in (False, True)
            ]
            values = (
                course.number, int(course.is_target), visit.date, visit.name, at.status, " ".join(at.events),
                " ".join(str(number) for number in at.numbers), at.volume_ml, at.longest_mm,
                at.perpendicular_mm, at.mean_hu, *changes,
            )  # fmt: skip
            rows.append(dict(zip(COLUMNS, values)))
    return rows


def _write_table(path: Path, found: FollowUp) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for row in table_rows(found):
            writer.writerow({key: _rounded(value) for key, value in row.items()})


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.4f}"
    return "" if value is None else value


def _write_text(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "replace"))
