"""Shapes whose measures are known, drawn on grids of any kind, for the tests of measurement and cleanup."""

from typing import Callable, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
"""Columns run to the patient's left, rows to posterior, slices to superior."""


def empty_labels(
    size: Sequence[int],
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    direction: Sequence[float] = AXIAL,
    origin: Sequence[float] = (0.0, 0.0, 0.0),
) -> sitk.Image:
    """Return an empty uint8 mask; size and spacing are (x, y, z), direction as SimpleITK has it."""
    labels = sitk.Image([int(value) for value in size], sitk.sitkUInt8)
    labels.SetSpacing([float(value) for value in spacing])
    labels.SetDirection([float(value) for value in direction])
    labels.SetOrigin([float(value) for value in origin])
    return labels


def centre_of(labels: sitk.Image) -> np.ndarray:
    """Return the LPS mm of the middle of a grid."""
    middle = [(count - 1) / 2 for count in labels.GetSize()]
    return np.array(labels.TransformContinuousIndexToPhysicalPoint(middle))


def draw(labels: sitk.Image, inside: Callable[[np.ndarray], np.ndarray], value: int) -> sitk.Image:
    """Return the mask with ``value`` in the voxels whose centres are inside.

    Args:
        inside: takes LPS mm (z, y, x, 3) and tells which points are inside.
    """
    array = sitk.GetArrayFromImage(labels)
    indices = np.stack(np.meshgrid(*(np.arange(n) for n in labels.GetSize()), indexing="ij"), axis=-1)
    steps = np.array(labels.GetDirection()).reshape(3, 3) * np.array(labels.GetSpacing())
    points = indices @ steps.T + np.array(labels.GetOrigin())
    array[inside(points.transpose(2, 1, 0, 3))] = value
    result = sitk.GetImageFromArray(array)
    result.CopyInformation(labels)
    return result


def ball(centre: Sequence[float], radius: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return the inside of a ball in LPS mm."""
    return ellipsoid(centre, (radius, radius, radius))


def ellipsoid(
    centre: Sequence[float], radii: Sequence[float], axes: Optional[np.ndarray] = None
) -> Callable[[np.ndarray], np.ndarray]:
    """Return the inside of an ellipsoid in LPS mm; the rows of ``axes`` are its axes."""
    axes = np.eye(3) if axes is None else axes
    return lambda points: (
        ((((points - np.array(centre)) @ axes.T) / np.array(radii)) ** 2).sum(axis=-1) <= 1.0
    )


def block(centre: Sequence[float], sides: Sequence[float]) -> Callable[[np.ndarray], np.ndarray]:
    """Return the inside of a box in LPS mm, with its sides along the patient's axes."""
    return lambda points: (np.abs(points - np.array(centre)) < np.array(sides) / 2).all(axis=-1)


def turned(degrees: float, axis: int) -> np.ndarray:
    """Return the 3 x 3 rotation about a patient axis."""
    angle = np.deg2rad(degrees)
    first, second = [other for other in range(3) if other != axis]
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = np.cos(angle)
    matrix[first, second], matrix[second, first] = -np.sin(angle), np.sin(angle)
    return matrix


def ct_of(labels: sitk.Image, values: Tuple[float, float, float, float] = (0, 110, 120, 60)) -> sitk.Image:
    """Return an int16 scan on the mask's grid with one HU value for each label."""
    array = np.array(values, dtype=np.int16)[sitk.GetArrayViewFromImage(labels)]
    image = sitk.GetImageFromArray(array)
    image.CopyInformation(labels)
    return image
