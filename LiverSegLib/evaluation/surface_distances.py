"""Distances between the surfaces of two masks, in mm.

Surface voxels are voxels of a mask that have a neighbour outside it; distances run between their centres.
Which neighbours count, and whether what lies beyond the array is outside, is a ``SurfaceRule``, for published
scorers differ in it. Masks are bool (or 0 / non-zero) arrays (z, y, x) of equal shape.

Empty masks: two empty masks agree perfectly (distances 0, surface Dice 1); if only one is empty, distances
are infinite and surface Dice is 0.

MONAI's metrics give the same averages, percentiles and maxima (a test compares them), but search the
neighbours again for each, and have no root mean square; the surface Dice with surface elements is MONAI's.
"""

import math
import warnings
from dataclasses import dataclass
from typing import Optional

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ..images.grid import bounding_box
from ..masks.components import Box, boundary_voxels
from .overlap import Spacing, checked_masks

TOLERANCE_ROUNDING_MM = 1e-4
"""MONAI computes distances in single precision: a distance that equals the tolerance lies within it."""


@dataclass(frozen=True)
class SurfaceRule:
    """Which voxels of a mask make its surface.

    Attributes:
        edges: a voxel that shares an edge (18 neighbours) with the outside counts too, not only one that
            shares a face (6 neighbours).
        border_is_outside: what lies beyond the array is outside the mask.
    """

    edges: bool = False
    border_is_outside: bool = True


FACES = SurfaceRule()
"""The rule unless another is asked for."""


@dataclass(frozen=True)
class SurfaceDistances:
    """Distances from each surface voxel of one mask to the nearest of the other, mm.

    Attributes:
        from_first, from_second: float64 (n,) and (m,), both not empty.
    """

    from_first: np.ndarray
    from_second: np.ndarray

    @property
    def pooled(self) -> np.ndarray:
        """Both directions, (n + m,)."""
        return np.concatenate([self.from_first, self.from_second])

    @property
    def mean(self) -> float:
        """Average symmetric surface distance (ASSD), mm."""
        return float(self.pooled.mean())

    @property
    def root_mean_square(self) -> float:
        """Root mean square symmetric surface distance (RMSD), mm."""
        return float(np.sqrt(np.mean(self.pooled**2)))

    @property
    def maximum(self) -> float:
        """Maximum symmetric surface distance (MSSD), the Hausdorff distance of the surface voxels, mm."""
        return float(self.pooled.max())

    @property
    def percentile95(self) -> float:
        """The larger of the two directed 95th percentiles (HD95), mm."""
        return float(max(np.percentile(way, 95) for way in (self.from_first, self.from_second)))

    def share_within(self, tolerance_mm: float) -> float:
        """Share of both surfaces' voxels within a tolerance of the other surface, 0..1."""
        return float((self.pooled <= tolerance_mm).mean())


def surface_distances(
    a: np.ndarray, b: np.ndarray, spacing: Spacing, rule: SurfaceRule = FACES
) -> Optional[SurfaceDistances]:
    """Measure the distances between the surfaces of two masks (z, y, x).

    Args:
        spacing: mm (x, y, z).
        rule: which voxels are surface.

    Returns:
        The distances both ways (Heimann et al., IEEE Trans Med Imaging 2009;28:1251-1265,
        doi:10.1109/TMI.2009.2013851), or None if a mask has no surface: it is empty, or fills an array whose
        border is not outside.

    Raises:
        UsageError: the masks differ in shape or have no three axes.
    """
    surfaces = []
    for mask in checked_masks(a, b):
        box = bounding_box(mask)
        points = None if box is None else _surface_points(mask, box, spacing, rule)
        if points is None or not len(points):
            return None
        surfaces.append(points)
    first, second = surfaces
    return SurfaceDistances(cKDTree(second).query(first)[0], cKDTree(first).query(second)[0])


