"""Colors as DICOM wants them: CIELab of the profile connection space, in 16 bits."""

from typing import Tuple

import numpy as np

SRGB_TO_XYZ_D50 = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)
"""Linear sRGB to XYZ under D50, the white of ICC's connection space (IEC 61966-2-1, adapted by Bradford's
method)."""
WHITE_D50 = np.array([0.96422, 1.0, 0.82521])


def cielab(rgb: Tuple[int, int, int]) -> Tuple[int, int, int]:
    """Return the CIELab value (PS3.3 C.10.7.1.1) of an sRGB color of 0 to 255.

    >>> cielab((255, 255, 255)), cielab((0, 0, 0))
    ((65535, 32896, 32896), (0, 32896, 32896))
    """
    part = np.array(rgb, dtype=float) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    ratio = SRGB_TO_XYZ_D50 @ linear / WHITE_D50
    root = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    lightness, a, b = 116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])
    scaled = (lightness / 100, (a + 128) / 255, (b + 128) / 255)
    first, second, third = (int(round(min(max(value, 0.0), 1.0) * 65535)) for value in scaled)
    return first, second, third
