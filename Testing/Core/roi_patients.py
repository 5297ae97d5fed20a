"""Small made-up patients for the tests of ROIs and fatty liver."""

from typing import Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk
from measure_shapes import AXIAL, ball, centre_of, draw, ellipsoid, empty_labels

from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR

LIVER_AT, SPLEEN_AT = np.array([-35.0, 0.0, 0.0]), np.array([50.0, 10.0, 0.0])
"""Centres of the organs relative to the middle of the scan, LPS mm."""
EXTENT_MM = (190.0, 120.0, 120.0)
HU = (-90.0, 60.0, 50.0, 30.0)
"""Background, liver, spleen, lesion."""


def masked_patient(
    spacing: Sequence[float] = (2.0, 2.0, 2.5),
    direction: Sequence[float] = AXIAL,
    *,
    liver: Optional[Sequence[float]] = (45.0, 45.0, 42.0),
    spleen: Optional[Sequence[float]] = (28.0, 32.0, 35.0),
    lesions: Sequence[Tuple[Sequence[float], float]] = (),
) -> sitk.Image:
    """Return a mask with an ellipsoid for each organ.

    Args:
        spacing: mm along the grid's axes (x, y, z).
        direction: of the grid; the scan is large enough to hold the organs however it lies.
        liver, spleen: radii in mm along the patient's axes; None for none.
        lesions: centre relative to the liver's, and radius, in mm.
    """
    directions = np.abs(np.reshape(direction, (3, 3)))
    extent = (
        np.linalg.solve(np.abs(directions) + 1e-9, np.array(EXTENT_MM)) if _permutes(directions) else None
    )
    reach = extent if extent is not None else np.full(3, np.linalg.norm(EXTENT_MM) * 0.95)
    size = np.maximum(4, np.ceil(reach / np.array(spacing))).astype(int)
    labels = empty_labels(size, spacing, direction, (13.0, -7.0, 100.0))
    middle = centre_of(labels)
    if liver is not None:
        labels = draw(labels, ellipsoid(middle + LIVER_AT, liver), LIVER)
    if spleen is not None:
        labels = draw(labels, ellipsoid(middle + SPLEEN_AT, spleen), SPLEEN)
    for centre, radius in lesions:
        labels = draw(labels, ball(middle + LIVER_AT + np.array(centre), radius), TUMOUR)
    return labels


def scan_of(
    labels: sitk.Image, noise: float = 8.0, values: Sequence[float] = HU, seed: int = 0
) -> sitk.Image:
    """Return an int16 CT of a mask: one HU for each label, and white noise."""
    hu = np.array(values, dtype=float)[sitk.GetArrayViewFromImage(labels)]
    hu += np.random.default_rng(seed).normal(0.0, noise, hu.shape)
    image = sitk.GetImageFromArray(np.rint(hu).astype(np.int16))
    image.CopyInformation(labels)
    return image


def with_hu(image: sitk.Image, labels: sitk.Image, where: np.ndarray, hu: float) -> sitk.Image:
    """Return the scan with ``hu`` more in the liver where a bool array (z, y, x) says so."""
    array = sitk.GetArrayFromImage(image)
    array[where & (sitk.GetArrayViewFromImage(labels) == LIVER)] += np.int16(hu)
    changed = sitk.GetImageFromArray(array)
    changed.CopyInformation(image)
    return changed


def points_of(image: sitk.Image) -> np.ndarray:
    """Return the LPS mm (z, y, x, 3) of all voxel centres."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in image.GetSize()), indexing="ij"), axis=-1)
    steps = np.reshape(image.GetDirection(), (3, 3)) * np.array(image.GetSpacing())
    return (index @ steps.T + np.array(image.GetOrigin())).transpose(2, 1, 0, 3)


def label_at(labels: sitk.Image, points: np.ndarray) -> np.ndarray:
    """Return the label (n,) of the voxels that hold LPS points (n, 3); 0 beyond the scan."""
    steps = np.reshape(labels.GetDirection(), (3, 3)) * np.array(labels.GetSpacing())
    index = np.rint((points - np.array(labels.GetOrigin())) @ np.linalg.inv(steps).T).astype(int)
    size = np.array(labels.GetSize())
    inside = ((index >= 0) & (index < size)).all(axis=1)
    found = np.zeros(len(points), dtype=int)
    x, y, z = index[inside].T
    found[inside] = sitk.GetArrayViewFromImage(labels)[z, y, x]
    return found


def _permutes(directions: np.ndarray) -> bool:
    return bool(np.allclose(np.sort(directions, axis=None)[:6], 0.0, atol=1e-9))
