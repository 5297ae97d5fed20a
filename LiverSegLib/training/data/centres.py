"""Where a patch lies in a case."""

import zlib
from typing import Dict, Mapping, Sequence, Tuple

import numpy as np

from LiverSegLib.training.data.options import ANY_LABEL, ANYWHERE, PatchOptions

POSITIONS_KEPT = 4000
"""Voxels remembered per case and label, to centre patches on."""


def label_positions(label: np.ndarray, name: str) -> Dict[int, np.ndarray]:
    """Label value -> int32 (n, 3), some of its voxels (z, y, x), for values that are there.

    Args:
        label: uint8 (z, y, x).
        name: seeds the choice, so that it is the same each time.
    """
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    positions = {}
    for value in np.flatnonzero(np.bincount(label.ravel())[1:]) + 1:
        hits = np.flatnonzero(label == value)
        chosen = np.sort(rng.choice(hits, min(hits.size, POSITIONS_KEPT), replace=False))
        positions[int(value)] = np.stack(np.unravel_index(chosen, label.shape), axis=1).astype(np.int32)
    return positions


def place_of(
    shape: Sequence[int],
    positions: Mapping[int, np.ndarray],
    structures: Sequence[str],
    how: PatchOptions,
    size: Sequence[int],
    rng: np.random.Generator,
) -> Tuple[int, ...]:
    """The first voxel (z, y, x) of a patch, which may be negative where the image is smaller than the patch.

    Args:
        shape: of the case (z, y, x).
        positions: of :func:`label_positions`.
        structures: names of the label values 1 to n.
        how: which places are wanted, and how often.
        size: of the patch in the case's voxels (z, y, x); z is 1 for slices.
        rng: the source of all chance.
    """
    value = _value(positions, structures, how, rng)
    if value == 0:
        return tuple(_anywhere(count, length, rng) for count, length in zip(shape, size))
    chosen = positions[value][rng.integers(len(positions[value]))]
    shift = rng.uniform(-how.jitter, how.jitter, 3) * np.asarray(size) / 2
    first = np.floor(chosen + 0.5 + shift - np.asarray(size) / 2 + 0.5).astype(int)
    return tuple(_inside(start, count, length) for start, count, length in zip(first.tolist(), shape, size))


def _value(
    positions: Mapping[int, np.ndarray],
    structures: Sequence[str],
    how: PatchOptions,
    rng: np.random.Generator,
) -> int:
    """The label value to centre on, 0 for anywhere; a case without a place passes its chance on."""
    chances: Dict[int, float] = {}
    for place, chance in how.centres.items():
        if place == ANYWHERE:
            chances[0] = chances.get(0, 0.0) + chance
        elif place == ANY_LABEL:
            for value in positions:
                chances[value] = chances.get(value, 0.0) + chance / len(positions)
        elif list(structures).index(place) + 1 in positions:
            value = list(structures).index(place) + 1
            chances[value] = chances.get(value, 0.0) + chance
    total = sum(chances.values())
    if total <= 0:
        return 0
    values = sorted(chances)
    return int(rng.choice(values, p=[chances[value] / total for value in values]))


def _anywhere(count: int, length: int, rng: np.random.Generator) -> int:
    """First voxel along an axis, anywhere inside; centred where the image is not longer than the patch."""
    if count <= length:
        return (count - length) // 2
    return int(rng.integers(0, count - length + 1))


def _inside(start: int, count: int, length: int) -> int:
    if count <= length:
        return (count - length) // 2
    return min(max(start, 0), count - length)


def cut(array: np.ndarray, first: Sequence[int], size: Sequence[int], outside: Sequence[float]) -> np.ndarray:
    """A patch of an array (channel, z, y, x) as a new array (channel, *size).

    Args:
        first: its first voxel (z, y, x).
        size: (z, y, x).
        outside: value for each channel of what lies beyond the array.
    """
    out = np.empty((len(array), *size), np.float32 if array.dtype.kind == "f" else array.dtype)
    ends = [start + length for start, length in zip(first, size)]
    source = tuple(slice(max(0, a), min(n, max(0, b))) for a, b, n in zip(first, ends, array.shape[1:]))
    if any(part.stop - part.start < length for part, length in zip(source, size)):
        for channel, value in enumerate(outside):
            out[channel] = value
    target = tuple(slice(part.start - a, part.stop - a) for part, a in zip(source, first))
    out[(slice(None), *target)] = array[(slice(None), *source)]
    return out
