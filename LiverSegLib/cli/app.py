"""The commands and their options, and the sentence, exit code or JSON object that every failure becomes."""

import logging
import os
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, Dict, Optional, Sequence

import typer

from ..cancelling import wait_for_cancelled
from ..errors import CancelledError, LiverSegError, UsageError, explain
from .console import Console
from .interrupts import CANCELLED

EXIT_CODES: Dict[int, str] = {
    0: "success",
    1: "unexpected failure; `liverseg doctor`: segmenting does not work here",
    2: "wrong options or arguments",
    3: "the scan, its segmentation or a table cannot be used",
    4: "no liver in the field of view",
    5: "the model cannot be used",
    6: "the device is not there, or its memory ran out",
    7: "results cannot be written",
    8: "the worker process failed",
    130: "cancelled (Ctrl-C or SIGTERM)",
}
"""Exit code -> meaning. Whatever the code other than 0, the commands that write files have written none."""

EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code:<4} {meaning}" for code, meaning in EXIT_CODES.items())
"""Foot of every help page; the backspace keeps typer from rewrapping the lines."""

OPTIONAL = {"vtk": "vtk", "vtkmodules": "vtk", "PIL": "pillow"}
"""Module that may be missing -> the package that brings it."""

DEBUG_HINT = "For details run it again as: liverseg --debug ..."

