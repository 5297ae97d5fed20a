"""What the worker does to write a result as DICOM objects."""

import numpy as np

from ..cancelling import while_checking
from ..images.scan import DicomFiles
from ..review import Review
from .context import TaskContext
from .dicom_messages import DicomExported, ExportDicom
from .handed import read_mask, read_summary


def export(request: ExportDicom, context: TaskContext) -> DicomExported:
    """Write the objects of a case into the folder that the user chose."""
    from ..api import Result
    from ..dicom import MEASUREMENTS_DCM, SEGMENTATION_DCM, require_highdicom, write_dicom
    from ..measure import Measurements
    from ..measure.facts import ClinicalFacts
    from ..outputs.atomic import reserve
    from ..outputs.file_set import in_words
    from ..steatosis.assessment import Assessment

    context.report_progress(0.0, "read", "Reading the segmentation")
    require_highdicom()
    summary = read_summary(request.summary)
    mask = read_mask(request.labels, request.grid.shape, "handed.segmentation-unreadable")
    labels = request.grid.checked().image(mask)
    result = Result(
        name=summary["name"],
        image=labels,  # no object holds the scan's voxels: its grid is enough
        labels=labels,
        probability=np.broadcast_to(np.uint8(0), request.grid.shape),
        measurements=Measurements.from_dict(summary["measurements"]),
        provenance=dict(summary["provenance"]),
        warnings=tuple(summary["warnings"]),
        facts=ClinicalFacts.from_dict(summary.get("facts")),
        review=Review.from_dict(summary.get("review")),
        source=DicomFiles(tuple(summary.get("source_files") or ())),
    )
    steatosis = summary.get("steatosis")
    assessment = None if steatosis is None else Assessment.from_dict(steatosis)
    context.report_progress(0.1, "dicom", "Writing the DICOM objects")
    with reserve(request.folder) as reservation, in_words(reservation.folder):
        made = while_checking(
            lambda ask: write_dicom(
                result, reservation.staging, steatosis=assessment, check=lambda: ask(context.check)
            ),
            context.check,
        )
        reservation.commit([SEGMENTATION_DCM, MEASUREMENTS_DCM])
    folder = str(reservation.folder)
    return DicomExported(request.id, folder, SEGMENTATION_DCM, MEASUREMENTS_DCM, *made)
