"""Image geometry, said once for the whole program: size, spacing, origin and direction of a voxel grid.

A :class:`Grid` holds plain numbers: it can be compared, hashed, and written as JSON. Indices and sizes of
grids are (x, y, z), physical points are LPS mm; arrays of voxels are (z, y, x), and so are boxes, which cut
them. 3D Slicer's own process imports this file when it starts, so it needs numpy only, not SimpleITK.
"""

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Iterable, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from ..errors import ImageGeometryError
from ..sentences import Sentence

if TYPE_CHECKING:
    import SimpleITK as sitk

Box = Tuple[slice, slice, slice]
"""A block of a (z, y, x) array: one slice with integer start and stop per axis."""

GRID_TOLERANCE_VOXELS = 0.05
"""Two images share a grid if their corners lie no further apart than this part of the smallest voxel edge.

Image files hold directions in single precision, so that far corners of a grid move by microns."""

SMALLEST_VOXEL_MM3 = 1e-9
"""Axes that span less than this do not span space: two of them are parallel, or one has no length."""

ROUNDING_VOXELS = 1e-6
"""Part of a voxel that a rounded quotient of lengths may add: it makes no further voxel."""

THICK_SLICES_MM = 5.0
"""RECIST 1.1 wants CT slices of at most 5 mm; thicker ones hide small lesions and blur volumes."""
SPACING_ROUNDING_MM = 1e-3
"""Headers store distances rounded: slices that are thicker by less than this are not thick."""

NOT_SHEARED: Tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
"""The direction of a grid along the patient's axes, row by row."""

ALONG_AXIS = {0: ("right", "left"), 1: ("anterior", "posterior"), 2: ("inferior", "superior")}
"""Patient axis of LPS -> the words for its negative and its positive end."""


