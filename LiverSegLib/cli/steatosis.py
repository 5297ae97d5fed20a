"""``liverseg steatosis``: fatty liver from the attenuation of ROIs, as tables and files."""

import os
from contextlib import ExitStack
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, Mapping, Optional, Tuple

import typer

from ..cancelling import while_checking
from ..errors import InputChangedError, UnreadableImageError, UsageError
from ..images.modality import CT
from ..sentences import key_of
from .console import Console, files_table
from .interrupts import JUDGING, PICTURES, Interrupts, load
from .mesh import read_segmentation
from .options import Device, DeviceName, Engine, EngineName, Json, Model, Quiet, Series, Source, Threads
from .progress import ProgressBar
from .segment import identity, limit_threads
from .steatosis_view import assessment_view

if TYPE_CHECKING:
    import SimpleITK as sitk

    from ..images import Scan
    from ..steatosis.assessment import Assessment, CutOffs

SEGMENT_SHARE, ASSESS_SHARE = 0.85, 0.95
"""Shares of the progress bar at which segmenting and assessing are done."""


class PhaseName(str, Enum):
    """What ``--phase`` takes."""

    unenhanced = "unenhanced"
    arterial = "arterial"
    portal = "portal"
    late = "late"


Labels = Annotated[
    Optional[Path],
    typer.Option(
        "--labels",
        "-l",
        metavar="FILE",
        help="Its segmentation, also DICOM SEG or RTSTRUCT; without, it is segmented first.",
    ),
]
Output = Annotated[
    Optional[Path],
    typer.Option("--output", "-o", metavar="FOLDER", help="Folder for tables, picture and JSON."),
]
CaseName = Annotated[
    Optional[str], typer.Option(metavar="NAME", help="Name of the case in the tables; else the scan's.")
]
Count = Annotated[int, typer.Option(metavar="N", help="ROIs in each organ, 1 to 30.")]
Side = Annotated[float, typer.Option(metavar="MM", help="Side of an ROI, 10 to 20 mm.")]
CutOffTexts = Annotated[
    Optional[str],
    typer.Option(
        metavar="A,B,C",
        help="Of the liver/spleen ratio: normal above A, moderate below B, severe below C [1.0,0.7,0.5].",
    ),
]
GradeAnyway = Annotated[
    bool,
    typer.Option("--grade-anyway", help="Grade even where there are reasons not to; the result says so."),
]
Kvp = Annotated[
    Optional[float],
    typer.Option(
        metavar="KV", min=1.0, max=500.0, help="Tube voltage, in place of what the DICOM header says."
    ),
]
Phase = Annotated[
    Optional[PhaseName],
    typer.Option(help="Contrast phase, as you know it, in place of the estimate; the result says so."),
]


@dataclass(frozen=True)
class _Case:
    """A scan with its mask, and what was found in it."""

    name: str
    image: "sitk.Image"
    labels: "sitk.Image"
    assessment: "Assessment"
    provenance: Mapping[str, Any]
    warnings: Tuple[str, ...]


