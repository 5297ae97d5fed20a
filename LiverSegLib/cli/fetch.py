"""``liverseg fetch``: a series from a DICOMweb server into a folder, or a list of what the server has."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Optional, Sequence

import typer
from rich.table import Table
from rich.text import Text

from ..errors import ServerError, UsageError
from ..sentences import Sentence
from .console import Console, Facts, numbers_table
from .dicomweb_options import TIMEOUT_S, Certificates, Timeout, Unencrypted, Url, connection_to, megabytes
from .interrupts import Interrupts
from .options import Json, Quiet
from .progress import ProgressBar

if TYPE_CHECKING:
    from ..dicomweb import SeriesFound

DATE = "Study date"
"""Heading of the column that is never broken."""

Folder = Annotated[
    Optional[Path],
    typer.Option("--output", "-o", metavar="FOLDER", help="Where the series goes: an empty or a new folder."),
]
Patient = Annotated[
    Optional[str], typer.Option(metavar="ID", help="Patient ID; * stands for any letters, ? for one.")
]
Study = Annotated[Optional[str], typer.Option(metavar="UID", help="Study Instance UID.")]
SeriesUid = Annotated[
    Optional[str], typer.Option("--series", metavar="UID", help="Series Instance UID; --list shows them.")
]
Kind = Annotated[Optional[str], typer.Option("--modality", metavar="CT|MR|...", help="Kind of the series.")]
From = Annotated[Optional[str], typer.Option("--from", metavar="DATE", help="First date, as 2024-01-31.")]
To = Annotated[Optional[str], typer.Option("--to", metavar="DATE", help="Last date.")]
Description = Annotated[
    Optional[str], typer.Option(metavar="WORDS", help="Words that the series description holds.")
]
List_ = Annotated[bool, typer.Option("--list", help="List the series that match, and fetch none.")]
ShowPatient = Annotated[
    bool, typer.Option("--show-patient", help="Also list name and ID of the patients, else left out.")
]


def fetch(
    context: typer.Context,
    url: Url,
    output: Folder = None,
    patient: Patient = None,
    study: Study = None,
    series: SeriesUid = None,
    modality: Kind = None,
    first: From = None,
    last: To = None,
    description: Description = None,
    list_: List_ = False,
    show_patient: ShowPatient = False,
    ca: Certificates = None,
    timeout: Timeout = TIMEOUT_S,
    unencrypted: Unencrypted = False,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fetch a series from a DICOMweb server.

    Of several series that match, the one that can be segmented is chosen. The login comes from the
    environment: LIVERSEG_DICOMWEB_USER and LIVERSEG_DICOMWEB_PASSWORD, or LIVERSEG_DICOMWEB_TOKEN.
    """
    if list_ == (output is not None):
        raise UsageError("Give either -o FOLDER, to fetch a series, or --list.")
    connection = connection_to(url, ca, timeout, unencrypted)
    from ..dicomweb import Query, choose_series, fetch_series, query_series

    query = Query(patient, study, series, modality, first, last, description)
    console = Console(json=json_, quiet=quiet, debug=context.obj)
    with Interrupts() as interrupts, ProgressBar(console.aside, shown=not (json_ or quiet)) as bar:
        bar(0.0, "query", f"Asking {connection.host}")
        found = query_series(connection, query, cancel=interrupts.requested)
        if output is not None:
            chosen = choose_series(connection, found, progress=bar.part(0.2), cancel=interrupts.requested)
            paths = fetch_series(
                connection, chosen, output, progress=_rest_of(bar), cancel=interrupts.requested
            )
    if output is None:
        _list(console, connection.host, found, show_patient)
        return
    size = sum(path.stat().st_size for path in paths)
    console.answer(
        {"series": _content(chosen, show_patient), "folder": str(output), "files": len(paths), "bytes": size}
    )
    facts = Facts("Fetched")
    facts.add_row("series", Text(chosen.line()))
    facts.add_row("files", Text(f"{len(paths)}, {megabytes(size)}"))
    facts.add_row("folder", str(output))
    console.show(facts)


def _rest_of(bar: ProgressBar) -> Any:
    """What is left of the bar after the choice of a series."""

    def progress(fraction: float, stage: str, text: str) -> None:
        bar(0.2 + 0.8 * fraction, stage, text)

    return progress


def _list(console: Console, host: str, found: "Sequence[SeriesFound]", patients: bool) -> None:
    """Raises:
    ServerError: nothing was found.
    """
    if not found:
        raise ServerError(Sentence("dicomweb.nothing", host=host))
    console.answer({"series": [_content(item, patients) for item in found]})
    lines: List[Text] = []
    for item in found:
        lines += [Text(item.line()), Text(f"  --series {item.series_uid}")]
    console.show(_table(found, patients), *lines)


def _table(found: "Sequence[SeriesFound]", patients: bool) -> Table:
    table = numbers_table("Series")
    headings = [DATE, "Study", "No.", "Series", "Kind", "Images"]
    for heading in (["Patient", "Patient ID"] if patients else []) + headings:
        table.add_column(heading, overflow="fold", no_wrap=heading == DATE)
    for item in found:
        row = [
            _date(item.date),
            item.study_description,
            "" if item.number is None else str(item.number),
            item.description,
            item.modality,
            "" if item.images is None else str(item.images),
        ]
        who = [item.patient_name.replace("^", " "), item.patient_id] if patients else []
        table.add_row(*(Text(cell) for cell in who + row))
    return table


def _content(item: "SeriesFound", patients: bool) -> Dict[str, Any]:
    """A series as JSON-ready data."""
    content: Dict[str, Any] = {
        "study_uid": item.study_uid,
        "series_uid": item.series_uid,
        "modality": item.modality,
        "number": item.number,
        "description": item.description,
        "study_description": item.study_description,
        "date": item.date,
        "images": item.images,
    }
    if patients:
        content.update(patient_id=item.patient_id, patient_name=item.patient_name)
    return content


def _date(digits: str) -> str:
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}" if len(digits) == 8 else digits