def assd_mm(a: np.ndarray, b: np.ndarray, spacing: Spacing) -> float:
    """Return the average symmetric surface distance in mm: the mean over the surface voxels of both masks of
    the distance to the other's surface (Heimann et al., IEEE Trans Med Imaging 2009;28:1251-1265).

    Args:
        spacing: mm (x, y, z).
    """
    found = surface_distances(a, b, spacing)
    return _without_surfaces(a, b) if found is None else found.mean


def hd95_mm(a: np.ndarray, b: np.ndarray, spacing: Spacing) -> float:
    """Return the robust Hausdorff distance in mm: the larger of the two directed 95th percentiles of surface
    distances.

    Args:
        spacing: mm (x, y, z).
    """
    found = surface_distances(a, b, spacing)
    return _without_surfaces(a, b) if found is None else found.percentile95


def surface_dice(a: np.ndarray, b: np.ndarray, spacing: Spacing, tolerance_mm: float) -> float:
    """Return the share of both surfaces' voxels that lie within a tolerance of the other surface, 0..1
    (Nikolov et al., J Med Internet Res 2021;23:e26151, with surface voxels in place of surface elements).

    Args:
        spacing: mm (x, y, z).
        tolerance_mm: mm.
    """
    found = surface_distances(a, b, spacing)
    if found is None:
        return 1.0 if _without_surfaces(a, b) == 0 else 0.0
    return found.share_within(tolerance_mm)


def normalised_surface_dice(a: np.ndarray, b: np.ndarray, spacing: Spacing, tolerance_mm: float) -> float:
    """Return the share of both surfaces' area that lies within a tolerance of the other surface, 0..1
    (Nikolov et al. 2018, arXiv:1809.04430; J Med Internet Res 2021;23:e26151), by MONAI.

    Surface elements lie between voxel centres and have the area that marching cubes give them, so that the
    result does not depend on how the surface runs through the voxels. Needs MONAI and PyTorch.

    Args:
        spacing: mm (x, y, z).
        tolerance_mm: mm.

    Raises:
        UsageError: the masks differ in shape or have no three axes.
    """
    from monai.metrics.surface_dice import compute_surface_dice
    from monai.utils.type_conversion import convert_to_tensor

    a, b = checked_masks(a, b)
    box = bounding_box(a | b)
    if box is None:
        return 1.0
    if not (a.any() and b.any()):
        return 0.0
    # MONAI has channels first, spacing in the order of the array, and names the class's own threshold.
    first, second = (convert_to_tensor(np.pad(mask[box], 1)[None, None]) for mask in (a, b))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # MONAI warns of an argument that it passes itself
        share = compute_surface_dice(
            first,
            second,
            class_thresholds=[tolerance_mm + TOLERANCE_ROUNDING_MM],
            include_background=True,
            spacing=[float(value) for value in spacing[::-1]],
            use_subvoxels=True,
        )
    return float(share[0, 0])


def _surface_points(mask: np.ndarray, box: Box, spacing: Spacing, rule: SurfaceRule) -> np.ndarray:
    """Places of the surface voxels, mm (n, 3), x first."""
    if rule.border_is_outside:
        surface = _surface(mask[box], rule, outside=True)
    else:  # neighbours beyond the box matter there
        z, y, x = (slice(max(0, part.start - 1), part.stop + 1) for part in box)
        box = (z, y, x)
        surface = _surface(mask[box], rule, outside=False)
    corner = [part.start for part in box]
    return (np.argwhere(surface) + corner)[:, ::-1] * np.asarray(spacing, dtype=float)


def _surface(mask: np.ndarray, rule: SurfaceRule, *, outside: bool) -> np.ndarray:
    if not rule.edges:
        return boundary_voxels(mask, border_is_outside=outside)
    structure = ndimage.generate_binary_structure(3, 2)
    return mask & ~ndimage.binary_erosion(mask, structure, border_value=int(not outside))


def _without_surfaces(a: np.ndarray, b: np.ndarray) -> float:
    return math.inf if a.any() or b.any() else 0.0
