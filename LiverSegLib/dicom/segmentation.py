"""The DICOM Segmentation object of a result.

Segment 1 is the liver with its tumours, as "liver" is measured everywhere in LiverSeg: SNOMED's liver is the
whole organ, and a viewer that computes a segment's volume finds the number that the report says. Each lesion
is a segment of its own, which overlaps the liver's, so that it has a tracking UID, and the report's
measurements of a lesion refer to its voxels and no others. All lesions together are the label liver tumour;
the liver without them is the parenchyma. A label that has no voxel has no segment.
"""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Tuple

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..images.grid import Box, Grid, check_same_grid
from ..labels import LABELS, LIVER, SPLEEN, TUMOUR, LabelInfo
from ..measure.lesions import lesion_masks
from ..review import ACCEPTED, AUTOMATIC, GIVEN, MANUAL, WAYS, Given, Review
from ..sentences import Sentence
from .codes import ARTIFICIAL_INTELLIGENCE, concept
from .color import cielab
from .equipment import equipment, person_name
from .source import SourceSeries, in_source_order
from .tracking import Tracking, lesion_tracking, structure_tracking

if TYPE_CHECKING:
    from ..result import Result

AUTOMATIC_SEGMENT, CORRECTED_SEGMENT, MANUAL_SEGMENT = "AUTOMATIC", "SEMIAUTOMATIC", "MANUAL"
"""DICOM's words for a segment as a model drew it, for one that was corrected, and for one drawn by hand."""
CORRECTED_GIVEN = "Not LiverSeg; corrected with LiverSeg"
"""Name of the algorithm of a segment that was given to LiverSeg and then corrected there."""

CONTENT_LABEL = "LIVERSEG"


@dataclass(frozen=True, eq=False)
class Segment:
    """What a segment of the object is.

    Attributes:
        number: from 1, in the object.
        key: of the label, see ``LiverSegLib.labels``.
        lesion: number of the lesion, None for organs.
        tracking: identifier and UID.
        box: where the lesion lies, None for organs.
        mask: bool (z, y, x) in that box.
    """

    number: int
    key: str
    lesion: Optional[int]
    tracking: Tracking
    box: Optional[Box] = None
    mask: Optional[np.ndarray] = None


def segments_of(result: "Result", series_uid: str) -> Tuple[Segment, ...]:
    """Return the segments of a result: liver, spleen, and each lesion by its number; none for what is absent.

    Args:
        result: its labels and measurements.
        series_uid: of the series that was segmented.

    Raises:
        InputError: nothing is segmented, or the lesions are not those that were measured.
    """
    array = sitk.GetArrayViewFromImage(result.labels)
    found: List[Segment] = []
    for value in (LIVER, SPLEEN):
        if (array == value).any() or (value == LIVER and (array == TUMOUR).any()):
            info = LABELS[value]
            tracking = structure_tracking(series_uid, info.key, info.name)
            found.append(Segment(len(found) + 1, info.key, None, tracking))
    masks = lesion_masks(result.labels)
    if [int(mask.sum()) for _, mask in masks] != [item.voxels for item in result.measurements.lesions]:
        raise InputError(Sentence("dicom-out.other-lesions"))
    for number, (box, mask) in enumerate(masks, start=1):
        tracking = lesion_tracking(series_uid, number, box, mask)
        found.append(Segment(len(found) + 1, LABELS[TUMOUR].key, number, tracking, box, mask))
    if not found:
        raise InputError(Sentence("dicom-out.nothing"))
    return tuple(found)


