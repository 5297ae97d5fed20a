"""A result as a folder of files: masks, numbers, pictures, report."""

import logging
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Optional, Sequence, Union

from ..cancelling import while_checking
from ..dicom import MEASUREMENTS_DCM, SEGMENTATION_DCM, require_highdicom
from ..errors import CancelledError, OutputError, UsageError, reason_of
from ..sentences import Sentence
from .atomic import PathLike, Reservation, check_room
from .file_set import FileSet, in_words, outdated, refuse_to_overwrite, reserved
from .label_files import LABEL_FORMATS, write_labels, write_nifti
from .scan_identity import ScanIdentity, refuse_another_scan

if TYPE_CHECKING:
    from ..api import Result
    from ..steatosis.assessment import Assessment

MEASUREMENTS_JSON = "measurements.json"
RESULTS = FileSet(index=MEASUREMENTS_JSON, content="results")
MEASUREMENTS_CSV = "measurements.csv"
LESIONS_CSV = "lesions.csv"
RENDERING = "rendering.png"
REPORT = "report.html"
HIGHLIGHT = "highlight.nii.gz"
STRUCTURES_CSV = "structures.csv"

EXPECTED_BYTES = 32_000_000
"""Room that a result may take: masks compress to about 1 MB, pictures and report to a few."""

