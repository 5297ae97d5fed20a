"""One stage of a model of another program on one scan."""

from dataclasses import dataclass
from typing import Callable, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk

from LiverSegLib.errors import NotCTError
from LiverSegLib.images.grid import Box, Grid, bounding_box, grow_box
from LiverSegLib.inference.foreign.axis_map import CORNERS, AxisMap
from LiverSegLib.inference.foreign.geometry import Grids, grids_of
from LiverSegLib.inference.foreign.image import Resampling, resample_image
from LiverSegLib.inference.foreign.intensity import Scale, nonzero_mask, scale_for
from LiverSegLib.inference.foreign.labels import Decision, write_labels
from LiverSegLib.inference.foreign.laboratory import laboratory_image, laboratory_region, way_back
from LiverSegLib.inference.foreign.layout import Layout, network_spacing, nonzero_box
from LiverSegLib.inference.foreign.load import ForeignStage
from LiverSegLib.inference.foreign.plan import plan_tiles
from LiverSegLib.inference.foreign.predict import TileImage, blended_planes
from LiverSegLib.inference.foreign.previous import resample_labels, with_outside
from LiverSegLib.models import FirstResampling, Preparation, Stage
from LiverSegLib.models.rules import LABORATORY, MONAI, NNUNET
from LiverSegLib.sentences import Sentence

PLAIN = Scale(None, None, 0.0, 1.0)
"""HU as they are."""

Earlier = Tuple[np.ndarray, Tuple[int, ...]]
"""Labels (z, y, x) of an earlier stage, and the values that have a channel of the network's input."""


@dataclass(frozen=True)
class _View:
    """What a network's program takes for the scan, in the network's order (a, b, c).

    Attributes:
        hu: the voxels.
        spacing: mm.
        labels: written: the stage's labels.
        probability: written: 255 times theirs; or None.
        earlier: labels of an earlier stage; or None.
    """

    hu: np.ndarray
    spacing: Tuple[float, ...]
    labels: np.ndarray
    probability: Optional[np.ndarray]
    earlier: Optional[np.ndarray]


