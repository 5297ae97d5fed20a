"""The key slice of an explanation as a picture: both maps over the scan, the target outlined."""

from typing import List, Tuple

import numpy as np
import SimpleITK as sitk
from PIL import Image, ImageDraw

from LiverSegLib.explain.explanation import Explanation
from LiverSegLib.images.grid import Grid
from LiverSegLib.images.modality import CT
from LiverSegLib.images.signal import like_hu
from LiverSegLib.report.planes import PatientView

HEIGHT = 480
"""Pixels of a panel."""
WINDOW_HU = (-110.0, 190.0)
OPACITY = 0.6
"""Of the map where it is 1; it fades with its value, so that the scan stays to be seen."""
GAP, TITLE = 8, 24
OUTLINE = (90, 220, 255)
HEAT = ((0.0, (0, 0, 0)), (0.35, (150, 0, 90)), (0.7, (240, 90, 20)), (1.0, (255, 240, 120)))
"""Value -> color of the map; between them it is mixed."""


def picture(explanation: Explanation, image: sitk.Image) -> Image.Image:
    """The axial slice through the target, Grad-CAM at left and guided backpropagation at right.

    Args:
        explanation: of the scan.
        image: the scan, CT in HU.
    """
    if explanation.modality != CT:
        image = Grid.of(image).image(like_hu(sitk.GetArrayViewFromImage(image)))
    maps = [map_ for map_ in (explanation.grad_cam, explanation.guided) if map_ is not None]
    panels = [_panel(map_, explanation, image) for map_ in maps]
    width = sum(panel.width for panel in panels) + GAP * (len(panels) - 1)
    whole = Image.new("RGB", (width, HEIGHT + TITLE))
    left = 0
    for panel, title in zip(panels, ("Grad-CAM", "Guided backpropagation")):
        whole.paste(panel, (left, TITLE))
        ImageDraw.Draw(whole).text((left + 4, 6), title, (240, 240, 240))
        left += panel.width + GAP
    return whole


def heat_colors(values: np.ndarray) -> np.ndarray:
    """Colors (..., 3), 0 to 255, of values from 0 to 1."""
    stops = [value for value, _ in HEAT]
    channels = [np.interp(values, stops, [color[channel] for _, color in HEAT]) for channel in range(3)]
    return np.stack(channels, -1)


def _panel(map_: sitk.Image, explanation: Explanation, image: sitk.Image) -> Image.Image:
    part = Grid.of(map_)
    start = np.rint(Grid.of(image).indices([part.origin])[0]).astype(int).tolist()
    scan = sitk.RegionOfInterest(image, part.size, start)
    mask = part.image(explanation.target.voxels_of(part).astype(np.uint8))
    view, heat = PatientView.of(scan, mask), PatientView.of(map_, mask)
    index = view.nearest_slice("axial", explanation.target.point)
    hu, target, spacing = view.cut("axial", index)
    shown = heat.cut("axial", index)[0]
    size = (max(1, round(HEIGHT * hu.shape[1] * spacing[1] / (hu.shape[0] * spacing[0]))), HEIGHT)
    low, high = WINDOW_HU
    gray = _resized(np.clip((hu.astype(np.float32) - low) / (high - low), 0, 1), size)
    hot = _resized(shown.astype(np.float32), size)
    share = (OPACITY * np.sqrt(np.clip(hot, 0, 1)))[..., None]
    mixed = (1 - share) * 255 * gray[..., None] + share * heat_colors(hot)
    drawn = Image.fromarray(np.clip(mixed, 0, 255).astype(np.uint8))
    for pixel in _outline(target > 0, size):
        drawn.putpixel(pixel, OUTLINE)
    return drawn


def _resized(values: np.ndarray, size: Tuple[int, int]) -> np.ndarray:
    scaled = Image.fromarray(np.ascontiguousarray(values, np.float32)).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(scaled, np.float32)


def _outline(mask: np.ndarray, size: Tuple[int, int]) -> List[Tuple[int, int]]:
    """Pixels (x, y) of a picture of a size on the border of a mask (y, x)."""
    large = np.asarray(Image.fromarray(mask.astype(np.uint8)).resize(size, Image.Resampling.NEAREST)) > 0
    padded = np.pad(large, 1)
    inside = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    rows, columns = np.nonzero(large & ~inside)
    return [(int(x), int(y)) for x, y in zip(columns, rows)]
