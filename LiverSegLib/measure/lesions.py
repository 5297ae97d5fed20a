"""Lesions: the 26-connected components of the tumour label, each measured.

26-connected: voxels that share a face, an edge or a corner belong to one lesion, as in the LiTS challenge's
scoring (Bilic et al., Med Image Anal 2023;84:102680).

Distance to the surface: the smallest Euclidean distance from a voxel of the lesion to an outermost voxel of
the liver (parenchyma and tumours), centre to centre, which for parallel faces is the thickness of the liver
left between them; 0 if the lesion reaches the surface. Cavities enclosed in the liver are no surface, nor are
the faces where the border of the scan cuts the liver.
"""

from dataclasses import replace
from typing import List, Optional, Tuple

import numpy as np
import SimpleITK as sitk
from scipy.spatial import cKDTree

from ..images.grid import Grid, bounding_box, grow_box
from ..labels import TUMOUR
from ..masks.components import (
    Box,
    boundary_voxels,
    each_component,
    enclosed_holes,
    nonzero_indices,
)
from . import warnings
from .borders import touched_borders
from .diameters import SliceDiameters, longest_in_slices
from .measurements import Lesion, Line, Vector, vector
from .volumes import ScanContext, Structure, attenuation, find_structure

MINIMUM_LESION_MM = 5.0
"""Default least longest axial diameter of a lesion in mm, measured as RECIST 1.1 measures.

RECIST calls nothing measurable under 10 mm, and what the network draws below 5 mm, on slices of 1 to 5 mm, is
a few voxels that partial volume and noise explain as well."""

_SAMPLE = 64
"""So many points of a lesion's outline are searched for at a time."""

_ROUNDING_MM = 1e-6


def measure_lesions(tumour: Structure, liver: Structure, scan: ScanContext) -> Tuple[Lesion, ...]:
    """Measure every lesion.

    Args:
        tumour: all tumour voxels.
        liver: parenchyma and tumours together.
        scan: the scan that both lie in.

    Returns:
        The lesions, numbered from 1 by descending volume.
    """
    lesions = _separate(tumour)
    surface = _DistanceToSurface(liver, scan.grid)
    return tuple(
        _measure(number, lesion, surface, scan)
        for number, lesion in enumerate(_by_volume(lesions, scan.grid), start=1)
    )


def narrow_lesions(labels: sitk.Image, minimum_mm: float = MINIMUM_LESION_MM) -> List[Tuple[Box, np.ndarray]]:
    """Find the lesions whose longest axial diameter (mm) is below a limit.

    Args:
        labels: the mask, uint8, values as in :mod:`LiverSegLib.labels`.
        minimum_mm: the limit; a lesion exactly as long is not narrow.

    Returns:
        The box of each in the mask, and its bool mask (z, y, x) there.
    """
    grid = Grid.of(labels)
    return [
        (lesion.box, lesion.mask)
        for lesion in _all_lesions(labels)
        if _diameters(lesion, grid)[0].longest_mm < minimum_mm - _ROUNDING_MM
    ]


def lesion_masks(labels: sitk.Image) -> List[Tuple[Box, np.ndarray]]:
    """Find where each lesion lies, in the order of their numbers: the first is lesion 1.

    Args:
        labels: the mask, uint8, values as in :mod:`LiverSegLib.labels`.

    Returns:
        The box of each in the mask, and its bool mask (z, y, x) there.
    """
    return [(lesion.box, lesion.mask) for lesion in _by_volume(_all_lesions(labels), Grid.of(labels))]


def _all_lesions(labels: sitk.Image) -> List[Structure]:
    mask = sitk.GetArrayViewFromImage(labels)
    tumour = find_structure(mask, bounding_box(mask), (TUMOUR,))
    return [] if tumour is None else _separate(tumour)


def _separate(tumour: Structure) -> List[Structure]:
    return [Structure(box, mask) for box, mask in each_component(tumour.mask, tumour.box)]


def _by_volume(lesions: List[Structure], grid: Grid) -> List[Structure]:
    """Largest first; of equal ones the most superior, then the most posterior, then the most left."""

    def key(lesion: Structure) -> Tuple[float, ...]:
        centre = _centre(lesion, grid)
        return (-lesion.voxels, *(-round(value, 3) for value in centre[::-1]))

    return sorted(lesions, key=key)


def _measure(
    number: int,
    lesion: Structure,
    surface: "_DistanceToSurface",
    scan: ScanContext,
) -> Lesion:
    grid = scan.grid
    diameters, longest, perpendicular = _diameters(lesion, grid)
    hu = attenuation(scan.values[lesion.box][lesion.mask]) if scan.has_hu else None
    mean_hu = None if hu is None else hu.mean_hu
    to_surface, to_cut = surface.measure(lesion)
    touches = touched_borders(lesion.mask, lesion.box, grid, scan.values, scan.padding)
    said = warnings.cut_off("lesion.cut-off", touches)
    if not touches and to_cut is not None and (to_surface is None or to_cut < to_surface):
        said += (warnings.NEAR_CUT_FACE,)
    said += warnings.too_small(diameters.longest_mm, grid.slice_spacing)
    said += warnings.too_dense(mean_hu, scan.blood_hu) + scan.warnings
    return Lesion(
        number=number,
        volume_ml=lesion.voxels * grid.voxel_ml,
        longest_diameter_mm=diameters.longest_mm,
        perpendicular_mm=diameters.perpendicular_mm,
        longest_ends=longest,
        perpendicular_ends=perpendicular,
        slice_index=diameters.slice_index,
        centre=_centre(lesion, grid),
        mean_hu=mean_hu,
        sd_hu=None if hu is None else hu.sd_hu,
        surface_distance_mm=to_surface,
        probability=_mean_probability(lesion, scan.probability),
        voxels=lesion.voxels,
        truncated=bool(touches),
        warnings=said,
    )


