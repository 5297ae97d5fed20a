"""Small trained networks that tell from a voxel's features how probable it is that it is to change.

For each kind of action there are a few multilayer perceptrons, whose logits are averaged. ``features`` says
what they see, ``Testing/Benchmarks/correct_fit.py`` trains them and writes the file of their weights.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Dict, List, Mapping, Sequence, Tuple

import numpy as np

from .features import Values
from .local import Local

WEIGHTS = Path(__file__).with_name("perceptron.npz")
LARGEST_LOGIT = 15.0

Layer = Tuple[np.ndarray, np.ndarray]
"""Weights (inputs, outputs) and biases (outputs), float32."""


@dataclass(frozen=True)
class Perceptrons:
    """The networks of one kind of action.

    Attributes:
        names: of the features, in the order of the inputs.
        members: layers of each network; the last has one output, the others are followed by a ReLU.
    """

    names: Tuple[str, ...]
    members: Tuple[Tuple[Layer, ...], ...]

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        """Return the mean of the networks' logits, float32 (n), for features (n, len(names))."""
        total = np.zeros(len(inputs), np.float32)
        for layers in self.members:
            values = inputs
            for weights, biases in layers[:-1]:
                values = np.maximum(values @ weights + biases, 0)
            weights, biases = layers[-1]
            total += (values @ weights + biases)[:, 0]
        return total / np.float32(len(self.members))


def kind_of(local: Local) -> str:
    """Return what is done: "tumor add", "tumor remove", "organ add" or "organ remove"."""
    return f"{'tumor' if local.target == 'tumor' else 'organ'} {'add' if local.include else 'remove'}"


def stacked(values: Mapping[str, Values], names: Sequence[str], where: np.ndarray) -> np.ndarray:
    """Return features as rows, float32 (n, len(names)), of the voxels where a mask (z, y, x) is set."""
    rows = np.empty((np.count_nonzero(where), len(names)), np.float32)
    for column, name in enumerate(names):
        value = values[name]
        rows[:, column] = value[where] if isinstance(value, np.ndarray) else value
    return rows


@lru_cache(maxsize=1)
def perceptrons() -> Dict[str, Perceptrons]:
    """Return the trained networks by the kind of action."""
    with np.load(WEIGHTS, allow_pickle=False) as arrays:
        return unpacked({name: arrays[name] for name in arrays.files})


def unpacked(arrays: Mapping[str, np.ndarray]) -> Dict[str, Perceptrons]:
    """Return networks from arrays named "KIND/names" and "KIND/MEMBER/LAYER/weights" or "/biases"."""
    found: Dict[str, Perceptrons] = {}
    for kind in sorted({name.split("/")[0] for name in arrays}):
        members: List[Tuple[Layer, ...]] = []
        while f"{kind}/{len(members)}/0/weights" in arrays:
            layers: List[Layer] = []
            while f"{kind}/{len(members)}/{len(layers)}/weights" in arrays:
                start = f"{kind}/{len(members)}/{len(layers)}/"
                weights, biases = arrays[start + "weights"], arrays[start + "biases"]
                layers.append((weights.astype(np.float32), biases.astype(np.float32)))
            members.append(tuple(layers))
        names = tuple(str(name) for name in arrays[f"{kind}/names"])
        found[kind] = Perceptrons(names, tuple(members))
    return found
