"""The Comprehensive 3D SR of a result: an imaging measurement report (TID 1500)."""

import warnings
from typing import TYPE_CHECKING, Any, Optional, Sequence

import LiverSegLib

from ..errors import InputError
from ..review import ACCEPTED, Review
from ..sentences import Sentence
from .codes import PROCEDURES, concept
from .equipment import equipment, person_name
from .fatty_liver import fatty_liver_groups
from .groups import References, region_groups, result_group
from .segmentation import Segment
from .source import SourceSeries
from .tracking import derived_uid

if TYPE_CHECKING:
    from ..result import Result
    from ..steatosis.assessment import Assessment


def build_report(
    result: "Result",
    source: SourceSeries,
    segments: Sequence[Segment],
    segmentation: Any,
    steatosis: "Optional[Assessment]" = None,
) -> Any:
    """Return the SR, a pydicom data set.

    Args:
        result: its measurements, facts and review.
        source: the series that was segmented.
        segments: of the Segmentation object.
        segmentation: that object.
        steatosis: the fatty-liver assessment, if there is one.

    Raises:
        InputError: highdicom does not take the headers of the series.
    """
    from highdicom.sr import Comprehensive3DSR, MeasurementReport
    from pydicom.uid import generate_uid

    first, review, series_uid = source.first, result.review or Review(), generate_uid()
    references = References(
        first.SeriesInstanceUID, first.FrameOfReferenceUID,
        segmentation.SOPClassUID, segmentation.SOPInstanceUID,
    )  # fmt: skip
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # names without a comma, values of the source that are odd
            groups = [result_group(result, references), *region_groups(result, segments, references)]
            if steatosis is not None:
                groups += fatty_liver_groups(steatosis, references)
            content = MeasurementReport(
                observation_context=_observers(result, steatosis),
                procedure_reported=concept(PROCEDURES[result.facts.modality]),
                imaging_measurements=groups,
            )
            made = Comprehensive3DSR(
                evidence=[*source.images, segmentation],
                content=content[0],
                series_instance_uid=series_uid,
                sop_instance_uid=generate_uid(),
                instance_number=1,
                is_complete=True,
                is_final=review.state == ACCEPTED,
                **equipment(series_uid, review, "measurements"),
            )
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(Sentence("dicom-out.refused"), repr(error)) from error
    made.SpecificCharacterSet = "ISO_IR 192"
    return made


def _observers(result: "Result", steatosis: "Optional[Assessment]") -> Any:
    """LiverSeg, and the reader who accepted the result or, if nobody has, the fatty-liver reading."""
    from highdicom.sr import (
        DeviceObserverIdentifyingAttributes,
        ObservationContext,
        ObserverContext,
        PersonObserverIdentifyingAttributes,
    )
    from pydicom.sr.codedict import codes

    device = ObserverContext(
        codes.DCM.Device,
        DeviceObserverIdentifyingAttributes(
            uid=derived_uid("device", LiverSegLib.__version__),
            name="LiverSeg",
            manufacturer_name="LiverSeg",
            model_name=f"LiverSeg {LiverSegLib.__version__}",
        ),
    )
    accepted = None if steatosis is None else steatosis.accepted
    by = (result.review.by if result.review is not None else None) or (accepted.by if accepted else None)
    person = None
    if by:
        identity = PersonObserverIdentifyingAttributes(name=person_name(by))
        person = ObserverContext(codes.DCM.Person, identity)
    return ObservationContext(observer_person_context=person, observer_device_context=device)