def steatosis(
    context: typer.Context,
    source: Source,
    labels: Labels = None,
    output: Output = None,
    case: CaseName = None,
    count: Count = 5,
    side: Side = 10.0,
    cut_offs: CutOffTexts = None,
    grade_anyway: GradeAnyway = False,
    kvp: Kvp = None,
    phase: Phase = None,
    series: Series = None,
    device: Device = DeviceName.auto,
    engine: Engine = EngineName.auto,
    model: Model = "default",
    threads: Threads = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Judge liver fat on an unenhanced CT.

    Small cubes (ROIs) are placed in liver and spleen; the ratio of their attenuation is graded, or it is said
    why not. Not to be graded is no error.
    """
    from ..outputs import check_steatosis_folder, reserve, write_steatosis
    from ..steatosis.placement import PlacementSettings

    how: Dict[str, Any] = {
        "settings": PlacementSettings(count=count, side_mm=side),
        "cut_offs": parse_cut_offs(cut_offs),
        "grade_anyway": grade_anyway,
    }
    chosen = None if phase is None else phase.value
    for path in (source, labels):
        if path is not None and not path.exists():
            raise UnreadableImageError(f"There is no file or folder {path}.")
    console = Console(json=json_, quiet=quiet, debug=context.obj)
    files: Dict[str, Path] = {}
    with Interrupts() as interrupts:
        with ExitStack() as stack:
            reservation = None if output is None else stack.enter_context(reserve(output))
            if reservation is not None:
                check_steatosis_folder(
                    reservation, segmentation=labels is None, scan=lambda: identity(source, series, CT)
                )
            with ProgressBar(console.aside, shown=not quiet) as bar:
                if labels is None:
                    limit_threads(threads)
                    network = {
                        "model": model, "device": device.value, "engine": engine.value,
                        "threads": threads or 0,
                    }  # fmt: skip
                    found = _segmented(source, series, network, how, kvp, chosen, interrupts, bar)
                else:
                    found = _given(source, series, labels, how, kvp, chosen, interrupts, bar)
                name, warnings = case or found.name, found.warnings
                load(*JUDGING, *PICTURES)
                with interrupts.at_once():
                    if reservation is not None:
                        bar(ASSESS_SHARE, "write", "Writing the results")
                        files, warnings = write_steatosis(
                            found.assessment,
                            reservation,
                            name=name,
                            image=found.image,
                            labels=found.labels,
                            provenance=found.provenance,
                            warnings=found.warnings,
                            segmentation=labels is None,
                        )
                bar(1.0, "done", "Done")
        # Written: a request to stop that comes now is too late, and ends nothing.
        console.answer(_answer(output, files, name, found, warnings))
        console.show(*assessment_view(found.assessment), files_table(files))
        # what is remarkable in a single ROI stands in its row
        said = [text for text in found.assessment.warnings if key_of(text) != "roi.remark"]
        console.warn([*warnings, *said])


def parse_cut_offs(text: Optional[str]) -> "CutOffs":
    """Return the cut-offs of "A,B,C": normal above A, moderate below B, severe below C.

    Raises:
        UsageError: not three numbers in order.
    """
    from ..steatosis.assessment import CutOffs

    if text is None:
        return CutOffs()
    try:
        normal, moderate, severe = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f'The cut-offs "{text}" are not three numbers such as 1.0,0.7,0.5: normal above the first, '
            "moderate below the second, severe below the third."
        ) from None
    return CutOffs(normal, moderate, severe)


def _segmented(
    source: Path,
    series: Optional[str],
    network: Mapping[str, Any],
    how: Mapping[str, Any],
    kvp: Optional[float],
    phase: Optional[str],
    interrupts: Interrupts,
    bar: ProgressBar,
) -> _Case:
    """Segment the scan and assess it."""
    import LiverSegLib

    bar(0.0, "start", "Starting")
    progress = bar.part(SEGMENT_SHARE)
    result = LiverSegLib.segment(
        source, series=series, modality=CT, progress=progress, cancel=interrupts.requested, **network
    )
    with interrupts.at_once():
        bar(SEGMENT_SHARE, "assess", "Placing and measuring ROIs")
        assessment = while_checking(
            lambda ask: LiverSegLib.assess_steatosis(result, kvp=kvp, phase=phase, **how), interrupts.check
        )
    warnings = tuple(text for text in result.warnings if text not in assessment.warnings)
    return _Case(result.name, result.image, result.labels, assessment, result.provenance, warnings)


def _given(
    source: Path,
    series: Optional[str],
    labels: Path,
    how: Mapping[str, Any],
    kvp: Optional[float],
    phase: Optional[str],
    interrupts: Interrupts,
    bar: ProgressBar,
) -> _Case:
    """Read the scan and its mask, and assess them."""
    from ..images import unchanged
    from ..measure.facts import header_facts
    from ..provenance import input_of, made_now
    from ..steatosis.assess import assess_scan

    with interrupts.at_once():
        bar(0.0, "read", "Reading the scan and its segmentation")
        scan, mask = while_checking(lambda ask: _scan_and_mask(source, series, labels), interrupts.check)
        bar(SEGMENT_SHARE, "assess", "Placing and measuring ROIs")
        facts = header_facts(scan.series)
        kvp, agent = facts.kvp if kvp is None else kvp, facts.contrast_agent
        assessment = while_checking(
            lambda ask: assess_scan(
                scan.image, mask, kvp=kvp, contrast=agent, series=facts.series, chosen_phase=phase, **how
            ),
            interrupts.check,
        )
    if not unchanged(scan):
        raise InputChangedError(f"{scan.name} was changed while it was being assessed; please run again.")
    provenance = {
        **made_now(),
        "input": input_of(scan, facts),
        "labels": {"path": os.path.abspath(labels)},
        "phase": {
            "phase": assessment.conditions.phase,
            "reason": assessment.conditions.phase_reason,
            "chosen_by_reader": assessment.conditions.phase_by_reader,
        },
    }
    warnings = tuple(text for text in scan.warnings if text not in assessment.warnings)
    return _Case(scan.name, scan.image, mask, assessment, provenance, warnings)


def _scan_and_mask(source: Path, series: Optional[str], labels: Path) -> "Tuple[Scan, sitk.Image]":
    """Read a scan and its mask; one that names its segments is brought onto the scan's grid."""
    from ..images import read_scan
    from ..segmentations import names_its_segments, read_mask

    scan = read_scan(source, series, modality=CT)
    if not names_its_segments(labels):
        return scan, read_segmentation(labels)
    given = read_mask(labels, scan)
    return replace(scan, warnings=(*scan.warnings, *given.warnings)), given.labels


def _answer(
    folder: Optional[Path], files: Mapping[str, Path], name: str, case: _Case, warnings: Tuple[str, ...]
) -> Dict[str, Any]:
    """The JSON object: steatosis.json as it is written, with the files' paths."""
    from ..outputs.file_set import finite

    return finite(
        {
            "folder": None if folder is None else os.path.abspath(folder),
            "files": {key: str(path) for key, path in files.items()},
            "name": name,
            "steatosis": case.assessment.to_dict(),
            "warnings": list(warnings),
            "provenance": case.provenance,
        }
    )
