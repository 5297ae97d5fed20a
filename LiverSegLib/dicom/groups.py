"""The measurement groups of the SR: liver, spleen, each lesion (TID 1411); diameters, the whole (TID 1501).

A group of a region refers to its segment in the Segmentation object and has that one's tracking UID. The
diameters of a lesion are a second group with the same tracking UID: TID 1411 measures the region of a segment
and takes no coordinates, TID 1501 does.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence

import numpy as np

from ..labels import LABELS, LIVER, TUMOUR, Code, LabelInfo
from ..measure.measurements import Lesion, Line, Organ
from ..review import Given, Review
from . import codes
from .codes import concept
from .segmentation import Segment, given_words, model_of
from .tracking import Tracking, structure_tracking

if TYPE_CHECKING:
    from ..result import Result


@dataclass(frozen=True, eq=False)
class References:
    """What groups refer to.

    Attributes:
        series_uid: the series that was segmented.
        frame_of_reference: UID of its coordinates.
        segmentation_class, segmentation_uid: SOP class and instance of the Segmentation object.
    """

    series_uid: str
    frame_of_reference: str
    segmentation_class: str
    segmentation_uid: str


def region_groups(result: "Result", segments: Sequence[Segment], references: References) -> List[Any]:
    """Return the groups of each segment: volume and attenuation, and a lesion's diameters with their ends."""
    groups = []
    for segment in segments:
        if segment.lesion is None:
            organ = result.measurements.organ(segment.key)
            groups.append(_region(segment, result, references, _organ(organ), organ.warnings))
        else:
            lesion = result.measurements.lesions[segment.lesion - 1]
            groups.append(_region(segment, result, references, _lesion(lesion), lesion.warnings))
            groups.append(_diameters(segment, result, lesion, references))
    return groups


def result_group(result: "Result", references: References) -> Any:
    """Return the group of what no single region has: tumour burden, and who had the last word."""
    from highdicom.sr import MeasurementsAndQualitativeEvaluations, QualitativeEvaluation

    review, burden = result.review or Review(), result.measurements.tumour_burden_percent
    rows = [] if burden is None else [number(codes.TUMOUR_BURDEN, burden, codes.PERCENT, LABELS[LIVER].type)]
    state = QualitativeEvaluation(concept(codes.REVIEW), concept(codes.REVIEW_STATES[review.state]))
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=identifier(structure_tracking(references.series_uid, "result", "Result")),
        measurements=rows or None,
        qualitative_evaluations=[state],
    )
    words = review.in_words() + (f" ({review.zone()})" if review.zone() else "")
    comment(group, [words, *result.measurements.burden_warnings])
    return group


def number(
    name: Code,
    value: float,
    unit: Code,
    site: Optional[Code] = None,
    derivation: Optional[Code] = None,
    **more: Any,
) -> Any:
    """Return a measurement (TID 300).

    Args:
        name, value, unit: what was measured.
        site: the organ, where the group does not say it.
        derivation: mean or standard deviation.
        **more: as highdicom takes it.
    """
    from highdicom.sr import FindingSite, Measurement

    return Measurement(
        name=concept(name),
        value=float(value),
        unit=concept(unit),
        finding_sites=None if site is None else [FindingSite(concept(site))],
        derivation=None if derivation is None else concept(derivation),
        **more,
    )


def attenuation(
    mean_hu: Optional[float], sd_hu: Optional[float], name: Code = codes.ATTENUATION, **more: Any
) -> List[Any]:
    """Return mean and standard deviation in HU as measurements; nothing for what is not known."""
    values = ((mean_hu, codes.MEAN), (sd_hu, codes.STANDARD_DEVIATION))
    return [
        number(name, value, codes.HOUNSFIELD, derivation=derivation, **more)
        for value, derivation in values
        if value is not None and np.isfinite(value)
    ]


def identifier(tracking: Tracking) -> Any:
    """Return a tracking as highdicom takes it."""
    from highdicom.sr import TrackingIdentifier

    return TrackingIdentifier(uid=tracking.uid, identifier=tracking.identifier)


