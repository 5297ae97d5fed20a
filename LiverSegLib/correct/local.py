"""What is known around clicks: the input of the data term."""

from dataclasses import dataclass
from typing import Optional, Tuple

import numpy as np


@dataclass(frozen=True)
class Local:
    """What is known around clicks of one kind, on the blocks of a crop (z, y, x).

    Attributes:
        target: name of the target.
        include: whether voxels are to be added; else removed.
        image: float32, smoothed HU.
        inside: bool, the present mask of the target.
        free: bool, the voxels that may change.
        seeds: bool, the voxels that were told to change.
        network: float32, the network's probability that a voxel belongs to the target; None if unknown.
        natural: bool, voxels that the target takes first (a tumor: those of the liver).
        spacing: mm (z, y, x).
        liver_hu: attenuation of liver without tumor; NaN if unknown.
        agreed: bool, told to change, or to be as if changed, by other clicks: include beside include.
        opposed: bool, told the contrary by other clicks.
    """

    target: str
    include: bool
    image: np.ndarray
    inside: np.ndarray
    free: np.ndarray
    seeds: np.ndarray
    network: Optional[np.ndarray]
    natural: np.ndarray
    spacing: Tuple[float, float, float]
    liver_hu: float
    agreed: np.ndarray
    opposed: np.ndarray
