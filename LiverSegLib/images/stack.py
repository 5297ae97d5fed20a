"""One DICOM stack: its geometry, checked for gaps, repetition and tilt, and its pixels."""

import os
from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Tuple

import numpy as np
import SimpleITK as sitk

from ..errors import ImageGeometryError, NotCTError, UnreadableImageError
from ..sentences import Sentence
from .dicom import Slice
from .grouping import GAP_TOLERANCE, normal, odd_gaps, places_mm, repeats
from .modality import MR
from .pixels import read_file

LATERAL_TOLERANCE_MM = 1.5
"""Slices may lie this far beside the straight line through all of them."""

TILT_DEGREES = 0.3
"""A tilt below this is rounding; it moves the last of 100 slices of 5 mm by less than 3 mm."""

MAXIMUM_TILT_DEGREES = 35.0
"""Gantries tilt by 30 degrees at most; more is a wrong header."""


@dataclass(frozen=True)
class StackGeometry:
    """Where a stack lies: size (x, y, n), spacing mm (x, y, z), origin and 3 x 3 direction (columns are axes)
    in LPS.
    """

    size: Tuple[int, int, int]
    spacing: Tuple[float, float, float]
    origin: Tuple[float, ...]
    direction: np.ndarray
    warnings: Tuple[str, ...]


def nominal_spacing(slices: List[Slice]) -> Tuple[float, float, float]:
    """Spacing for listing, mm (x, y, z): the median gap, or the thickness where positions are missing; 0
    where unknown.
    """
    across = slices[0].spacing or (0.0, 0.0)
    places = places_mm(slices)
    if places is not None and len(slices) > 1:
        return (across[0], across[1], round(float(np.median(np.diff(places))), 4))
    return (across[0], across[1], slices[0].thickness or 0.0)


def stack_geometry(slices: List[Slice]) -> StackGeometry:
    """Work out where a sorted stack lies.

    A tilted gantry shifts every slice against the one before. SimpleITK images may carry a direction whose
    axes are not perpendicular, so the tilt is kept in the direction, with a warning: no voxel is resampled
    and masks lie on the slices.

    Raises:
        ImageGeometryError: Missing or repeated slices, uneven distances, slices that do not lie in a row,
        missing positions.
    """
    places, axis, orientation = places_mm(slices), normal(slices[0]), slices[0].orientation
    if places is None or axis is None or orientation is None or slices[0].spacing is None:
        raise ImageGeometryError(Sentence("dicom.no-places"))
    if len(slices) < 3:
        key = "dicom.one-slice" if len(slices) == 1 else "dicom.few-slices"
        raise ImageGeometryError(Sentence(key, count=len(slices)))
    _check_repeats(slices)
    _check_gaps(places)
    positions = np.array([item.position for item in slices])
    step = _checked_step(positions)
    angle = float(np.degrees(np.arccos(np.clip(step @ axis / np.linalg.norm(step), -1, 1))))
    messages: List[str] = []
    if angle > MAXIMUM_TILT_DEGREES:
        raise ImageGeometryError(Sentence("dicom.tilt", degrees=angle))
    if angle < TILT_DEGREES:
        step = axis * float(step @ axis)
    else:
        messages.append(Sentence("scan.tilted", degrees=angle))
    x, y = np.array(orientation[:3]), np.array(orientation[3:])
    length = float(np.linalg.norm(step))
    direction = np.column_stack([x / np.linalg.norm(x), y / np.linalg.norm(y), step / length])
    thickness = slices[0].thickness
    if any(item.is_lossy for item in slices):
        messages.append(Sentence("scan.lossy"))
    if thickness and length > 1.5 * thickness + 0.1:
        messages.append(Sentence("scan.gaps", thickness=float(thickness), apart=length))
    return StackGeometry(
        size=(slices[0].size[0], slices[0].size[1], len(slices)),
        spacing=(slices[0].spacing[0], slices[0].spacing[1], length),
        origin=tuple(float(value) for value in positions[0]),
        direction=direction,
        warnings=tuple(messages),
    )


def read_stack(
    slices: List[Slice], geometry: StackGeometry, check: Optional[Callable[[], None]] = None
) -> sitk.Image:
    """Read the pixels of a sorted stack in HU: int16, or float32 where the rescale slope or intercept has a
    fraction; float32 also for MR, of which no value is cut off.

    ``check`` is called before each slice; it may raise to cancel.

    One slice at a time goes into one array, so memory peaks at twice the volume (the array and the image made
    from it).

    Raises:
        UnreadableImageError: A file is truncated or its compression cannot be decoded.
        NotCTError: A slice is a colour image.
    """
    if any(item.samples > 1 for item in slices):
        raise NotCTError(Sentence("dicom.colour"))
    whole = slices[0].modality != MR and all(
        float(value).is_integer() for item in slices for value in (item.slope, item.intercept)
    )
    array = np.empty(geometry.size[::-1], np.int16 if whole else np.float32)
    for places in _by_file(slices):
        parts = [slices[place] for place in places]
        planes = read_file(parts)
        for place, item in zip(places, parts):
            if check:
                check()
            if (item.frame or 0) >= len(planes) or planes.shape[1:] != array.shape[1:]:
                raise UnreadableImageError(Sentence("dicom.other-size", name=os.path.basename(item.path)))
            plane = planes[item.frame or 0]
            array[place] = np.clip(plane, -32768, 32767) if whole else plane
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(geometry.spacing)
    image.SetOrigin(geometry.origin)
    image.SetDirection([float(value) for value in geometry.direction.ravel()])
    return image


def _by_file(slices: List[Slice]) -> List[List[int]]:
    """The places of the slices of each file, so that no file is read twice."""
    found: Dict[str, List[int]] = {}
    for place, item in enumerate(slices):
        found.setdefault(item.path, []).append(place)
    return list(found.values())


def _check_repeats(slices: List[Slice]) -> None:
    count = repeats(slices)
    if count:
        raise ImageGeometryError(Sentence("dicom.repeated", count=int(count)))


def _check_gaps(places: np.ndarray) -> None:
    odd = odd_gaps(places)
    if not odd.size:
        return
    gaps = np.diff(places)
    usual = float(np.median(gaps))
    multiples = gaps[odd] / usual
    if (np.rint(multiples) >= 2).all() and (
        np.abs(multiples - np.rint(multiples)) <= GAP_TOLERANCE * np.rint(multiples)
    ).all():
        missing = int((np.rint(multiples) - 1).sum())
        key = "dicom.slice-missing" if missing == 1 else "dicom.slices-missing"
        where = {"after": int(odd[0]) + 1, "count": len(places)}
        raise ImageGeometryError(Sentence(key, missing=missing, **where))
    raise ImageGeometryError(Sentence("dicom.uneven", least=float(gaps.min()), most=float(gaps.max())))


def _checked_step(positions: np.ndarray) -> np.ndarray:
    """Mean step from slice to slice (3,), mm LPS, once the slices are known to lie in a row."""
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    line = positions[0] + np.arange(len(positions))[:, np.newaxis] * step
    along = step / np.linalg.norm(step)
    off = positions - line
    off = off - np.outer(off @ along, along)
    if np.linalg.norm(off, axis=1).max() > LATERAL_TOLERANCE_MM:
        raise ImageGeometryError(Sentence("dicom.not-in-a-row"))
    return step
