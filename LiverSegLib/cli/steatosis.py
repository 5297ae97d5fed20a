"""``liverseg steatosis``: fatty liver from the attenuation of ROIs, as tables and files."""

import datetime
import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple

import SimpleITK as sitk

from ..cancelling import while_checking
from ..errors import InputChangedError, UnreadableImageError, UsageError
from ..sentences import key_of
from ..steatosis.assess import Assessment, CutOffs, assess_scan
from ..steatosis.placement import PlacementSettings
from .console import Console, files_table
from .interrupts import JUDGING, PICTURES, Interrupts, load
from .mesh import read_segmentation
from .progress import ProgressBar
from .segment import identity
from .steatosis_view import assessment_view

SEGMENT_SHARE, ASSESS_SHARE = 0.85, 0.95
"""Shares of the progress bar at which segmenting and assessing are done."""


@dataclass(frozen=True)
class SteatosisOptions:
    """What ``liverseg steatosis`` was asked to do; sides in mm, tube voltage in kV."""

    source: Path
    labels: Optional[Path] = None
    folder: Optional[Path] = None
    case: Optional[str] = None
    count: int = PlacementSettings.count
    side_mm: float = PlacementSettings.side_mm
    cut_offs: Optional[str] = None
    grade_anyway: bool = False
    kvp: Optional[float] = None
    phase: Optional[str] = None
    series: Optional[str] = None
    device: str = "auto"
    model: str = "default"
    threads: Optional[int] = None


@dataclass(frozen=True)
class _Case:
    """A scan with its mask, and what was found in it."""

    name: str
    image: sitk.Image
    labels: sitk.Image
    assessment: Assessment
    provenance: Mapping[str, Any]
    warnings: Tuple[str, ...]


def run_steatosis(options: SteatosisOptions, console: Console) -> None:
    """Assess a scan, segmenting it first if no mask is given; show the result and write it if asked to.

    A scan that should not be graded is no error: the reasons stand where the grade would.

    Raises:
        LiverSegError: Anything that went wrong; nothing was written then.
    """
    settings = PlacementSettings(count=options.count, side_mm=options.side_mm)
    cut_offs = parse_cut_offs(options.cut_offs)
    for path in (options.source, options.labels):
        if path is not None and not path.exists():
            raise UnreadableImageError(f"There is no file or folder {path}.")
    from ..outputs import check_steatosis_folder, reserve, write_steatosis

    files: Dict[str, Path] = {}
    segmented = options.labels is None
    with Interrupts() as interrupts:
        with ExitStack() as stack:
            reservation = None if options.folder is None else stack.enter_context(reserve(options.folder))
            if reservation is not None:
                check_steatosis_folder(reservation, segmentation=segmented, scan=lambda: identity(options))
            with ProgressBar(console.aside, shown=not console.quiet) as bar:
                work = _segmented if segmented else _given
                case = work(options, settings, cut_offs, interrupts, bar)
                warnings = case.warnings
                load(*JUDGING, *PICTURES)
                with interrupts.at_once():
                    if reservation is not None:
                        bar(ASSESS_SHARE, "write", "Writing the results")
                        files, warnings = write_steatosis(
                            case.assessment,
                            reservation,
                            name=case.name,
                            image=case.image,
                            labels=case.labels,
                            provenance=case.provenance,
                            warnings=case.warnings,
                            segmentation=segmented,
                        )
                bar(1.0, "done", "Done")
        # Written: a request to stop that comes now is too late, and ends nothing.
        console.answer(_answer(options, files, case, warnings))
        console.show(*assessment_view(case.assessment), files_table(files))
        # what is remarkable in a single ROI stands in its row
        said = [text for text in case.assessment.warnings if key_of(text) != "roi.remark"]
        console.warn([*warnings, *said])


