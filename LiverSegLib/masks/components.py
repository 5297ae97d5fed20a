"""Regions of voxel masks: bounding boxes, connected components, enclosed holes, boundary voxels.

All arrays are (z, y, x). Everything here works on crops: callers cut the bounding box out first, because a CT
of 512 x 512 x 600 voxels must be worked on within a few hundred megabytes.
"""

from typing import Iterator, Optional, Sequence, Tuple

import numpy as np
from scipy import ndimage

from ..images.grid import Box, grow_box
from .runs import find_runs

_FACES = ndimage.generate_binary_structure(3, 1)
_CORNERS = ndimage.generate_binary_structure(3, 3)
_BLOCK = 4
"""Four voxels along x are four bytes, which ``_block_sums`` adds at once."""
_TINY_WEIGHT = 1e-6


def nonzero_indices(mask: np.ndarray) -> Tuple[np.ndarray, ...]:
    """Return the indices (z, y, x) of the voxels that are set, as numpy.nonzero does, but faster in 3-D."""
    return np.unravel_index(np.flatnonzero(mask), mask.shape)


def box_within(outer: Box, inner: Box) -> Box:
    """Return the box ``inner``, given relative to ``outer``, in the coordinates of ``outer``'s array."""
    z, y, x = (slice(o.start + i.start, o.start + i.stop) for o, i in zip(outer, inner))
    return z, y, x


def widened(
    box: Box, piece: np.ndarray, margins: Sequence[float], shape: Sequence[int]
) -> Tuple[Box, np.ndarray]:
    """Return a box that is wider by ``margins`` voxels a side, as far as the array (``shape``) goes, and
    in it the bool array ``piece`` of the narrow one; all (z, y, x).
    """
    wide = grow_box(box, margins, shape)
    result = np.zeros(tuple(part.stop - part.start for part in wide), bool)
    result[tuple(slice(b.start - w.start, b.stop - w.start) for b, w in zip(box, wide))] = piece
    return wide, result


def connected_components(mask: np.ndarray, *, corners: bool = True) -> Tuple[np.ndarray, int]:
    """Number the connected components of a bool (z, y, x) array.

    Args:
        mask: bool (z, y, x).
        corners: voxels that share a face, an edge or a corner belong together (26 neighbours); else only
            those that share a face (6 neighbours).

    Returns:
        int32 (z, y, x) with 0 outside and 1..count inside, and count.
    """
    components, count = ndimage.label(mask, structure=_CORNERS if corners else _FACES)
    return components, int(count)


def each_component(mask: np.ndarray, box: Box) -> Iterator[Tuple[Box, np.ndarray]]:
    """The 26-connected components of a bool array that is the part ``box`` of a larger one.

    Yields:
        The box of each in the larger array, and its bool mask (z, y, x) there.
    """
    numbers, _ = connected_components(mask)
    for number, inner in enumerate(ndimage.find_objects(numbers), start=1):
        yield box_within(box, inner), numbers[inner] == number


def ball_radius_mm(mask: np.ndarray, voxel_ml: float) -> float:
    """Radius (mm) of a ball of a mask's volume."""
    return float((0.75 / np.pi * 1000 * np.count_nonzero(mask) * voxel_ml) ** (1 / 3))


