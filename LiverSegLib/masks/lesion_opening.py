"""Lesions without spikes: what is too narrow for a ball that fits the lesion becomes liver again.

Lesions are round, and what networks and growth add to them along vessels and noise is not. A thin tail of
2 cm costs little Dice but makes the longest diameter wrong, by which response to treatment is judged.
"""

from typing import Callable, Optional

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ..images.grid import Grid, bounding_box
from ..labels import TUMOUR
from .components import ball_radius_mm, component_sums, connected_components, each_component


def spikes(
    labels: sitk.Image,
    *,
    radius_mm: float,
    radius_share: float,
    least_ml: float,
    check: Optional[Callable[[], None]] = None,
) -> np.ndarray:
    """The voxels of lesions that a ball within the lesion does not reach (morphological opening).

    Args:
        labels: the mask, uint8, values as in :mod:`LiverSegLib.labels`.
        radius_mm: the ball's radius, mm, at most.
        radius_share: and at most this share of the radius of a ball of the lesion's volume. A lesion in which
            no such ball has room stays as it is.
        least_ml: what is cut off and is no lesion by its size goes too; the largest part always stays.
        check: called between lesions; may raise to cancel.

    Returns:
        bool (z, y, x) of the whole scan.
    """
    mask = sitk.GetArrayViewFromImage(labels)
    narrow = np.zeros(mask.shape, bool)
    box = bounding_box(mask == TUMOUR)
    if box is None:
        return narrow
    grid = Grid.of(labels)
    for inner, lesion in each_component(mask[box] == TUMOUR, box):
        if check is not None:
            check()
        ball_mm = ball_radius_mm(lesion, grid.voxel_ml)
        round_part = _opened(lesion, min(radius_mm, radius_share * ball_mm), grid)
        parts, count = connected_components(round_part)
        sizes = component_sums(parts, count)
        sizes[0] = 0  # what is no lesion
        stays = sizes * grid.voxel_ml >= least_ml
        stays[0], stays[np.argmax(sizes)] = False, True
        narrow[inner] |= lesion & ~stays[parts]
    return narrow


def _opened(lesion: np.ndarray, radius_mm: float, grid: Grid) -> np.ndarray:
    """What balls within a lesion (bool, z, y, x) reach; all of it if none has room."""
    steps = grid.spacing[::-1]
    framed = np.pad(lesion, 1)
    centres = ndimage.distance_transform_edt(framed, sampling=steps) > radius_mm
    if not centres.any():
        return lesion
    reached = framed & (ndimage.distance_transform_edt(~centres, sampling=steps) <= radius_mm)
    return reached[1:-1, 1:-1, 1:-1]
