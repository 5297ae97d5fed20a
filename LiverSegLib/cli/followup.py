"""``liverseg followup``: two or more dates of one patient, compared lesion by lesion."""

import json
import os
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Mapping, Optional, Sequence, Tuple

import typer
from rich.table import Table
from rich.text import Text

from ..cancelling import Ask, while_checking
from ..errors import UsageError
from ..sentences import Sentence
from .console import Console, files_table, numbers_table
from .interrupts import JUDGING, PICTURES, Interrupts, load
from .options import (
    Device,
    DeviceName,
    Engine,
    EngineName,
    Json,
    Modality,
    ModalityName,
    Model,
    Quiet,
    Threads,
)
from .progress import ProgressBar
from .segment import limit_threads

if TYPE_CHECKING:
    from ..followup import FollowUp, Visit
    from ..followup.reading import Given

READ_SHARE, COMPARE_SHARE = 0.6, 0.95
"""Shares of the progress bar: up to where scans are read and segmented, and up to where they are compared."""

Sources = Annotated[
    List[Path],
    typer.Argument(
        metavar="INPUT...",
        help="Two or more: scans (files, DICOM folders, also zipped), or folders that `liverseg segment` "
        "wrote.",
    ),
]
Output = Annotated[
    Path,
    typer.Option(
        "--output", "-o", metavar="FOLDER", help="Folder for the comparison: all files are written or none."
    ),
]
Dates = Annotated[
    str,
    typer.Option(
        metavar="DATE,DATE",
        help="Date of each input, as 2026-11-30, in place of what the DICOM headers say.",
    ),
]
Scans = Annotated[
    Optional[List[str]],
    typer.Option(
        "--scan",
        metavar="RESULT=SCAN",
        help="Where the scan of a result lies now, if it was moved; may be given for each.",
    ),
]
SeriesOf = Annotated[
    Optional[List[str]],
    typer.Option(
        "--series",
        metavar="FOLDER=UID",
        help="Which DICOM series of a folder that holds several; may be given for each, also twice for a "
        "folder that is given twice. `liverseg series` lists them.",
    ),
]
Anyway = Annotated[
    bool, typer.Option("--anyway", help="Compare livers that do not fit onto each other, too.")
]


