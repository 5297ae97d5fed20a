"""The English template of every sentence about writing results as DICOM objects; see ``sentence_texts``."""

from typing import Dict

_ = str

DICOM_OUT: Dict[str, str] = {
    "dicom-out.no-source": _(
        "DICOM objects need the DICOM series that the scan was read from: this scan did not come from DICOM, "
        "so its patient and study are not known."
    ),
    "dicom-out.no-highdicom": _(
        "Writing DICOM objects needs the Python package highdicom, which is not installed: pip install "
        '"liverseg[dicom]".'
    ),
    "dicom-out.file-gone": _(
        "DICOM objects cannot be written: the scan's DICOM file {name} is not there any more, or cannot be "
        "read."
    ),
    "dicom-out.header": _("DICOM objects cannot be written: the DICOM headers of the scan lack {names}."),
    "dicom-out.several-series": _(
        "DICOM objects cannot be written: the scan's DICOM files belong to several series."
    ),
    "dicom-out.several-multi-frame": _(
        "DICOM objects cannot be written: the slices of the scan lie in several multi-frame files."
    ),
    "dicom-out.other-grid": _(
        "DICOM objects cannot be written: the segmentation does not lie on the slices of the DICOM series, "
        "as after a scan was cropped, resampled or moved."
    ),
    "dicom-out.nothing": _("DICOM objects cannot be written: nothing is segmented."),
    "dicom-out.other-lesions": _(
        "DICOM objects cannot be written: the lesions were changed since they were measured. Measure again."
    ),
    "dicom-out.refused": _(
        "DICOM objects cannot be written: the DICOM headers of the scan are not as the standard wants them."
    ),
}
"""Identifier -> English template."""
