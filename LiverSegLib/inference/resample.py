"""A region of a scan on the network's grid, in the network's gray values."""

from dataclasses import dataclass
from typing import Callable, Optional, Sequence, Tuple

import numpy as np

from LiverSegLib.images.grid import Box, Grid
from LiverSegLib.images.patient_order import PatientScan
from LiverSegLib.images.resample import axis_weights
from LiverSegLib.inference.interpolation import AxisWeights
from LiverSegLib.models import Intensity

SLAB_VOXELS = 2_000_000
"""Scan voxels converted at a time; bounds the memory."""
HU_LIMITS = (-1024.0, 3071.0)
"""Padding and metal beyond the 12-bit CT range must not leak into their neighbours when averaged."""

Check = Callable[[], None]
"""Called often, between the layers of a network too; raises to cancel."""


@dataclass(frozen=True)
class NetworkRegion:
    """A region of a scan as the network sees it.

    Network voxel j lies at scan voxel ``box.start + (j + 0.5) * step - 0.5``.

    Attributes:
        box: in the scan's voxels (z, y, x), in patient order.
        scan: the grid of the scan's voxels in the box.
        grid: the network's: the box at the network's spacing.
    """

    box: Box
    scan: Grid
    grid: Grid

    @classmethod
    def over(cls, scan: Grid, box: Box, spacing: Sequence[float]) -> "NetworkRegion":
        """Lay a grid of ``spacing`` mm (x, y, z) over a box (z, y, x) of a scan."""
        part = scan.crop(box)
        return cls(box, part, part.resampled(spacing))

    @property
    def shape(self) -> Tuple[int, int, int]:
        """Network voxels (z, y, x)."""
        return self.grid.shape

    @property
    def steps(self) -> Tuple[float, float, float]:
        """Scan voxels per network voxel (z, y, x)."""
        x, y, z = (want / have for want, have in zip(self.grid.spacing, self.scan.spacing))
        return z, y, x


def to_network(volume: PatientScan, region: NetworkRegion, check: Optional[Check] = None) -> np.ndarray:
    """Resample the box to the network's grid: float32 HU (z, y, x), anti-aliased where it gets coarser.

    Slices are thinned first where they lie more than twice as close as needed, to spare time on long scans.
    """
    return resample_box(volume.array[region.box], region, check)


def resample_box(
    part: np.ndarray,
    region: NetworkRegion,
    check: Optional[Check] = None,
    limits: Optional[Tuple[float, float]] = HU_LIMITS,
) -> np.ndarray:
    """The same of the voxels (z, y, x) in the region's box alone, their values cut off at limits; None for
    values that are no HU."""
    stride = max(1, int(region.steps[0] // 2)) if region.steps[0] >= 4 else 1
    first_line = min((stride - 1) // 2, len(part) - 1)
    scan = part[first_line::stride]
    # Kept slice i is the box's slice first_line + i * stride.
    shift = 0.5 - (0.5 + first_line) / stride
    along_z = axis_weights(len(scan), region.steps[0] / stride, region.shape[0], shift)
    along_y, along_x = (
        AxisWeights(axis_weights(before, step, count))
        for before, step, count in zip(part.shape[1:], region.steps[1:], region.shape[1:])
    )
    found = np.zeros(region.shape, np.float32)
    per_slab = max(1, SLAB_VOXELS // max(1, scan[0].size))
    for first in range(0, len(scan), per_slab):
        if check:
            check()
        slab = scan[first : first + per_slab].astype(np.float32, order="C")
        if limits is not None:
            np.clip(slab, *limits, out=slab)
        planes = along_x.along_x(along_y.along_y(slab))
        weights = along_z[:, first : first + per_slab]
        used = np.flatnonzero(weights.any(1))  # the network's slices in which these have a part
        if used.size:
            rows = slice(int(used[0]), int(used[-1]) + 1)
            found[rows] += AxisWeights(weights[rows]).along_z(planes)
    return found


def normalise(hu: np.ndarray, intensity: Intensity) -> np.ndarray:
    """HU -> what the network sees, in place (see ``models.Intensity``)."""
    if intensity.scheme == "window" and intensity.window and intensity.scale:
        (low, high), (bottom, top) = intensity.window, intensity.scale
        np.clip(hu, low, high, out=hu)
        hu -= low
        hu *= (top - bottom) / (high - low)
        hu += bottom
        return hu
    if intensity.clip is not None:
        np.clip(hu, *intensity.clip, out=hu)
    mean = float(hu.mean(dtype=np.float64)) if intensity.mean is None else intensity.mean
    deviation = float(hu.std(ddof=1, dtype=np.float64)) if intensity.std is None else intensity.std
    hu -= mean
    hu /= max(deviation, 1e-6)
    return hu
