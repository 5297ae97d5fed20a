"""The data term: how probable it is, near a click, that a voxel is wrong in the same way as the clicked one.

It is a logistic function of a few features of each voxel: its attenuation beside that at the click and that
of its surroundings, the network's probability, its distance from the click and from the border of the present
mask. A lesion that is new has a size: the distance at which shells around the click look more like liver.
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
SHELL_MM = 1.5
"""Thickness of the shells around a click in which the mean attenuation is looked at."""
UNKNOWN_LOGIT = -3.0
"""What the network would say of voxels that may change: it would mostly agree with the mask."""
NEW_MM = 8.0
"""A click further than this from every tumor is about one that was missed."""
OUTSIDE_TOO = 0.4
"""A click outside the liver's mask makes voxels out there less improbable by this factor."""
LEAST_TARGET = 50
"""With fewer blocks of the target in the crop, its attenuation is not known."""
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
        liver_hu: attenuation of liver without tumor; NaN if unknown.
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


def change_probability(local: Local) -> np.ndarray:
    """Return for each voxel the probability that it is to change, float32 0..1; 0 where it may not."""
    depth = _depth(local)
    weights = WEIGHTS[_kind(local, depth)]
    values = _features(local, depth)
    total = np.full(local.image.shape, weights["bias"], np.float32)
    for name, weight in weights.items():
        if name != "bias":
            total += np.float32(weight) * values[name]
    return np.where(local.free, 1.0 / (1.0 + np.exp(-np.clip(total, -30, 30))), 0).astype(np.float32)


def _kind(local: Local, depth: np.ndarray) -> str:
    """Return which weights hold: those of the target and of what is done; a new lesion has its own."""
    if local.target != "tumor":
        return "organ add" if local.include else "organ remove"
    if not local.include:
        return "tumor remove"
    return "tumor new" if depth[local.seeds].max() > NEW_MM else "tumor add"


def _depth(local: Local) -> np.ndarray:
    """Return how far (mm) each voxel lies from the other side of the present mask's border."""
    side = ~local.inside if local.include else local.inside
    if side.all():
        return np.full(side.shape, FAR_MM, np.float32)
    return ndimage.distance_transform_edt(side, sampling=local.spacing).astype(np.float32)


def _features(local: Local, depth: np.ndarray) -> Dict[str, np.ndarray]:
    """Return each feature by its name, float32 (z, y, x)."""
    image, free, seeds, spacing = local.image, local.free, local.seeds, local.spacing
    changing = free | seeds
    distance = ndimage.distance_transform_edt(~seeds, sampling=spacing).astype(np.float32)
    at_click = image[changing & (distance <= NEAR_MM)]
    here, spread = float(np.mean(at_click)), float(np.hypot(np.std(at_click), NOISE_HU))
    there = _surroundings(local, distance, here)
    like = (image - there) / (here - there) if abs(here - there) > 1 else np.ones_like(image)
    width = _width(np.clip(like, 0, 1), distance, changing)
    reach = float(np.clip(depth[seeds].max(), 2.0, FAR_MM))
    size = min(reach, width)
    unlike = np.minimum(((image - here) / spread) ** 2, 9.0)
    contrast = np.clip((here - there) * (image - 0.5 * (here + there)) / spread**2, -4, 4)
    # Inside the liver, darker than a dark click is still tumor; outside of it, it is fat.
    contrast = np.where(local.natural, contrast, np.clip(2.0 - unlike, -4, contrast))
    return {
        "unlike": unlike,
        "contrast": contrast,
        "histogram": _histograms(local),
        "network": _network(local),
        "distance": np.minimum(distance, FAR_MM) / 10,
        "far": np.log(np.clip(distance / size, 0.1, 4)),
        "farther": np.clip(distance / size, 0, 4),
        "mask": np.minimum(depth, 10) / 10,
        "shallow": np.minimum(depth / reach, 2),
        "outside": ~local.natural * np.float32(1.0 if local.natural[seeds].any() else OUTSIDE_TOO),
    }


