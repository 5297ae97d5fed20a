"""A fatty-liver assessment as files: JSON, one row for tables of many cases, the ROIs and their picture."""

import csv
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import SimpleITK as sitk

from ..labels import LABELS, LIVER, SPLEEN
from ..sentences import Sentence
from ..steatosis.assessment import Assessment, MeasuredRoi
from .atomic import PathLike, Reservation, check_room
from .file_set import FileSet, Writer, in_words, refuse_to_overwrite, reserved, write_file_set
from .label_files import write_labels
from .scan_identity import ScanIdentity, refuse_another_scan

STEATOSIS_JSON = "steatosis.json"
STEATOSIS_CSV = "steatosis.csv"
ROIS_CSV = "rois.csv"
ROIS_PICTURE = "rois.jpg"
SEGMENTATION = "steatosis-segmentation.nii.gz"
"""Not the name that ``write_results`` gives the mask: both sets may lie in one folder."""

STEATOSIS = FileSet(index=STEATOSIS_JSON, content="steatosis")

EXPECTED_BYTES = 8_000_000
"""Room that the files may take."""

ROI_COLUMNS = (
    "roi", "organ", "mean_hu", "sd_hu", "voxels", "inside_percent", "lesion_percent",
    "centre_x_lps_mm", "centre_y_lps_mm", "centre_z_lps_mm", "size_x_mm", "size_y_mm", "size_z_mm",
    "automatic", "remarks",
)  # fmt: skip
"""Columns of rois.csv."""


def write_steatosis(
    assessment: Assessment,
    folder: Union[PathLike, Reservation],
    *,
    name: str,
    image: sitk.Image,
    labels: sitk.Image,
    provenance: Mapping[str, Any],
    warnings: Sequence[str] = (),
    segmentation: bool = False,
) -> Tuple[Dict[str, Path], Tuple[str, ...]]:
    """Write an assessment into ``folder``: all files or none. A previous set is replaced.

    Args:
        assessment: What to write.
        folder: Made if missing; or a ``Reservation``.
        name: Name of the case.
        image, labels: The scan in HU and its mask, on the same grid: for the picture.
        provenance: How it came about; JSON-ready.
        warnings: Sentences besides those of the assessment.
        segmentation: Write the mask, too.

    Returns:
        Key ("steatosis", "steatosis_csv", "rois_csv", "rois_picture", "segmentation") -> path of each file,
        and all warnings; the picture may be missing, and a warning then says why.

    Raises:
        OutputError: As ``write_results``.
    """
    said = list(warnings)
    case = case_row(name, assessment)
    files: Dict[str, Tuple[str, Writer]] = {
        "steatosis_csv": (STEATOSIS_CSV, _table(tuple(case), [case])),
        "rois_csv": (ROIS_CSV, _table(ROI_COLUMNS, [roi_row(reading) for reading in assessment.rois])),
    }
    picture = _picture(assessment.rois, image, labels, said)
    if picture is not None:
        files["rois_picture"] = (ROIS_PICTURE, picture)
    if segmentation:
        files["segmentation"] = (SEGMENTATION, lambda path: write_labels(path, labels, "nii.gz"))
    content = {
        "name": name,
        "steatosis": assessment.to_dict(),
        "warnings": said,
        "provenance": dict(provenance),
    }
    with reserved(folder) as reservation:
        refuse_another_scan(reservation.folder, lambda: ScanIdentity.of(name, provenance))
        return write_file_set(reservation, STEATOSIS, files, content), tuple(said)


def check_steatosis_folder(
    folder: Union[PathLike, Reservation],
    *,
    segmentation: bool = False,
    scan: Callable[[], Optional[ScanIdentity]] = lambda: None,
) -> None:
    """Find out before the work starts whether ``write_steatosis`` could write; nothing stays behind.

    Args:
        folder: The output folder; or a ``Reservation``.
        segmentation: As for ``write_steatosis``.
        scan: As for ``check_output_folder``.

    Raises:
        OutputError: As ``check_output_folder``.
    """
    names = [STEATOSIS_JSON, STEATOSIS_CSV, ROIS_CSV, ROIS_PICTURE, *[SEGMENTATION] * segmentation]
    with reserved(folder) as reservation:
        check_room(reservation, EXPECTED_BYTES)
        refuse_another_scan(reservation.folder, scan)
        with in_words(reservation.folder):
            refuse_to_overwrite(reservation.folder, names, STEATOSIS.previous(reservation.folder))


