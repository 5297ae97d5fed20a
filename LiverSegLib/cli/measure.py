"""``liverseg measure``: the numbers, lesions and report of a segmentation that is there already."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Dict, List, Optional

import typer

from ..cancelling import while_checking
from ..errors import UnreadableImageError, UsageError
from .console import Console
from .interrupts import JUDGING, PICTURES, SURFACES, Interrupts, load
from .options import Json, Modality, ModalityName, Quiet, Series, Source
from .progress import ProgressBar
from .segment import NoReport, assessed, identity, tell_result

MEASURED_SHARE = 0.6
"""Share of the progress bar at which measuring is done."""

Segmentation = Annotated[
    Path,
    typer.Argument(
        metavar="SEGMENTATION",
        help="Its segmentation: NIfTI, NRRD, MetaImage, DICOM Segmentation or RT Structure Set.",
    ),
]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Folder for the results.")]
Segments = Annotated[
    Optional[List[str]],
    typer.Option(
        "--segment",
        metavar="NAME=STRUCTURE",
        help="What a segment (name, number or value) is: liver, spleen, tumor or none; may be repeated.",
    ),
]


def measure(
    context: typer.Context,
    source: Source,
    segmentation: Segmentation,
    output: Output,
    segment: Segments = None,
    series: Series = None,
    modality: Modality = ModalityName.auto,
    no_report: NoReport = False,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure a segmentation that is there already; no model runs.

    Writes the same files as `liverseg segment`: mask, volumes, lesions, fatty liver, report.
    """
    from ..given_result import measure_segmentation
    from ..outputs import check_output_folder, reserve, write_results

    told = told_segments(segment)
    for path in (source, segmentation):
        if not path.exists():
            raise UnreadableImageError(f"There is no file or folder {path}.")
    console = Console(json=json_, quiet=quiet, debug=context.obj)
    report = not no_report
    wanted: Dict[str, Any] = {"report": report, "rendering": report}
    with Interrupts() as interrupts:
        with ExitStack() as stack:
            reservation = stack.enter_context(reserve(output))
            check_output_folder(reservation, **wanted, scan=lambda: identity(source, series, modality.value))
            with ProgressBar(console.aside, shown=not quiet) as bar:
                bar(0.0, "read", "Reading the scan and its segmentation")
                load(*JUDGING, *(PICTURES + SURFACES if report else ()))
                with interrupts.at_once():
                    result = while_checking(
                        lambda ask: measure_segmentation(
                            source, segmentation, segments=told, series=series, modality=modality.value
                        ),
                        interrupts.check,
                    )
                    result, steatosis = while_checking(lambda ask: assessed(result), interrupts.check)
                    doing = "Drawing and writing the results" if report else "Writing the results"
                    bar(MEASURED_SHARE, "write", doing)
                    files = write_results(result, reservation, steatosis=steatosis, **wanted)
                bar(1.0, "done", "Done")
        tell_result(console, output, result, steatosis, files)


def told_segments(given: Optional[List[str]]) -> Dict[str, str]:
    """Return what ``--segment`` says: name -> structure.

    Raises:
        UsageError: one of them is not NAME=STRUCTURE.

    >>> told_segments(["Leber=liver", "a=b=none"])
    {'Leber': 'liver', 'a=b': 'none'}
    """
    told: Dict[str, str] = {}
    for text in given or []:
        name, mark, word = text.rpartition("=")
        if not mark or not name.strip() or not word.strip():
            raise UsageError(f'A segment is told as NAME=STRUCTURE, for example L1=tumor, not "{text}".')
        told[name.strip()] = word.strip()
    return told
