"""What is asked about: a place in a scan, or a lesion."""

from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

import numpy as np
from scipy import ndimage

from LiverSegLib.errors import InputError, UsageError
from LiverSegLib.images.grid import Grid, bounding_box
from LiverSegLib.labels import LABELS, TUMOUR
from LiverSegLib.masks.components import connected_components
from LiverSegLib.sentences import Sentence

NEIGHBOURHOOD_MM = 4.0
"""Around a place, the network's voxels within this distance are explained together: a ball of 8 mm."""

Point = Tuple[float, float, float]
"""LPS mm."""

ORGANS = {1: "organ.liver", 2: "organ.spleen", 3: "organ.tumour"}
"""Label -> key of the word for it."""


@dataclass(frozen=True)
class Target:
    """What is asked about.

    Attributes:
        point: its middle, LPS mm.
        label: why the voxels are of this label is explained (values of :mod:`LiverSegLib.labels`).
        mask: bool, on a part of the scan's grid: its voxels; None for the neighbourhood of ``point``.
        grid: of ``mask``.
        lesion: its number in the table, 0 for a place.
    """

    point: Point
    label: int = TUMOUR
    mask: Optional[np.ndarray] = None
    grid: Optional[Grid] = None
    lesion: int = 0

    @property
    def words(self) -> Sentence:
        """The structure, for people."""
        return Sentence(ORGANS[self.label])

    def voxels_of(self, grid: Grid) -> np.ndarray:
        """Which voxels of a network's grid belong to the target: bool (z, y, x), at least the nearest one."""
        found = np.zeros(grid.shape, bool)
        if self.mask is None or self.grid is None:
            box = grid.box_around([self.point], NEIGHBOURHOOD_MM)
            found[box] = _within(grid.crop(box), self.point, NEIGHBOURHOOD_MM)
        else:
            inside = bounding_box(self.mask)
            if inside is not None:
                box = grid.box_around(self.grid.crop(inside).corners(faces=True), 0.0)
                found[box] = _sampled(self.mask, self.grid, grid.crop(box))
        if not found.any():
            x, y, z = np.rint(grid.indices([self.point])[0]).astype(int)
            limits = np.array(grid.shape) - 1
            found[tuple(np.clip((z, y, x), 0, limits))] = True
        return found


def at_point(grid: Grid, ras: Sequence[float], label: int = TUMOUR) -> Target:
    """The place at a point (RAS mm, as 3D Slicer shows coordinates) of a scan.

    Raises:
        UsageError: there is no such label. InputError: the point lies outside the scan.
    """
    if label not in LABELS:
        raise UsageError(Sentence("explain.no-structure", value=label))
    right, front, up = (float(value) for value in ras)
    point = (-right, -front, up)
    index = grid.indices([point])[0]
    if not np.isfinite(index).all() or not all(-0.5 <= i <= n - 0.5 for i, n in zip(index, grid.size)):
        raise InputError(Sentence("explain.outside", x=right, y=front, z=up))
    return Target(point, label)


def at_lesion(labels: np.ndarray, grid: Grid, centre: Point, number: int, label: int = TUMOUR) -> Target:
    """A lesion of a segmentation.

    Args:
        labels: uint8 (z, y, x) on ``grid``, values of :mod:`LiverSegLib.labels`: the scan's or of a part.
        grid: where they lie.
        centre: of the lesion, LPS mm, as it was measured; its neighbour is not taken for it.
        number: of the lesion in the table.
        label: why the lesion's voxels are of this label is explained.

    Raises:
        InputError: no lesion lies there (any more).
    """
    gone = InputError(Sentence("explain.no-lesion", number=number))
    tumour = labels == TUMOUR
    box = bounding_box(tumour)
    if box is None:
        raise gone
    components, count = connected_components(tumour[box])
    part = grid.crop(box)
    middles = np.array(ndimage.center_of_mass(components > 0, components, range(1, count + 1)))
    places = part.points(middles[:, ::-1])
    apart = np.linalg.norm(places - np.asarray(centre), axis=1)
    nearest = int(apart.argmin())
    mask = components == nearest + 1
    radius = (3 * mask.sum() * part.voxel_ml * 1000 / (4 * np.pi)) ** (1 / 3)
    if apart[nearest] > max(radius, max(part.spacing)):
        raise gone
    x, y, z = part.points([_inner(mask)])[0].tolist()
    return Target((x, y, z), label, mask, part, number)


def _inner(mask: np.ndarray) -> Tuple[int, int, int]:
    """Index (x, y, z) of the voxel of a mask that lies nearest to its middle."""
    indices = np.argwhere(mask)
    z, y, x = indices[np.linalg.norm(indices - indices.mean(0), axis=1).argmin()].tolist()
    return x, y, z


def _points_of(grid: Grid) -> np.ndarray:
    """LPS mm (n, 3) of all voxels, in the order of an array (z, y, x)."""
    z, y, x = np.indices(grid.shape).reshape(3, -1)
    return grid.points(np.stack([x, y, z], 1))


def _within(grid: Grid, point: Point, mm: float) -> np.ndarray:
    return (np.linalg.norm(_points_of(grid) - np.asarray(point), axis=1) <= mm).reshape(grid.shape)


def _sampled(mask: np.ndarray, grid: Grid, at: Grid) -> np.ndarray:
    """A mask at the nearest voxels of another grid; False outside."""
    x, y, z = np.rint(grid.indices(_points_of(at))).astype(int).T
    depth, height, width = mask.shape
    inside = (0 <= z) & (z < depth) & (0 <= y) & (y < height) & (0 <= x) & (x < width)
    found: np.ndarray = np.zeros(len(x), bool)
    found[inside] = mask[z[inside], y[inside], x[inside]]
    return found.reshape(at.shape)
