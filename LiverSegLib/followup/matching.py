"""Which lesion of one date is which lesion of another: by overlap in a common space, then by distance.

Lesions of two dates and their links are a bipartite graph: one link is the same lesion, several on the
earlier side are lesions that merged, several on the later side one that split, none is gone or new. Which
links there are is decided by simple rules, see docs/followup.md.
"""

from dataclasses import dataclass
from typing import Dict, List, Sequence, Set, Tuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from ..images.grid import Box

LEAST_OVERLAP = 0.1
"""The best partner of a lesion overlaps at least so much of the smaller of both."""
PART_OVERLAP = 0.5
"""A further partner is a part that split off or merged if at least so much of the smaller one overlaps."""
NEAR_MM = 6.0
"""Lesions that do not overlap are the same if the gap between them is at most this: what registration of
livers leaves, see docs/followup.md."""
APART = 1e6


@dataclass(frozen=True)
class Carried:
    """A lesion in the common space.

    Attributes:
        visit: index of its date.
        number: its number in that scan's table.
        box: of the common grid.
        mask: bool (z, y, x) in the box, at least one voxel.
        points: LPS mm (n, 3) of its voxels, in the common space.
    """

    visit: int
    number: int
    box: Box
    mask: np.ndarray
    points: np.ndarray

    @property
    def key(self) -> Tuple[int, int]:
        """Date and number."""
        return self.visit, self.number


Link = Tuple[int, int]
"""Index in the earlier, index in the later list."""


def links(earlier: Sequence[Carried], later: Sequence[Carried]) -> List[Link]:
    """Return which lesions of two lists are the same, or parts of the same."""
    shares = np.array([[overlap(one, other) for other in later] for one in earlier]).reshape(
        len(earlier), len(later)
    )
    found = _best_overlaps(shares)
    taken = {first for first, _ in found}, {second for _, second in found}
    found += _parts(shares, found)
    left = [item for item in range(len(earlier)) if item not in taken[0] | {one for one, _ in found}]
    right = [item for item in range(len(later)) if item not in taken[1] | {two for _, two in found}]
    found += _nearest(earlier, later, left, right)
    return sorted(found)


def overlap(first: Carried, second: Carried) -> float:
    """Return the common part of two lesions as a share of the smaller."""
    parts = [(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(first.box, second.box)]
    if any(start >= stop for start, stop in parts):
        return 0.0
    cut = [
        item.mask[tuple(slice(a - side.start, b - side.start) for (a, b), side in zip(parts, item.box))]
        for item in (first, second)
    ]
    return float((cut[0] & cut[1]).sum()) / min(int(first.mask.sum()), int(second.mask.sum()))


def gap_mm(first: Carried, second: Carried) -> float:
    """Return the shortest distance between two lesions, mm."""
    distances, _ = cKDTree(first.points).query(second.points)
    return float(distances.min())


def groups(
    keys: Sequence[Tuple[int, int]], pairs: Sequence[Tuple[Tuple[int, int], Tuple[int, int]]]
) -> List[Tuple[Tuple[int, int], ...]]:
    """Return lesions, as (date, number), gathered by links between any two of them."""
    root: Dict[Tuple[int, int], Tuple[int, int]] = {key: key for key in keys}

    def find(key: Tuple[int, int]) -> Tuple[int, int]:
        while root[key] != key:
            key = root[key]
        return key

    for first, second in pairs:
        low, high = sorted((find(first), find(second)))
        root[high] = low
    members: Dict[Tuple[int, int], List[Tuple[int, int]]] = {}
    for key in sorted(keys):
        members.setdefault(find(key), []).append(key)
    return [tuple(group) for group in members.values()]


def _best_overlaps(shares: np.ndarray) -> List[Link]:
    """One partner each, the largest shares first."""
    found: List[Link] = []
    rows: Set[int] = set()
    columns: Set[int] = set()
    order = np.argsort(-shares, axis=None, kind="stable")
    for row, column in zip(*np.unravel_index(order, shares.shape)):
        if shares[row, column] < LEAST_OVERLAP:
            break
        if row not in rows and column not in columns:
            found.append((int(row), int(column)))
            rows.add(int(row))
            columns.add(int(column))
    return found


def _parts(shares: np.ndarray, found: Sequence[Link]) -> List[Link]:
    """Further partners: what a lesion split into, or what it merged with."""
    known = set(found)
    pairs = zip(*(side.tolist() for side in np.nonzero(shares >= PART_OVERLAP)))
    return [(row, column) for row, column in pairs if (row, column) not in known]


def _nearest(
    earlier: Sequence[Carried], later: Sequence[Carried], left: Sequence[int], right: Sequence[int]
) -> List[Link]:
    """One partner each of those that overlap nobody, with the least sum of gaps."""
    if not left or not right:
        return []
    gaps = np.array([[gap_mm(earlier[one], later[other]) for other in right] for one in left])
    costs = np.where(gaps <= NEAR_MM, gaps, APART)
    rows, columns = linear_sum_assignment(costs)
    return [(left[a], right[b]) for a, b in zip(rows, columns) if costs[a, b] < APART]
