"""Label images of any program: a file or a DICOM folder in, whole numbers on a grid out."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Tuple

import numpy as np
import SimpleITK as sitk

from ..errors import ImageGeometryError, InputError, UnreadableImageError
from ..images.files import VOLUMES, read_volume
from ..images.grid import Grid

SHEAR_TOLERANCE = 0.01
"""Cosine of the angle between two grid axes from which on distances along them are said to be approximate."""


@dataclass(frozen=True)
class LabelImage:
    """Labels of a case.

    Attributes:
        image: integers, three axes.
        grid: where its voxels lie.
    """

    image: sitk.Image
    grid: Grid

    @property
    def array(self) -> np.ndarray:
        """The labels (z, y, x), read-only, as long as this object lives."""
        return sitk.GetArrayViewFromImage(self.image)

    @property
    def is_sheared(self) -> bool:
        """Whether the axes of the grid are not perpendicular."""
        direction = np.reshape(self.grid.direction, (3, 3))
        return bool(np.abs(direction.T @ direction - np.eye(3)).max() > SHEAR_TOLERANCE)


def read_labels(path: Path) -> LabelImage:
    """Read labels from a NIfTI, NRRD or MetaImage file, or from a folder with one DICOM series.

    Raises:
        UnreadableImageError: it is missing, damaged, or of another kind.
        InputError: its values are no whole numbers, or it has several values a voxel.
        ImageGeometryError: it has not three axes, or they do not span space.
    """
    image = one_volume(read_any(path), path)
    if image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(f"{path} is no label image: it has several values in each voxel.")
    return LabelImage(_whole_numbers(image, path), Grid.of(image))


def read_any(path: Path) -> sitk.Image:
    """Read the image of a file or of a folder with one DICOM series, whatever it shows.

    Raises:
        UnreadableImageError: it is missing, damaged, or of another kind.
    """
    if path.is_dir():
        return _read_series(path)
    if not path.is_file():
        raise UnreadableImageError(f"There is no file {path}.")
    if not path.name.lower().endswith(VOLUMES):
        raise UnreadableImageError(f"{path} is no NIfTI, NRRD or MetaImage file.")
    image, _ = read_volume(os.fspath(path), os.fspath(path))
    return image


def one_volume(image: sitk.Image, path: Path) -> sitk.Image:
    """Return the image as one with three axes.

    Raises:
        ImageGeometryError: it has not three, or four with more than one frame.
    """
    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[:, :, :, 0]
    if image.GetDimension() != 3:
        raise ImageGeometryError(f"{path} has {image.GetDimension()} axes; a volume has three.")
    return image


def on_grid(labels: LabelImage, grid: Grid) -> Tuple[LabelImage, Optional[str]]:
    """Return labels on another grid, nearest neighbours, and a note on what was done.

    Where the grids coincide, labels are returned as they are, without a note.

    Raises:
        ImageGeometryError: the two grids have no point in common.
    """
    if grid.coincides(labels.grid):
        return labels, None
    low, high = _reach(grid)
    own_low, own_high = _reach(labels.grid)
    if (np.minimum(high, own_high) <= np.maximum(low, own_low)).any():
        raise ImageGeometryError("Prediction and reference lie at different places and do not overlap.")
    moved = sitk.Resample(
        labels.image, grid.size, sitk.Transform(), sitk.sitkNearestNeighbor, grid.origin, grid.spacing,
        grid.direction, 0, labels.image.GetPixelID(),
    )  # fmt: skip
    note = (
        f"The prediction was resampled from {_size(labels.grid)} to the reference's {_size(grid)} (nearest)."
    )
    return LabelImage(moved, grid), note


def _reach(grid: Grid) -> Tuple[np.ndarray, np.ndarray]:
    corners = grid.corners(faces=True)
    return corners.min(axis=0), corners.max(axis=0)


def _size(grid: Grid) -> str:
    count = " x ".join(str(value) for value in grid.size)
    return f"{count} voxels of {' x '.join(f'{value:.3g}' for value in grid.spacing)} mm"


def _read_series(folder: Path) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    series = reader.GetGDCMSeriesIDs(os.fspath(folder))
    if len(series) != 1:
        what = "no DICOM series" if not series else f"{len(series)} DICOM series; one is needed"
        raise UnreadableImageError(f"The folder {folder} holds {what}.")
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(os.fspath(folder), series[0]))
    try:
        return reader.Execute()
    except RuntimeError as error:
        raise UnreadableImageError(f"The DICOM series in {folder} cannot be read.", str(error)) from error


def _whole_numbers(image: sitk.Image, path: Path) -> sitk.Image:
    array = sitk.GetArrayViewFromImage(image)
    if array.dtype.kind in "iu":
        return image
    if array.dtype.kind != "f" or not all(np.array_equal(plane, np.rint(plane)) for plane in array):
        raise InputError(f"{path} is no label image: its values are no whole numbers.")
    return sitk.Cast(image, sitk.sitkInt32)
