"""Organs of one model and tumours of another become one mask.

The rules:

1. Liver and spleen are the first model's. Its liver is liver and tumours together: its own tumours become
   liver.
2. What the second model calls tumour within that liver is tumour.
3. Outside the liver, tumour counts in two places only: in pieces that touch the liver, up to REACH_MM from
   it, as organ models tend to leave out what bulges from the surface; and where the liver encloses it (in
   five of the six directions along the grid), as they tend to leave out the inside of large lesions.
4. Spleen, and every other structure that the first model draws there (a gallbladder, a kidney), stay what
   they are.
5. Everything else that the second model calls tumour is left out.

Cleaning comes after this, with its own rules.
"""

from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

import numpy as np
from scipy import ndimage

from ..images.grid import Box, bounding_box, grow_box
from ..labels import BACKGROUND, LIVER, TUMOUR
from .cleanup import ENCLOSED_DIRECTIONS, directions_with
from .components import box_within
from .runs import find_runs

REACH_MM = 5.0
"""How far outside the liver a tumour that touches it may lie: the surfaces of two good models differ by two
or three millimetres, and by more where a lesion bulges."""

_TOUCHING = np.ones((3, 3, 3), bool)


@dataclass(frozen=True)
class Combined:
    """Organs and tumours together.

    Attributes:
        labels: uint8 (z, y, x), values of :mod:`LiverSegLib.labels`.
        probability: uint8 (z, y, x): 255 times the probability that the model whose voxel it is gives it.
        outside_voxels: tumour voxels of the second model that were left out.
        cut_voxels: those of them that hang together with what was kept.
    """

    labels: np.ndarray
    probability: np.ndarray
    outside_voxels: int
    cut_voxels: int


def combine(
    organs: np.ndarray,
    tumours: np.ndarray,
    spacing: Sequence[float],
    probability: Tuple[np.ndarray, np.ndarray],
    *,
    others: Optional[np.ndarray] = None,
) -> Combined:
    """Put the tumours of one mask into the liver of another, by the rules at the head of this module.

    Args:
        organs: uint8 (z, y, x), labels of the first model.
        tumours: uint8 (z, y, x), labels of the second; only its tumours count.
        spacing: mm along z, y, x.
        probability: of the first and of the second model's labels, uint8 (z, y, x).
        others: bool (z, y, x), where the first model draws something else.

    >>> organs = np.array([[[0, 0, 1, 3, 1, 2]]], np.uint8)
    >>> tumours = np.array([[[3, 3, 3, 0, 0, 3]]], np.uint8)
    >>> combine(organs, tumours, (3.0, 3.0, 3.0), (organs, tumours)).labels.tolist()
    [[[0, 3, 3, 1, 1, 2]]]
    """
    labels, certainty = organs.copy(), probability[0].copy()
    labels[labels == TUMOUR] = LIVER
    tumour, liver = tumours == TUMOUR, labels == LIVER
    box = bounding_box(tumour | liver)
    if box is None:
        return Combined(labels, certainty, 0, 0)
    tumour, liver = tumour[box], liver[box]
    outside = tumour & (labels[box] == BACKGROUND)
    if others is not None:
        outside &= ~others[box]
    kept, cut = _beside_the_liver(outside, liver, spacing)
    drawn = (tumour & liver) | kept
    labels[box][drawn] = TUMOUR
    certainty[box][drawn] = probability[1][box][drawn]
    left = int(np.count_nonzero(tumour) - np.count_nonzero(drawn))
    return Combined(labels, certainty, left, cut)


def _beside_the_liver(
    outside: np.ndarray, liver: np.ndarray, spacing: Sequence[float]
) -> Tuple[np.ndarray, int]:
    """Which tumour voxels outside the liver count.

    Args:
        outside, liver: bool (z, y, x).
        spacing: mm along z, y, x.

    Returns:
        Those that count, bool (z, y, x), and how many hang together with the liver or with them but lie too
        far away.
    """
    kept = np.zeros_like(outside)
    box = bounding_box(outside)
    if box is None:
        return kept, 0
    enclosed = directions_with(liver, outside)[box] >= ENCLOSED_DIRECTIONS
    pieces = outside[box]
    runs = find_runs(pieces)
    wide = grow_box(box, (1, 1, 1), liver.shape)
    beside = ndimage.binary_dilation(liver[wide], _TOUCHING)[_relative(box, wide)]
    touches = runs.sums(pieces, beside) > 0
    near = np.zeros_like(pieces)
    for piece in np.flatnonzero(touches):  # piece by piece: a distance map of the whole liver takes seconds
        inner = runs.box(int(piece))
        near[inner] |= _near(box_within(box, inner), liver, spacing)
    kept[box] = pieces & (((runs.numbered(touches) > 0) & near) | enclosed)
    hangs = runs.numbered(touches | (runs.sums(pieces, kept[box]) > 0)) > 0
    return kept, int(np.count_nonzero(hangs & ~kept[box]))


def _near(box: Box, liver: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Where in a box the liver is within REACH_MM; bool (z, y, x) of the box."""
    wide = grow_box(box, [REACH_MM / step + 1 for step in spacing], liver.shape)
    distance = ndimage.distance_transform_edt(~liver[wide], sampling=spacing)
    near: np.ndarray = distance[_relative(box, wide)] <= REACH_MM
    return near


def _relative(box: Box, to: Box) -> Box:
    """A box of an array as a box of a larger part of it."""
    z, y, x = (slice(part.start - at.start, part.stop - at.start) for part, at in zip(box, to))
    return z, y, x
