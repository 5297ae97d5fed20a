"""The grid of a scan: how large a voxel is, how it lies in the patient, whether two images share a grid."""

import itertools
from dataclasses import dataclass
from typing import Sequence, Tuple

import numpy as np
import SimpleITK as sitk

from ..errors import ImageGeometryError, InputError
from ..labels import BACKGROUND, LABELS
from ..sentences import Sentence, in_commas
from .voxels import voxel_volume_ml

GRID_TOLERANCE_VOXELS = 0.05
"""Two images share a grid if their corners lie no further apart than this part of the smallest voxel edge.

Image files hold directions in single precision, so that far corners of a grid move by microns."""

ALONG_AXIS = {0: ("right", "left"), 1: ("anterior", "posterior"), 2: ("inferior", "superior")}
"""Patient axis of LPS -> the words for its negative and its positive end."""


@dataclass(frozen=True)
class Grid:
    """The voxel grid of a 3-D image.

    Attributes:
        size: number of voxels along the grid axes (x, y, z).
        spacing: mm between voxel centres along the grid axes (x, y, z).
        origin: LPS mm of the centre of voxel (0, 0, 0).
        steps: 3 x 3; column a is the way in LPS mm from a voxel to its next along grid axis a.
        patient_axes: for each grid axis the patient axis (0 L, 1 P, 2 S) that it follows most closely, each
            once.
    """

    size: Tuple[int, int, int]
    spacing: Tuple[float, float, float]
    origin: np.ndarray
    steps: np.ndarray
    patient_axes: Tuple[int, int, int]

    @classmethod
    def of(cls, image: sitk.Image) -> "Grid":
        """Return the grid of a 3-D image.

        Raises:
            ImageGeometryError: the image is not 3-D or its axes do not span space.
        """
        if image.GetDimension() != 3:
            raise ImageGeometryError(Sentence("mask.dimensions", count=image.GetDimension()))
        return cls.placed(image.GetSize(), image.GetOrigin(), image.GetSpacing(), image.GetDirection())

    @classmethod
    def placed(
        cls,
        size: Sequence[int],
        origin: Sequence[float],
        spacing: Sequence[float],
        direction: Sequence[float],
    ) -> "Grid":
        """Return the grid of ``size`` (x, y, z) voxels, placed as SimpleITK has it: ``origin`` and
        ``spacing`` (x, y, z) in LPS mm, ``direction`` row by row.

        Raises:
            ImageGeometryError: its axes do not span space.
        """
        matrix = np.array(direction, dtype=float).reshape(3, 3)
        steps = matrix * np.array(spacing, dtype=float)
        if not np.isfinite(steps).all() or abs(np.linalg.det(steps)) < 1e-9:
            raise ImageGeometryError(Sentence("mask.axes"))
        return cls(
            size=tuple(int(value) for value in size),
            spacing=tuple(float(value) for value in spacing),
            origin=np.array(origin, dtype=float),
            steps=steps,
            patient_axes=_nearest_patient_axes(matrix),
        )

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in ml: the parallelepiped |det(steps)|, right for skewed grids too."""
        return voxel_volume_ml(self.spacing, (self.steps / self.spacing).ravel())

    @property
    def axial_axis(self) -> int:
        """The grid axis (0 x, 1 y, 2 z) that runs nearest to the patient's inferior-superior axis."""
        return self.patient_axes.index(2)

    @property
    def slice_spacing(self) -> float:
        """The largest voxel edge in mm: the distance between the slices as they were acquired."""
        return max(self.spacing)

    def points(self, indices: np.ndarray) -> np.ndarray:
        """Return the LPS mm positions, (n, 3), of continuous voxel indices (x, y, z), (n, 3)."""
        return self.origin + np.asarray(indices, dtype=float) @ self.steps.T

    def border_name(self, axis: int, *, high: bool) -> str:
        """Return the anatomical word for the first or last (``high``) layer along grid axis ``axis``."""
        patient_axis = self.patient_axes[axis]
        towards_positive = self.steps[patient_axis, axis] > 0
        return ALONG_AXIS[patient_axis][int(towards_positive == high)]


def check_same_grid(labels: sitk.Image, image: sitk.Image) -> Grid:
    """Return the common grid of a mask and its scan.

    Raises:
        ImageGeometryError: they differ in size, or the same voxel lies in different places.
    """
    grid, other = Grid.of(labels), Grid.of(image)
    if grid.size != other.size:
        sizes = {"mask": " x ".join(map(str, grid.size)), "scan": " x ".join(map(str, other.size))}
        raise ImageGeometryError(Sentence("mask.size", **sizes))
    corners = np.array(list(itertools.product(*((0, count - 1) for count in grid.size))), dtype=float)
    apart = float(np.linalg.norm(grid.points(corners) - other.points(corners), axis=1).max())
    if apart > GRID_TOLERANCE_VOXELS * min(grid.spacing):
        raise ImageGeometryError(Sentence("mask.place", mm=apart))
    return grid


def check_labels(labels: sitk.Image) -> sitk.Image:
    """Return the mask as uint8.

    Raises:
        InputError: it is not a scalar image of integers, or holds values that are no labels.
    """
    if labels.GetNumberOfComponentsPerPixel() != 1 or labels.GetPixelID() in (
        sitk.sitkFloat32,
        sitk.sitkFloat64,
    ):
        raise InputError(Sentence("mask.type", type=labels.GetPixelIDTypeAsString()))
    values = sitk.GetArrayViewFromImage(labels)
    if values.size and (int(values.max()) > max(LABELS) or int(values.min()) < BACKGROUND):
        found = sorted({int(value) for plane in values for value in np.unique(plane)} - {BACKGROUND, *LABELS})
        words = {label.value: Sentence(f"organ.{label.key}") for label in LABELS.values()}
        known = in_commas([Sentence("mask.label", value=value, name=name) for value, name in words.items()])
        values_found = ", ".join(map(str, found[:8]))
        raise InputError(
            Sentence("mask.unknown-labels", values=values_found, background=BACKGROUND, known=known)
        )
    return labels if labels.GetPixelID() == sitk.sitkUInt8 else sitk.Cast(labels, sitk.sitkUInt8)


def _nearest_patient_axes(direction: np.ndarray) -> Tuple[int, int, int]:
    """Give each grid axis its own patient axis so that together they lie as close as possible."""

    def closeness(order: Tuple[int, ...]) -> float:
        return sum(abs(direction[patient_axis, axis]) for axis, patient_axis in enumerate(order))

    return max(itertools.permutations(range(3)), key=closeness)  # type: ignore[return-value]
