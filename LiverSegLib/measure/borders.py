"""Where a structure reaches the end of what was scanned, so that part of it may be missing."""

from typing import Optional, Tuple

import numpy as np

from ..images.grid import Box, Grid, grow_box
from ..sentences import Sentence

FIELD_OF_VIEW = "field of view"
"""The word for the edge of the reconstructed circle, beyond which scanners write a padding value."""
PADDING_BELOW_HU = -1100
"""Air is about -1000 HU, and many scanners clip at -1024: only lower values are surely padding."""
PADDING_CONTACT_FACES = 20
"""A structure meets the padding if so many voxel faces do: streaks beside metal reach such values too."""

BORDER_WORDS = ("superior", "inferior", "right", "left", "anterior", "posterior", FIELD_OF_VIEW)
"""All words for borders, in the order in which they are listed."""


def touched_borders(
    mask: np.ndarray, box: Box, grid: Grid, values: np.ndarray, padding: Optional[float]
) -> Tuple[str, ...]:
    """Return the words for the borders of the scan that a structure reaches, in the order of BORDER_WORDS.

    Args:
        mask: bool (z, y, x), the structure within ``box``.
        box: its tight box in the scan.
        grid: of the scan.
        values: the whole scan (z, y, x) in HU.
        padding: as :func:`padding_value` found it, or None to look for none.
    """
    words = set()
    for axis in range(3):
        part = box[2 - axis]
        if part.start == 0:
            words.add(grid.border_name(axis, high=False))
        if part.stop == grid.size[axis]:
            words.add(grid.border_name(axis, high=True))
    if _meets_padding(mask, box, values, padding):
        words.add(FIELD_OF_VIEW)
    return tuple(word for word in BORDER_WORDS if word in words)


def border_word(word: str) -> str:
    """Return one of BORDER_WORDS as a word that Slicer can translate."""
    return Sentence(f"border.{word.replace(' ', '-')}")


def padding_value(values: np.ndarray) -> Optional[float]:
    """Return the value that a CT (z, y, x) in HU is padded with outside the reconstructed circle, or None."""
    corner = min(float(values[z, y, x]) for z in (0, -1) for y in (0, -1) for x in (0, -1))
    return corner if corner < PADDING_BELOW_HU else None


def _meets_padding(mask: np.ndarray, box: Box, values: np.ndarray, padding: Optional[float]) -> bool:
    """Tell whether a structure lies face to face with the padding outside the reconstructed circle."""
    if padding is None:
        return False
    around = grow_box(box, (1, 1, 1), values.shape)
    padded = values[around] == padding
    if not padded.any():
        return False
    margins = [(part.start - outer.start, outer.stop - part.stop) for part, outer in zip(box, around)]
    structure = np.pad(mask, margins)
    faces = 0
    for axis in range(3):
        a, b = np.moveaxis(structure, axis, 0), np.moveaxis(padded, axis, 0)
        faces += int(np.count_nonzero(a[1:] & b[:-1]) + np.count_nonzero(a[:-1] & b[1:]))
    return faces >= PADDING_CONTACT_FACES
