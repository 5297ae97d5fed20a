"""Lesions grown to their borders: a network that learnt from few patients draws new lesions too small.

A voxel of the liver beside a drawn lesion joins it if the network's doubt that it is liver and its
attenuation together speak for the lesion. Attenuation counts as the share of the way from the liver's median
to the lesion's own mean, so that dark and bright lesions are treated alike.
"""

from typing import Callable, Optional, Sequence

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ..images.grid import Grid, bounding_box
from ..labels import LIVER, TUMOUR
from .components import ball_radius_mm, connected_components, each_component, widened

HALF_WAY = 0.5
"""Here attenuation speaks neither for the lesion nor for the liver."""
SMOOTHING_MM = 1.0
"""Standard deviation (mm) of the Gaussian by which noise is smoothed."""
LEAST_CONTRAST_HU = 5.0
"""A lesion of less contrast is taken for one of this: shares of a smaller difference would be noise."""
_SURE = 0.01
"""Added to both probabilities: a network is never surer than this."""


def grown_lesions(
    labels: sitk.Image,
    scan: sitk.Image,
    probability: np.ndarray,
    *,
    evidence: float,
    least: float,
    reach_mm: float,
    reach_share: float,
    check: Optional[Callable[[], None]] = None,
) -> np.ndarray:
    """The voxels of the liver that belong to lesions.

    Args:
        labels: the mask, uint8, values as in :mod:`LiverSegLib.labels`.
        scan: on the same grid, in HU.
        probability: uint8 (z, y, x): 255 times the network's probability of each voxel's label.
        evidence: weight of attenuation in the log odds: half of it is added where a voxel is as the lesion,
            half taken away where it is as the liver.
        least: the probability (0 to 1) from which on a voxel joins.
        reach_mm: no lesion grows by more than this, mm.
        reach_share: nor by more than this share of the radius of a ball of its volume.
        check: called between lesions; may raise to cancel.

    Returns:
        bool (z, y, x) of the whole scan.
    """
    mask, values = sitk.GetArrayViewFromImage(labels), sitk.GetArrayViewFromImage(scan)
    added = np.zeros(mask.shape, bool)
    box, liver_box = bounding_box(mask == TUMOUR), bounding_box(mask == LIVER)
    if box is None or liver_box is None:
        return added
    grid = Grid.of(labels)
    liver_hu = float(np.median(values[liver_box][mask[liver_box] == LIVER]))
    odds = float(np.log(least / (1 - least)))
    for inner, piece in each_component(mask[box] == TUMOUR, box):
        if check is not None:
            check()
        reach = min(reach_mm, reach_share * ball_radius_mm(piece, grid.voxel_ml))
        steps = grid.spacing[::-1]
        margins = [(reach + 3 * SMOOTHING_MM) / step for step in steps]
        wide, lesion = widened(inner, piece, margins, mask.shape)
        near = ndimage.distance_transform_edt(~lesion, sampling=steps) <= reach
        can = near & (mask[wide] == LIVER)
        share = _share_of_way(values[wide], lesion, liver_hu, steps)
        doubt = 1 - probability[wide] / np.float32(255)
        score = np.log((doubt + _SURE) / (1 - doubt + _SURE)) + evidence * (share - HALF_WAY)
        together, _ = connected_components((can & (score > odds)) | lesion, corners=False)
        reached = np.unique(together[lesion])
        added[wide] |= np.isin(together, reached) & ~lesion
    return added


def _share_of_way(
    values: np.ndarray, lesion: np.ndarray, liver_hu: float, steps: Sequence[float]
) -> np.ndarray:
    """How far (float32, 0 is the liver's median, 1 the lesion's mean) each voxel's smoothed HU lies."""
    smooth = ndimage.gaussian_filter(values.astype(np.float32), [SMOOTHING_MM / step for step in steps])
    difference = float(smooth[lesion].mean(dtype=np.float64)) - liver_hu
    if abs(difference) < LEAST_CONTRAST_HU:
        difference = LEAST_CONTRAST_HU if difference > 0 else -LEAST_CONTRAST_HU
    return np.clip((smooth - liver_hu) / np.float32(difference), -0.5, 1.5)
