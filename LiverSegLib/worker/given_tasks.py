"""What the worker does to measure a segmentation that others made and Slicer holds."""

from dataclasses import replace
from typing import TYPE_CHECKING, List, Tuple

import numpy as np

from ..cancelling import while_checking
from ..errors import UsageError
from ..images.grid import Grid
from ..images.metadata import with_header
from ..sentences import Sentence
from .context import TaskContext
from .given_messages import GivenSegment, TakeSegmentation
from .handed import read_array, read_image

if TYPE_CHECKING:
    from ..result import Result
    from ..segmentations.in_memory import HeldSegment

_UNREADABLE = "handed.segmentation-unreadable"


def take(request: TakeSegmentation, context: TaskContext) -> "Result":
    """Return what is measured of a segmentation that others made.

    Raises:
        InputError: the scan cannot be used, or the segmentation has nothing of the liver within it.
        UnreadableImageError, UsageError: what was handed over cannot be used.
    """
    return while_checking(lambda ask: _taken(request, context.in_thread(ask)), context.check)


def _taken(request: TakeSegmentation, context: TaskContext) -> "Result":
    from ..given_result import measured
    from ..images import read_scan
    from ..segmentations.in_memory import mask_of_held

    context.report_progress(0.0, "read", "Reading and checking the scan")
    image = with_header(
        read_image(request.voxels, request.grid), request.kvp, request.contrast_agent, request.description
    )
    scan = read_scan(image, modality=request.modality)
    context.report_progress(0.3, "take", "Taking the segmentation over")
    held = [_held(segment, request.grid, context) for segment in request.segments]
    grid = Grid.of(scan.image)
    given = mask_of_held(held, grid, request.source, request.kind, context.check)
    if request.drawn_on:
        other = Sentence("segmentation.other-volume", name=request.source, other=request.drawn_on)
        given = replace(given, warnings=(other, *given.warnings))
    context.report_progress(0.6, "measure", "Measuring")
    source = {"name": request.source, **({"made": request.made} if request.made else {})}
    result = measured(scan, given, source)
    context.report_progress(0.8, "done", "Making the surfaces")
    return result


def _held(segment: GivenSegment, scan: Grid, context: TaskContext) -> "HeldSegment":
    """A segment with what was handed over of it, read and checked; what is left out is not read."""
    from ..segmentations.in_memory import HeldSegment

    context.check()
    voxels, grid = None, segment.grid
    contours: Tuple[np.ndarray, ...] = ()
    if segment.structure == "none":
        return HeldSegment(segment.name, segment.structure)
    if segment.labels is not None:
        voxels = _voxels(segment)
    elif segment.points is not None:
        points = read_array(segment.points, _UNREADABLE)
        if points.ndim != 2 or points.shape[1] != 3 or points.dtype.kind != "f":
            raise UsageError(Sentence(_UNREADABLE), f"points {points.dtype} {points.shape}")
        if segment.triangles is not None:
            voxels, grid = _inside(points, segment.triangles, scan), scan
        elif segment.contours is not None:
            contours = _contours(points, segment.contours)
    return _with_contours(HeldSegment(segment.name, segment.structure, voxels, grid), contours)


def _with_contours(held: "HeldSegment", contours: Tuple[np.ndarray, ...]) -> "HeldSegment":
    from ..segmentations.contours import Contour

    return replace(held, contours=tuple(Contour(points) for points in contours))


def _voxels(segment: GivenSegment) -> np.ndarray:
    """The voxels of a segment, bool (z, y, x), on its grid."""
    array = read_array(segment.labels or "", _UNREADABLE)
    if segment.grid is None or array.shape != segment.grid.checked().shape or array.dtype.kind not in "biuf":
        raise UsageError(Sentence(_UNREADABLE), f"labels {array.dtype} {array.shape}, {segment.grid}")
    return np.asarray(array == segment.value)


def _inside(points: np.ndarray, path: str, scan: Grid) -> np.ndarray:
    """The voxels of the scan, bool (z, y, x), whose centres lie within a closed surface."""
    from ..surfaces.voxels import voxels_inside

    triangles = read_array(path, _UNREADABLE)
    if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype.kind not in "iu":
        raise UsageError(Sentence(_UNREADABLE), f"triangles {triangles.dtype} {triangles.shape}")
    if triangles.size and not 0 <= int(triangles.min()) <= int(triangles.max()) < len(points):
        raise UsageError(Sentence(_UNREADABLE), "a triangle names a point that is not there")
    return voxels_inside(np.array(points), np.array(triangles), scan)


def _contours(points: np.ndarray, path: str) -> Tuple[np.ndarray, ...]:
    """The points (n, 3) of each contour; those of fewer than three points hold nothing."""
    counts = read_array(path, _UNREADABLE)
    if counts.ndim != 1 or counts.dtype.kind not in "iu" or int(counts.sum()) != len(points):
        raise UsageError(Sentence(_UNREADABLE), f"contours {counts.dtype} {counts.shape}")
    found: List[np.ndarray] = np.split(np.array(points, float), np.cumsum(counts)[:-1])
    return tuple(contour for contour in found if len(contour) >= 3)
