"""The data term: how probable it is, near a click, that a voxel is wrong in the same way as the clicked one.

It is a logistic function of a few features of each voxel: its attenuation beside that at the click and that of its
surroundings, the network's probability, its distance from the click and from the border of the present mask.
``change_probability`` is the one function that another model (a trained network) has to replace.
"""

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

import numpy as np
from scipy import ndimage

NEAR_MM = 3.0
"""The attenuation at a click is that of the voxels within this distance which may change too."""
NOISE_HU = 8.0
"""Tissue varies by at least this much (standard deviation, after smoothing)."""
FAR_MM = 30.0
"""Distances are told apart up to here."""


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


def change_probability(local: Local) -> np.ndarray:
    """Return for each voxel the probability that it is to change, float32 0..1; 0 where it may not."""
    weights = WEIGHTS[_kind(local)]
    values = features(local)
    total = np.full(local.image.shape, weights["bias"], np.float32)
    for name, weight in weights.items():
        if name != "bias":
            total += np.float32(weight) * values[name]
    return np.where(local.free, 1.0 / (1.0 + np.exp(-np.clip(total, -30, 30))), 0).astype(np.float32)


def _kind(local: Local) -> str:
    return ("tumor" if local.target == "tumor" else "organ") + (" add" if local.include else " remove")


def features(local: Local) -> Dict[str, np.ndarray]:
    """Return each feature by its name, float32 (z, y, x)."""
    image, free, seeds, spacing = local.image, local.free, local.seeds, local.spacing
    changing = free | seeds
    distance = ndimage.distance_transform_edt(~seeds, sampling=spacing).astype(np.float32)
    depth = ndimage.distance_transform_edt(_padded_with_itself(changing, local), sampling=spacing).astype(np.float32)
    at_click = image[changing & (distance <= NEAR_MM)]
    here, spread = float(np.mean(at_click)), float(np.hypot(np.std(at_click), NOISE_HU))
    others = free & (distance > 2 * NEAR_MM) & (distance < FAR_MM)
    there = float(np.median(image[others])) if others.any() else here
    reach = float(np.clip(depth[seeds].max(), 2.0, FAR_MM))
    unlike = np.minimum(((image - here) / spread) ** 2, 9.0)
    contrast = np.clip((here - there) * (image - 0.5 * (here + there)) / spread**2, -6, 6)
    return {
        "unlike": unlike,
        "contrast": contrast,
        "beyond": np.maximum(unlike - np.clip(contrast, 0, 9), 0),
        "network": _network(local),
        "distance": np.minimum(distance, FAR_MM) / 10,
        "far": np.minimum(distance / reach, 6),
        "depth": np.minimum(depth, FAR_MM) / 10,
        "shallow": np.minimum(depth / reach, 2),
        "reach": np.full(image.shape, reach / 10, np.float32),
        "outside": (~local.natural).astype(np.float32),
        "known": np.full(image.shape, float(local.network is not None), np.float32),
    }


def _padded_with_itself(changing: np.ndarray, local: Local) -> np.ndarray:
    """Voxels not on the other side of the mask's border, from which depth is measured."""
    return ~local.inside if local.include else local.inside


def _network(local: Local) -> np.ndarray:
    """Logit of the network's probability of a change, 0 where it is unknown."""
    if local.network is None:
        return np.zeros(local.image.shape, np.float32)
    share = np.clip(local.network, 0.01, 0.99)
    logit = np.log(share / (1 - share)).astype(np.float32)
    return logit if local.include else -logit


WEIGHTS: Dict[str, Dict[str, float]] = {
    "tumor add": {"bias": 1.0, "contrast": 1.0, "unlike": -0.3, "network": 0.3, "far": -1.0},
    "tumor remove": {"bias": 1.0, "contrast": 0.5, "unlike": -0.3, "network": 0.3, "far": -1.0},
    "organ add": {"bias": 1.0, "contrast": 0.5, "unlike": -0.3, "network": 0.3, "far": -1.0},
    "organ remove": {"bias": 1.0, "contrast": 0.5, "unlike": -0.3, "network": 0.3, "far": -1.0},
}
"""Weights of the features, by what is done. Fitted on the training patients by Testing/Benchmarks/correct_fit.py."""
