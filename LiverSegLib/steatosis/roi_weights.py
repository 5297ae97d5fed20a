"""Which part of each voxel lies in a box with its sides along the patient's axes.

On scans whose axes run along the patient's, forwards or backwards and in any order, the parts are exact. On
oblique or sheared scans a voxel is a leaning block. Lines run through it along the axis of the thickest
voxel edge; the length of each within the box is exact, and their mean is the voxel's part. They are spread
over the voxel's cross-section as a Fibonacci lattice, so that no two share a place along either edge: a face
of the box nearly along the voxels is met as finely as there are lines.
"""

from typing import Optional, Tuple

import numpy as np

from ..images.grid import Grid

ALIGNED = 1e-4
"""Directions whose components off an axis are smaller are along it: over 20 mm they stray by 2 micrometres.
"""
MOST_LINES = 25000
"""About so many lines are used in all, where the least number for each voxel allows it."""
_FIBONACCI = (8, 13, 21, 34, 55, 89, 144)
"""Each but the first may be the number of lines through a voxel."""


def voxel_weights(
    grid: Grid, centre: Tuple[float, ...], size: Tuple[float, ...]
) -> Tuple[np.ndarray, np.ndarray]:
    """Return the part of each voxel's volume, 0 to 1, that lies in a box.

    Args:
        grid: of the scan; the box may lie partly or wholly outside it.
        centre: of the box, LPS mm (x, y, z).
        size: of the box, mm along the patient's axes (x, y, z).

    Returns:
        The index (x, y, z) of the first voxel, which may be negative, and the weights (z, y, x) from there,
        also for places beyond the scan. Their sum times the volume of a voxel is the volume of the box.
    """
    middle, half = np.asarray(centre, dtype=float), np.asarray(size, dtype=float) / 2
    inverse = np.linalg.inv(grid.steps)
    at, extent = inverse @ (middle - grid.origin), np.abs(inverse) @ half
    first = np.floor(at - extent + 0.5).astype(int)
    last = np.maximum(first, np.ceil(at + extent - 0.5).astype(int))
    order = _aligned_axes(grid)
    if order is None:
        return first, _weights_by_lines(grid, middle, half, first, last)
    sides = []
    for axis in range(3):
        own = half[order[axis]] / abs(grid.steps[order[axis], axis])
        index = np.arange(first[axis], last[axis] + 1)
        overlap = np.minimum(at[axis] + own, index + 0.5) - np.maximum(at[axis] - own, index - 0.5)
        sides.append(np.clip(overlap, 0.0, 1.0))
    return first, sides[2][:, None, None] * sides[1][None, :, None] * sides[0][None, None, :]


def _aligned_axes(grid: Grid) -> Optional[Tuple[int, int, int]]:
    """Return for each grid axis the patient axis that it runs along, or None if one runs along none."""
    unit = np.abs(grid.steps) / np.linalg.norm(grid.steps, axis=0)
    for axis, patient_axis in enumerate(grid.patient_axes):
        if np.delete(unit[:, axis], patient_axis).max() > ALIGNED:
            return None
    return grid.patient_axes


def _weights_by_lines(
    grid: Grid, middle: np.ndarray, half: np.ndarray, first: np.ndarray, last: np.ndarray
) -> np.ndarray:
    """Return the weights (z, y, x) of the voxels from index ``first`` to ``last`` (x, y, z)."""
    along = int(np.argmax(np.linalg.norm(grid.steps, axis=0)))
    b, c = (axis for axis in range(3) if axis != along)
    counts = last - first + 1
    at_b, at_c = _cross_section(MOST_LINES // int(counts[b] * counts[c]))
    places_b = np.arange(first[b], last[b] + 1)[:, None, None] + at_b
    places_c = np.arange(first[c], last[c] + 1)[None, :, None] + at_c
    start = np.full((counts[b], counts[c], len(at_b)), first[along] - 0.5)
    stop = np.full_like(start, last[along] + 0.5)
    for axis in range(3):
        base = grid.origin[axis] - middle[axis]
        base = base + grid.steps[axis, b] * places_b + grid.steps[axis, c] * places_c
        _clip_lines(start, stop, base, grid.steps[axis, along], half[axis])
    weights = np.empty((counts[along], counts[b], counts[c]))
    for layer in range(counts[along]):
        low = first[along] + layer - 0.5
        lengths = np.minimum(stop, low + 1.0)
        lengths -= np.maximum(start, low)
        weights[layer] = np.clip(lengths, 0.0, 1.0, out=lengths).mean(axis=2)
    # weights has the axes (along, b, c); the result (z, y, x) has the grid axes (2, 1, 0).
    return weights.transpose([(along, b, c).index(axis) for axis in (2, 1, 0)])


def _cross_section(most: int) -> Tuple[np.ndarray, np.ndarray]:
    """Return two coordinates (n,), -0.5 to 0.5, of places spread over a square; n is at most ``most`` if it
    can.
    """
    number = max([index for index, n in enumerate(_FIBONACCI) if index and n <= most], default=1)
    count, step = _FIBONACCI[number], _FIBONACCI[number - 1]
    places = np.arange(count)
    return (places + 0.5) / count - 0.5, (places * step % count + 0.5) / count - 0.5


def _clip_lines(start: np.ndarray, stop: np.ndarray, base: np.ndarray, step: float, half: float) -> None:
    """Shorten the lines ``base + t * step``, t from start to stop, to where they are within -half .. half."""
    if abs(step) < 1e-9:
        stop[np.abs(base) > half] = -np.inf
        return
    one, other = (-half - base) / step, (half - base) / step
    np.maximum(start, np.minimum(one, other), out=start)
    np.minimum(stop, np.maximum(one, other), out=stop)
