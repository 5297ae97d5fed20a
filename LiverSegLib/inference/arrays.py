"""Arrays of numpy, or of PyTorch on a graphics card, by the same code.

What surrounds a network (resampling, blending, voting, labelling) is written once, with functions that both
libraries have under the same name and with the same arguments: ``matmul``, ``maximum``, ``clip``, ``exp``,
``flip``, ``moveaxis``, all with ``out``. :func:`library` says whose they are. PyTorch is imported here for a
device other than the CPU alone.
"""

import sys
from dataclasses import dataclass
from typing import Any, List, Sequence

import numpy as np

Array = Any
"""``numpy.ndarray`` on the CPU, ``torch.Tensor`` on a graphics card."""

SOFTMAX_VOXELS = 1 << 18
"""Voxels whose probabilities are computed at a time: what stays in a processor's cache."""


@dataclass(frozen=True)
class Arrays:
    """Makes float32 arrays where a network's input is expected.

    Attributes:
        kind: "cpu" for numpy; "cuda" or "mps" for PyTorch there.
    """

    kind: str = "cpu"

    @property
    def library(self) -> Any:
        """The module ``numpy`` or ``torch``."""
        if self.kind == "cpu":
            return np
        import torch

        return torch

    def zeros(self, shape: Sequence[int]) -> Array:
        """An array of zeros."""
        if self.kind == "cpu":
            return np.zeros(tuple(shape), np.float32)
        return self.library.zeros(tuple(shape), device=self.kind)

    def empty(self, shape: Sequence[int]) -> Array:
        """An array with anything in it."""
        if self.kind == "cpu":
            return np.empty(tuple(shape), np.float32)
        return self.library.empty(tuple(shape), device=self.kind)

    def full(self, shape: Sequence[int], value: float) -> Array:
        """An array of one value."""
        array = self.zeros(shape)
        array[...] = value
        return array

    def put(self, array: Array) -> Array:
        """An array, of numpy or already here, as float32 here; it may share memory with the argument."""
        if self.kind == "cpu":
            return np.asarray(on_host(array), np.float32)
        if isinstance(array, np.ndarray):
            array = self.library.from_numpy(np.ascontiguousarray(array, np.float32))
        return array.to(self.kind)


HOST = Arrays()
"""numpy's."""


def library(array: Array) -> Any:
    """The module whose functions take an array: ``numpy`` or ``torch``."""
    return np if isinstance(array, np.ndarray) else sys.modules["torch"]


def arrays_of(array: Array) -> Arrays:
    """What makes more arrays beside one."""
    return HOST if isinstance(array, np.ndarray) else Arrays(array.device.type)


def on_host(array: Array) -> np.ndarray:
    """An array as numpy has it; of memory shared with it where it is on the CPU."""
    return array if isinstance(array, np.ndarray) else np.asarray(array.detach().cpu().numpy())


def softmax(logits: Array) -> Array:
    """Turn logits (classes, z, y, x) into probabilities, in place, and return them.

    Slab by slab, so that no second array of that size is needed.
    """
    of = library(logits)
    for part in slabs(logits):
        highest = part[0] + 0
        for row in part[1:]:
            of.maximum(highest, row, out=highest)
        part -= highest
        of.exp(part, out=part)
        part /= part.sum(0)
    return logits


def sigmoid(logits: Array) -> Array:
    """Turn logits (classes, z, y, x) into independent probabilities, in place, and return them."""
    of = library(logits)
    for part in slabs(logits):
        of.clip(part, -60.0, 60.0, out=part)  # exp of more does not fit into float32
        part *= -1
        of.exp(part, out=part)
        part += 1
        of.reciprocal(part, out=part)
    return logits


def slabs(array: Array) -> List[Array]:
    """Views of an array (classes, z, y, x), which cover it along z, of about SOFTMAX_VOXELS voxels each."""
    planes = max(1, SOFTMAX_VOXELS // max(1, int(array.shape[2]) * int(array.shape[3])))
    return [array[:, z : z + planes] for z in range(0, int(array.shape[1]), planes)]
