"""What a network for lesions alone sees: the scan, the scan relative to the liver, and the liver."""

import numpy as np

RELATIVE_HU = 60.0
"""HU above the liver's own attenuation that the second channel calls 1."""
RELATIVE_LIMIT = 2.0
"""Where the second channel is cut off, on both sides."""
FEWEST_VOXELS = 100
"""With less liver in an image its attenuation is not measured: LIVER_HU stands for it."""
LIVER_HU = 90.0
CHANNELS = 3
EMPTY = (-RELATIVE_LIMIT, 0.0)
"""The second and third channel where there is no body."""


def liver_level(hu: np.ndarray, liver: np.ndarray) -> float:
    """Median HU of the liver, LIVER_HU where there is too little of it.

    Args:
        hu: (z, y, x).
        liver: bool (z, y, x), without its tumours as far as they are known.
    """
    values = hu[liver]
    return float(np.median(values)) if values.size >= FEWEST_VOXELS else LIVER_HU


def lesion_channels(window: np.ndarray, hu: np.ndarray, liver: np.ndarray, level: float) -> np.ndarray:
    """The network's image, float32 (3, z, y, x).

    Args:
        window: the scan as the stage's intensity makes it, float32 (z, y, x).
        hu: the scan in HU (z, y, x); what the window cuts off may be cut off here too.
        liver: bool (z, y, x), liver with tumours.
        level: the liver's attenuation in HU (:func:`liver_level`).
    """
    relative = np.clip((hu - level) / RELATIVE_HU, -RELATIVE_LIMIT, RELATIVE_LIMIT)
    return np.stack([window, relative, liver]).astype(np.float32)
