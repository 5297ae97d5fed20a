"""Smooth functions whose level surface is the border of a mask: what contours and 3-D surfaces are cut from.

A binary mask of thick slices has stair steps. Between two slices the border is taken where the distances to
the two outlines balance (shape-based interpolation, Raya and Udupa, IEEE Trans. Med. Imaging 9:32, 1990),
and the level is chosen so that it encloses exactly as much as the mask did.
"""

from typing import List, NamedTuple, Sequence, Tuple

import numpy as np
from scipy import ndimage

THICK_RATIO = 1.4
"""An axis is interpolated by shape if its spacing is more than this multiple of the finest spacing."""

DISTANCE_LIMIT_SLICES = 2.5
"""Distances are cut off at this many times the coarsest spacing, so that an end face lies half a slice
outside."""

SMOOTHING = 0.7
"""Standard deviation of the smoothing in voxels across thick slices: a Gaussian interpolates without ripple
from here."""

SMOOTHING_FINE = 1.1
"""Standard deviation of the smoothing in voxels along the finer axes, where the voxels' own corners must
go."""

_FAR = 1e5
"""Spacing (mm) given to the thick axis when distances are wanted within slices only."""


class LevelSet(NamedTuple):
    """A sampled function and the level that encloses as much as the mask it was made from.

    field: float32, same axis order as the mask, larger inside; origin: position of field[0, ...] in mm
    relative to the centre of the mask's first element; edge: sample distance in mm along every axis.
    """

    field: np.ndarray
    origin: Tuple[float, ...]
    edge: float
    level: float


def smooth_level_set(mask: np.ndarray, spacing: Sequence[float], edge: float) -> LevelSet:
    """Return a smooth function on an isotropic grid whose level surface is the mask's border.

    Args:
        mask: bool array of any dimension, not empty; the surroundings count as outside.
        spacing: mm along each axis of ``mask``, in the array's axis order.
        edge: distance in mm between samples of the result.

    Raises:
        ValueError: the mask is empty.
    """
    if not mask.any():
        raise ValueError("An empty mask has no border.")
    spacing = tuple(float(value) for value in spacing)
    target = float(mask.sum()) * float(np.prod(spacing))
    coarse, coarse_spacing, shift = _shrink(mask, spacing, edge)
    margin = [int(np.ceil((2.0 * edge + 1.5 * step) / step)) for step in coarse_spacing]
    padded = np.pad(coarse, [(value, value) for value in margin])
    distances = _signed_distance(padded, coarse_spacing)
    field, first = _resample(distances, coarse_spacing, edge)
    origin = tuple(s - m * step + f for s, m, step, f in zip(shift, margin, coarse_spacing, first))
    return LevelSet(field, origin, edge, _enclosing_level(field, target / edge**mask.ndim))


def _shrink(
    mask: np.ndarray, spacing: Tuple[float, ...], edge: float
) -> Tuple[np.ndarray, Tuple[float, ...], Tuple[float, ...]]:
    """Join voxels much finer than ``edge`` by majority; return mask, spacing and the shift (mm) of its first
    centre."""
    factors = [max(1, int(0.75 * edge / step)) for step in spacing]
    if max(factors) == 1:
        return mask, spacing, (0.0,) * mask.ndim
    padded = np.pad(mask, [(0, -size % factor) for size, factor in zip(mask.shape, factors)])
    blocks: List[int] = []
    for size, factor in zip(padded.shape, factors):
        blocks += [size // factor, factor]
    counts = padded.reshape(blocks).sum(axis=tuple(range(1, 2 * mask.ndim, 2)), dtype=np.uint16)
    joined = counts * 2 >= np.prod(factors)
    if not joined.any():
        return mask, spacing, (0.0,) * mask.ndim
    return (
        joined,
        tuple(step * factor for step, factor in zip(spacing, factors)),
        tuple(0.5 * step * (factor - 1) for step, factor in zip(spacing, factors)),
    )


def _signed_distance(mask: np.ndarray, spacing: Tuple[float, ...]) -> np.ndarray:
    """Distance in mm to the border, positive inside, within slices if the slices are thick; float32."""
    finest, thickest = min(spacing), max(spacing)
    sampling = [_FAR if step > THICK_RATIO * finest else step for step in spacing]
    if all(value == _FAR or mask.shape[axis] == 1 for axis, value in enumerate(sampling)):
        sampling = list(spacing)
    limit = DISTANCE_LIMIT_SLICES * thickest
    # Distances are between centres, so the border lies half a voxel nearer on either side.
    inside = np.minimum(ndimage.distance_transform_edt(mask, sampling=sampling), limit + finest / 2)
    outside = np.minimum(ndimage.distance_transform_edt(~mask, sampling=sampling), limit + finest / 2)
    return np.where(mask, inside - finest / 2, finest / 2 - outside).astype(np.float32)


def _resample(
    values: np.ndarray, spacing: Tuple[float, ...], edge: float
) -> Tuple[np.ndarray, Tuple[float, ...]]:
    """Smooth and resample to the isotropic grid, axis by axis; return values and the first sample's position
    (mm)."""
    first = []
    for axis, step in enumerate(spacing):
        length = (values.shape[axis] - 1) * step
        count = max(2, int(np.ceil(length / edge)) + 1)
        start = 0.5 * (length - (count - 1) * edge)
        first.append(start)
        sigma = step * (SMOOTHING if step > THICK_RATIO * min(spacing) else SMOOTHING_FINE)
        weights = _gaussian_weights(values.shape[axis], step, start + edge * np.arange(count), sigma)
        values = np.moveaxis(np.tensordot(weights, values, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(values, dtype=np.float32), tuple(first)


def _gaussian_weights(count: int, step: float, positions: np.ndarray, sigma: float) -> np.ndarray:
    """Matrix (positions, count) that interpolates and smooths at once; each row sums to one."""
    offsets = (positions[:, None] - step * np.arange(count)[None, :]) / sigma
    weights = np.exp(-0.5 * np.minimum(offsets**2, 50.0)) * (np.abs(offsets) < 5.0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _enclosing_level(field: np.ndarray, elements: float) -> float:
    """The level above which lie ``elements`` samples (fractional)."""
    flat = field.ravel()
    rank = min(max(int(round(elements)), 1), flat.size - 1)
    above, below = np.partition(flat, (flat.size - rank - 1, flat.size - rank))[
        [flat.size - rank, flat.size - rank - 1]
    ]
    return float(0.5 * (above + below))
