"""``liverseg series``: the DICOM series in a folder, as a table or JSON."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, List

import typer
from rich.table import Table
from rich.text import Text

from ..cancelling import while_checking
from ..errors import UnreadableImageError
from .console import Console, numbers_table, series_choice, series_content
from .options import Json

if TYPE_CHECKING:
    from ..images import SeriesInfo


def series(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A folder of DICOM files, or a zip archive of one.")
    ],
    json_: Json = False,
) -> None:
    """List the DICOM series in a folder.

    Says of each whether it can be segmented, and if not, why.
    """
    from ..images import list_series
    from ..images.unpacking import is_archive

    if not folder.is_dir() and not (folder.is_file() and is_archive(str(folder))):
        raise UnreadableImageError(f"There is no folder {folder}.")
    found = while_checking(lambda ask: list_series(folder), lambda: None)  # so that Ctrl-C acts at once
    if not found:
        raise UnreadableImageError(f"There are no DICOM images in {folder}.")
    console = Console(json=json_, debug=context.obj)
    console.answer({"series": [series_content(series) for series in found]})
    usable = [series for series in found if series.suitable]
    console.show(_series_table(found), *(line for series in usable for line in series_choice(series)))


def _series_table(found: "List[SeriesInfo]") -> Table:
    table = numbers_table("Series")
    for heading in ("No.", "Description", "Kind", "Size", "Spacing (mm)", "Phase", "Usable"):
        table.add_column(heading, overflow="fold")
    for series in found:
        table.add_row(
            "" if series.number is None else series.name,
            Text(series.told if series.description or series.part else ""),
            series.modality,
            "x".join(str(n) for n in series.size),
            "x".join(f"{s:.2f}".rstrip("0").rstrip(".") for s in series.spacing),
            series.phase_hint or "",
            Text("yes" if series.suitable else series.reason or "no"),
        )
    return table