def case_row(name: str, assessment: Assessment) -> Dict[str, str]:
    """One case as a row of steatosis.csv, of which ``liverseg agree`` reads the first columns; an unknown
    number is empty."""
    low, high = assessment.ratio_interval or (None, None)
    return {
        "case": name,
        "ratio": _number(assessment.ratio, 4),
        "ratio_low_95": _number(low, 4),
        "ratio_high_95": _number(high, 4),
        "ratio_of_means": _number(assessment.ratio_of_means, 4),
        "liver_hu": _number(assessment.liver_mean, 2),
        "spleen_hu": _number(assessment.spleen_mean, 2),
        "liver_minus_spleen_hu": _number(assessment.difference, 2),
        "liver_median_hu": _number(assessment.liver_median, 1),
        "spleen_median_hu": _number(assessment.spleen_median, 1),
        "grade": assessment.grade or "",
        "graded_anyway": _yes(assessment.graded_anyway),
        "fat_fraction_percent": _number(assessment.fat_fraction_percent, 1),
        "liver_rois": str(len(assessment.rois_of(LABELS[LIVER].key))),
        "spleen_rois": str(len(assessment.rois_of(LABELS[SPLEEN].key))),
        "edited": _yes(assessment.edited),
        "phase": assessment.conditions.phase or "",
        "kvp": _number(assessment.conditions.kvp, 0),
        "reasons_not_to_grade": " ".join(assessment.reasons_not_to_grade),
        "warnings": " ".join(assessment.warnings),
        "phase_by_reader": _yes(assessment.conditions.phase_by_reader),
        "disagreement": assessment.disagreement or "",
        "screening": assessment.screening or "",
    }


def roi_row(reading: MeasuredRoi) -> Dict[str, str]:
    """One ROI as a row of ROI_COLUMNS."""
    roi, values = reading
    centre, size = ([_number(value, 1) for value in vector] for vector in (roi.centre, roi.size))
    return {
        "roi": roi.name,
        "organ": roi.organ,
        "mean_hu": _number(values.mean_hu, 2),
        "sd_hu": _number(values.sd_hu, 2),
        "voxels": _number(values.voxels, 1),
        "inside_percent": _number(100.0 * values.inside, 1),
        "lesion_percent": _number(100.0 * values.lesion, 1),
        **dict(zip(ROI_COLUMNS[7:13], [*centre, *size])),
        "automatic": _yes(roi.automatic),
        "remarks": " ".join(values.flags),
    }


def _picture(
    readings: Sequence[MeasuredRoi], image: sitk.Image, labels: sitk.Image, said: List[str]
) -> Optional[Callable[[Path], None]]:
    """What writes the picture of the ROIs; None without ROIs, or, with a sentence, without pillow."""
    if not readings:
        return None
    try:
        from ..report.pictures import JPEG_QUALITY
        from ..report.planes import PatientView
        from ..report.roi_pictures import roi_pictures, roi_sheet
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "PIL":
            raise
        said.append(Sentence("files.no-roi-picture"))
        return None
    sheet = roi_sheet(roi_pictures(PatientView.of(image, labels), readings))
    return lambda path: sheet.save(path, "JPEG", quality=JPEG_QUALITY, subsampling=0)


def _table(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> Writer:
    def write(path: Path) -> None:
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)

    return write


def _number(value: Optional[float], decimals: int) -> str:
    if value is None:
        return ""
    text = f"{value:.{decimals}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text


def _yes(value: bool) -> str:
    return "yes" if value else "no"
