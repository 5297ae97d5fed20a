"""Outlines of masks in a slice as closed lines with sub-pixel precision."""

from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
from scipy import ndimage

from ..masks.level_sets import LevelSet, smooth_level_set

MAX_PARTS = 60
"""At most this many parts of a mask, the largest, are outlined in one slice."""

FINEST_MM = 0.4
SAMPLES_ACROSS = 400
"""An outline is sampled every FINEST_MM, or so that this many samples lie across it if it is large."""

WITHIN_SAMPLES = 0.25
"""An outline that is kept within another ends this part of a sample short of it."""

_T, _R, _B, _L = range(4)
_SEGMENTS: Dict[int, Tuple[Tuple[int, int], ...]] = {
    1: ((_L, _T),), 2: ((_T, _R),), 3: ((_L, _R),), 4: ((_R, _B),), 5: ((_L, _T), (_R, _B)),
    6: ((_T, _B),), 7: ((_L, _B),), 8: ((_B, _L),), 9: ((_B, _T),), 10: ((_T, _R), (_B, _L)),
    11: ((_B, _R),), 12: ((_R, _L),), 13: ((_R, _T),), 14: ((_T, _L),),
}  # fmt: skip
"""Marching squares: corners inside (1 top left, 2 top right, 4 bottom right, 8 bottom left) -> the sides of
the cell from which and to which the line runs, with the inside on its left."""


def outlines(
    mask: np.ndarray, spacing: Sequence[float], *, within: Optional[np.ndarray] = None
) -> List[np.ndarray]:
    """Closed smooth lines around a mask and its holes.

    Args:
        mask: bool (rows, columns).
        spacing: mm (rows, columns).
        within: bool (rows, columns) that holds all of ``mask``, a liver with its tumours: the lines do not
            cross its outlines, though each mask is smoothed alone.

    Returns:
        Arrays (n, 2) of mm (row, column) from the centre of the first pixel, the first point repeated at the
        end.
        The inside lies to the left of the way, so holes turn the other way round.
    """
    limits = [] if within is None else _level_sets(within, spacing)
    lines: List[np.ndarray] = []
    for part in _level_sets(mask, spacing):
        field = part.field - part.level
        if within is not None:
            field = _limited(part, _sampled(limits, part))
        for line in iso_lines(field, 0.0):
            lines.append(line * part.edge + np.asarray(part.origin))
    return lines


def _level_sets(mask: np.ndarray, spacing: Sequence[float]) -> List[LevelSet]:
    """One for each part of a mask, the largest first; ``origin`` is relative to the first pixel of all."""
    parts, count = ndimage.label(mask, structure=np.ones((3, 3)))
    boxes = ndimage.find_objects(parts)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    found: List[LevelSet] = []
    for number in np.argsort(-sizes, kind="stable")[:MAX_PARTS]:
        box = boxes[number]
        part = parts[box] == number + 1
        across = max(size * step for size, step in zip(part.shape, spacing))
        diameter = 2.0 * np.sqrt(sizes[number] * spacing[0] * spacing[1] / np.pi)
        edge = min(max(FINEST_MM, across / SAMPLES_ACROSS), diameter / 8.0)
        level_set = smooth_level_set(part, spacing, edge)
        corner = [side.start * step for side, step in zip(box, spacing)]
        origin = tuple(first + start for first, start in zip(level_set.origin, corner))
        found.append(level_set._replace(origin=origin))
    return found


def _limited(part: LevelSet, limit: np.ndarray) -> np.ndarray:
    """The field (mm, about) of a part that ends where ``limit`` is 0, and encloses as much as before, unless
    it would reach the end of its samples.
    """
    wanted = int(np.count_nonzero(part.field > part.level))
    room = np.sort(part.field[limit > 0])
    level = part.level if not len(room) else float(room[-min(max(wanted, 1), len(room))])
    sides = [part.field[0], part.field[-1], part.field[:, 0], part.field[:, -1]]
    lowest = max(float(side.max()) for side in sides)
    return np.minimum(part.field - min(max(level, lowest), part.level), limit)


def _sampled(limits: Sequence[LevelSet], at: LevelSet) -> np.ndarray:
    """How far (mm, about) the samples of ``at`` lie inside the parts ``limits``, less a little."""
    depth = np.full(at.field.shape, -1e6)  # what lies in no part is far outside
    for part in limits:
        index = [
            ((first + at.edge * np.arange(count)) - start) / part.edge
            for first, count, start in zip(at.origin, at.field.shape, part.origin)
        ]
        places = np.meshgrid(*index, indexing="ij")
        values = ndimage.map_coordinates(part.field - part.level, places, order=1, mode="nearest")
        depth = np.maximum(depth, values - WITHIN_SAMPLES * min(part.edge, at.edge))
    return depth


def iso_lines(field: np.ndarray, level: float) -> List[np.ndarray]:
    """Closed lines along which a (rows, columns) array equals ``level``: arrays (n, 2) of index (row,
    column)."""
    field = np.pad(np.asarray(field, dtype=np.float64) - level, 1, constant_values=-1e-3)
    inside = field > 0
    cases = inside[:-1, :-1] + 2 * inside[:-1, 1:] + 4 * inside[1:, 1:] + 8 * inside[1:, :-1]
    following: Dict[Tuple[int, int, int], Tuple[int, int, int]] = {}
    for row, column in np.argwhere((cases > 0) & (cases < 15)).tolist():
        sides = ((row, column, 0), (row, column + 1, 1), (row + 1, column, 0), (row, column, 1))
        for start, stop in _SEGMENTS[int(cases[row, column])]:
            following[sides[start]] = sides[stop]
    lines = []
    while following:
        first, here = following.popitem()
        way = [first]
        while here != first:
            way.append(here)
            here = following.pop(here)
        way.append(first)
        lines.append(_crossings(field, np.asarray(way)) - 1.0)
    return lines


def _crossings(field: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Points (row, column) where the field is zero on sides given as (row, column, 0 along the row | 1 along
    the column)."""
    row, column, vertical = sides.T
    start = field[row, column]
    stop = field[row + vertical, column + 1 - vertical]
    part = start / (start - stop)
    return np.stack([row + part * vertical, column + part * (1 - vertical)], axis=1)


def enclosed_area(line: np.ndarray) -> float:
    """Area within a closed line (n, 2) in the square of its unit; negative for a hole."""
    row, column = line[:, 0], line[:, 1]
    return float(0.5 * (row[:-1] * column[1:] - row[1:] * column[:-1]).sum())


def dashes(line: np.ndarray, dash: float, gap: float) -> List[np.ndarray]:
    """Cut a line (n, 2) into pieces of length ``dash`` that lie ``gap`` apart."""
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    pieces = []
    for start in np.arange(0.0, lengths[-1], dash + gap):
        stop = min(start + dash, lengths[-1])
        inner = (lengths > start) & (lengths < stop)
        ends = [[np.interp(at, lengths, line[:, axis]) for axis in range(2)] for at in (start, stop)]
        pieces.append(np.concatenate([[ends[0]], line[inner], [ends[1]]]))
    return pieces
