"""An RT structure set: which structures it has, and their contours."""

import os
import warnings
from dataclasses import dataclass
from typing import Any, Callable, Dict, FrozenSet, List, Mapping, Tuple

import numpy as np

from ..errors import InputError, UnreadableImageError, is_out_of_memory
from ..images.dicom import PARSE_ERRORS
from ..images.grid import Grid
from ..sentences import Sentence
from .belonging import Reference, uids
from .contours import Contour, rasterise
from .naming import Segment, coded

CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
"""RT Structure Set Storage."""

_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")

Check = Callable[[], None]


@dataclass(frozen=True)
class StructureSet:
    """A structure set that was read: its structures, and the closed contours of each by its number."""

    name: str
    segments: Tuple[Segment, ...]
    contours: Mapping[int, Tuple[Contour, ...]]
    reference: Reference


def read_structure_set(path: str) -> StructureSet:
    """Read a structure set.

    Raises:
        UnreadableImageError: it is damaged or incomplete.
    """
    import pydicom

    name = os.path.basename(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = pydicom.dcmread(path, force=True)
            return _structure_set(data, name)
    except PARSE_ERRORS as error:
        if is_out_of_memory(error):
            raise
        raise UnreadableImageError(Sentence("segmentation.damaged", name=name), repr(error)) from error


def onto(
    structures: StructureSet, labels: Dict[int, int], grid: Grid, check: Check
) -> Tuple[Dict[int, np.ndarray], int, Tuple[str, ...]]:
    """Return the voxels of some structures on a scan's grid.

    Args:
        labels: structure number -> label.
        check: called for each structure; may raise to cancel.

    Returns:
        Label -> bool (z, y, x); how many planes of contours lie outside the scan; warnings.

    Raises:
        InputError: contours of a structure do not lie in the plane of the scan's slices.
    """
    masks = {label: np.zeros(grid.shape, bool) for label in set(labels.values())}
    outside = 0
    said: List[str] = []
    for segment in structures.segments:
        if segment.number not in labels:
            continue
        check()
        found = rasterise(structures.contours.get(segment.number, ()), grid)
        if found.oblique:
            raise InputError(
                Sentence(
                    "segmentation.oblique", name=structures.name, segment=segment.name, count=found.oblique
                )
            )
        if found.interpolated:
            said.append(Sentence("segmentation.interpolated", segment=segment.name, count=found.interpolated))
        masks[labels[segment.number]] |= found.mask
        outside += found.outside
    return masks, outside, tuple(said)


def _structure_set(data: Any, name: str) -> StructureSet:
    codes: Dict[int, Tuple[str, str]] = {}
    for item in getattr(data, "RTROIObservationsSequence", None) or []:
        found = getattr(item, "RTROIIdentificationCodeSequence", None)
        if found and getattr(item, "ReferencedROINumber", None) is not None:
            scheme, value = found[0].CodingSchemeDesignator, found[0].CodeValue
            codes[int(item.ReferencedROINumber)] = coded(str(scheme), str(value))
    structures = getattr(data, "StructureSetROISequence", None) or []
    segments = tuple(
        Segment(
            int(item.ROINumber),
            str(getattr(item, "ROIName", "") or "").strip(),
            codes.get(int(item.ROINumber), ("", "")),
        )
        for item in structures
    )
    contours = {
        int(item.ReferencedROINumber): tuple(_contours(item))
        for item in getattr(data, "ROIContourSequence", None) or []
    }
    return StructureSet(name, segments, contours, Reference(_frames(data, structures), _series(data)))


def _contours(item: Any) -> List[Contour]:
    found = []
    for contour in getattr(item, "ContourSequence", None) or []:
        kind = str(getattr(contour, "ContourGeometricType", ""))
        numbers = getattr(contour, "ContourData", None)
        if kind not in _CLOSED or numbers is None or len(numbers) < 9 or len(numbers) % 3:
            continue
        points = np.array([float(value) for value in numbers]).reshape(-1, 3)
        found.append(Contour(points, kind == _CLOSED[1]))
    return found


def _frames(data: Any, structures: Any) -> FrozenSet[str]:
    found = uids(structures, "ReferencedFrameOfReferenceUID")
    found += uids(getattr(data, "ReferencedFrameOfReferenceSequence", None), "FrameOfReferenceUID")
    found += uids([data], "FrameOfReferenceUID")
    return frozenset(found)


def _series(data: Any) -> FrozenSet[str]:
    found: List[str] = []
    for frame in getattr(data, "ReferencedFrameOfReferenceSequence", None) or []:
        for study in getattr(frame, "RTReferencedStudySequence", None) or []:
            found += uids(getattr(study, "RTReferencedSeriesSequence", None), "SeriesInstanceUID")
    return frozenset(found)
