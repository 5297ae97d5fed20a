"""The size of a voxel, said once for the whole core: its volume, and the limit of thick slices."""

from typing import Sequence, Tuple

import numpy as np

THICK_SLICES_MM = 5.0
"""RECIST 1.1 wants CT slices of at most 5 mm; thicker ones hide small lesions and blur volumes."""
SPACING_ROUNDING_MM = 1e-3
"""Headers store distances rounded: slices that are thicker by less than this are not thick."""

NOT_SHEARED: Tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def voxel_volume_ml(spacing: Sequence[float], direction: Sequence[float] = NOT_SHEARED) -> float:
    """Volume of a voxel in ml: the parallelepiped that its three steps span, right for tilted gantries too.

    Args:
        spacing: mm (x, y, z).
        direction: 3 x 3 row by row as SimpleITK has it; the axes of a tilted gantry are not perpendicular.

    Returns:
        ``|det(direction)|`` times the product of the spacing, over 1000.

    >>> voxel_volume_ml((1.0, 1.0, 5.0))
    0.005
    """
    shear = abs(float(np.linalg.det(np.reshape(np.asarray(direction, dtype=float), (3, 3)))))
    return shear * float(np.prod(np.asarray(spacing, dtype=float))) / 1000.0


def are_thick_slices(slice_spacing: float) -> bool:
    """Whether slices so far apart (mm) are thick by THICK_SLICES_MM."""
    return slice_spacing > THICK_SLICES_MM + SPACING_ROUNDING_MM