@dataclass(frozen=True)
class Grid:
    """The voxel grid of a 3-D image, as SimpleITK has it.

    Attributes:
        size: number of voxels (x, y, z).
        spacing: mm between voxel centres (x, y, z).
        origin: LPS mm of the centre of voxel (0, 0, 0).
        direction: 9 numbers, the 3 x 3 matrix row by row; column a is the unit vector (LPS) of grid axis a.
            The columns need not be perpendicular: a tilted gantry shears them.

    >>> grid = Grid((512, 512, 60), (0.8, 0.8, 5.0), (-200.0, -180.0, 50.0), NOT_SHEARED)
    >>> round(grid.voxel_ml, 6), grid.slice_spacing, grid.border_name(2, high=True)
    (0.0032, 5.0, 'superior')
    """

    size: Tuple[int, int, int]
    spacing: Tuple[float, float, float]
    origin: Tuple[float, float, float]
    direction: Tuple[float, ...]

    @classmethod
    def of(cls, image: "sitk.Image") -> "Grid":
        """Return the grid of a 3-D image.

        Raises:
            ImageGeometryError: the image is not 3-D or its axes do not span space.
        """
        if image.GetDimension() != 3:
            raise ImageGeometryError(Sentence("mask.dimensions", count=image.GetDimension()))
        grid = cls(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())
        return grid.checked()

    def checked(self) -> "Grid":
        """Return this grid.

        Raises:
            ImageGeometryError: its axes do not span space.
        """
        if not np.isfinite(self.steps).all() or abs(np.linalg.det(self.steps)) < SMALLEST_VOXEL_MM3:
            raise ImageGeometryError(Sentence("mask.axes"))
        return self

    def image(self, array: np.ndarray) -> "sitk.Image":
        """Return an image on this grid that holds a copy of ``array`` (z, y, x), of the shape of the grid.

        Raises:
            RuntimeError: SimpleITK does not take the spacing or the direction.
        """
        import SimpleITK as sitk

        image = sitk.GetImageFromArray(array)
        image.SetSpacing(self.spacing)
        image.SetOrigin(self.origin)
        image.SetDirection(self.direction)
        return image

    @property
    def shape(self) -> Tuple[int, int, int]:
        """The shape (z, y, x) of an array of the voxels."""
        x, y, z = self.size
        return z, y, x

    @property
    def box(self) -> Box:
        """The box (z, y, x) of all voxels."""
        z, y, x = (slice(0, count) for count in self.shape)
        return z, y, x

    @cached_property
    def steps(self) -> np.ndarray:
        """3 x 3, read-only; column a is the way in LPS mm from a voxel to its next along grid axis a."""
        steps = np.array(self.direction, dtype=float).reshape(3, 3) * np.array(self.spacing, dtype=float)
        steps.flags.writeable = False
        return steps

    @property
    def to_lps(self) -> np.ndarray:
        """4 x 4: homogeneous voxel indices (x, y, z, 1) -> LPS mm."""
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = self.steps, self.origin
        return matrix

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in ml: the parallelepiped |det(steps)|, right for sheared grids too."""
        shear = abs(float(np.linalg.det(np.reshape(self.direction, (3, 3)))))
        return shear * float(np.prod(self.spacing)) / 1000.0

    @property
    def slice_spacing(self) -> float:
        """The largest voxel edge in mm: the distance between the slices as they were acquired."""
        return max(self.spacing)

    @cached_property
    def patient_axes(self) -> Tuple[int, int, int]:
        """For each grid axis the patient axis (0 L, 1 P, 2 S) that it follows, each once, so that together
        they lie as close as possible."""
        direction = np.reshape(self.direction, (3, 3))

        def closeness(order: Tuple[int, ...]) -> float:
            return sum(abs(direction[patient_axis, axis]) for axis, patient_axis in enumerate(order))

        x, y, z = max(itertools.permutations(range(3)), key=closeness)
        return x, y, z

    @property
    def axial_axis(self) -> int:
        """The grid axis (0 x, 1 y, 2 z) that runs nearest to the patient's inferior-superior axis."""
        return self.patient_axes.index(2)

    @property
    def tilt_degrees(self) -> float:
        """Largest angle between a grid axis and the patient axis that it follows."""
        units = np.abs(self.steps / np.linalg.norm(self.steps, axis=0))
        cosines = units[list(self.patient_axes), range(3)]
        return float(np.degrees(np.arccos(np.clip(cosines, -1, 1))).max())

    @cached_property
    def patient_order(self) -> "PatientOrder":
        """How to permute and mirror the voxels into patient order."""
        axes = tuple(self.patient_axes.index(patient_axis) for patient_axis in range(3))
        flips = tuple(bool(self.steps[patient_axis, axis] < 0) for patient_axis, axis in enumerate(axes))
        return PatientOrder(self, axes, flips)

    def border_name(self, axis: int, *, high: bool) -> str:
        """Return the anatomical word for the first or last (``high``) layer along grid axis ``axis``."""
        patient_axis = self.patient_axes[axis]
        towards_positive = self.steps[patient_axis, axis] > 0
        return ALONG_AXIS[patient_axis][int(towards_positive == high)]

    def points(self, indices: npt.ArrayLike) -> np.ndarray:
        """Return the LPS mm positions, (n, 3), of continuous voxel indices (x, y, z), (n, 3)."""
        return np.asarray(self.origin) + np.asarray(indices, dtype=float) @ self.steps.T

    def indices(self, points: npt.ArrayLike) -> np.ndarray:
        """Return the continuous voxel indices (x, y, z), (n, 3), of LPS mm positions, (n, 3)."""
        return np.linalg.solve(self.steps, (np.asarray(points, dtype=float) - self.origin).T).T

    def corners(self, *, faces: bool = False) -> np.ndarray:
        """Return the LPS mm positions, (8, 3), of the centres of the corner voxels or, with ``faces``, of the
        corners of the whole grid, half a voxel further out."""
        reach = 0.5 if faces else 0.0
        return self.points(list(itertools.product(*((-reach, count - 1 + reach) for count in self.size))))

    def corner_distance(self, other: "Grid") -> float:
        """Return how far (mm) the corners of two grids of one size lie apart at most."""
        return float(np.linalg.norm(self.corners() - other.corners(), axis=1).max())

    def coincides(self, other: "Grid") -> bool:
        """Whether two grids have one size and each voxel of both lies in one place, to GRID_TOLERANCE_VOXELS
        of this grid's smallest voxel edge."""
        tolerance = GRID_TOLERANCE_VOXELS * min(self.spacing)
        return self.size == other.size and self.corner_distance(other) <= tolerance

    def crop(self, box: Box) -> "Grid":
        """Return the grid of the voxels in a box (z, y, x): that of ``array[box]``."""
        first = [part.start for part in box[::-1]]
        x, y, z = (part.stop - part.start for part in box[::-1])
        return Grid((x, y, z), self.spacing, _triple(self.points(first)), self.direction)

    def box_around(self, points: npt.ArrayLike, reach_mm: float) -> Box:
        """Return the box (z, y, x) of the voxels whose centres may lie within ``reach_mm`` of one of the
        points, LPS mm (n, 3), cut at the grid's faces; empty where all of it lies outside."""
        indices = self.indices(np.reshape(np.asarray(points, dtype=float), (-1, 3)))
        # Layers of sheared axes lie closer together than the spacing says.
        reach = reach_mm * np.linalg.norm(np.linalg.inv(self.steps), axis=1)
        low, high = np.floor(indices.min(0) - reach + 0.5), np.ceil(indices.max(0) + reach + 0.5)
        limits = np.array(self.size, dtype=float)
        first, last = (np.clip(edge, 0, limits).astype(int).tolist() for edge in (low, high))
        z, y, x = (slice(a, max(a, b)) for a, b in zip(first[::-1], last[::-1]))
        return z, y, x

    def resampled(self, spacing: Sequence[float]) -> "Grid":
        """Return the grid with another spacing, mm (x, y, z), that begins at the same outer corner and covers
        all of this one; it ends beyond it where the lengths are no multiples of the spacing.
        """
        ratios = [float(want / have) for want, have in zip(spacing, self.spacing)]
        x, y, z = (
            max(1, int(np.ceil(count / ratio - ROUNDING_VOXELS))) for count, ratio in zip(self.size, ratios)
        )
        origin = self.points([(ratio - 1) / 2 for ratio in ratios])
        return Grid((x, y, z), _triple(spacing), _triple(origin), self.direction)

    def axis_aligned(self, spacing: float, *, most: int) -> "Grid":
        """Return a grid along the patient's axes that holds all of this one.

        Args:
            spacing: mm, isotropic; made coarser along an axis that would have more than ``most`` voxels.
            most: voxels along an axis.
        """
        corners = self.corners(faces=True)
        low, high = corners.min(0), corners.max(0)
        step = np.maximum(spacing, (high - low) / most)
        x, y, z = np.maximum(1, np.ceil((high - low) / step)).astype(int).tolist()
        return Grid((x, y, z), _triple(step), _triple(low + step / 2), NOT_SHEARED)


