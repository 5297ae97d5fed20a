"""The kidneys at the height of the liver: whether contrast medium is passing through them."""

from typing import Optional, Tuple

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from .aorta import Slabs, at_the_liver

SIDE_MM = (24.0, 95.0)
"""Distance of kidneys from the middle of the spine, to either side."""
DEPTH_MM = (-45.0, 45.0)
"""Distance from the middle of the spine, to the front and to the back."""
SOFT_HU = (10.0, 450.0)
RIM_MM = 6.0
"""Eroded away: what is left of a kidney is thick, unlike ribs, vessels and loops of bowel."""
LEAST_ML = 12.0
"""Of the inner part of a kidney."""
LIKE = 0.35
"""The two kidneys of a patient differ by less than this share of the brighter one, and by at least 20 HU."""


def find_kidneys(slabs: Optional[Slabs], labels: sitk.Image) -> Optional[float]:
    """Attenuation of the kidneys in HU: the upper quartile, so that cortex or pelvis is seen.

    Unenhanced kidneys have about 30 to 40 HU, enhanced ones 90 to 250 from the first minute on, for many
    minutes after. Muscle and bowel lie at the same place; so both sides must agree.

    Args:
        slabs: of the scan; None if there are none.
        labels: on the scan's grid; liver and spleen are left out of the search.

    Returns:
        The HU of the darker side; None where a side shows no kidney or the two disagree.
    """
    if slabs is None or slabs.spine is None:
        return None
    organs, _ = at_the_liver(sitk.Cast(labels, sitk.sitkInt16) * 100, labels)
    if organs is None:
        return None
    free = ~ndimage.binary_dilation(organs > 20, iterations=2)
    sides = [_side(slabs.volume, free, slabs.spine, slabs.spacing, sign) for sign in (-1, 1)]
    if sides[0] is None or sides[1] is None:
        return None
    low, high = sorted((sides[0], sides[1]))
    return low if high - low <= max(20.0, LIKE * high) else None


def _side(
    volume: np.ndarray, free: np.ndarray, spine: Tuple[float, float], spacing: Tuple[float, float], sign: int
) -> Optional[float]:
    """Upper quartile (HU) of the brightest thick piece of soft tissue beside the spine; None without one.

    Args:
        volume: (z, y, x) in HU.
        free: bool (z, y, x), False in liver and spleen.
        spine: its middle (y, x) in pixels.
        spacing: mm of a slab and of a pixel.
        sign: -1 for the patient's right side, 1 for the left.
    """
    y, x = np.mgrid[: volume.shape[1], : volume.shape[2]].astype(float)
    aside, depth = sign * (x - spine[1]) * spacing[1], (y - spine[0]) * spacing[1]
    region = (aside > SIDE_MM[0]) & (aside < SIDE_MM[1]) & (depth > DEPTH_MM[0]) & (depth < DEPTH_MM[1])
    calm = ndimage.gaussian_filter(volume, (0, 1, 1))
    soft = (calm > SOFT_HU[0]) & (calm < SOFT_HU[1]) & free & region
    plane = ndimage.generate_binary_structure(3, 1)
    plane[0] = plane[2] = False
    inner = ndimage.binary_erosion(soft, plane, iterations=max(1, round(RIM_MM / spacing[1])))
    pieces, count = ndimage.label(inner)
    if not count:
        return None
    sizes = np.bincount(pieces.ravel())[1:]
    voxel_ml = spacing[0] * spacing[1] ** 2 / 1000
    large = [i + 1 for i in np.flatnonzero(sizes * voxel_ml >= LEAST_ML)]
    if not large:
        return None
    return float(max(np.percentile(volume[pieces == piece], 75) for piece in large))
