"""The message that asks for a result as DICOM objects, and its answer."""

from dataclasses import dataclass
from typing import ClassVar

from ..images.grid import Grid


@dataclass(frozen=True)
class ExportDicom:
    """Write a result as DICOM objects into ``folder``, which the user chose, both or none.

    ``labels`` (uint8 .npy) on the scan's ``grid``. ``summary``: as in ``report``; its "source_files" are the
    paths of the scan's DICOM files, in any order: thousands would be too long for a line. Answered by
    ``progress``, then by ``dicom-exported`` or ``error``.
    """

    type: ClassVar[str] = "export-dicom"
    id: str
    grid: Grid
    labels: str
    summary: str
    folder: str


@dataclass(frozen=True)
class DicomExported:
    """Both objects are in ``folder``: names of their files, and the UIDs of their new series."""

    type: ClassVar[str] = "dicom-exported"
    id: str
    folder: str
    segmentation: str
    measurements: str
    segmentation_series: str
    measurements_series: str
