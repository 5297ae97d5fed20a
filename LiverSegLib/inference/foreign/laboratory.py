"""How the laboratory's models see a scan: resampled as LiverSeg does it, with less detail where it gets
coarser, then scaled; beyond the image lies air.

Training prepares its images by the same functions (``training/data``).
"""

from typing import Callable, Optional, Sequence, Tuple

import numpy as np

from LiverSegLib.images.grid import Grid
from LiverSegLib.images.resample import AIR_HU
from LiverSegLib.inference.foreign.axis_map import AxisMap
from LiverSegLib.inference.foreign.image import Resampling
from LiverSegLib.inference.foreign.intensity import scale_for
from LiverSegLib.inference.resample import HU_LIMITS, NetworkRegion, resample_box
from LiverSegLib.models import Intensity

Check = Callable[[], None]


def laboratory_region(
    shape: Sequence[int], spacing: Sequence[float], wanted: Sequence[float]
) -> NetworkRegion:
    """The network's grid over a part of a scan.

    Args:
        shape: of the part (z, y, x).
        spacing: of its voxels in mm (z, y, x).
        wanted: of the network's.
    """
    z, y, x = (int(count) for count in shape)
    part = Grid((x, y, z), _reversed(spacing), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    return NetworkRegion.over(part, part.box, _reversed(wanted))


def laboratory_image(
    part: np.ndarray, region: NetworkRegion, intensity: Intensity, check: Check
) -> Tuple[np.ndarray, float]:
    """The network's image (z, y, x), float32, of a part of a scan, and the value of what lies beyond
    it."""
    image = resample_box(part, region, check, value_limits(intensity))
    beyond = outside_value(intensity, image)
    z, y, x = (slice(0, count) for count in image.shape)
    return scale_for(intensity, image, check).apply(image, (z, y, x)), beyond


def value_limits(intensity: Intensity) -> Optional[Tuple[float, float]]:
    """Where values are cut off before an image is resampled: HU as in any CT; None where the scheme takes
    values of any unit, as those of MR, which may be far larger."""
    return None if intensity.scheme in ("zscore", "none") else HU_LIMITS


def outside_value(intensity: Intensity, image: np.ndarray) -> float:
    """What the network is to see beyond an image (z, y, x) that is not scaled yet: the mean where intensities
    are relative to it, the lowest value where they stay as they are, else air."""
    if intensity.scheme == "zscore":
        return 0.0
    if intensity.scheme == "none":
        return float(image.min())
    air = np.full((1, 1, 1), AIR_HU, np.float32)
    one = slice(0, 1)
    return float(scale_for(intensity, air, _go_on).apply(air, (one, one, one))[0, 0, 0])


def way_back(region: NetworkRegion) -> Resampling:
    """From the network's grid to the scan's, linear."""
    maps = []
    for count, before, step in zip(region.scan.shape, region.shape, region.steps):
        positions = (np.arange(count) + 0.5) / step - 0.5
        maps.append(AxisMap(before, positions, 1))
    return Resampling(tuple(maps), None)


def _reversed(values: Sequence[float]) -> Tuple[float, float, float]:
    z, y, x = (float(value) for value in values)
    return x, y, z


def _go_on() -> None:
    """A single voxel is quick."""