def _surroundings(local: Local, distance: np.ndarray, here: float) -> float:
    """Return the attenuation of what is around the voxels to change."""
    if local.target == "tumor" and local.include and np.isfinite(local.liver_hu):
        return local.liver_hu
    others = local.free & (distance > 2 * NEAR_MM) & (distance < FAR_MM)
    return float(np.median(local.image[others])) if others.any() else here


def _width(like: np.ndarray, distance: np.ndarray, changing: np.ndarray) -> float:
    """Return the distance (mm) from the click at which voxels become more like what surrounds it."""
    near = changing & (distance < FAR_MM)
    shell = (distance[near] / SHELL_MM).astype(np.int64)
    count = np.bincount(shell)
    mean = np.bincount(shell, like[near]) / np.maximum(count, 1)
    unlike = np.flatnonzero((count > 0) & (mean < 0.5))
    if not unlike.size:
        return FAR_MM
    end = int(unlike[0])
    if end == 0:
        return SHELL_MM
    share = (mean[end - 1] - 0.5) / max(mean[end - 1] - mean[end], 1e-6)
    return float(max(SHELL_MM, (end - 0.5 + share) * SHELL_MM))


def _histograms(local: Local) -> np.ndarray:
    """Return the log ratio of a voxel's HU in the target's histogram and in that beside it, as change."""
    bins = np.clip((local.image + 200) / 8, 0, 63).astype(np.int64)
    inside = np.bincount(bins[local.inside], minlength=64).astype(float)
    outside = np.bincount(bins[local.natural & ~local.inside], minlength=64).astype(float)
    shares = []
    for counts in (inside, outside):
        smooth = ndimage.gaussian_filter1d(counts, 1.5)
        shares.append((smooth + 2e-3 * counts.sum() + 1) / (counts.sum() + 64))
    ratio = np.clip(np.log(shares[0] / shares[1]), -4, 4).astype(np.float32)[bins]
    if inside.sum() < LEAST_TARGET:
        ratio[:] = 0
    return ratio if local.include else -ratio


def _network(local: Local) -> np.ndarray:
    """Logit of the network's probability of a change; where it is unknown, as if it had made the mask."""
    if local.network is None:
        return np.full(local.image.shape, UNKNOWN_LOGIT, np.float32)
    share = np.clip(local.network, 0.01, 0.99)
    logit = np.log(share / (1 - share)).astype(np.float32)
    return logit if local.include else -logit


WEIGHTS: Dict[str, Dict[str, float]] = {
    "tumor new": {
        "bias": 1.5,
        "unlike": -0.14,
        "contrast": 0.25,
        "distance": -0.23,
        "far": -2.06,
        "farther": -1.24,
        "outside": -2.91,
    },  # fmt: skip
    "tumor add": {
        "bias": 3.5,
        "unlike": -0.06,
        "contrast": 0.2,
        "histogram": 0.32,
        "network": -0.11,
        "distance": -0.11,
        "far": -1.17,
        "farther": -0.19,
        "mask": -0.4,
        "shallow": -1.93,
        "outside": -0.84,
    },
    "tumor remove": {
        "bias": 3.88,
        "histogram": 0.59,
        "network": 0.06,
        "distance": 0.09,
        "far": -2.32,
        "farther": 0.47,
        "mask": -4.44,
        "shallow": -2.11,
    },
    "organ add": {
        "bias": 5.18,
        "contrast": 0.1,
        "histogram": 0.53,
        "network": 0.49,
        "distance": -0.24,
        "far": -1.2,
        "farther": -0.41,
        "mask": -0.74,
        "shallow": -1.74,
    },
    "organ remove": {
        "bias": 3.29,
        "unlike": -0.09,
        "contrast": 0.38,
        "histogram": 0.51,
        "network": 0.56,
        "distance": 0.12,
        "far": -1.7,
        "farther": -0.06,
        "mask": 0.81,
        "shallow": -1.58,
    },
}
"""Weights of the features, by what is done; fitted on simulated clicks in scans of training patients.

Those of "tumor new" and "tumor add" were then made bolder (bias, mask), which raised Dice on those scans."""
