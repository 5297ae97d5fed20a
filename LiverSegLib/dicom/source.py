"""The DICOM series that was segmented: its headers, and how a mask lies on its slices."""

import copy
import os
import warnings
from dataclasses import dataclass, replace
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np

from ..errors import ImageGeometryError, InputError, UnreadableImageError
from ..images.grid import Grid
from ..images.lean import TILT_DEGREES, Lean, leaning_degrees
from ..images.scan import DicomFiles
from ..images.stack import LATERAL_TOLERANCE_MM, slice_grid
from ..sentences import Sentence

REQUIRED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "FrameOfReferenceUID")
"""What the headers must have: without these nothing can refer to them."""

MAY_BE_EMPTY = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)
"""What the standard wants in every object, empty if need be; anonymised headers lack some."""

COPIED_CODES = (
    "ProcedureCodeSequence",
    "AdmittingDiagnosesCodeSequence",
    "PatientSpeciesCodeSequence",
    "PatientBreedCodeSequence",
    "ReasonForVisitCodeSequence",
)
"""Codes of patient and study that every object repeats; left out where one lacks its scheme, as in some
anonymised headers, since an object with such a code is not valid."""

CORNER_TOLERANCE_VOXELS = 0.1
"""How far the corners of the slice that fits best may lie from those of the mask, in its smallest voxel edge:
headers round positions and spacings."""


@dataclass(frozen=True, eq=False)
class SourceSeries:
    """The series that was segmented.

    Attributes:
        images: header of each file, without pixels: one of each slice, or of the one multi-frame file.
        frames: 0-based frame of each slice in that file; empty if every file is a slice.
        positions: LPS mm of the centre of each slice's first voxel, (slices, 3).
        column_step, row_step: the way in LPS mm, (3,), from a voxel to its next along columns and rows.
        shape: rows and columns of a slice.
    """

    images: Tuple[Any, ...]
    frames: Tuple[int, ...]
    positions: np.ndarray
    column_step: np.ndarray
    row_step: np.ndarray
    shape: Tuple[int, int]

    @property
    def first(self) -> Any:
        """The header that speaks for patient, study and series."""
        return self.images[0]

    @property
    def lean(self) -> Optional[Lean]:
        """How reading moved the slices into a rectangular grid; None where the gantry was not tilted."""
        if len(self.positions) < 2:
            return None
        step = (self.positions[-1] - self.positions[0]) / (len(self.positions) - 1)
        edges = (float(np.linalg.norm(self.column_step)), float(np.linalg.norm(self.row_step)))
        cosines = [*(self.column_step / edges[0]), *(self.row_step / edges[1])]
        size = (self.shape[1], self.shape[0], len(self.positions))
        own = slice_grid(self.positions[0], cosines, edges, step, size)
        return Lean.of(own) if leaning_degrees(own) >= TILT_DEGREES else None

    def images_of(self, slices: Sequence[int]) -> Tuple[Any, ...]:
        """The headers of some slices: one of each, or one of a multi-frame file that has no other frames."""
        if not self.frames:
            return tuple(self.images[index] for index in slices)
        part = copy.copy(self.first)
        groups = self.first.PerFrameFunctionalGroupsSequence
        part.PerFrameFunctionalGroupsSequence = [groups[self.frames[index]] for index in slices]
        part.NumberOfFrames = len(slices)
        return (part,)


def read_source(source: Optional[DicomFiles]) -> SourceSeries:
    """Read the headers of the series that was segmented.

    Raises:
        InputError: the scan did not come from DICOM, or its headers lack what every object needs.
        UnreadableImageError: a file is gone, or cannot be read.
    """
    if source is None or not source.files:
        raise InputError(Sentence("dicom-out.no-source"))
    images = tuple(_header(path) for path in source.files)
    if len({(item.StudyInstanceUID, item.SeriesInstanceUID, item.Rows, item.Columns) for item in images}) > 1:
        raise InputError(Sentence("dicom-out.several-series"))
    is_multi_frame = bool(source.frames) or "PerFrameFunctionalGroupsSequence" in images[0]
    if is_multi_frame and len(images) > 1:
        raise InputError(Sentence("dicom-out.several-multi-frame"))
    frames = source.frames or (tuple(range(int(images[0].NumberOfFrames))) if is_multi_frame else ())
    try:
        return _series(images, frames)
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise InputError(Sentence("dicom-out.refused"), repr(error)) from error


def in_source_order(array: np.ndarray, grid: Grid, source: SourceSeries) -> np.ndarray:
    """Return a mask slice by slice as its series has them.

    Args:
        array: (z, y, x) on ``grid``.
        grid: of the mask; its axes may be permuted or reversed against those of the slices.
        source: the series.

    Returns:
        A copy, (slices, rows, columns).

    Raises:
        ImageGeometryError: the mask does not lie on the slices.
    """
    lean = source.lean
    if lean is not None and sorted(grid.size) == sorted(lean.grid.size):
        straight = replace(source, positions=_slice_places(lean.grid), shape=lean.grid.shape[1:])
        return lean.leaning(_turned(array, grid, straight))
    return _turned(array, grid, source)


def _turned(array: np.ndarray, grid: Grid, source: SourceSeries) -> np.ndarray:
    """The array permuted and mirrored into the order of the slices."""
    axes, backwards, layers = _fit(grid, source)
    column, row, across = axes
    turned = array.transpose(2 - across, 2 - row, 2 - column)
    turned = turned[:, :: -1 if backwards[1] else 1, :: -1 if backwards[0] else 1]
    return np.ascontiguousarray(turned[layers])


