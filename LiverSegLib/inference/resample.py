"""A region of a scan on the network's grid, in the network's gray values."""

from dataclasses import dataclass
from typing import Callable, Optional, Sequence, Tuple

import numpy as np
import torch

from LiverSegLib.images.grid import Box, Grid
from LiverSegLib.images.patient_order import PatientScan
from LiverSegLib.images.resample import axis_weights
from LiverSegLib.models import Intensity

SLAB_VOXELS = 6_000_000
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


def to_network(volume: PatientScan, region: NetworkRegion, check: Optional[Check] = None) -> torch.Tensor:
    """Resample the box to the network's grid: float32 HU (z, y, x), anti-aliased where it gets coarser.

    Slices are thinned first where they lie more than twice as close as needed, to spare time on long scans.
    """
    z, y, x = region.box
    stride = max(1, int(region.steps[0] // 2)) if region.steps[0] >= 4 else 1
    first_line = min((stride - 1) // 2, z.stop - z.start - 1)
    lines = np.arange(z.start + first_line, z.stop, stride)
    weights = [
        torch.from_numpy(axis_weights(part.stop - part.start, step, count))
        for part, step, count in zip(region.box[1:], region.steps[1:], region.shape[1:])
    ]
    planes = torch.empty((len(lines), *region.shape[1:]))
    per_slab = max(1, SLAB_VOXELS // ((y.stop - y.start) * (x.stop - x.start)))
    for first in range(0, len(lines), per_slab):
        if check:
            check()
        chosen = lines[first : first + per_slab]
        slab = torch.from_numpy(np.ascontiguousarray(volume.array[chosen][:, y, x], dtype=np.float32))
        slab.clamp_(*HU_LIMITS)
        planes[first : first + per_slab] = weights[0] @ (slab @ weights[1].T)
    # Kept slice i is the box's slice first_line + i * stride.
    shift = 0.5 - (0.5 + first_line) / stride
    along = axis_weights(len(lines), region.steps[0] / stride, region.shape[0], shift)
    return (torch.from_numpy(along) @ planes.flatten(1)).reshape(region.shape)


def normalise(hu: torch.Tensor, intensity: Intensity) -> torch.Tensor:
    """HU -> what the network sees, in place (see ``models.Intensity``)."""
    if intensity.scheme == "window" and intensity.window and intensity.scale:
        (low, high), (bottom, top) = intensity.window, intensity.scale
        return hu.clamp_(low, high).sub_(low).mul_((top - bottom) / (high - low)).add_(bottom)
    if intensity.clip is not None:
        hu.clamp_(*intensity.clip)
    mean = hu.mean() if intensity.mean is None else intensity.mean
    deviation = hu.std() if intensity.std is None else intensity.std
    return hu.sub_(mean).div_(max(float(deviation), 1e-6))
