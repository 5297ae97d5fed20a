"""DICOM objects as files."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional, Tuple, Union

import numpy as np

from ..errors import InputError, LiverSegError
from ..sentences import Sentence

if TYPE_CHECKING:
    from ..result import Result
    from ..steatosis.assessment import Assessment

PathLike = Union[str, "os.PathLike[str]"]

SEGMENTATION_DCM, MEASUREMENTS_DCM = "segmentation.dcm", "measurements.dcm"
"""Names of the files in a folder of results."""


def can_write() -> bool:
    """Whether highdicom is installed."""
    return find_spec("highdicom") is not None


def require_highdicom() -> None:
    """Do nothing if highdicom is installed.

    Raises:
        LiverSegError: it is not; the sentence says how to get it.
    """
    if not can_write():
        raise LiverSegError(Sentence("dicom-out.no-highdicom"))
    if not hasattr(np, "float_"):
        # highdicom 0.22, the last for pydicom 2, asks numpy for a name that numpy 2 took away; 3D Slicer 5.10
        # has that pydicom with that numpy
        setattr(np, "float_", np.float64)  # noqa: B010 (numpy's types do not know it)


def require_dicom_source(path: PathLike) -> None:
    """Do nothing if a path is a folder, a zip archive or a file that starts like DICOM, before a run that
    ends in objects.

    Raises:
        InputError: it is a file of another format, which knows no patient and no study.
    """
    from ..images.dicom import is_dicom
    from ..images.unpacking import is_archive

    place = os.fspath(path)
    if not os.path.isdir(place) and not is_archive(place) and not is_dicom(place):
        raise InputError(Sentence("dicom-out.no-source"))


def write_segmentation(result: "Result", path: PathLike) -> Any:
    """Write a result as a DICOM Segmentation object.

    It has a segment of the liver with its tumours, one of the spleen, and one of each lesion, with tracking
    UIDs that the same result always has; it belongs to patient and study of the series that was segmented and
    refers to each instance of that. Written anew it is another instance in another series.

    Args:
        result: what ``LiverSegLib.segment`` returned of a DICOM series.
        path: the file, replaced if it is there.

    Returns:
        The object, a ``highdicom.seg.Segmentation``.

    Raises:
        InputError: the scan did not come from DICOM, its headers lack something, or nothing is segmented.
        ImageGeometryError: the mask does not lie on the slices of the series.
        LiverSegError: highdicom is not installed.
        OSError: the file cannot be written.
    """
    require_highdicom()
    from .segmentation import build_segmentation, segments_of
    from .source import read_source

    source = read_source(result.source)
    made = build_segmentation(result, source, segments_of(result, source.first.SeriesInstanceUID))
    save(made, path)
    return made


def write_report(
    result: "Result", path: PathLike, segmentation: Any, *, steatosis: "Optional[Assessment]" = None
) -> Any:
    """Write a result's measurements as a DICOM Comprehensive 3D SR (TID 1500).

    It holds volumes, lesions with their diameters and where these lie, tumour burden, attenuation with its
    ROIs, the fatty-liver grade, and who accepted. Its groups refer to the segments of the Segmentation.

    Args:
        result: what ``LiverSegLib.segment`` returned of a DICOM series.
        path: the file, replaced if it is there.
        segmentation: what :func:`write_segmentation` returned for the same result.
        steatosis: what ``LiverSegLib.assess_steatosis`` returned.

    Returns:
        The object, a ``highdicom.sr.Comprehensive3DSR``.

    Raises:
        InputError, LiverSegError, OSError: as :func:`write_segmentation`.
    """
    require_highdicom()
    from .report import build_report
    from .segmentation import segments_of
    from .source import read_source

    source = read_source(result.source)
    segments = segments_of(result, source.first.SeriesInstanceUID)
    made = build_report(result, source, segments, segmentation, steatosis)
    save(made, path)
    return made


def write_dicom(
    result: "Result",
    folder: PathLike,
    *,
    steatosis: "Optional[Assessment]" = None,
    check: Callable[[], None] = lambda: None,
) -> Tuple[str, str]:
    """Write both objects into a folder, as SEGMENTATION_DCM and MEASUREMENTS_DCM.

    Args:
        result, steatosis: as for :func:`write_report`.
        folder: where they go; it is there.
        check: called between the steps; may raise to cancel.

    Returns:
        Series Instance UIDs of the Segmentation and of the report.

    Raises:
        InputError, ImageGeometryError, LiverSegError, OSError: as :func:`write_segmentation`.
    """
    require_highdicom()
    from .report import build_report
    from .segmentation import build_segmentation, segments_of
    from .source import read_source

    source = read_source(result.source)
    check()
    segments = segments_of(result, source.first.SeriesInstanceUID)
    check()
    segmentation = build_segmentation(result, source, segments)
    check()
    report = build_report(result, source, segments, segmentation, steatosis)
    check()
    save(segmentation, Path(folder) / SEGMENTATION_DCM)
    save(report, Path(folder) / MEASUREMENTS_DCM)
    return str(segmentation.SeriesInstanceUID), str(report.SeriesInstanceUID)


def save(data: Any, path: PathLike) -> None:
    """Write a data set as a DICOM file with preamble: beside its place, then renamed into it.

    Raises:
        OSError: it cannot be written; nothing is left.
    """
    import pydicom

    is_new = int(pydicom.__version__.split(".")[0]) >= 3
    how = {"enforce_file_format": True} if is_new else {"write_like_original": False}
    part = Path(os.fspath(path) + ".part")
    try:
        pydicom.dcmwrite(str(part), data, **how)
        os.replace(str(part), os.fspath(path))
    except BaseException:
        if part.exists():
            part.unlink()
        raise
