"""MR beside CT: its values, which have no unit, brought into the range of soft tissue on CT.

For what was made for CT and needs no true attenuation: the report's pictures, and corrections near clicks.
"""

from typing import Tuple

import numpy as np

SOFT_TISSUE_HU = (-160.0, 240.0)
"""The usual abdominal window."""

PERCENTILES = (1.0, 99.5)
"""Of the values above the smallest: those that become the ends of the range. A few bright vessels must not
make the rest dark."""


def like_hu(array: np.ndarray) -> np.ndarray:
    """Return an MR as int16 between the ends of ``SOFT_TISSUE_HU``; what lies beyond is cut off.

    Args:
        array: (z, y, x), of any real type.
    """
    low, high = _ends(array)
    bottom, width = SOFT_TISSUE_HU[0], SOFT_TISSUE_HU[1] - SOFT_TISSUE_HU[0]
    shown = np.empty(array.shape, np.int16)
    for source, target in zip(array, shown):  # slice by slice: no wide copy of the whole
        share = np.clip((source.astype(np.float32) - low) / (high - low), 0.0, 1.0)
        target[...] = np.rint(bottom + width * share)
    return shown


def _ends(array: np.ndarray) -> Tuple[float, float]:
    """The values that become the ends of the range, of (z, y, x)."""
    step = max(1, min(array.shape[1:]) // 128)
    sample = array[:, ::step, ::step]
    seen = sample[sample > sample.min()]
    if not seen.size:
        return float(sample.min()), float(sample.min()) + 1.0
    low, high = (float(value) for value in np.percentile(seen, PERCENTILES))
    return low, max(high, low + 1e-6)
