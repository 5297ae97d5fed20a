"""The data term: how probable it is, near a click, that a voxel is wrong in the same way as the clicked one.

Small trained networks tell it from features of the voxel (``features``, ``perceptron``).
``change_probability`` is the one function that another model has to replace.
"""

from typing import Dict

import numpy as np

from .features import WAYS, features
from .local import Local
from .perceptron import LARGEST_LOGIT, kind_of, perceptrons, stacked

NEW_DEPTH = 0.8
"""A click whose feature "depth" is larger (8 mm from every tumor) is about a lesion that was missed."""
BOLDNESS: Dict[str, float] = {
    "tumor new": 0.3,
    "tumor add": -0.4,
    "tumor remove": -0.5,
    "organ add": -0.5,
    "organ remove": -0.5,
}
"""Added to the logits. A lesion that is begun gains from voxels somewhat less probable than not; where a mask
is there, what is right must not be made wrong. Chosen on patients left out of the fit."""


def change_probability(local: Local) -> np.ndarray:
    """Return for each voxel the probability that it is to change, float32 0..1; 0 where it may not."""
    chance = np.zeros(local.image.shape, np.float32)
    if not local.free.any():
        return chance
    kind = kind_of(local)
    networks = perceptrons()[kind]
    values = features(local, ways=bool(WAYS.intersection(networks.names)))
    new = kind == "tumor add" and np.max(np.asarray(values["depth"])[local.seeds]) > NEW_DEPTH
    logits = networks.logits(stacked(values, networks.names, local.free))
    logits += np.float32(BOLDNESS["tumor new" if new else kind])
    chance[local.free] = 1.0 / (1.0 + np.exp(-np.clip(logits, -LARGEST_LOGIT, LARGEST_LOGIT)))
    return chance
