"""What registration sees of a scan: the liver on a coarse grid along the patient's axes, free of tumors."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ..images.grid import Grid, bounding_box, grow_box
from ..images.resample import axis_aligned
from ..labels import LIVER, TUMOUR

WORKING_MM = 3.0
"""Edge of the working voxels, mm: vessels that guide the deformation are thicker than that."""
AROUND_MM = 40.0
"""So much around the liver is kept, mm."""
RAMP_MM = 30.0
"""Outside the liver the picture falls evenly over this distance, mm: so far off the surface still pulls."""
RAMP_DEPTH = 2.0
DETAIL_SPREAD = 3.0
"""Inside, parenchyma is shown from minus to plus so many standard deviations of its attenuation."""
FLAT_SD = 1e-3


@dataclass(frozen=True)
class LiverView:
    """A liver as it is registered; arrays are (z, y, x) on ``grid``.

    Attributes:
        grid: isotropic, along the patient's axes, around the liver.
        liver: bool, liver with tumors.
        seen: bool, what the scan shows.
        picture: float32: inside the liver -1..1 by attenuation (0 in tumors), outside falling to -RAMP_DEPTH
            at RAMP_MM from it.
        centre: LPS mm (3,), the liver's.
        truncated: the liver reaches a border of the scan.
    """

    grid: Grid
    liver: np.ndarray
    seen: np.ndarray
    picture: np.ndarray
    centre: np.ndarray
    truncated: bool


def liver_view(image: sitk.Image, labels: sitk.Image, truncated: bool) -> LiverView:
    """Return what registration sees of a scan, which must show a liver.

    Args:
        image: CT in HU, or MR.
        labels: uint8 on the same grid.
        truncated: whether the liver is cut off.
    """
    whole = Grid.of(image).axis_aligned(WORKING_MM, most=512)
    is_liver = sitk.GetArrayViewFromImage(labels)
    source = Grid.of(labels)
    liver = (
        _fraction(source.image(((is_liver == LIVER) | (is_liver == TUMOUR)).astype(np.float32)), whole) >= 0.5
    )
    box = bounding_box(liver)
    assert box is not None
    margin = [AROUND_MM / step for step in whole.spacing[::-1]]
    box = grow_box(box, margin, whole.shape)
    seen = _fraction(source.image(np.ones(source.shape, np.float32)), whole)[box] > 0.99
    tumour = _fraction(source.image((is_liver == TUMOUR).astype(np.float32)), whole)[box] > 0.1
    values = sitk.GetArrayFromImage(axis_aligned(image, WORKING_MM))[box].astype(np.float32)
    liver, grid = liver[box], whole.crop(box)
    centre = grid.points(np.argwhere(liver).mean(axis=0)[None, ::-1])[0]
    return LiverView(grid, liver, seen, _picture(values, liver, tumour, grid), centre, truncated)


def _fraction(image: sitk.Image, grid: Grid) -> np.ndarray:
    """The image resampled linearly; 0 beyond it."""
    moved = sitk.Resample(
        image, grid.size, sitk.Transform(), sitk.sitkLinear, grid.origin, grid.spacing, grid.direction, 0.0
    )
    return sitk.GetArrayFromImage(moved)


def _picture(values: np.ndarray, liver: np.ndarray, tumour: np.ndarray, grid: Grid) -> np.ndarray:
    parenchyma = values[liver & ~tumour]
    middle, spread = 0.0, 0.0
    if len(parenchyma):
        middle = float(np.median(parenchyma))
        low, high = np.percentile(parenchyma, (16, 84))
        spread = float(high - low) / 2
    detail = (values - middle) / (DETAIL_SPREAD * spread) if spread > FLAT_SD else np.zeros_like(values)
    detail = np.where(tumour, 0.0, np.clip(detail, -1.0, 1.0))
    away = ndimage.distance_transform_edt(~liver, sampling=grid.spacing[::-1])
    ramp = -RAMP_DEPTH * np.minimum(away / RAMP_MM, 1.0)
    return np.where(liver, detail, ramp).astype(np.float32)
