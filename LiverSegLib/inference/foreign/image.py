"""The network's image of a scan: intensities scaled and resampled, slab by slab.

The numbers are those of ``skimage.transform.resize`` (order 3, edges extended, no anti-aliasing) up to
rounding in single precision; that holds several copies of the scan in double precision, this one slab.
"""

from dataclasses import dataclass
from typing import Callable, Optional, Sequence, Tuple

import numpy as np

from LiverSegLib.images.grid import Box
from LiverSegLib.inference.foreign.axis_map import AxisMap
from LiverSegLib.inference.foreign.intensity import SLAB_VOXELS
from LiverSegLib.models.stage import Preparation

Check = Callable[[], None]
Values = Callable[[np.ndarray, Box], np.ndarray]
"""Gives the network's values, a new float32 array, of a part of an image (a, b, c)."""


@dataclass(frozen=True)
class Resampling:
    """How a grid (a, b, c) is resampled: a map for each axis, and which axis goes by itself.

    Attributes:
        maps: one for each axis.
        separate: the axis of thick slices, whose slices are resampled one by one before; None: no axis.
    """

    maps: Tuple[AxisMap, ...]
    separate: Optional[int]

    @property
    def before(self) -> Tuple[int, ...]:
        """Shape of the old grid."""
        return tuple(axis.before for axis in self.maps)

    @property
    def after(self) -> Tuple[int, ...]:
        """Shape of the new grid."""
        return tuple(axis.after for axis in self.maps)

    @property
    def is_identity(self) -> bool:
        """Whether the two grids are the same."""
        return all(axis.is_identity for axis in self.maps)


def new_shape(shape: Sequence[int], spacing: Sequence[float], wanted: Sequence[float]) -> Tuple[int, ...]:
    """Voxels (a, b, c) that a grid has at another spacing (mm; a, b, c): rounded, at least 1."""
    return tuple(max(1, int(round(have / want * count))) for count, have, want in zip(shape, spacing, wanted))


def separate_axis(
    preparation: Preparation, spacing: Sequence[float], wanted: Sequence[float]
) -> Optional[int]:
    """The axis that is resampled by itself, from the spacing (mm; a, b, c) that is and the one wanted.

    It is the one with the largest spacing, where that exceeds the smallest ``anisotropy`` times; none where
    two axes share the largest.
    """
    if preparation.separate_z is False:
        return None
    both = (spacing,) if preparation.separate_z else (spacing, wanted)
    thick = (steps for steps in both if max(steps) / min(steps) > preparation.anisotropy)
    steps = spacing if preparation.separate_z else next(thick, None)
    if steps is None:
        return None
    largest = [axis for axis, step in enumerate(steps) if step == max(steps)]
    return largest[0] if len(largest) == 1 else None


def resampling(
    before: Sequence[int], after: Sequence[int], order: int, separate: Optional[int], order_separate: int
) -> Resampling:
    """Resampling between two grids that share their outer faces."""
    maps = tuple(
        AxisMap.between(old, new, order_separate if axis == separate else order)
        for axis, (old, new) in enumerate(zip(before, after))
    )
    return Resampling(maps, separate)


def resample_image(image: np.ndarray, way: Resampling, scale: Values, order: int, check: Check) -> np.ndarray:
    """Scale and resample an image.

    Args:
        image: (a, b, c), any type.
        way: to the network's grid.
        scale: HU to the network's values, before resampling.
        order: of the spline across; from 2 on its overshoot is cut off, slice by slice where an axis goes
            by itself.
        check: called for each slab; raises to cancel.

    Returns:
        float32 (a, b, c) on the new grid, contiguous.
    """
    if way.is_identity:
        return _scaled(image, scale, check)
    lead = 0 if way.separate is None else way.separate
    axes = (lead, *(axis for axis in range(3) if axis != lead))
    first, *across = (way.maps[axis] for axis in axes)
    turned = image.transpose(axes)
    out = np.zeros((first.after, *(axis.after for axis in across)), np.float32)
    low, high = np.inf, -np.inf
    rows = max(1, SLAB_VOXELS // max(1, turned[0].size))
    for start in range(0, len(turned), rows):
        check()
        slab = scale(image, _slab(lead, start, rows)).transpose(axes)
        each_low, each_high = slab.min((1, 2), keepdims=True), slab.max((1, 2), keepdims=True)
        low, high = min(low, float(each_low.min())), max(high, float(each_high.max()))
        slab = _across(slab, across)
        if order > 1 and way.separate is not None:
            np.clip(slab, each_low, each_high, out=slab)
        _add_along(out, first, slab, start)
    if order > 1 and way.separate is None:
        np.clip(out, low, high, out=out)
    return np.ascontiguousarray(out.transpose(np.argsort(axes)))


def _scaled(image: np.ndarray, scale: Values, check: Check) -> np.ndarray:
    out = np.empty(image.shape, np.float32)
    rows = max(1, SLAB_VOXELS // max(1, image[0].size))
    for start in range(0, len(image), rows):
        check()
        place = _slab(0, start, rows)
        out[place] = scale(image, place)
    return out


def _slab(lead: int, start: int, rows: int) -> Box:
    """The place of planes along an axis."""
    a, b, c = (slice(start, start + rows) if axis == lead else slice(None) for axis in range(3))
    return a, b, c


def _across(slab: np.ndarray, maps: Sequence[AxisMap]) -> np.ndarray:
    """Resample planes (n, b, c) along b and c, that first which leaves less to do."""
    along_b, along_c = maps
    slab = np.ascontiguousarray(slab)
    if not along_c.is_identity:
        slab = slab @ along_c.matrix.T
    if not along_b.is_identity:
        slab = np.matmul(along_b.matrix, slab)
    return slab


def _add_along(out: np.ndarray, along: AxisMap, slab: np.ndarray, start: int) -> None:
    """Add what planes from ``start`` on give to the planes of the result."""
    reach = [part for part in along.reach[start : start + len(slab)] if part[0] < part[1]]
    if not reach:
        return
    first, stop = min(part[0] for part in reach), max(part[1] for part in reach)
    weights = along.matrix[first:stop, start : start + len(slab)]
    flat = weights @ slab.reshape(len(slab), -1)
    out[first:stop] += flat.reshape(stop - first, *slab.shape[1:])