@dataclass(frozen=True)
class PatientOrder:
    """How the voxels of a grid are permuted and mirrored so that x rises to the left, y to posterior and z to
    superior. Nothing is resampled: an oblique grid stays oblique.

    Attributes:
        source: the grid in its image's own order.
        axes: for each patient axis (L, P, S) the axis (0 x, 1 y, 2 z) of ``source`` that follows it.
        flips: for each patient axis (L, P, S) whether that axis of ``source`` runs against it.
    """

    source: Grid
    axes: Tuple[int, ...]
    flips: Tuple[bool, ...]

    @cached_property
    def grid(self) -> Grid:
        """The grid of the same voxels in patient order."""
        source, axes = self.source, list(self.axes)
        corner = [0.0, 0.0, 0.0]
        for axis, flip in zip(axes, self.flips):
            corner[axis] = source.size[axis] - 1.0 if flip else 0.0
        direction = np.reshape(source.direction, (3, 3))[:, axes] * np.where(self.flips, -1.0, 1.0)
        x, y, z = (source.size[axis] for axis in axes)
        spacing = _triple(source.spacing[axis] for axis in axes)
        origin = _triple(source.origin + source.steps @ corner)
        return Grid((x, y, z), spacing, origin, tuple(direction.ravel().tolist()))

    def apply(self, array: np.ndarray) -> np.ndarray:
        """Return a view in patient order, (z, y, x), of an array (z, y, x) in the image's own order."""
        return array.transpose(self._numpy_axes)[self._mirrored]

    def restore(self, array: np.ndarray) -> np.ndarray:
        """Return an array (z, y, x) in patient order as a contiguous one in the image's own order."""
        return np.ascontiguousarray(array[self._mirrored].transpose(np.argsort(self._numpy_axes)))

    @property
    def _numpy_axes(self) -> Tuple[int, ...]:
        return tuple(2 - axis for axis in self.axes[::-1])

    @property
    def _mirrored(self) -> Tuple[slice, ...]:
        return tuple(slice(None, None, -1 if flip else 1) for flip in self.flips[::-1])