def comment(group: Any, texts: Sequence[str]) -> None:
    """Add texts to a group, each as a comment of its own; the templates of groups may be extended."""
    from highdicom.sr import RelationshipTypeValues, TextContentItem

    for text in dict.fromkeys(texts):
        item = TextContentItem(concept(codes.COMMENT), str(text), RelationshipTypeValues.CONTAINS)
        group[0].ContentSequence.append(item)


def _region(
    segment: Segment,
    result: "Result",
    references: References,
    measurements: Sequence[Any],
    texts: Sequence[str],
) -> Any:
    from highdicom.sr import (
        ReferencedSegment,
        SourceSeriesForSegmentation,
        VolumetricROIMeasurementsAndQualitativeEvaluations,
    )

    group = VolumetricROIMeasurementsAndQualitativeEvaluations(
        referenced_segment=ReferencedSegment(
            references.segmentation_class,
            references.segmentation_uid,
            segment.number,
            source_series=SourceSeriesForSegmentation(references.series_uid),
        ),
        measurements=list(measurements),
        **_what(segment, result),
    )
    comment(group, texts)
    return group


def _diameters(segment: Segment, result: "Result", lesion: Lesion, references: References) -> Any:
    from highdicom.sr import MeasurementsAndQualitativeEvaluations

    axes = (
        (codes.LONG_AXIS, lesion.longest_diameter_mm, lesion.longest_ends),
        (codes.SHORT_AXIS, lesion.perpendicular_mm, lesion.perpendicular_ends),
    )
    rows = []
    for name, length, ends in axes:
        row = number(name, length, codes.MILLIMETER)
        row[0].ContentSequence = [_line(ends, references.frame_of_reference)]
        rows.append(row)
    return MeasurementsAndQualitativeEvaluations(measurements=rows, **_what(segment, result))


def _what(segment: Segment, result: "Result") -> Dict[str, Any]:
    """What a group is about, as highdicom takes it: tracking, finding, where, and which model found it."""
    from highdicom.sr import AlgorithmIdentification, FindingSite

    info = _label(segment)
    given = Given.of(result.provenance)
    name, version, more = model_of(segment.key, result.provenance)
    return {
        "tracking_identifier": identifier(segment.tracking),
        "finding_type": concept(info.type),
        "finding_category": concept(info.category),
        "finding_sites": [FindingSite(concept(LABELS[LIVER].type))] if info.value == TUMOUR else None,
        "algorithm_id": AlgorithmIdentification(
            name=f"LiverSeg, model {name}" if given is None else given_words(given),
            version=version,
            parameters=[f"{key}={value}" for key, value in more.items()] or None,
        ),
    }


def _organ(organ: Organ) -> List[Any]:
    """The liver's volume is that with its tumours, its attenuation that of the parenchyma without them."""
    is_liver = organ.key == LABELS[LIVER].key
    name = codes.PARENCHYMA_ATTENUATION if is_liver else codes.ATTENUATION
    volume = number(codes.VOLUME, organ.volume_ml, codes.CUBIC_CENTIMETER)
    return [volume, *attenuation(organ.mean_hu, organ.sd_hu, name)]


def _lesion(lesion: Lesion) -> List[Any]:
    volume = number(codes.VOLUME, lesion.volume_ml, codes.CUBIC_CENTIMETER)
    return [volume, *attenuation(lesion.mean_hu, lesion.sd_hu)]


def _line(ends: Line, frame_of_reference: str) -> Any:
    """The line that a length was measured along (TID 320); highdicom before 0.23 has no class for it."""
    from highdicom.sr import GraphicTypeValues3D, RelationshipTypeValues, Scoord3DContentItem

    return Scoord3DContentItem(
        name=concept(codes.SOURCE),
        graphic_type=GraphicTypeValues3D.POLYLINE,
        graphic_data=np.array(ends),
        frame_of_reference_uid=frame_of_reference,
        relationship_type=RelationshipTypeValues.INFERRED_FROM,
    )


def _label(segment: Segment) -> LabelInfo:
    return next(info for info in LABELS.values() if info.key == segment.key)