def _mean_probability(lesion: Structure, probability: Optional[np.ndarray]) -> Optional[float]:
    if probability is None:
        return None
    return float(probability[lesion.box][lesion.mask].mean(dtype=np.float64)) / 255.0


def _indices(mask: np.ndarray, box: Box) -> np.ndarray:
    """Return the indices (x, y, z), (n, 3), in the scan of the voxels of a mask within a box."""
    corner = np.array([part.start for part in box])
    return (np.stack(nonzero_indices(mask), axis=1) + corner)[:, ::-1]


def _centre(lesion: Structure, grid: Grid) -> Vector:
    mean = _indices(lesion.mask, lesion.box).mean(axis=0)
    return vector(grid.points(mean[None])[0])


def _diameters(lesion: Structure, grid: Grid) -> Tuple[SliceDiameters, Line, Line]:
    """Return the diameters, with slice_index counted in the scan, and the ends of both lines in LPS mm."""
    across = grid.axial_axis
    column, row = [axis for axis in range(3) if axis != across]
    # Array axes run z, y, x. Rows stay before columns when the axial axis moves to the front.
    mask = np.moveaxis(lesion.mask, 2 - across, 0)
    found = longest_in_slices(mask, grid.steps[:, column], grid.steps[:, row])
    starts = [lesion.box[2 - axis].start for axis in range(3)]

    def line(ends: Tuple[Tuple[float, float], Tuple[float, float]]) -> Line:
        indices = np.empty((2, 3))
        indices[:, across] = found.slice_index + starts[across]
        indices[:, column] = [end[0] + starts[column] for end in ends]
        indices[:, row] = [end[1] + starts[row] for end in ends]
        start, stop = (vector(point) for point in grid.points(indices))
        return start, stop

    placed = replace(found, slice_index=found.slice_index + starts[across])
    return placed, line(found.longest_ends), line(found.perpendicular_ends)


class _DistanceToSurface:
    """Distances in mm from lesions to the liver's outer surface and to where the scan's border cuts the
    liver.

    A k-d tree of the outermost voxels' positions gives the exact Euclidean distance on any grid, skewed ones
    too, with a tenth of the memory of a distance transform of the liver's box.
    """

    def __init__(self, liver: Structure, grid: Grid) -> None:
        self._grid = grid
        solid = _without_holes(liver.mask)
        # One voxel more on every side, but none beyond the scan: what is not seen is no surface.
        around = grow_box(liver.box, (1, 1, 1), grid.shape)
        margins = [
            (part.start - outer.start, outer.stop - part.stop) for part, outer in zip(liver.box, around)
        ]
        self._surface = self._tree(boundary_voxels(np.pad(solid, margins), border_is_outside=False), around)
        self._cut = self._tree(solid & _border_layers(liver.box, grid), liver.box)

    def measure(self, lesion: Structure) -> Tuple[Optional[float], Optional[float]]:
        """Return the distance to the surface and to the cut faces; None where there is no such voxel."""
        outline = boundary_voxels(lesion.mask, border_is_outside=True)
        points = self._grid.points(_indices(outline, lesion.box))
        return _least(self._surface, points), _least(self._cut, points)

    def _tree(self, mask: np.ndarray, box: Box) -> Optional[cKDTree]:
        indices = _indices(mask, box)
        if not len(indices):
            return None
        # Searched for some hundred points only: a tree that is quick to build.
        return cKDTree(self._grid.points(indices), balanced_tree=False, compact_nodes=False)


def _least(tree: Optional[cKDTree], points: np.ndarray) -> Optional[float]:
    """Return the smallest distance from any of the points, (n, 3), to the tree's.

    Searching for all points costs minutes in a liver of a million surface voxels. So a few points are
    searched for first; another can only be nearer if its distance to one of these leaves room for it
    (triangle inequality).
    """
    if tree is None:
        return None
    sample = points[:: max(1, len(points) // _SAMPLE)]
    found, _ = tree.query(sample)
    least = float(found.min())
    away, nearest = cKDTree(sample).query(points)
    order = np.argsort(found[nearest] - away)
    at_best = (found[nearest] - away)[order]
    for start in range(0, len(points), _SAMPLE):
        part = order[start : start + _SAMPLE]
        if at_best[start] >= least:
            break
        # Points without a neighbour within the bound come back with an infinite distance.
        least = min(least, float(tree.query(points[part], distance_upper_bound=least)[0].min()))
    return least


def _without_holes(mask: np.ndarray) -> np.ndarray:
    holes, count = enclosed_holes(mask)
    return mask | (holes > 0) if count else mask


def _border_layers(box: Box, grid: Grid) -> np.ndarray:
    """Return bool, of the box's shape, True for the voxels in the first and the last layers of the scan."""
    layers = np.zeros([part.stop - part.start for part in box], dtype=bool)
    for axis, part in enumerate(box):
        along = np.moveaxis(layers, axis, 0)
        if part.start == 0:
            along[0] = True
        if part.stop == grid.size[2 - axis]:
            along[-1] = True
    return layers
