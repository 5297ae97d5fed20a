"""HU to what a network sees, as the programs do it that models come from."""

from dataclasses import dataclass
from typing import Callable, Optional, Tuple

import numpy as np
from scipy import ndimage

from LiverSegLib.images.grid import Box
from LiverSegLib.models import Intensity

SMALLEST_DEVIATION = 1e-8
"""A standard deviation below this counts as this: a constant image becomes 0 (nnU-Net)."""
SLAB_VOXELS = 4_000_000
"""Voxels worked on at a time; bounds the memory."""

Check = Callable[[], None]


@dataclass(frozen=True)
class Scale:
    """Clip to ``low`` and ``high`` where given, then (value - ``shift``) / ``divisor``.

    With ``mask`` (bool, of the image's shape) only its voxels are changed.
    """

    low: Optional[float]
    high: Optional[float]
    shift: float
    divisor: float
    mask: Optional[np.ndarray] = None

    def apply(self, image: np.ndarray, place: Box) -> np.ndarray:
        """A part of an image (a, b, c), as a new float32 array."""
        values = np.array(image[place], dtype=np.float32, order="C")
        if self.low is not None or self.high is not None:
            np.clip(values, self.low, self.high, out=values)
        if self.mask is None:
            values -= np.float32(self.shift)
            values /= np.float32(self.divisor)
            return values
        inside = self.mask[place]
        values[inside] = (values[inside] - np.float32(self.shift)) / np.float32(self.divisor)
        return values


def scale_for(intensity: Intensity, image: np.ndarray, check: Check) -> Scale:
    """What a model's intensity scheme does to an image (a, b, c) in HU.

    Args:
        intensity: the scheme.
        image: only its own mean and deviation matter, and only to the scheme "zscore".
        check: called between parts of the image; raises to cancel.
    """
    if intensity.scheme == "window" and intensity.window and intensity.scale:
        (low, high), (bottom, top) = intensity.window, intensity.scale
        divisor = (high - low) / (top - bottom)
        return Scale(low, high, low - bottom * divisor, divisor)
    limits: Tuple[Optional[float], Optional[float]] = intensity.clip or (None, None)
    if intensity.scheme == "zscore":
        mask = nonzero_mask(image) if intensity.nonzero else None
        mean, deviation = _mean_and_deviation(image, mask, limits, check)
        return Scale(*limits, mean, max(deviation, SMALLEST_DEVIATION), mask)
    if intensity.scheme == "ct-percentile" and intensity.mean is not None and intensity.std is not None:
        return Scale(*limits, intensity.mean, max(intensity.std, SMALLEST_DEVIATION))
    return Scale(None, None, 0.0, 1.0)


def nonzero_mask(image: np.ndarray) -> Optional[np.ndarray]:
    """Voxels that are not 0 and those enclosed by them; None where these are all.

    Where no voxel on the image's six faces is 0, every 0 is enclosed.
    """
    faces = (face for axis in range(3) for face in (image.take(0, axis), image.take(-1, axis)))
    if all(bool(face.all()) for face in faces):
        return None
    return ndimage.binary_fill_holes(image != 0)


def _mean_and_deviation(
    image: np.ndarray,
    mask: Optional[np.ndarray],
    limits: Tuple[Optional[float], Optional[float]],
    check: Check,
) -> Tuple[float, float]:
    """Mean and standard deviation of an image (a, b, c), clipped, within a mask; 0 and 1 of no voxel."""
    count, total, squares = 0, 0.0, 0.0
    pivot = float(image[tuple(length // 2 for length in image.shape)])  # near the mean, against cancellation
    rows = max(1, SLAB_VOXELS // max(1, image[0].size))
    for first in range(0, len(image), rows):
        check()
        part = image[first : first + rows]
        values = part.astype(np.float64) if mask is None else part[mask[first : first + rows]].astype(float)
        if limits != (None, None):
            np.clip(values, *limits, out=values)
        values -= pivot
        count += values.size
        total += float(values.sum())
        squares += float(np.vdot(values, values))
    if count == 0:
        return 0.0, 1.0
    mean = total / count
    return pivot + mean, float(np.sqrt(max(0.0, squares / count - mean * mean)))
