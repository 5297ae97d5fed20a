"""The grids that a stage works on, and the ways between them."""

from dataclasses import dataclass
from typing import Sequence, Tuple

import numpy as np

from LiverSegLib.inference.foreign.axis_map import AxisMap
from LiverSegLib.inference.foreign.image import Resampling, new_shape, resampling, separate_axis
from LiverSegLib.inference.foreign.layout import network_spacing
from LiverSegLib.models import Stage
from LiverSegLib.models.rules import MONAI
from LiverSegLib.models.stage import Preparation


@dataclass(frozen=True)
class Grids:
    """Ways between the grid (a, b, c) of a scan's part and the network's.

    Attributes:
        way: of the image to the network's grid.
        labels: of an earlier stage's labels to it.
        back: of class scores to the scan's grid.
    """

    way: Resampling
    labels: Resampling
    back: Resampling

    @property
    def unchanged(self) -> Resampling:
        """From the network's grid to itself."""
        return resampling(self.way.after, self.way.after, 1, None, 1)


def grids_of(stage: Stage, pipeline: str, shape: Sequence[int], spacing: Sequence[float]) -> Grids:
    """The grids of a part of a scan with a shape and a spacing (mm), both (a, b, c)."""
    preparation = stage.preparation or Preparation()
    wanted = network_spacing(stage, spacing)
    if pipeline == MONAI:
        return _monai_grids(preparation, shape, spacing, wanted)
    after = new_shape(shape, spacing, wanted)
    there = separate_axis(preparation, spacing, wanted)
    back = separate_axis(preparation, wanted, spacing)
    return Grids(
        resampling(shape, after, preparation.image_order, there, preparation.image_order_z),
        resampling(shape, after, 1, there, 0),
        resampling(after, shape, preparation.scores_order, back, preparation.scores_order_z),
    )


def _monai_grids(
    preparation: Preparation, shape: Sequence[int], spacing: Sequence[float], wanted: Sequence[float]
) -> Grids:
    """Grids that share the centre of their first voxel; the last one lies nearest the old's."""
    steps = [want / have for have, want in zip(spacing, wanted)]
    after = [int(np.round((count - 1) / step + 1)) for count, step in zip(shape, steps)]

    def maps(old: Sequence[int], new: Sequence[int], ratios: Sequence[float], order: int) -> Resampling:
        each = zip(old, new, ratios)
        return Resampling(tuple(AxisMap.stepped(n, m, ratio, order) for n, m, ratio in each), None)

    way: Tuple[Resampling, ...] = tuple(
        maps(shape, after, steps, order) for order in (preparation.image_order, 1)
    )
    back = maps(after, shape, [1 / step for step in steps], preparation.scores_order)
    return Grids(way[0], way[1], back)