def build_segmentation(result: "Result", source: SourceSeries, segments: Tuple[Segment, ...]) -> Any:
    """Return the Segmentation object, a pydicom data set.

    Args:
        result: with its labels on the slices of ``source``.
        source: the series that was segmented.
        segments: from :func:`segments_of`.

    Raises:
        ImageGeometryError: the labels do not lie on the slices.
        InputError: highdicom does not take the headers of the series.
    """
    from highdicom.seg import Segmentation
    from pydicom.uid import generate_uid

    grid = check_same_grid(result.labels, result.image)
    pixels, planes = _pixels(result, grid, source, segments)
    review = result.review or Review()
    series_uid = generate_uid()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # names without a comma, values of the source that are odd
            made = Segmentation(
                source_images=source.images_of(planes),
                pixel_array=pixels,
                segmentation_type="BINARY",
                segment_descriptions=[_description(item, result) for item in segments],
                series_instance_uid=series_uid,
                sop_instance_uid=generate_uid(),
                instance_number=1,
                content_label=CONTENT_LABEL,
                content_description=_content(segments, review),
                content_creator_name=person_name(review.by) if review.by else "LiverSeg",
                **equipment(series_uid, review, "segmentation"),
            )
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(Sentence("dicom-out.refused"), repr(error)) from error
    _refer_to_all(made, source)
    if source.frames:
        _name_frames(made, [source.frames[plane] for plane in planes])
    made.SpecificCharacterSet = "ISO_IR 192"
    made.PositionReferenceIndicator = made.get("PositionReferenceIndicator") or ""
    return made


def is_corrected(key: str, review: Optional[Review]) -> bool:
    """Whether somebody changed a label ("liver" with its tumours) after it was computed."""
    if review is None or review.state in (AUTOMATIC, GIVEN):
        return False
    changed = {change.key for change in review.changes}
    if not changed:
        return review.state != ACCEPTED
    return key in changed or (key == LABELS[LIVER].key and LABELS[TUMOUR].key in changed)


def model_of(key: str, provenance: Mapping[str, Any]) -> Tuple[str, str, Dict[str, str]]:
    """Return name and version of the model that drew a label, and what else tells it from others."""
    model = provenance.get("model") or {}
    if key == LABELS[TUMOUR].key and provenance.get("tumour_model"):
        model = provenance["tumour_model"]
    more = {"sha256": model.get("sha256"), "liverseg": provenance.get("liverseg_version")}
    name, version = str(model.get("name") or "unknown"), str(model.get("version") or "unknown")
    return name, version, {key: str(value) for key, value in more.items() if value}


def _pixels(
    result: "Result", grid: Grid, source: SourceSeries, segments: Tuple[Segment, ...]
) -> Tuple[np.ndarray, List[int]]:
    """The segments' masks as highdicom takes them, uint8 (planes, rows, columns, segments), and the slices of
    the series that they are of: those with a voxel.

    In memory a segment's planes follow one another: the system gives pages to those with voxels only.
    """
    labels = in_source_order(sitk.GetArrayViewFromImage(result.labels), grid, source)
    numbers = np.zeros(grid.shape, np.uint16)
    for item in segments:
        if item.box is not None and item.mask is not None:
            numbers[item.box][item.mask] = item.number
    numbers = in_source_order(numbers, grid, source)
    planes = np.flatnonzero(labels.reshape(len(labels), -1).any(axis=1)).tolist()
    stack = np.zeros((len(segments), len(planes), *source.shape), np.uint8)
    labels, numbers = labels[planes], numbers[planes]
    for item in segments:
        if item.lesion is None:
            is_liver = item.key == LABELS[LIVER].key
            stack[item.number - 1] = np.isin(labels, (LIVER, TUMOUR)) if is_liver else labels == SPLEEN
    where = np.nonzero(numbers)
    stack[(numbers[where].astype(np.intp) - 1, *where)] = 1
    return np.moveaxis(stack, 0, -1), planes