def _fit(grid: Grid, source: SourceSeries) -> Tuple[Tuple[int, int, int], Tuple[bool, bool], np.ndarray]:
    """How a grid lies on the slices.

    Returns:
        The grid's axes (0 x, 1 y, 2 z) along columns, along rows and across slices; whether the first two run
        backwards; and the layer of each slice along the third.
    """
    other = ImageGeometryError(Sentence("dicom-out.other-grid"))
    turn = np.linalg.inv(grid.steps)
    along = [turn @ step for step in (source.column_step, source.row_step)]
    column, row = (int(np.abs(step).argmax()) for step in along)
    if column == row:
        raise other
    across = 3 - column - row
    size = (grid.size[column], grid.size[row], grid.size[across])
    if size != (source.shape[1], source.shape[0], len(source.positions)):
        raise other
    backwards = (bool(along[0][column] < 0), bool(along[1][row] < 0))
    # Slices are counted by rank: a position that is stored rounded may lie nearer to its neighbour's layer.
    places = grid.indices(source.positions)[:, across]
    layers = places.argsort().argsort()
    misfit = _misfit_mm(grid, source, (column, row, across), backwards, layers)
    if misfit.min() > CORNER_TOLERANCE_VOXELS * min(grid.spacing) or misfit.max() > _loosest_mm(grid):
        raise other
    return (column, row, across), backwards, layers


def _slice_places(grid: Grid) -> np.ndarray:
    """LPS mm of the first voxel of each slice, (slices, 3)."""
    return grid.points([(0, 0, index) for index in range(grid.size[2])])


def _misfit_mm(
    grid: Grid,
    source: SourceSeries,
    axes: Tuple[int, int, int],
    backwards: Tuple[bool, bool],
    layers: np.ndarray,
) -> np.ndarray:
    """How far (mm), (slices,), the first and last voxel of each slice lie from those of the grid."""
    rows, columns = source.shape
    across_slice = source.column_step * (columns - 1) + source.row_step * (rows - 1)
    distances: List[np.ndarray] = []
    for is_last in (False, True):
        indices = np.empty((len(layers), 3))
        for axis, backward, count in zip(axes, backwards, (columns, rows)):
            indices[:, axis] = count - 1 if backward != is_last else 0
        indices[:, axes[2]] = layers
        there = source.positions + (across_slice if is_last else 0.0)
        distances.append(np.linalg.norm(grid.points(indices) - there, axis=1))
    return np.maximum(*distances)


def _loosest_mm(grid: Grid) -> float:
    """How far (mm) a slice may lie from its layer: reading a series lets slices lie a little beside the
    straight line, unevenly, and tilted."""
    length = max(grid.size) * grid.slice_spacing
    return float(LATERAL_TOLERANCE_MM + 0.5 * grid.slice_spacing + length * np.sin(np.radians(TILT_DEGREES)))


def _header(path: str) -> Any:
    """The header of one file, completed with empty values where the standard wants the attribute."""
    import pydicom

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd but harmless values; they are copied as they are
            data = pydicom.dcmread(path, stop_before_pixels=True, force=True)
            data.decode()
    except (OSError, EOFError, ValueError, TypeError, AttributeError, NotImplementedError) as error:
        text = Sentence("dicom-out.file-gone", name=os.path.basename(path))
        raise UnreadableImageError(text, repr(error)) from error
    if not data.get("SOPClassUID") and getattr(data, "file_meta", None) is not None:
        data.SOPClassUID = data.file_meta.get("MediaStorageSOPClassUID", "")
    missing = [name for name in REQUIRED if not data.get(name)]
    if missing:
        raise InputError(Sentence("dicom-out.header", names=", ".join(missing)))
    for name in MAY_BE_EMPTY:
        if name not in data:
            setattr(data, name, "")
    for name in COPIED_CODES:
        if any(not code.get("CodingSchemeDesignator") for code in data.get(name) or ()):
            delattr(data, name)
    return data


def _series(images: Sequence[Any], frames: Tuple[int, ...]) -> SourceSeries:
    first = images[0]
    if frames:
        shared = first.SharedFunctionalGroupsSequence[0]
        groups = [first.PerFrameFunctionalGroupsSequence[frame] for frame in frames]
        positions = [group.PlanePositionSequence[0].ImagePositionPatient for group in groups]
        orientation = _either(groups[0], shared, "PlaneOrientationSequence").ImageOrientationPatient
        spacing = _either(groups[0], shared, "PixelMeasuresSequence").PixelSpacing
    else:
        positions = [image.ImagePositionPatient for image in images]
        orientation, spacing = first.ImageOrientationPatient, first.PixelSpacing
    cosines = np.array(orientation, dtype=float).reshape(2, 3)
    return SourceSeries(
        images=tuple(images),
        frames=frames,
        positions=np.array(positions, dtype=float).reshape(-1, 3),
        # DICOM gives the distance between rows first.
        column_step=cosines[0] / np.linalg.norm(cosines[0]) * float(spacing[1]),
        row_step=cosines[1] / np.linalg.norm(cosines[1]) * float(spacing[0]),
        shape=(int(first.Rows), int(first.Columns)),
    )


def _either(own: Any, shared: Any, sequence: str) -> Any:
    """The item of a functional group's sequence, of the frame's own or of the shared group."""
    return getattr(own if sequence in own else shared, sequence)[0]