def bounding_box(mask: np.ndarray) -> Optional[Box]:
    """Return the tightest box around the non-zero voxels of a bool or uint8 (z, y, x) array, or None."""
    values = mask.view(np.uint8) if mask.dtype == np.bool_ else mask
    z = np.flatnonzero(values.max(axis=(1, 2), initial=0))
    if z.size == 0:
        return None
    rows = slice(int(z[0]), int(z[-1]) + 1)
    plane = values[rows].max(axis=0)
    y = np.flatnonzero(plane.max(axis=1))
    x = np.flatnonzero(plane.max(axis=0))
    return rows, slice(int(y[0]), int(y[-1]) + 1), slice(int(x[0]), int(x[-1]) + 1)


def are_thick_slices(slice_spacing: float) -> bool:
    """Whether slices so far apart (mm) are thick by THICK_SLICES_MM."""
    return slice_spacing > THICK_SLICES_MM + SPACING_ROUNDING_MM


def grow_box(
    box: Box, margins: Sequence[float], shape: Sequence[int], at_least: Sequence[float] = (0, 0, 0)
) -> Box:
    """Widen a box by ``margins`` voxels a side, and to ``at_least`` voxels where the array (``shape``) allows
    it; all are (z, y, x).
    """
    grown = []
    for part, margin, limit, wanted in zip(box, margins, shape, at_least):
        start = max(0, int(part.start - margin + ROUNDING_VOXELS))
        stop = min(limit, int(np.ceil(part.stop + margin - ROUNDING_VOXELS)))
        length = int(np.ceil(wanted - ROUNDING_VOXELS))
        lacking = length - (stop - start)
        if lacking > 0:
            start = max(0, start - lacking // 2)
            stop = min(limit, start + length)
            start = max(0, stop - length)
        grown.append(slice(start, stop))
    z, y, x = grown
    return z, y, x


def check_same_grid(labels: "sitk.Image", image: "sitk.Image") -> Grid:
    """Return the common grid of a mask and its scan.

    Raises:
        ImageGeometryError: they differ in size, or the same voxel lies in different places.
    """
    grid, other = Grid.of(labels), Grid.of(image)
    if grid.size != other.size:
        sizes = {"mask": " x ".join(map(str, grid.size)), "scan": " x ".join(map(str, other.size))}
        raise ImageGeometryError(Sentence("mask.size", **sizes))
    if not grid.coincides(other):
        raise ImageGeometryError(Sentence("mask.place", mm=grid.corner_distance(other)))
    return grid


def _triple(values: Iterable[float]) -> Tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
