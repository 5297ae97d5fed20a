"""The measurement groups of the fatty-liver assessment: each ROI as a box (TID 1411); ratio, grade (1501)."""

from typing import TYPE_CHECKING, Any, List

import numpy as np

from ..labels import LABELS, LIVER, SPLEEN
from . import codes
from .codes import concept
from .groups import References, attenuation, comment, identifier, number
from .tracking import structure_tracking

if TYPE_CHECKING:
    from ..steatosis.assessment import Acceptance, Assessment, MeasuredRoi
    from ..steatosis.roi import Roi


def fatty_liver_groups(assessment: "Assessment", references: References) -> List[Any]:
    """Return the group of the assessment, and one of each ROI that counts and has a mean."""
    rois = [_roi(measured, references) for measured in assessment.rois if measured[1].mean_hu is not None]
    return [_assessment(assessment, references), *rois]


def _assessment(assessment: "Assessment", references: References) -> Any:
    from highdicom.sr import MeasurementsAndQualitativeEvaluations, QualitativeEvaluation

    liver, spleen = LABELS[LIVER].type, LABELS[SPLEEN].type
    rows = [
        *attenuation(assessment.liver_mean, None, site=liver),
        *attenuation(assessment.spleen_mean, None, site=spleen),
    ]
    if assessment.ratio is not None:
        rows.append(number(codes.LIVER_SPLEEN_RATIO, assessment.ratio, codes.RATIO))
    if assessment.difference is not None:
        rows.append(number(codes.LIVER_MINUS_SPLEEN, assessment.difference, codes.HOUNSFIELD))
    grade = codes.NOT_GRADED if assessment.grade is None else codes.GRADES[assessment.grade]
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=identifier(
            structure_tracking(references.series_uid, "fatty liver", "Fatty liver")
        ),
        measurements=rows or None,
        qualitative_evaluations=[QualitativeEvaluation(concept(codes.STEATOSIS), concept(grade))],
    )
    cut_offs = f"Liver/spleen ratio: {assessment.cut_offs}."
    accepted = "Fatty-liver reading not accepted"
    if assessment.accepted is not None:
        accepted = _in_words(assessment.accepted)
    texts = (assessment.grade_text, cut_offs, accepted)
    comment(group, [*texts, *assessment.reasons_not_to_grade, *assessment.warnings])
    return group


def _in_words(accepted: "Acceptance") -> str:
    how = "ROIs changed by the reader" if accepted.how == "edited" else "ROIs as they were placed"
    return f"Fatty-liver reading accepted by {accepted.by} at {accepted.at}, {how}"


def _roi(measured: "MeasuredRoi", references: References) -> Any:
    from highdicom.sr import (
        GraphicTypeValues3D,
        SourceSeriesForSegmentation,
        VolumeSurface,
        VolumetricROIMeasurementsAndQualitativeEvaluations,
    )

    roi, values = measured
    info = LABELS[LIVER] if roi.organ == LABELS[LIVER].key else LABELS[SPLEEN]
    place = f"roi {roi.name} {roi.centre} {roi.size}"
    group = VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=identifier(
            structure_tracking(references.series_uid, place, f"ROI {roi.name} of the {info.name.lower()}")
        ),
        referenced_volume_surface=VolumeSurface(
            GraphicTypeValues3D.POLYGON,
            box_faces(roi),
            references.frame_of_reference,
            source_series=SourceSeriesForSegmentation(references.series_uid),
        ),
        finding_type=concept(info.type),
        finding_category=concept(info.category),
        measurements=attenuation(values.mean_hu, values.sd_hu),
    )
    comment(group, values.flags)
    return group


def box_faces(roi: "Roi") -> List[np.ndarray]:
    """Return the lower and the upper face of an ROI as closed polygons, LPS mm, (5, 3) each."""
    x, y, z = (np.array([-0.5, 0.5]) * side + middle for side, middle in zip(roi.size, roi.centre))
    corners = ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))
    return [np.array([(x[i], y[j], height) for i, j in corners]) for height in z]
