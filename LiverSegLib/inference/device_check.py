"""Does a graphics card compute what the CPU computes? One tile on both tells.

Apple's MPS got the layers of our networks late (ConvTranspose3d, AvgPool3d and MaxPool3d in PyTorch 2.8 and
2.9), and PyTorch drops old CUDA cards one by one: such a device fails, or computes wrong numbers in silence.
"""

from typing import Sequence

import torch

DEVICE_TOLERANCE = 0.05
"""Largest mean absolute difference of class probabilities between device and CPU over a tile. Rounding in
half precision moves them by about 0.001; a layer that computes nonsense by some tenths."""


def middle_tile(image: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """The tile (1, 1, z, y, x) in the middle of an image (z, y, x), filled up with zeros."""
    tile = torch.zeros(tuple(size))
    starts = [max(0, (n - t) // 2) for n, t in zip(image.shape, size)]
    part = image[tuple(slice(s, s + t) for s, t in zip(starts, size))]
    tile[tuple(slice(0, n) for n in part.shape)] = part
    return tile[None, None]


def difference(one: torch.Tensor, other: torch.Tensor) -> float:
    """Mean absolute difference of the class probabilities of two logits (1, classes, z, y, x); infinite
    where either is not finite.
    """
    if not (torch.isfinite(one).all() and torch.isfinite(other).all()):
        return float("inf")
    return float((torch.softmax(one, 1) - torch.softmax(other, 1)).abs().sum(1).mean())


def first_line(error: BaseException) -> str:
    """What an exception says, in one line of at most 200 characters."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")[:200]