def followup(
    context: typer.Context,
    sources: Sources,
    output: Output,
    dates: Dates = "",
    scans: Scans = None,
    series: SeriesOf = None,
    anyway: Anyway = False,
    modality: Modality = ModalityName.auto,
    device: Device = DeviceName.auto,
    engine: Engine = EngineName.auto,
    model: Model = "default",
    threads: Threads = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare two or more dates of one patient.

    Livers are registered, lesions matched: sizes over time, what is new or gone, RECIST 1.1 of the liver.
    """
    from ..followup import compare
    from ..followup.files import check_followup_folder
    from ..followup.reading import given_from
    from ..outputs import reserve

    given = given_from(sources, _parts(dates), parse_scans(scans or []), parse_series(series or []))
    how: Dict[str, Any] = {
        "model": model, "device": device.value, "engine": engine.value, "threads": threads or 0,
    }  # fmt: skip
    console = Console(json=json_, quiet=quiet, debug=context.obj)
    with Interrupts() as interrupts:
        with reserve(output) as reservation:
            check_followup_folder(reservation)
            with ProgressBar(console.aside, shown=not quiet) as bar:
                bar(0.0, "start", "Starting")
                limit_threads(threads)
                visits = _read(given, how, modality.value, bar, interrupts)

                def tell(share: float, stage: str, text: str) -> None:
                    if stage != "done":
                        bar(READ_SHARE + (COMPARE_SHARE - READ_SHARE) * share, stage, text)

                found = compare(visits, anyway=anyway, progress=tell, cancel=interrupts.requested)
                load(*JUDGING, *PICTURES, "LiverSegLib.followup.page")
                with interrupts.at_once():
                    bar(COMPARE_SHARE, "write", "Drawing and writing the comparison")
                    files = _write(found, reservation)
                bar(1.0, "done", "Done")
        # Written: a request to stop that comes now is too late, and ends nothing.
        console.answer(_answer(output, files))
        console.show(*_view(found), "", files_table(files))
        console.warn(list(found.warnings))


def parse_scans(texts: Sequence[str]) -> Dict[str, Path]:
    """Return folder of a result -> its scan, of texts "RESULT=SCAN".

    Raises:
        UsageError: one is not of that form.

    >>> parse_scans(["results/first=scans/first.nii.gz"])["results/first"].name
    'first.nii.gz'
    """
    found = {}
    for text in texts:
        folder, sign, scan = text.partition("=")
        if not (folder and sign and scan):
            raise UsageError(
                f'"{text}" does not say which scan belongs to which result, as RESULT=SCAN does.'
            )
        found[folder] = Path(scan)
    return found


def parse_series(texts: Sequence[str]) -> List[Tuple[str, str]]:
    """Return folder and series of texts "FOLDER=SERIES".

    Raises:
        UsageError: one is not of that form.

    >>> parse_series(["march=4", "june=1.2.840.1:2"])
    [('march', '4'), ('june', '1.2.840.1:2')]
    """
    found = []
    for text in texts:
        folder, sign, series = (part.strip() for part in text.partition("="))
        if not (folder and sign and series):
            raise UsageError(f'"{text}" does not say which series of which folder, as FOLDER=UID does.')
        found.append((folder, series))
    return found


def _parts(text: str) -> List[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _read(
    given: "Sequence[Given]",
    how: Mapping[str, Any],
    modality: str,
    bar: ProgressBar,
    interrupts: Interrupts,
) -> "List[Visit]":
    """Every input as a date: results are read first, since that fails early; one model segments the rest."""
    from ..followup.reading import segment_scan

    found: "Dict[int, Visit]" = {}
    for index, item in enumerate(given):
        if item.is_result:
            bar(0.0, "read", "Reading the results")
            found[index] = while_checking(partial(_read_result, item), interrupts.check)
    scans = [index for index in range(len(given)) if index not in found]
    if scans:
        import LiverSegLib

        segmenter = while_checking(lambda ask: LiverSegLib.Segmenter(**how), interrupts.check)
    for count, index in enumerate(scans):
        begin = READ_SHARE * count / len(scans)
        name = given[index].path.name

        def tell(share: float, stage: str, text: str, begin: float = begin, name: str = name) -> None:
            if stage != "done":
                bar(begin + READ_SHARE / len(scans) * share, f"{name} {stage}", f"{name}: {text}")

        found[index] = segment_scan(
            given[index], segmenter, modality=modality, progress=tell, cancel=interrupts.requested
        )
    return [found[index] for index in range(len(given))]


def _read_result(item: "Given", ask: Ask) -> "Visit":
    from ..followup.reading import read_result

    return read_result(item)


def _write(found: "FollowUp", reservation: Any) -> Dict[str, Path]:
    from LiverSegLib import __version__

    from ..followup.files import write_followup

    created = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return write_followup(found, reservation, version=__version__, created=created)


def _answer(folder: Path, files: Mapping[str, Path]) -> Dict[str, Any]:
    """The JSON object: followup.json as it was written, with the files' paths instead of their hashes."""
    content = json.loads(files["follow-up"].read_text(encoding="utf-8"))
    for key in ("liverseg", "files"):
        content.pop(key)
    paths = {key: str(path) for key, path in files.items()}
    return {"folder": os.path.abspath(folder), "files": paths, **content}


def _view(found: "FollowUp") -> List[Any]:
    parts: List[Any] = [_lesion_table(found), "", _sum_table(found)]
    for visit, response in zip(found.visits[1:], found.responses):
        parts += [Text(f"{visit.title}: {reason}") for reason in response.reasons]
    return [*parts, Text(Sentence("recist.of-liver"), style="dim")]


def _lesion_table(found: "FollowUp") -> Table:
    table = numbers_table("Lesions: ml, longest diameter in mm, change of the diameter since first seen")
    table.add_column("No.", justify="right")
    for visit in found.visits:
        table.add_column(visit.title, justify="right")
    for course in found.courses:
        cells = []
        for index, at in enumerate(course.dates):
            change = course.change("longest_mm", index)
            words = [at.status] if not at.numbers else [f"{at.volume_ml:.1f} ml", f"{at.longest_mm:.1f} mm"]
            words += [] if change is None or not at.numbers else [f"{change:+.0f} %"]
            cells.append(", ".join([*words, *at.events]))
        table.add_row(f"{course.number}{' target' if course.is_target else ''}", *cells)
    return table


def _sum_table(found: "FollowUp") -> Table:
    table = numbers_table("Over time")
    for heading in (
        "Date",
        "Sum\n(mm)",
        "First\ndate",
        "Smallest",
        "Liver\n(ml)",
        "Tumors\n(ml)",
        "RECIST 1.1",
    ):
        table.add_column(heading, justify="left" if heading in ("Date", "RECIST 1.1") else "right")
    for index, visit in enumerate(found.visits):
        response = found.responses[index - 1] if index else None
        organs = [visit.result.measurements.organ(key) for key in ("liver", "tumour")]
        table.add_row(
            visit.title,
            _number(found.sums_mm[index]),
            _percent(response.change_percent if response else None),
            _percent(response.from_nadir_percent if response else None),
            *(f"{organ.volume_ml:.1f}" if organ.segmented else "" for organ in organs),
            (response.category or "nothing to judge") if response else "first date",
        )
    return table


def _number(value: Optional[float]) -> str:
    return "" if value is None else f"{value:.1f}"


def _percent(value: Optional[float]) -> str:
    return "" if value is None else f"{value:+.0f} %"