def _description(segment: Segment, result: "Result") -> Any:
    from highdicom.seg import SegmentDescription

    info = _label(segment)
    corrected, given = is_corrected(segment.key, result.review), Given.of(result.provenance)
    own = None if given is not None else _own_algorithm(segment.key, result.provenance)
    made = SegmentDescription(
        segment_number=segment.number,
        segment_label=segment.tracking.identifier,
        segmented_property_category=concept(info.category),
        segmented_property_type=concept(info.type),
        algorithm_type=MANUAL_SEGMENT
        if own is None
        else CORRECTED_SEGMENT
        if corrected
        else AUTOMATIC_SEGMENT,
        algorithm_identification=own,
        tracking_uid=segment.tracking.uid,
        tracking_id=segment.tracking.identifier,
        anatomic_regions=None if segment.lesion is None else [concept(LABELS[LIVER].type)],
    )
    made.RecommendedDisplayCIELabValue = list(cielab(info.colour))
    if given is not None:
        _name_given(made, given, corrected)
    return made


def _own_algorithm(key: str, provenance: Mapping[str, Any]) -> Any:
    """What tells that a model of LiverSeg's drew a label."""
    from highdicom.content import AlgorithmIdentificationSequence

    name, version, more = model_of(key, provenance)
    return AlgorithmIdentificationSequence(
        name=f"LiverSeg, model {name}"[:64],
        family=concept(ARTIFICIAL_INTELLIGENCE),
        version=version[:64],
        source="LiverSeg",
        parameters=more,
    )


def _name_given(made: Any, given: Given, corrected: bool) -> None:
    """Say of a segment that was given to LiverSeg how it was made; of which program and family it is nobody
    knows. What nobody said is called semiautomatic, with a name that says so: DICOM has no word for unknown.
    """
    if given.made == MANUAL and not corrected:
        return
    is_automatic = given.made == AUTOMATIC and not corrected
    made.SegmentAlgorithmType = AUTOMATIC_SEGMENT if is_automatic else CORRECTED_SEGMENT
    made.SegmentAlgorithmName = CORRECTED_GIVEN if corrected else given_words(given)


def given_words(given: Given) -> str:
    """What a segmentation that was given to LiverSeg is called where an algorithm is to be named.

    >>> given_words(Given("seg.dcm", made="manual"))
    'Not LiverSeg; made by hand'
    """
    return f"Not LiverSeg; made {WAYS.get(given.made, 'in an unknown way')}"


def _label(segment: Segment) -> LabelInfo:
    return next(info for info in LABELS.values() if info.key == segment.key)


def _content(segments: Tuple[Segment, ...], review: Review) -> str:
    """What the object holds and who had the last word on it, in 64 characters."""
    lesions = sum(item.lesion is not None for item in segments)
    organs = ", ".join(item.tracking.identifier.lower() for item in segments if item.lesion is None)
    counted = f", {lesions} lesion{'s' * (lesions != 1)}" if lesions else ""
    words = {AUTOMATIC: "automatic, not reviewed", GIVEN: "given, not reviewed", ACCEPTED: "accepted"}
    return f"{organs}{counted}; {words.get(review.state, 'edited, not accepted')}".capitalize()[:64]


def _name_frames(made: Any, frames: List[int]) -> None:
    """Name the frames of the source by their numbers in the whole file, not among those handed over."""
    references = {
        id(image): image  # segments may share the item of a frame
        for group in made.PerFrameFunctionalGroupsSequence
        for derivation in group.DerivationImageSequence
        for image in derivation.SourceImageSequence
    }
    for image in references.values():
        image.ReferencedFrameNumber = frames[int(image.ReferencedFrameNumber) - 1] + 1


def _refer_to_all(made: Any, source: SourceSeries) -> None:
    """Name every instance of the series in the object's references, those without a segmented voxel too."""
    from pydicom.dataset import Dataset

    def reference(image: Any) -> Dataset:
        item = Dataset()
        item.ReferencedSOPClassUID = image.SOPClassUID
        item.ReferencedSOPInstanceUID = image.SOPInstanceUID
        return item

    made.ReferencedSeriesSequence[0].ReferencedInstanceSequence = [reference(i) for i in source.images]
    if "SourceImageSequence" in made:
        made.SourceImageSequence = [reference(image) for image in source.images]