def component_sums(components: np.ndarray, count: int, weights: Optional[np.ndarray] = None) -> np.ndarray:
    """Return per component 0..count its number of voxels (int64), or the float64 sum of ``weights`` over its
    voxels.

    It goes by slabs of slices, because numpy.bincount makes 64-bit copies of what it counts.
    """
    total = np.zeros(count + 1, dtype=np.int64 if weights is None else np.float64)
    # A slab should hold more voxels than there are components, or the empty counts would cost most.
    slab = max(1, 4 * count // max(1, components[:1].size))
    for start in range(0, len(components), slab):
        part = slice(start, start + slab)
        part_weights = None if weights is None else weights[part].ravel()
        total += np.bincount(components[part].ravel(), part_weights, minlength=count + 1).astype(total.dtype)
    return total


def largest_component(
    mask: np.ndarray, *, weights: Optional[np.ndarray] = None, must_hold: Optional[np.ndarray] = None
) -> Optional[Tuple[Box, np.ndarray]]:
    """Find the largest 26-connected component of a mask.

    The components of a mask made coarser by blocks of 4 x 4 x 4 voxels hold those of the mask, so that only
    boxes
    which may hold the largest are looked at closely: specks all over a scan cost nothing.

    Args:
        mask: bool (z, y, x).
        weights: uint8 (z, y, x): the largest is that with the largest sum of weights, not with most voxels.
        must_hold: bool (z, y, x): components without such a voxel do not count.

    Returns:
        The component's tight box and its bool mask within the box, or None if there is none.

    >>> mask = np.array([[[True, False, True, True]]])
    >>> box, component = largest_component(mask)
    >>> box[2], component.tolist()
    (slice(2, 4, None), [[[True, True]]])
    """
    coarse = _block_sums(mask)
    blocks, count = connected_components(coarse > 0)
    # A voxel without any weight counts a little too: where nothing has weight, the number of voxels decides.
    bounds = component_sums(blocks, count, coarse) * (1.0 if weights is None else 255.0 + _TINY_WEIGHT)
    boxes = ndimage.find_objects(blocks)
    best: Optional[Tuple[Box, np.ndarray]] = None
    best_size = 0.0
    for number in np.argsort(-bounds[1:], kind="stable"):
        if bounds[number + 1] <= best_size:
            break
        z, y, x = (slice(part.start * _BLOCK, part.stop * _BLOCK) for part in boxes[number])
        box = (z, y, x)
        part = mask[box]
        runs = find_runs(part)
        sizes = runs.sums(part)
        if weights is not None:
            sizes = runs.sums(part, weights[box]) + sizes * _TINY_WEIGHT
        if must_hold is not None:
            sizes[runs.sums(part, must_hold[box]) == 0] = 0.0
        if sizes.max() > best_size:
            best_size, chosen = float(sizes.max()), int(sizes.argmax())
            inner = runs.box(chosen)
            best = box_within(box, inner), runs.voxels(part, chosen)[inner]
    return best


def _block_sums(mask: np.ndarray) -> np.ndarray:
    """Return the number of voxels of a mask in every block, (z, y, x) of blocks, uint8."""
    depth, height, width = mask.shape
    padded = np.zeros((_BLOCK, height, -(-width // _BLOCK) * _BLOCK), np.uint8)
    sums = []
    for z in range(0, depth, _BLOCK):
        layer = mask[z : z + _BLOCK]
        padded[: len(layer), :, :width] = layer
        # Four bytes as one number: the product's highest byte is their sum.
        rows = (padded[: len(layer)].view(np.uint32) * np.uint32(0x01010101) >> np.uint32(24)).sum(axis=0)
        sums.append(np.add.reduceat(rows, np.arange(0, height, _BLOCK), axis=0, dtype=np.uint8))
    return np.stack(sums)


def enclosed_holes(mask: np.ndarray) -> Tuple[np.ndarray, int]:
    """Number the enclosed holes of a bool (z, y, x) array: background that no path over voxel faces joins to
    the array's faces.

    A slit that opens to the outside anywhere is no hole, nor is background that reaches the border of the
    array.

    Returns:
        int32 (z, y, x) with 1..count in the holes and 0 elsewhere, and count.
    """
    background = find_runs(~mask, corners=False)
    depth, height, width = mask.shape
    z, y = np.divmod(background.row, height)
    at_face = (z == 0) | (z == depth - 1) | (y == 0) | (y == height - 1)
    at_face |= (background.start == 0) | (background.stop == width)
    enclosed = np.ones(background.count, bool)
    enclosed[background.component[at_face]] = False
    numbers = np.where(enclosed, np.cumsum(enclosed), 0)
    return background.numbered(numbers), int(np.count_nonzero(enclosed))


def boundary_voxels(mask: np.ndarray, *, border_is_outside: bool) -> np.ndarray:
    """Return those voxels of a bool (z, y, x) array that share a face with a voxel outside the mask.

    Args:
        mask: bool (z, y, x).
        border_is_outside: whether what lies beyond the array counts as outside the mask.
    """
    inner = mask.copy()
    for axis in range(3):
        last = mask.shape[axis] - 1
        before, after = _along(axis, slice(0, last)), _along(axis, slice(1, last + 1))
        inner[before] &= mask[after]
        inner[after] &= mask[before]
        if border_is_outside:
            inner[_along(axis, slice(0, 1))] = False
            inner[_along(axis, slice(last, last + 1))] = False
    return mask & ~inner


def _along(axis: int, part: slice) -> Box:
    """Return the index that takes ``part`` along one axis of three and all of the others."""
    z, y, x = (part if other == axis else slice(None) for other in range(3))
    return z, y, x
