"""Does a graphics card, or lower precision, compute what the CPU computes in float32? One tile on both tells.

Apple's MPS got the layers of our networks late (ConvTranspose3d, AvgPool3d and MaxPool3d in PyTorch 2.8 and
2.9), and PyTorch drops old CUDA cards one by one: such a device fails, or computes wrong numbers in silence.
"""

from typing import Sequence

import numpy as np

from LiverSegLib.inference.arrays import softmax

DEVICE_TOLERANCE = 0.05
"""Largest mean absolute difference of class probabilities between device and CPU over a tile. Rounding in
half precision moves them by about 0.001; a layer that computes nonsense by some tenths."""


def middle_tile(image: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """The tile (1, channels, z, y, x) in the middle of an image (channels, z, y, x), filled up with zeros."""
    tile = np.zeros((image.shape[0], *size), np.float32)
    starts = [max(0, (n - t) // 2) for n, t in zip(image.shape[1:], size)]
    part = image[(slice(None), *(slice(s, s + t) for s, t in zip(starts, size)))]
    tile[tuple(slice(0, n) for n in part.shape)] = part
    return tile[None]


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Mean absolute difference of the class probabilities of two logits (1, classes, z, y, x), which are
    changed in place; infinite where either is not finite.
    """
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return float("inf")
    return float(np.abs(softmax(one[0]) - softmax(other[0])).sum(0).mean())


def first_line(error: BaseException) -> str:
    """What an exception says, in one line of at most 200 characters."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")[:200]
