"""How a scan lies before a network: turned to the model's orientation, its axes reordered, cut to a box.

Nothing is copied or resampled here. Network axes are called a, b, c, the first being the one of thick slices
where a model has them; ``Stage.axes`` says which of z, y, x they are.
"""

from dataclasses import dataclass
from typing import Sequence, Tuple

import numpy as np
import SimpleITK as sitk

from LiverSegLib.images.grid import Box, Grid
from LiverSegLib.models import Stage

Numbers = Tuple[float, ...]


@dataclass(frozen=True)
class Layout:
    """Leads from a scan's own array (z, y, x) to a network's order (a, b, c) and back.

    Attributes:
        order: for each network axis the axis of the scan's array.
        flips: for each network axis whether it runs against the scan's.
        spacing: mm of the scan's voxels (a, b, c).
    """

    order: Tuple[int, ...]
    flips: Tuple[bool, ...]
    spacing: Numbers

    @classmethod
    def of(cls, image: sitk.Image, stage: Stage) -> "Layout":
        """The layout of a 3-D image for a stage of a model.

        Raises:
            ImageGeometryError: the image is not 3-D or its axes do not span space.
        """
        grid = Grid.of(image)
        order, flips = [0, 1, 2], [False, False, False]
        if stage.orientation != "stored":
            patient = grid.patient_order
            order = [2 - axis for axis in patient.axes[::-1]]
            flips = list(patient.flips[::-1])
            if stage.orientation == "RAS":  # x to the right and y to the front
                flips = [flips[0], not flips[1], not flips[2]]
        axes = ["zyx".index(axis) for axis in stage.axes]
        spacing = grid.spacing[::-1]
        chosen = tuple(order[axis] for axis in axes)
        return cls(chosen, tuple(flips[axis] for axis in axes), tuple(spacing[axis] for axis in chosen))

    def apply(self, array: np.ndarray) -> np.ndarray:
        """A view (a, b, c) of an array (z, y, x)."""
        return array.transpose(self.order)[self._mirrored]

    def restore(self, array: np.ndarray) -> np.ndarray:
        """A view (z, y, x) in the scan's own order of an array (a, b, c)."""
        return array[self._mirrored].transpose(np.argsort(self.order))

    @property
    def _mirrored(self) -> Tuple[slice, ...]:
        return tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)


def network_spacing(stage: Stage, scan: Sequence[float]) -> Numbers:
    """Spacing (mm; a, b, c) of the network's image of a scan with spacing ``scan`` (a, b, c)."""
    wanted = tuple(stage.spacing["xyz".index(axis)] for axis in stage.axes)
    keep = "no" if stage.preparation is None else stage.preparation.keep_spacing
    if keep == "all":
        return tuple(scan)
    return (scan[0], *wanted[1:]) if keep == "z" else wanted


def nonzero_box(array: np.ndarray) -> Box:
    """The box of all voxels of an array (a, b, c) that are not 0; the whole array where all are."""
    if not array.any():
        a, b, c = (slice(0, count) for count in array.shape)
        return a, b, c
    part, box = array, []
    for axis in range(3):
        planes = np.moveaxis(part, axis, 0)
        first = next(index for index in range(len(planes)) if planes[index].any())
        last = next(index for index in range(len(planes) - 1, -1, -1) if planes[index].any())
        box.append(slice(first, last + 1))
        part = np.moveaxis(planes[first : last + 1], 0, axis)
    a, b, c = box
    return a, b, c
