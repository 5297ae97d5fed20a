"""A scan in patient order (z up, y back, x left): permuted and mirrored, which loses nothing."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from .grid import Grid, PatientOrder


@dataclass(frozen=True)
class PatientScan:
    """A scan in patient order.

    Attributes:
        image: holds the voxels, in its own order.
        array: view (z, y, x) of them, z to superior, y to posterior, x to left.
        order: leads from the image's grid to that of ``array``.
    """

    image: sitk.Image
    array: np.ndarray
    order: PatientOrder

    @property
    def grid(self) -> Grid:
        """The grid of ``array``."""
        return self.order.grid


def patient_order(image: sitk.Image) -> PatientScan:
    """Return a 3-D image in patient order, without copying its voxels.

    Raises:
        ImageGeometryError: the image is not 3-D or its axes do not span space.
    """
    order = Grid.of(image).patient_order
    return PatientScan(image, order.apply(sitk.GetArrayViewFromImage(image)), order)
