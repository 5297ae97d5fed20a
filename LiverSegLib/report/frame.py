"""The part of a slice that a picture shows, and its scale."""

from typing import NamedTuple, Optional, Sequence, Tuple

import numpy as np
from scipy import ndimage

BODY_HU = -350.0
"""Above this is body; the picture is cut to it."""

CLIPPED_AIR_HU = 20.0
"""In scans whose air was clipped, e.g. to -160 HU, body is what is brighter than that by this much."""

BODY_MARGIN_MM = 8.0
"""Room around the body in a picture."""

BODY_STEP_MM = 2.0
"""The body is looked for at this resolution, at which an opening removes the thin table."""

Box = Tuple[float, float, float, float]
"""Part of a plane in mm: top, left, bottom, right, from the centre of the first pixel."""


class Frame(NamedTuple):
    """The part of a plane that a picture shows.

    Attributes:
        box: mm.
        scale: picture pixels per mm.
        size: width and height of the picture in pixels.
    """

    box: Box
    scale: float
    size: Tuple[int, int]

    @classmethod
    def of(cls, box: Box, width: int) -> "Frame":
        """The frame of a picture ``width`` pixels wide."""
        top, left, bottom, right = box
        scale = width / (right - left)
        return cls(box, scale, (width, max(1, int(round((bottom - top) * scale)))))

    def to_pixels(self, points: np.ndarray) -> np.ndarray:
        """Picture coordinates (x, y), (n, 2), of plane positions in mm (row, column), (n, 2)."""
        return (np.asarray(points, dtype=float)[:, ::-1] - (self.box[1], self.box[0])) * self.scale


def box_around(place: Tuple[float, float], height: float, width: float) -> Box:
    """A box of the given size (mm) around a place (row, column) in a plane."""
    return place[0] - height / 2, place[1] - width / 2, place[0] + height / 2, place[1] + width / 2


def body_box(voxels: np.ndarray, spacing: Sequence[float]) -> Box:
    """The part of a slice (rows, columns; HU) that the body takes up, in mm; the whole slice if there is no
    body."""
    steps = [max(1, int(BODY_STEP_MM / step)) for step in spacing]
    coarse = voxels[:: steps[0], :: steps[1]]
    body = ndimage.binary_opening(coarse > max(BODY_HU, float(coarse.min()) + CLIPPED_AIR_HU))
    parts, count = ndimage.label(body)
    largest: Optional[Tuple[slice, ...]] = None
    if count:
        largest = ndimage.find_objects(parts)[int(np.argmax(np.bincount(parts.ravel())[1:]))]
    ends = []
    for axis, (size, step) in enumerate(zip(voxels.shape, spacing)):
        low, high = -0.5 * step, (size - 0.5) * step
        if largest is not None:
            side = largest[axis]
            low = max(side.start * steps[axis] * step - BODY_MARGIN_MM, low)
            high = min((side.stop * steps[axis] - 1) * step + BODY_MARGIN_MM, high)
        ends.append((low, high))
    (top, bottom), (left, right) = ends
    return top, left, bottom, right