DICOM_BYTES = 64_000_000
"""Room that the DICOM objects take besides: a bit for each voxel of a segment's slices, uncompressed; 25 MB
for 400 slices with 20 lesions."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OutputOptions:
    """Which files a result becomes.

    Raises:
        UsageError: ``label_format`` is none of ``LABEL_FORMATS``.
    """

    label_format: str = "nii.gz"
    report: bool = True
    highlight: bool = False
    rendering: bool = True
    structures: bool = False
    dicom: bool = False

    def __post_init__(self) -> None:
        if self.label_format not in LABEL_FORMATS:
            formats = ", ".join(LABEL_FORMATS)
            raise UsageError(Sentence("write.format", wanted=self.label_format, formats=formats))

    def file_names(self) -> Dict[str, str]:
        """Key of a file -> its name, in the order in which they are shown. ``rendering`` may be missing in
        the end, and ``structures`` where only their volumes are known."""
        names = {
            "segmentation": f"segmentation.{self.label_format}",
            "measurements": MEASUREMENTS_JSON,
            "measurements_csv": MEASUREMENTS_CSV,
            "lesions_csv": LESIONS_CSV,
        }
        optional = (
            ("rendering", RENDERING, self.rendering),
            ("report", REPORT, self.report),
            ("highlight", HIGHLIGHT, self.highlight),
            ("dicom_segmentation", SEGMENTATION_DCM, self.dicom),
            ("dicom_measurements", MEASUREMENTS_DCM, self.dicom),
        )
        if self.structures:
            names.update(structures=f"structures.{self.label_format}", structures_csv=STRUCTURES_CSV)
        names.update({key: name for key, name, wanted in optional if wanted})
        return names


def write_results(
    result: "Result",
    folder: Union[PathLike, Reservation],
    *,
    label_format: str = "nii.gz",
    report: bool = True,
    highlight: bool = False,
    rendering: bool = True,
    dicom: bool = False,
    steatosis: "Optional[Assessment]" = None,
    cancel: Optional[Callable[[], bool]] = None,
) -> Dict[str, Path]:
    """Write a result into ``folder``: all of it or nothing.

    A result with structures beyond liver, spleen and tumours also becomes a mask of those, with a table of
    their names, values and volumes.

    A complete new set replaces the set of a previous run; other files in the folder are not touched. If the
    3-D picture cannot be drawn, the set has none and its warnings say so.

    Args:
        result: What ``LiverSegLib.segment`` returned.
        folder: The output folder, made if missing; or a ``Reservation`` that has kept it since before the
            work began.
        label_format: Ending of the mask's file, one of ``LABEL_FORMATS``.
        report: Write report.html.
        highlight: Write highlight.nii.gz (liver grey, tumours white, everything else black).
        rendering: Write rendering.png.
        dicom: Write segmentation.dcm and measurements.dcm, DICOM objects of the patient's study.
        steatosis: The fatty-liver assessment of the scan, if there is one: part of the report and of
            measurements.json.
        cancel: Asked often; True stops the work.

    Returns:
        Key ("segmentation", "measurements", "measurements_csv", "lesions_csv", "structures",
        "structures_csv", "rendering", "report", "highlight", "dicom_segmentation", "dicom_measurements") ->
        path of each file written.

    Raises:
        UsageError: Unknown format.
        InputError: DICOM objects are wanted, and the scan did not come from DICOM, or its headers lack what
            they need.
        OutputError: The folder is in use, cannot be written to, holds results of another scan or files of
            these names that LiverSeg did not write or that were changed since, or the disk is full. The
            folder is as it was before.
        CancelledError: ``cancel`` said so. The folder is as it was before.
    """
    more = bool(result.structure_volumes)
    options = OutputOptions(label_format, report, highlight, rendering, more, dicom)
    with reserved(folder) as reservation:
        with in_words(reservation.folder):
            refuse_another_scan(reservation.folder, lambda: ScanIdentity.of(result.name, result.provenance))
            previous = RESULTS.previous(reservation.folder)
            refuse_to_overwrite(reservation.folder, list(options.file_names().values()), previous)
            written = _write_set(result, steatosis, reservation.staging, options, cancel or (lambda: False))
            leaving = outdated(reservation.folder, written.values(), previous)
        reservation.commit(list(written.values()), remove=leaving)
        return {key: reservation.folder / name for key, name in written.items()}


def check_output_folder(
    folder: Union[PathLike, Reservation],
    *,
    label_format: str = "nii.gz",
    report: bool = True,
    highlight: bool = False,
    rendering: bool = True,
    structures: bool = False,
    dicom: bool = False,
    scan: Callable[[], Optional[ScanIdentity]] = lambda: None,
) -> None:
    """Find out before the work starts whether ``write_results`` with these arguments could write; nothing
    stays behind.

    Args:
        folder: The output folder; or a ``Reservation``.
        label_format, report, highlight, rendering, dicom: As for ``write_results``.
        structures: Whether the result may have structures beyond liver, spleen and tumours.
        scan: Returns the scan that will be written; called only if the folder belongs to one. Without it
            only ``write_results`` refuses the folder of another scan.

    Raises:
        UsageError: Unknown format.
        OutputError: The folder is a file, cannot be made or written to, is in use by another run, holds the
            results of another scan or files that would be overwritten though LiverSeg did not write them, or
            its disk is nearly full; or a report is wanted and pillow, which draws its pictures, is missing.
        LiverSegError: DICOM objects are wanted and highdicom, which builds them, is missing.
    """
    options = OutputOptions(label_format, report, highlight, rendering, structures, dicom)
    if dicom:
        require_highdicom()
    if report and find_spec("PIL") is None:
        raise OutputError(Sentence("write.no-pillow"))
    with reserved(folder) as reservation:
        check_room(reservation, EXPECTED_BYTES + (DICOM_BYTES if dicom else 0))
        refuse_another_scan(reservation.folder, scan)
        names = list(options.file_names().values())
        with in_words(reservation.folder):
            refuse_to_overwrite(reservation.folder, names, RESULTS.previous(reservation.folder))


def _write_set(
    result: "Result",
    steatosis: "Optional[Assessment]",
    staging: Path,
    options: OutputOptions,
    cancel: Callable[[], bool],
) -> Dict[str, str]:
    """Write all files into ``staging``; return key -> name of those that came to be."""
    from ..measure.tables import write_lesions_csv, write_measurements_csv

    names = options.file_names()
    warnings = list(result.warnings)

    def check() -> None:
        if cancel():
            raise CancelledError(Sentence("failed.cancelled"))

    check()
    write_labels(staging / names["segmentation"], result.labels, options.label_format, check)
    write_measurements_csv(staging / MEASUREMENTS_CSV, result.measurements)
    write_lesions_csv(staging / LESIONS_CSV, result.measurements)
    check()
    if options.structures and not _write_structures(staging, names["structures"], result, options, check):
        names.pop("structures")
    png = _draw(result, warnings, check, cancel) if options.rendering else None
    if png is not None:
        (staging / RENDERING).write_bytes(png)
    else:
        names.pop("rendering", None)
    check()
    if options.dicom:
        _write_dicom(staging, result, steatosis, check)
    if options.highlight:
        _write_highlight(staging / HIGHLIGHT, result, check)
    if options.report:
        check()
        _write_report(staging / REPORT, result, steatosis, png, warnings, check)
    check()
    listed = [name for key, name in names.items() if key != "measurements"]
    _write_json(staging, result, steatosis, warnings, listed)
    return names


def _write_structures(
    staging: Path, name: str, result: "Result", options: OutputOptions, check: Callable[[], None]
) -> bool:
    """Write the table of further structures and, where it is known, their mask; whether it is."""
    from ..images.grid import Grid
    from ..measure.tables import write_structures_csv

    write_structures_csv(staging / STRUCTURES_CSV, result.structure_volumes)
    if result.structures is None:
        return False
    mask = Grid.of(result.labels).image(result.structures.labels)
    write_labels(staging / name, mask, options.label_format, check, result.structures.table)
    return True


def _draw(
    result: "Result", warnings: List[str], check: Callable[[], None], cancel: Callable[[], bool]
) -> Optional[bytes]:
    """The picture as PNG; None, with a warning added, if this machine cannot draw it: the masks and numbers
    do not need it.
    """
    try:
        from ..surfaces import render
        from ..surfaces.organs import organ_surfaces

        meshes = while_checking(lambda ask: organ_surfaces(result.labels, cancel=lambda: ask(cancel)), check)
        return render(meshes, cancel=cancel)
    except CancelledError:
        raise
    except Exception as error:  # noqa: BLE001 (graphics fail in many ways, none of which may cost the result)
        warnings.append(Sentence("files.no-3d-picture", reason=reason_of(error)))
        _log.warning(warnings[-1], exc_info=error)
        return None


def _write_dicom(
    staging: Path, result: "Result", steatosis: "Optional[Assessment]", check: Callable[[], None]
) -> None:
    from ..dicom import write_dicom

    while_checking(
        lambda ask: write_dicom(result, staging, steatosis=steatosis, check=lambda: ask(check)), check
    )


def _write_highlight(path: Path, result: "Result", check: Callable[[], None]) -> None:
    from .highlight import highlight

    write_nifti(path, highlight(result.image, result.labels), check)


def _write_report(
    path: Path,
    result: "Result",
    steatosis: "Optional[Assessment]",
    png: Optional[bytes],
    warnings: Sequence[str],
    check: Callable[[], None],
) -> None:
    from ..report.page import build_report

    page = while_checking(
        lambda ask: build_report(
            image=result.image,
            labels=result.labels,
            measurements=result.measurements,
            provenance=result.provenance,
            facts=result.facts,
            steatosis=steatosis,
            rendering_png=png,
            title=result.name,
            warnings=tuple(warnings),
            review=result.review,
            structures=result.structure_volumes,
        ),
        check,
    )
    path.write_bytes(page.encode("utf-8", "replace"))


def _write_json(
    staging: Path,
    result: "Result",
    steatosis: "Optional[Assessment]",
    warnings: Sequence[str],
    names: Iterable[str],
) -> None:
    content: Dict[str, Any] = {"name": result.name}
    if result.review is not None:
        content["review"] = result.review.to_dict()
    content["measurements"] = result.measurements.to_dict()
    if result.structure_volumes:
        content["structures"] = [volume.to_dict() for volume in result.structure_volumes]
    if steatosis is not None:
        content["steatosis"] = steatosis.to_dict()
    content.update(warnings=list(warnings), facts=result.facts.to_dict(), provenance=result.provenance)
    RESULTS.write_index(staging, content, names)