@dataclass(frozen=True)
class StageRun:
    """A stage, a scan, and what the user wants to hear or say meanwhile; see :func:`find.find_structures`."""

    network: ForeignStage
    pipeline: str
    image: sitk.Image
    tick: Callable[[float], None]
    check: Callable[[], None]
    mirror: bool
    organs: Optional[np.ndarray]

    @property
    def _stage(self) -> Stage:
        return self.network.stage

    @property
    def _preparation(self) -> Preparation:
        return self.network.preparation

    @property
    def _decision(self) -> Decision:
        output = self._stage.output
        return Decision(output.activation, output.own_values, self.pipeline != NNUNET)

    def labels(
        self, earlier: Optional[Earlier], *, with_probability: bool
    ) -> Tuple[np.ndarray, Optional[np.ndarray]]:
        """Labels and, if wanted, 255 times their probability (uint8), both (z, y, x) of the scan.

        Raises:
            NotCTError: voxels have no finite value.
        """
        self.tick(0.0)
        array = sitk.GetArrayViewFromImage(self.image)
        labels = np.zeros(array.shape, self._decision.dtype)
        probability = np.full(array.shape, 255, np.uint8) if with_probability else None
        box = self._region()
        if box is None:
            return labels, probability
        layout = Layout.of(self.image, self._stage)
        parts = (array, labels, probability, None if earlier is None else earlier[0])
        hu, found, sure, before = (None if one is None else layout.apply(one[box]) for one in parts)
        assert hu is not None and found is not None
        view, values = _View(hu, layout.spacing, found, sure, before), () if earlier is None else earlier[1]
        first = self._preparation.first
        if first is None:
            self._predict(view, values)
        else:
            self._predict_resampled(view, values, first)
        return labels, probability

    def _region(self) -> Optional[Box]:
        """The part (z, y, x) of the scan that the model sees; None if the organ that it looks at is not
        there."""
        grid, region = Grid.of(self.image), self._preparation.region
        if region is None or self.organs is None:
            return grid.box
        box = bounding_box(self.organs == region.label)
        if box is None:
            return None
        margins = [int(region.margin_mm / spacing) for spacing in grid.spacing[::-1]]
        return grow_box(box, margins, grid.shape)

    def _predict_resampled(self, view: _View, values: Tuple[int, ...], first: FirstResampling) -> None:
        """Resample the scan as TotalSegmentator does before nnU-Net has it, and the labels back."""
        wanted = [first.spacing["xyz".index(axis)] for axis in self._stage.axes]
        after = [
            max(1, round(count * have / want))
            for count, have, want in zip(view.hu.shape, view.spacing, wanted)
        ]
        there = Resampling(_between(view.hu.shape, after, first.order), None)
        hu = resample_image(view.hu, there, PLAIN.apply, 1, self.check)  # the spline's overshoot stays
        if first.whole_numbers:
            np.trunc(hu, out=hu)
        labels = np.zeros(after, view.labels.dtype)
        sure = None if view.probability is None else np.full(after, 255, np.uint8)
        before = None if view.earlier is None else _nearest(view.earlier, _between(view.hu.shape, after, 0))
        self._predict(_View(hu, tuple(wanted), labels, sure, before), values)
        back = _between(after, view.hu.shape, 0)
        view.labels[...] = _nearest(labels, back)
        if view.probability is not None and sure is not None:
            view.probability[...] = _nearest(sure, back)

    def _predict(self, view: _View, values: Tuple[int, ...]) -> None:
        """Crop, scale, resample, run the tiles, classify."""
        stage, preparation = self._stage, self._preparation
        a, b, c = (slice(0, count) for count in view.hu.shape)
        box = nonzero_box(view.hu) if preparation.crop == "nonzero" else (a, b, c)
        part = view.hu[box]
        if self.pipeline == LABORATORY:
            region = laboratory_region(part.shape, view.spacing, network_spacing(stage, view.spacing))
            image, outside = laboratory_image(part, region, stage.intensity, self.check)
            seen, back = TileImage(image, outside=outside), way_back(region)
        else:
            grids = grids_of(stage, self.pipeline, part.shape, view.spacing)
            image, back = self._image(part, grids), grids.back
            seen = TileImage(image)
            if view.earlier is not None:
                mask = nonzero_mask(part) if preparation.crop == "nonzero" else None
                marked = with_outside(view.earlier[box], mask)
                seen = TileImage(image, resample_labels(marked, grids.labels, self.check), values)
        if not np.isfinite(image.sum(dtype=np.float64)):
            raise NotCTError(Sentence("mask.not-finite"))
        spread = self.pipeline == NNUNET
        plan = plan_tiles(image.shape, stage.patch, preparation.tile_step, preparation.blend, spread=spread)
        planes = blended_planes(
            self.network.folds,
            seen,
            plan,
            mirror_axes=stage.mirror_axes if self.mirror else (),
            done=lambda count: self.tick(count / plan.count),
            poll=self.check,
        )
        sure = None if view.probability is None else view.probability[box]
        write_labels(planes, back, self._decision, view.labels[box], sure, self.check)

    def _image(self, part: np.ndarray, grids: Grids) -> np.ndarray:
        """The network's image (a, b, c): nnU-Net scales before it resamples, MONAI after."""
        order, intensity = self._preparation.image_order, self._stage.intensity
        if self.pipeline != MONAI:
            scale = scale_for(intensity, part, self.check)
            return resample_image(part, grids.way, scale.apply, order, self.check)
        image = resample_image(part, grids.way, PLAIN.apply, order, self.check)
        scale = scale_for(intensity, image, self.check)
        return resample_image(image, grids.unchanged, scale.apply, 1, self.check)


def _between(before: Sequence[int], after: Sequence[int], order: int) -> Tuple[AxisMap, ...]:
    """Maps between two grids that share their corner voxels."""
    return tuple(AxisMap.between(old, new, order, CORNERS) for old, new in zip(before, after))


def _nearest(array: np.ndarray, maps: Tuple[AxisMap, ...]) -> np.ndarray:
    """An array (a, b, c) at the nearest voxels."""
    return array[np.ix_(*(axis.neighbours[0] for axis in maps))]
