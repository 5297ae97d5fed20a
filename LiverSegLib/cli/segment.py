"""``liverseg segment``: from a scan to a folder of results, and the table that names them."""

import json
import os
import re
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Mapping, Optional, Sequence, Tuple

import typer
from rich.table import Table
from rich.text import Text

from ..cancelling import while_checking
from ..dicom import require_dicom_source
from ..errors import ModelError, UnreadableImageError
from ..sentences import key_of
from .console import Console, Facts, files_table, numbers_table
from .interrupts import JUDGING, PICTURES, SURFACES, Interrupts, load
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
    Series,
    Source,
    Threads,
)
from .progress import ProgressBar
from .remote import Authority, Server, TokenFile, segmented
from .steatosis_view import summary_line
from .structures_view import structure_lines

if TYPE_CHECKING:
    from ..api import Result
    from ..measure import Measurements
    from ..measure.measurements import Organ
    from ..outputs import ScanIdentity
    from ..steatosis.assessment import Assessment

WORK_SHARE = 0.9
"""Share of the progress bar that segmenting gets; drawing and writing get the rest."""

DENSE = re.compile(r"lesion\.(only-one|one|several)-dense")
"""Sentences on dense lesions in sum: not shown, as each such lesion's own stands under the table."""


class LabelFormat(str, Enum):
    """What ``--format`` takes."""

    nifti = "nii.gz"
    nrrd = "nrrd"
    mha = "mha"
    seg_nrrd = "seg.nrrd"


Output = Annotated[
    Path,
    typer.Option(
        "--output", "-o", metavar="FOLDER", help="Folder for the results: all files are written or none."
    ),
]
Format = Annotated[
    LabelFormat,
    typer.Option("--format", help="Format of the segmentation; seg.nrrd opens in 3D Slicer as such."),
]
Mirror = Annotated[
    bool, typer.Option("--mirror", help="Also segment mirrored copies and average: slower, hardly better.")
]
TumorModel = Annotated[
    Optional[str],
    typer.Option(
        "--tumors",
        metavar="NAME|FOLDER",
        help="A second model that draws the tumors, inside the liver of the first.",
    ),
]
WhichStructures = Annotated[
    str,
    typer.Option(
        metavar="all|none|NAME,NAME",
        help="What to keep beyond liver, spleen and tumors of all that a model of another program finds.",
    ),
]
NoReport = Annotated[
    bool, typer.Option("--no-report", help="Masks and numbers only: no report.html and no rendering.png.")
]
Highlight = Annotated[
    bool,
    typer.Option(
        "--highlight", help="Also write highlight.nii.gz: liver gray, tumors white, the rest black."
    ),
]
Dicom = Annotated[
    bool,
    typer.Option(
        "--dicom",
        help="Also write segmentation.dcm and measurements.dcm, DICOM objects of the patient's study: "
        "Segmentation and structured report. The scan must be DICOM.",
    ),
]
MinimumLesion = Annotated[
    Optional[float],
    typer.Option(
        metavar="ML",
        min=0.0,
        help="Leave out lesions smaller than this volume in ml. "
        "By default 0.065 (a ball of 5 mm) and those under 5 mm across, "
        "or more in contrast phases in which the model mistakes vessels for small ones.",
    ),
]