def parse_cut_offs(text: Optional[str]) -> CutOffs:
    """Return the cut-offs of "A,B,C": normal above A, moderate below B, severe below C.

    Raises:
        UsageError: not three numbers in order.
    """
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
    options: SteatosisOptions,
    settings: PlacementSettings,
    cut_offs: CutOffs,
    interrupts: Interrupts,
    bar: ProgressBar,
) -> _Case:
    """Segment the scan and assess it."""
    import LiverSegLib

    bar(0.0, "start", "Starting")
    if options.threads is not None:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(options.threads)

    result = LiverSegLib.segment(
        options.source,
        model=options.model,
        device=options.device,
        series=options.series,
        threads=options.threads or 0,
        progress=bar.part(SEGMENT_SHARE),
        cancel=interrupts.requested,
    )
    with interrupts.at_once():
        bar(SEGMENT_SHARE, "assess", "Placing and measuring ROIs")
        assessment = while_checking(
            lambda ask: LiverSegLib.assess_steatosis(
                result,
                settings=settings,
                cut_offs=cut_offs,
                grade_anyway=options.grade_anyway,
                kvp=options.kvp,
                phase=options.phase,
            ),
            interrupts.check,
        )
    name = options.case or result.name
    warnings = tuple(text for text in result.warnings if text not in assessment.warnings)
    return _Case(name, result.image, result.labels, assessment, result.provenance, warnings)


def _given(
    options: SteatosisOptions,
    settings: PlacementSettings,
    cut_offs: CutOffs,
    interrupts: Interrupts,
    bar: ProgressBar,
) -> _Case:
    """Read the scan and its mask, and assess them."""
    from .. import __version__
    from ..images import read_scan, unchanged

    with interrupts.at_once():
        bar(0.0, "read", "Reading the scan and its segmentation")
        scan, labels = while_checking(
            lambda ask: (read_scan(options.source, options.series), read_segmentation(options.labels)),
            interrupts.check,
        )
        bar(SEGMENT_SHARE, "assess", "Placing and measuring ROIs")
        series = scan.series
        kvp = options.kvp if options.kvp is not None or series is None else series.kvp
        contrast = (series.contrast or None) if series else None
        assessment = while_checking(
            lambda ask: assess_scan(
                scan.image,
                labels,
                kvp=kvp,
                contrast=contrast,
                chosen_phase=options.phase,
                settings=settings,
                cut_offs=cut_offs,
                grade_anyway=options.grade_anyway,
            ),
            interrupts.check,
        )
    if not unchanged(scan):
        raise InputChangedError(f"{scan.name} was changed while it was being assessed; please run again.")
    provenance = {
        "liverseg_version": __version__,
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "input": {
            "path": scan.path,
            "name": scan.name,
            "sha256": scan.fingerprint,
            "size": list(scan.image.GetSize()),
            "spacing": list(scan.image.GetSpacing()),
            "series": series.description if series else None,
            "kvp": series.kvp if series else None,
            "contrast_agent": contrast,
        },
        "labels": {"path": os.path.abspath(options.labels)},
        "phase": {
            "phase": assessment.conditions.phase,
            "reason": assessment.conditions.phase_reason,
            "chosen_by_reader": assessment.conditions.phase_by_reader,
        },
    }
    warnings = tuple(text for text in scan.warnings if text not in assessment.warnings)
    return _Case(options.case or scan.name, scan.image, labels, assessment, provenance, warnings)


def _answer(
    options: SteatosisOptions, files: Mapping[str, Path], case: _Case, warnings: Tuple[str, ...]
) -> Dict[str, Any]:
    """The JSON object: steatosis.json as it is written, with the files' paths."""
    from ..outputs.file_set import finite

    return finite(
        {
            "folder": None if options.folder is None else os.path.abspath(options.folder),
            "files": {key: str(path) for key, path in files.items()},
            "name": case.name,
            "steatosis": case.assessment.to_dict(),
            "warnings": list(warnings),
            "provenance": case.provenance,
        }
    )
