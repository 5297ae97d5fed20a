"""Labels of an earlier stage on the grid of a later network, as nnU-Net's cascade sees them.

nnU-Net resamples an indicator for each label linearly and gives a voxel the label whose value is largest; of
labels that tie exactly, the nearest voxel's. Only voxels whose neighbours differ are computed here.
"""

import itertools
from typing import Callable, List, Optional, Tuple

import numpy as np

from LiverSegLib.inference.foreign.axis_map import AxisMap
from LiverSegLib.inference.foreign.image import Resampling

OUTSIDE = -1
"""Of voxels of the background outside the scan's own nonzero region: a label that competes, too."""
CHUNK_VOXELS = 1_000_000

Check = Callable[[], None]


def resample_labels(labels: np.ndarray, way: Resampling, check: Check) -> np.ndarray:
    """Resample labels (a, b, c), int16, to another grid.

    Args:
        labels: values of the earlier stage, OUTSIDE among them.
        way: of orders 0 and 1, to the network's grid.
        check: called for each plane; raises to cancel.

    Returns:
        int16 (a, b, c) on the new grid.
    """
    if way.is_identity:
        return labels.copy()
    out = np.empty(way.after, np.int16)
    nearest = [_nearest(axis) for axis in way.maps]
    low, high, share = way.maps[0].neighbours
    for index in range(len(out)):
        check()
        planes = [labels[low[index]]] + ([labels[high[index]]] if share[index] > 0 else [])
        shares = [1 - share[index], share[index]]
        near = labels[nearest[0][index]][np.ix_(*nearest[1:])]
        out[index] = _plane(planes, shares, near, way.maps[1:])
    return out


def _nearest(axis: AxisMap) -> np.ndarray:
    """The nearest old sample of each new one."""
    return AxisMap(axis.before, axis.positions, 0).neighbours[0]


def _plane(
    planes: List[np.ndarray], shares: List[float], near: np.ndarray, maps: Tuple[AxisMap, ...]
) -> np.ndarray:
    """A plane (b, c) of the new grid between one or two planes of the old one.

    ``near`` is the label of the nearest voxel; it stays where all neighbours have it.
    """
    (b_low, b_high, b_share), (c_low, c_high, c_share) = (axis.neighbours for axis in maps)
    sides = list(itertools.product(planes, (b_low, b_high), (c_low, c_high)))
    alike = np.ones(near.shape, bool)
    for plane, rows, columns in sides:
        alike &= plane[np.ix_(rows, columns)] == near
    out = near.copy()
    mixed = np.argwhere(~alike)
    for start in range(0, len(mixed), CHUNK_VOXELS):
        b, c = mixed[start : start + CHUNK_VOXELS].T
        found = np.stack([plane[rows[b], columns[c]] for plane, rows, columns in sides])
        weights = np.stack(
            [
                one * two * three
                for one in shares[: len(planes)]
                for two in (1 - b_share[b], b_share[b])
                for three in (1 - c_share[c], c_share[c])
            ]
        )
        out[b, c] = _largest(found, weights, near[b, c])
    return out


def _largest(found: np.ndarray, weights: np.ndarray, near: np.ndarray) -> np.ndarray:
    """The label (n,) with the largest sum of weights among neighbours (m, n); of equals ``near``, or else
    the smallest."""
    sums = np.stack([(weights * (found == label)).sum(0) for label in found])
    best = sums.max(0)
    lowest = np.where(sums == best, found, np.iinfo(np.int16).max).min(0)
    tied = ((sums == best) & (found == near)).any(0)
    return np.where(tied, near, lowest)


def with_outside(labels: np.ndarray, mask: Optional[np.ndarray]) -> np.ndarray:
    """Labels (a, b, c) as int16, the background outside a mask as OUTSIDE; a mask of None holds all."""
    marked = labels.astype(np.int16)
    if mask is not None:
        marked[(marked == 0) & ~mask] = OUTSIDE
    return marked