def segment(
    context: typer.Context,
    source: Source,
    output: Output,
    series: Series = None,
    modality: Modality = ModalityName.auto,
    device: Device = DeviceName.auto,
    engine: Engine = EngineName.auto,
    model: Model = "default",
    tumors: TumorModel = None,
    structures: WhichStructures = "all",
    label_format: Format = LabelFormat.nifti,
    mirror: Mirror = False,
    no_report: NoReport = False,
    highlight: Highlight = False,
    dicom: Dicom = False,
    minimum_lesion: MinimumLesion = None,
    threads: Threads = None,
    server: Server = None,
    token_file: TokenFile = None,
    authority: Authority = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Segment a CT, or an MR, and write the results.

    Liver, spleen and liver tumours become a mask, measurements, a lesion table, a picture and a report.
    """
    if not source.exists():
        raise UnreadableImageError(f"There is no file or folder {source}.")
    if dicom:
        require_dicom_source(source)
    from ..outputs import check_output_folder, reserve, write_results

    console = Console(json=json_, quiet=quiet, debug=context.obj)
    report = not no_report
    wanted: Dict[str, Any] = {
        "label_format": label_format.value, "report": report, "rendering": report, "highlight": highlight,
        "dicom": dicom,
    }  # fmt: skip
    names = chosen_structures(structures)
    with Interrupts() as interrupts:
        # The folder is held until the end: one that cannot be written to is told before the work.
        with reserve(output) as reservation:
            further = names != () and (server is not None or draws_more(model))
            check_output_folder(
                reservation,
                **wanted,
                structures=further,
                scan=lambda: identity(source, series, modality.value),
            )
            with ProgressBar(console.aside, shown=not quiet) as bar:
                bar(0.0, "start", "Starting")
                limit_threads(threads)
                result = segmented(
                    source,
                    server,
                    token_file,
                    authority,
                    model=model,
                    tumours=tumors,
                    structures=names,
                    device=device.value,
                    engine=engine.value,
                    mirror=mirror,
                    minimum_lesion_ml=minimum_lesion,
                    series=series,
                    modality=modality.value,
                    threads=threads or 0,
                    progress=bar.part(WORK_SHARE),
                    cancel=interrupts.requested,
                )
                load(*JUDGING, *(PICTURES + SURFACES if report else ()))
                with interrupts.at_once():
                    result, steatosis = while_checking(lambda ask: assessed(result), interrupts.check)
                    doing = "Drawing and writing the results" if report else "Writing the results"
                    bar(WORK_SHARE, "write", doing)
                    files = write_results(result, reservation, steatosis=steatosis, **wanted)
                bar(1.0, "done", "Done")
        # Written: a request to stop that comes now is too late, and ends nothing.
        tell_result(console, output, result, steatosis, files)


def tell_result(
    console: Console,
    folder: Path,
    result: "Result",
    steatosis: "Optional[Assessment]",
    files: Mapping[str, Path],
) -> None:
    """Say what was found and written: as JSON, or as tables and warnings."""
    content = json.loads(files["measurements"].read_text(encoding="utf-8"))
    console.answer(answer(folder, files, content))
    console.show(*summary(result, steatosis, files))
    console.warn(not_beside_a_lesion(content["warnings"], result.measurements.warnings))


def chosen_structures(text: str) -> Optional[Tuple[str, ...]]:
    """What ``--structures`` asks for, as ``LiverSegLib.segment`` takes it.

    >>> chosen_structures("all"), chosen_structures("none"), chosen_structures("aorta, gallbladder")
    (None, (), ('aorta', 'gallbladder'))
    """
    if text.strip().lower() in ("all", "none"):
        return None if text.strip().lower() == "all" else ()
    return tuple(name.strip() for name in text.split(",") if name.strip())


def draws_more(model: str) -> bool:
    """Whether a model is one of another program, which may draw more than liver, spleen and tumors."""
    from ..models import load_model
    from ..models.rules import LIVERSEG

    try:
        manifest = load_model(model).manifest
    except ModelError:  # the run says why
        return False
    return manifest is not None and manifest.pipeline != LIVERSEG


def limit_threads(threads: Optional[int]) -> None:
    """Let SimpleITK use so many processor threads at most; None: as many as it likes."""
    if threads is not None:
        import SimpleITK as sitk

        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)


def identity(source: Path, series: Optional[str], modality: str = "auto") -> "ScanIdentity":
    """Read the scan that was asked for and return who it is.

    Raises:
        InputError: It cannot be read or is no CT: told before any work.
    """
    from ..images import read_scan
    from ..outputs import ScanIdentity

    scan = while_checking(lambda ask: read_scan(source, series, modality=modality), lambda: None)
    return ScanIdentity(scan.name, scan.fingerprint)


def assessed(result: "Result") -> "Tuple[Result, Optional[Assessment]]":
    """The result and its fatty-liver assessment, see ``result.with_assessment``."""
    import LiverSegLib

    from ..result import with_assessment

    return with_assessment(result, LiverSegLib.assess_steatosis)


def answer(folder: Path, files: Mapping[str, Path], content: Mapping[str, Any]) -> Dict[str, Any]:
    """The JSON object: measurements.json as it was written, with the files' paths instead of their hashes."""
    paths = {key: str(path) for key, path in files.items()}
    keys = ("name", "review", "measurements", "structures", "steatosis", "warnings", "provenance")
    kept = {key: content[key] for key in keys if key in content}
    return {"folder": os.path.abspath(folder), "files": paths, **kept}


def not_beside_a_lesion(warnings: List[str], measured: Sequence[str]) -> List[str]:
    """The warnings but those of ``measured`` whose content stands under the table of lesions."""
    shown = {str(text) for text in measured if DENSE.match(key_of(text) or "")}
    return [text for text in warnings if text not in shown]


def summary(result: "Result", steatosis: "Optional[Assessment]", files: Mapping[str, Path]) -> List[Any]:
    from ..measure.warnings import lesion_numbers, warnings_of_lesions

    measurements = result.measurements
    parts: List[Any] = [_organ_table(measurements)]
    if measurements.lesions:
        parts += ["", _lesion_table(measurements)]
        said = warnings_of_lesions(measurements.lesions, measurements.warnings)
        parts += [Text(f"{lesion_numbers(numbers)}: {text}") for text, numbers in said]
    parts += structure_lines(result.structure_volumes)
    if measurements.note is not None:
        parts += ["", Text(measurements.note)]
    if steatosis is not None:
        fatty = Facts()
        fatty.add_row("Fatty liver", summary_line(steatosis))
        parts += ["", fatty]
    return [*parts, "", files_table(files)]


def _organ_table(measurements: "Measurements") -> Table:
    table = numbers_table("Measurements")
    table.add_column("Structure")
    has_hu = measurements.note is None
    for heading in ("Volume\n(ml)", *(("Mean\n(HU)", "SD\n(HU)") if has_hu else ())):
        table.add_column(heading, justify="right")
    table.add_column("Note")
    for organ in measurements.organs:
        hu = (_number(organ.mean_hu), _number(organ.sd_hu)) if has_hu else ()
        volume = f"{organ.volume_ml:.1f}" if organ.segmented else ""
        table.add_row(organ.name, volume, *hu, _organ_note(organ))
    burden = measurements.tumour_burden_percent
    if burden is not None:
        table.add_section()
        none = ("", "") if has_hu else ()
        table.add_row("Tumor burden", f"{burden:.1f} %", *none, "of the liver's volume")
    return table


def _organ_note(organ: "Organ") -> str:
    if not organ.segmented:
        return "not segmented"
    if not organ.voxels:
        return "none found" if organ.reliable else "none found, see warnings"
    if organ.truncated:
        return "cut off by the scan: a lower bound"
    return "" if organ.reliable else "unreliable, see warnings"


def _lesion_table(measurements: "Measurements") -> Table:
    table = numbers_table("Lesions")
    has_hu = measurements.note is None
    hu = ("Mean\n(HU)",) if has_hu else ()
    for heading in ("No.", "Volume\n(ml)", "Longest\n(mm)", "Perpendicular\n(mm)", *hu, "Probability"):
        table.add_column(heading, justify="right")
    for lesion in measurements.lesions:
        table.add_row(
            str(lesion.number),
            f"{lesion.volume_ml:.2f}",
            f"{lesion.longest_diameter_mm:.1f}",
            f"{lesion.perpendicular_mm:.1f}",
            *((_number(lesion.mean_hu),) if has_hu else ()),
            "" if lesion.probability is None else f"{lesion.probability:.2f}",
        )
    return table


def _number(value: Optional[float]) -> str:
    return "" if value is None else f"{value:.1f}"