app = typer.Typer(
    name="liverseg",
    help="Liver, spleen and liver tumors on CT: segmented, measured, shown. For research use only.",
    epilog=EPILOG,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class DeviceName(str, Enum):
    """What ``--device`` takes."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


class PhaseName(str, Enum):
    """What ``--phase`` takes."""

    unenhanced = "unenhanced"
    arterial = "arterial"
    portal = "portal"
    late = "late"


class LabelFormat(str, Enum):
    """What ``--format`` takes."""

    nifti = "nii.gz"
    nrrd = "nrrd"
    mha = "mha"
    seg_nrrd = "seg.nrrd"


class MeshLabel(str, Enum):
    """What ``liverseg mesh --label`` takes."""

    liver = "liver"
    spleen = "spleen"
    tumour = "tumour"
    all = "all"


Source = Annotated[
    Path,
    typer.Argument(metavar="INPUT", help="A CT: NIfTI, NRRD or MetaImage file, or a folder of DICOM files."),
]
Series = Annotated[
    Optional[str],
    typer.Option(metavar="UID", help="Which DICOM series of the folder; `liverseg series` lists them."),
]
Device = Annotated[DeviceName, typer.Option(help="Where to compute; auto takes a GPU if there is one.")]
Model = Annotated[
    str, typer.Option(metavar="NAME|FOLDER", help="Model to use; `liverseg models` lists them.")
]
Threads = Annotated[Optional[int], typer.Option(metavar="N", min=1, help="Processor threads to use at most.")]
Json = Annotated[
    bool, typer.Option("--json", help="Exactly one JSON object on standard output, also for errors.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and log messages.")] = False,
) -> None:
    _set_up_logging(debug)
    if version:
        from LiverSegLib import __version__

        typer.echo(f"liverseg {__version__}")
        raise typer.Exit()
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit()
    context.obj = debug


@app.command(epilog=EPILOG)
def segment(
    context: typer.Context,
    source: Source,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="Folder for the results: all files are written or none."
        ),
    ],
    series: Series = None,
    device: Device = DeviceName.auto,
    model: Model = "default",
    label_format: Annotated[
        LabelFormat,
        typer.Option("--format", help="Format of the segmentation; seg.nrrd opens in 3D Slicer as such."),
    ] = LabelFormat.nifti,
    mirror: Annotated[
        bool,
        typer.Option("--mirror", help="Also segment mirrored copies and average: slower, hardly better."),
    ] = False,
    no_report: Annotated[
        bool, typer.Option("--no-report", help="Masks and numbers only: no report.html and no rendering.png.")
    ] = False,
    highlight: Annotated[
        bool,
        typer.Option(
            "--highlight", help="Also write highlight.nii.gz: liver gray, tumors white, the rest black."
        ),
    ] = False,
    minimum_lesion: Annotated[
        Optional[float],
        typer.Option(
            metavar="ML",
            min=0.0,
            help="Leave out lesions smaller than this volume in ml. "
            "By default 0.065 (a ball of 5 mm) and those under 5 mm across, "
            "or more in contrast phases in which the model mistakes vessels for small ones.",
        ),
    ] = None,
    threads: Threads = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Segment a CT and write the results.

    Liver, spleen and liver tumours become a mask, measurements, a lesion table, a picture and a report.
    """
    from .segment import SegmentOptions, run_segment

    options = SegmentOptions(
        source=source,
        folder=output,
        series=series,
        device=device.value,
        model=model,
        label_format=label_format.value,
        mirror=mirror,
        report=not no_report,
        highlight=highlight,
        minimum_lesion_ml=minimum_lesion,
        threads=threads,
    )
    run_segment(options, Console(json=json_, quiet=quiet, debug=context.obj))


@app.command(epilog=EPILOG)
def steatosis(
    context: typer.Context,
    source: Source,
    labels: Annotated[
        Optional[Path],
        typer.Option(
            "--labels",
            "-l",
            metavar="FILE",
            help="Its segmentation by LiverSeg; without, it is segmented first.",
        ),
    ] = None,
    output: Annotated[
        Optional[Path],
        typer.Option("--output", "-o", metavar="FOLDER", help="Folder for tables, picture and JSON."),
    ] = None,
    case: Annotated[
        Optional[str], typer.Option(metavar="NAME", help="Name of the case in the tables; else the scan's.")
    ] = None,
    count: Annotated[int, typer.Option(metavar="N", help="ROIs in each organ, 1 to 30.")] = 5,
    side: Annotated[float, typer.Option(metavar="MM", help="Side of an ROI, 10 to 20 mm.")] = 10.0,
    cut_offs: Annotated[
        Optional[str],
        typer.Option(
            metavar="A,B,C",
            help="Of the liver/spleen ratio: normal above A, moderate below B, severe below C [1.0,0.7,0.5].",
        ),
    ] = None,
    grade_anyway: Annotated[
        bool,
        typer.Option("--grade-anyway", help="Grade even where there are reasons not to; the result says so."),
    ] = False,
    kvp: Annotated[
        Optional[float],
        typer.Option(
            metavar="KV", min=1.0, max=500.0, help="Tube voltage, in place of what the DICOM header says."
        ),
    ] = None,
    phase: Annotated[
        Optional[PhaseName],
        typer.Option(help="Contrast phase, as you know it, in place of the estimate; the result says so."),
    ] = None,
    series: Series = None,
    device: Device = DeviceName.auto,
    model: Model = "default",
    threads: Threads = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Judge liver fat on an unenhanced CT.

    Small cubes (ROIs) are placed in liver and spleen; the ratio of their attenuation is graded, or it is said
    why not. Not to be graded is no error.
    """
    from .steatosis import SteatosisOptions, run_steatosis

    options = SteatosisOptions(
        source=source,
        labels=labels,
        folder=output,
        case=case,
        count=count,
        side_mm=side,
        cut_offs=cut_offs,
        grade_anyway=grade_anyway,
        kvp=kvp,
        phase=None if phase is None else phase.value,
        series=series,
        device=device.value,
        model=model,
        threads=threads,
    )
    run_steatosis(options, Console(json=json_, quiet=quiet, debug=context.obj))


@app.command(epilog=EPILOG)
def agree(
    context: typer.Context,
    manual: Annotated[
        Path, typer.Argument(metavar="MANUAL", help="The readers' table (CSV), one row a case.")
    ],
    automatic: Annotated[
        Path,
        typer.Argument(
            metavar="AUTOMATIC",
            help="LiverSeg's table (CSV), or a folder with the steatosis.csv of many cases.",
        ),
    ],
    output: Annotated[
        Optional[Path],
        typer.Option("--output", "-o", metavar="FOLDER", help="Folder for agreement.json and the plots."),
    ] = None,
    cut_offs: Annotated[
        Optional[str],
        typer.Option(
            metavar="A,B,C",
            help="For tables without grades: normal above A, moderate below B, severe below C [1.0,0.7,0.5].",
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Say how well two tables of fatty-liver readings agree.

    Columns: case, and ratio, liver_hu, spleen_hu or grade. Rank tests, ICC(2,1), limits of agreement after
    Bland and Altman, weighted kappa.
    """
    from .agree import run_agree

    run_agree(manual, automatic, output, cut_offs, Console(json=json_, debug=context.obj))


@app.command(epilog=EPILOG)
def series(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder of DICOM files.")],
    json_: Json = False,
) -> None:
    """List the DICOM series in a folder.

    Says of each whether it can be segmented, and if not, why.
    """
    from .lists import run_series

    run_series(folder, Console(json=json_, debug=context.obj))


@app.command(epilog=EPILOG)
def mesh(
    context: typer.Context,
    segmentation: Annotated[
        Path, typer.Argument(metavar="SEGMENTATION", help="A segmentation that LiverSeg wrote.")
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="The surface, ending in .stl, .obj or .ply."),
    ],
    label: Annotated[
        MeshLabel,
        typer.Option(help="Structure; all writes each into its own file, NAME-liver.stl and so on."),
    ] = MeshLabel.liver,
    json_: Json = False,
) -> None:
    """Write a segmentation's surfaces.

    They are smooth and closed, in millimetres, in LPS coordinates.
    """
    from .mesh import run_mesh

    run_mesh(segmentation, output, label.value, Console(json=json_, debug=context.obj))


@app.command(epilog=EPILOG)
def models(context: typer.Context, json_: Json = False) -> None:
    """List the models.

    With their licence, what they were trained on and how accurate they were measured to be.
    """
    from .lists import run_models

    run_models(Console(json=json_, debug=context.obj))


@app.command(epilog=EPILOG)
def doctor(context: typer.Context, json_: Json = False) -> None:
    """Say what works on this machine.

    And what to do about what does not. It takes some seconds and changes nothing.
    """
    from .lists import run_doctor

    if not run_doctor(Console(json=json_, debug=context.obj)):
        raise typer.Exit(1)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the command and return its exit code; no exception leaves it.

    Args:
        arguments: What follows the command's name; those of this process if None.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    console = Console(json="--json" in words, debug="--debug" in words)
    if not all(word.strip() for word in words):
        return _failed(
            UsageError("An argument is empty: perhaps a variable of the shell has no value."), console
        )
    try:
        code = typer.main.get_command(app).main(args=words, prog_name="liverseg", standalone_mode=False)
        sys.stdout.flush()
        if code == CancelledError.exit_code:  # what newer typers make of Ctrl-C without a word
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except (BrokenPipeError, SystemExit):
        # whoever read our output has enough (`liverseg models | head`); click leaves with SystemExit then
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except (KeyboardInterrupt, typer.Abort):
        return _failed(CancelledError(CANCELLED), console)
    except Exception as error:  # noqa: BLE001 (the one place that turns all failures into sentences)
        return _failed(as_error(error), console, _hint(error))


def as_error(error: Exception) -> LiverSegError:
    """Return any exception as an error of ours: wrong option, missing package, or as ``explain`` sees it."""
    if isinstance(error, CancelledError):
        return CancelledError(CANCELLED, error.details)
    if callable(
        getattr(error, "format_message", None)
    ):  # click's usage errors, of whichever click typer brings
        return UsageError(error.format_message())
    if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] in OPTIONAL:
        package = OPTIONAL[(error.name or "").split(".")[0]]
        return LiverSegError(f"This needs the Python package {package}: pip install {package}.", str(error))
    return explain(error)


def _hint(error: Exception) -> Optional[str]:
    context = getattr(error, "ctx", None)
    if callable(getattr(error, "format_message", None)):
        return f"Try: {getattr(context, 'command_path', 'liverseg')} --help"
    expected = isinstance(error, (LiverSegError, ModuleNotFoundError))
    return None if expected else DEBUG_HINT


def _failed(error: LiverSegError, console: Console, hint: Optional[str] = None) -> int:
    console.fail(error, hint)
    try:
        wait_for_cancelled()
    except KeyboardInterrupt:  # all is said and cleaned up: nothing but the cancelled work is left
        sys.stdout.flush()
        os._exit(error.exit_code)
    return error.exit_code


def _set_up_logging(debug: bool) -> None:
    """Send log messages to standard error with ``--debug``; else the command says what matters."""
    logger = logging.getLogger("LiverSegLib")
    handler: logging.Handler = logging.StreamHandler() if debug else logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logger.handlers[:] = [handler]
    logger.setLevel(logging.DEBUG if debug else logging.NOTSET)
    logger.propagate = False
