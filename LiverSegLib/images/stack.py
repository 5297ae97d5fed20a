"""One DICOM stack: its geometry, checked for gaps, repetition and tilt, and its pixels."""

import os
from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk

from ..errors import ImageGeometryError, NotCTError, UnreadableImageError
from ..sentences import Sentence
from .dicom import Slice
from .grid import Grid
from .grouping import GAP_TOLERANCE, normal, odd_gaps, places_mm, repeats
from .lean import TILT_DEGREES, Lean, leaning_degrees
from .modality import MR
from .pixels import read_file

LATERAL_TOLERANCE_MM = 1.5
"""Slices may lie this far beside the straight line through all of them."""

MAXIMUM_TILT_DEGREES = 35.0
"""Gantries tilt by 30 degrees at most; more is a wrong header."""


@dataclass(frozen=True)
class StackGeometry:
    """Where a stack lies.

    Attributes:
        grid: rectangular.
        warnings: sentences.
        lean: how the slices are moved into ``grid``; None where the gantry was not tilted.
    """

    grid: Grid
    warnings: Tuple[str, ...]
    lean: Optional[Lean] = None


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

    A tilted gantry shifts every slice against the one before: the slices are moved back by whole pixels, see
    ``lean``, with a warning.

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
    messages: List[str] = []
    own = slice_grid(positions[0], orientation, slices[0].spacing, step, (*slices[0].size, len(slices)))
    angle = leaning_degrees(own)
    if angle > MAXIMUM_TILT_DEGREES:
        raise ImageGeometryError(Sentence("dicom.tilt", degrees=angle))
    lean = Lean.of(own) if angle >= TILT_DEGREES else None
    if lean is not None:
        messages.append(Sentence("scan.tilted", degrees=angle))
        grid = lean.grid
    else:
        step = axis * float(step @ axis)
        grid = slice_grid(positions[0], orientation, slices[0].spacing, step, own.size)
    length = grid.spacing[2]
    thickness = slices[0].thickness
    if any(item.is_lossy for item in slices):
        messages.append(Sentence("scan.lossy"))
    if thickness and length > 1.5 * thickness + 0.1:
        messages.append(Sentence("scan.gaps", thickness=float(thickness), apart=length))
    return StackGeometry(grid, tuple(messages), lean)


def slice_grid(
    position: np.ndarray,
    orientation: Sequence[float],
    spacing: Tuple[float, float],
    step: np.ndarray,
    size: Tuple[int, int, int],
) -> Grid:
    """Return the grid of slices as they lie.

    Args:
        position: LPS mm (3,) of the first voxel of the first slice.
        orientation: direction cosines of x, then of y.
        spacing: mm between columns (x) and between rows (y).
        step: LPS mm (3,) from slice to slice.
        size: columns, rows, slices.
    """
    x, y = np.array(orientation[:3], float), np.array(orientation[3:], float)
    length = float(np.linalg.norm(step))
    direction = np.column_stack([x / np.linalg.norm(x), y / np.linalg.norm(y), step / length])
    start = (float(position[0]), float(position[1]), float(position[2]))
    edges = (float(spacing[0]), float(spacing[1]), length)
    return Grid(size, edges, start, tuple(direction.ravel().tolist()))


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
    array = np.empty(geometry.grid.shape, np.int16 if whole else np.float32)
    shape, lean = slices[0].size[::-1], geometry.lean
    for places in _by_file(slices):
        parts = [slices[place] for place in places]
        planes = read_file(parts)
        for place, item in zip(places, parts):
            if check:
                check()
            if (item.frame or 0) >= len(planes) or planes.shape[1:] != shape:
                raise UnreadableImageError(Sentence("dicom.other-size", name=os.path.basename(item.path)))
            plane = planes[item.frame or 0]
            part = array[place] if lean is None else array[place][lean.part(place)]
            part[...] = np.clip(plane, -32768, 32767) if whole else plane
    if lean is not None:
        _fill_beside(array, lean)
    return geometry.grid.image(array)


def _fill_beside(array: np.ndarray, lean: Lean) -> None:
    """Set what lies beside the moved slices to the lowest value in them: air, or what padding there is."""
    parts = [lean.part(index) for index in range(len(array))]
    low = min(plane[part].min() for plane, part in zip(array, parts))
    for plane, (rows, columns) in zip(array, parts):
        plane[: rows.start], plane[rows.stop :] = low, low
        plane[:, : columns.start], plane[:, columns.stop :] = low, low


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
