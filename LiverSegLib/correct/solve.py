"""The random walker with priors: probabilities that follow a data term, smooth but for the image's edges.

The energy  sum_i l (u_i - f_i)^2 + sum_ij w_ij (u_i - u_j)^2,  u = 1 or 0 where the reader told, has one
minimum, the solution of a sparse linear system (Grady, "Multilabel random walker image segmentation using
prior models", CVPR 2005).
"""

from typing import Optional, Sequence, Tuple

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg

EDGE_HU = 12.0
"""A step of this many HU between neighbours (after smoothing) weakens their bond to about a third."""
SMOOTHING_MM = 3.0
"""Where the image is flat, the data term is averaged over about this distance."""
LEAST_BOND = 0.02
"""Neighbours are never quite apart: the share of the bond that the strongest edge leaves."""
TOLERANCE = 3e-3
"""Relative residual at which the iteration ends: probabilities are then right to about a hundredth."""
MOST_STEPS = 60


def random_walker(
    prior: np.ndarray,
    image: np.ndarray,
    free: np.ndarray,
    seeds: np.ndarray,
    spacing: Sequence[float],
) -> np.ndarray:
    """Return the probability (float32, z, y, x) that each voxel changes.

    Args:
        prior: float32, the data term, 0..1.
        image: float32, smoothed HU.
        free: bool, voxels to solve for.
        seeds: bool, voxels known to change: 1. All others take no part and are 0.
        spacing: mm (z, y, x).
    """
    taking_part = free | seeds
    bonds = _bonds(image, taking_part, spacing)
    known = seeds.astype(np.float32)
    diagonal = np.ones(image.shape, np.float32)
    right = prior + _neighbours(known, bonds)
    for axis, bond in enumerate(bonds):
        diagonal[_part(axis, 0, -1)] += bond
        diagonal[_part(axis, 1, None)] += bond
    free_float = free.astype(np.float32)
    right *= free_float
    shape, size = image.shape, image.size

    def apply(vector: np.ndarray) -> np.ndarray:
        whole = vector.reshape(shape)
        values = whole * free_float
        solved = (diagonal * values - _neighbours(values, bonds)) * free_float
        return (solved + whole * (1 - free_float)).ravel()

    def precondition(vector: np.ndarray) -> np.ndarray:
        return vector / diagonal.ravel()

    matrix = LinearOperator((size, size), matvec=apply, dtype=np.float32)
    helper = LinearOperator((size, size), matvec=precondition, dtype=np.float32)
    start = (prior * free_float).ravel()
    solution, _ = cg(matrix, right.ravel(), x0=start, rtol=TOLERANCE, maxiter=MOST_STEPS, M=helper)
    return np.clip(solution.reshape(shape) * free_float + known, 0, 1)


def _bonds(image: np.ndarray, taking_part: np.ndarray, spacing: Sequence[float]) -> Sequence[np.ndarray]:
    """Return for each axis the bond of each voxel with its next, relative to the weight of the data term."""
    bonds = []
    for axis, step in enumerate(spacing):
        low, high = _part(axis, 0, -1), _part(axis, 1, None)
        similar = np.exp(-(((image[high] - image[low]) / EDGE_HU) ** 2)) + LEAST_BOND
        strength = np.float32((SMOOTHING_MM / step) ** 2)
        bonds.append(strength * similar * (taking_part[low] & taking_part[high]))
    return bonds


def _neighbours(values: np.ndarray, bonds: Sequence[np.ndarray]) -> np.ndarray:
    """Return the sum of each voxel's neighbours, weighted by the bonds."""
    total = np.zeros_like(values)
    for axis, bond in enumerate(bonds):
        low, high = _part(axis, 0, -1), _part(axis, 1, None)
        total[low] += bond * values[high]
        total[high] += bond * values[low]
    return total


def _part(axis: int, start: int, stop: Optional[int]) -> Tuple[slice, ...]:
    return tuple(slice(start, stop) if other == axis else slice(None) for other in range(3))
