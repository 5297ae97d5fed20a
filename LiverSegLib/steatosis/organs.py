"""The liver and the spleen of a mask as regions for ROIs: their largest component and their lesions."""

from dataclasses import dataclass
from typing import Dict, Generator, Tuple

import numpy as np

from ..errors import InputError, NoLiverError
from ..images.grid import Grid, bounding_box
from ..labels import LABELS, LIVER, SPLEEN, TUMOUR
from ..masks.components import Box, box_within, largest_component
from ..measure.borders import padding_value, touched_borders
from ..sentences import Sentence


@dataclass(frozen=True)
class OrganRegion:
    """An organ: its largest component.

    Attributes:
        key: "liver" or "spleen".
        box: tight box (z, y, x) in the scan.
        mask: bool within the box; the liver's holds its lesions.
        parenchyma: the mask without lesions.
        touches: words for the borders of the scan that it reaches.
    """

    key: str
    box: Box
    mask: np.ndarray
    parenchyma: np.ndarray
    touches: Tuple[str, ...]


def find_organs(
    labels: np.ndarray, voxels: np.ndarray, grid: Grid
) -> Generator[None, None, Dict[str, OrganRegion]]:
    """Find the organs of a mask, piece by piece: the generator yields in between and returns them by key; one
    that has no voxel is left out.

    Args:
        labels: uint8 (z, y, x), values as in :mod:`LiverSegLib.labels`.
        voxels: the scan (z, y, x) in HU.
        grid: of both.

    Raises:
        NoLiverError: the mask is empty or holds no liver.
    """
    box = bounding_box(labels)
    if box is None:
        raise NoLiverError(Sentence("mask.empty"))
    yield
    padding = padding_value(voxels)
    organs: Dict[str, OrganRegion] = {}
    for label, values in ((LIVER, (LIVER, TUMOUR)), (SPLEEN, (SPLEEN,))):
        parenchyma = labels[box] == label
        mask = parenchyma | (labels[box] == TUMOUR) if TUMOUR in values else parenchyma
        yield
        found = largest_component(mask, must_hold=parenchyma)
        if found is None:
            continue
        own_box, own_mask = box_within(box, found[0]), found[1]
        yield
        touches = touched_borders(own_mask, own_box, grid, voxels, padding)
        own_parenchyma = own_mask & (labels[own_box] == label)
        organs[LABELS[label].key] = OrganRegion(LABELS[label].key, own_box, own_mask, own_parenchyma, touches)
    if LABELS[LIVER].key not in organs:
        raise NoLiverError(Sentence("mask.no-liver"))
    return organs


def check_arrays(voxels: np.ndarray, labels: np.ndarray, grid: Grid) -> None:
    """Check that scan and mask, both (z, y, x), and their grid can be worked on.

    Raises:
        InputError: they differ in shape, are not three-dimensional, or the mask holds no labels.
        ImageGeometryError: the axes of the grid do not span space.
    """
    shape = grid.checked().shape if voxels.shape == labels.shape else voxels.shape
    if voxels.ndim != 3 or labels.shape != shape:
        mask, scan = (" x ".join(map(str, sides[::-1])) for sides in (labels.shape, shape))
        raise InputError(Sentence("mask.size", mask=mask, scan=scan))
    if labels.dtype.kind not in "iub" or voxels.dtype.kind not in "iuf":
        raise InputError(Sentence("mask.numbers"))
    if labels.size and (int(labels.max()) > max(LABELS) or int(labels.min()) < 0):
        raise InputError(Sentence("mask.no-labels"))
