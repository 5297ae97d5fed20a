"""Pictures of MR: its values, which have no unit, brought into the range in which CT is drawn."""

from typing import Tuple

import numpy as np
import SimpleITK as sitk

from .pictures import WINDOW

PERCENTILES = (1.0, 99.5)
"""Of the values above the smallest: what is black and what is white. A few bright vessels must not make the
rest dark."""

WINDOW_IN_WORDS = "Window from the 1st to the 99.5th percentile of the scan’s values."


def shown_like_ct(image: sitk.Image) -> sitk.Image:
    """Return an MR as int16 between the ends of the window ``WINDOW``, on the same grid.

    Args:
        image: the MR, of any real pixel type.
    """
    array = sitk.GetArrayViewFromImage(image)
    low, high = _ends(array)
    bottom, width = WINDOW[0] - WINDOW[1] / 2, WINDOW[1]
    shown = np.empty(array.shape, np.int16)
    for source, target in zip(array, shown):  # slice by slice: no wide copy of the whole
        share = np.clip((source.astype(np.float32) - low) / (high - low), 0.0, 1.0)
        target[...] = np.rint(bottom + width * share)
    result = sitk.GetImageFromArray(shown)
    result.CopyInformation(image)
    return result


def _ends(array: np.ndarray) -> Tuple[float, float]:
    """The values that are black and white, of (z, y, x)."""
    step = max(1, min(array.shape[1:]) // 128)
    sample = array[:, ::step, ::step]
    seen = sample[sample > sample.min()]
    if not seen.size:
        return float(sample.min()), float(sample.min()) + 1.0
    low, high = (float(value) for value in np.percentile(seen, PERCENTILES))
    return low, max(high, low + 1e-6)
