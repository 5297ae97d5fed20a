"""Find structures: a scan through all stages of a model of another program."""

from dataclasses import dataclass
from typing import Callable, Dict, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk

from LiverSegLib.images.grid import Box
from LiverSegLib.inference.foreign.geometry import Grids, grids_of
from LiverSegLib.inference.foreign.image import resample_image
from LiverSegLib.inference.foreign.intensity import Scale, nonzero_mask, scale_for
from LiverSegLib.inference.foreign.labels import Decision, write_labels
from LiverSegLib.inference.foreign.layout import Layout, nonzero_box
from LiverSegLib.inference.foreign.load import ForeignNetworks, ForeignStage
from LiverSegLib.inference.foreign.plan import plan_tiles
from LiverSegLib.inference.foreign.predict import TileImage, blended_planes
from LiverSegLib.inference.foreign.previous import resample_labels, with_outside
from LiverSegLib.inference.foreign.table import structure_table
from LiverSegLib.models.rules import MONAI
from LiverSegLib.structures import Structures

Tick = Callable[[float], None]
Check = Callable[[], None]


@dataclass(frozen=True)
class Found:
    """What a model of another program finds in a scan.

    Attributes:
        structures: labels (z, y, x) in the image's own order, and what they mean.
        probability: (z, y, x) uint8, 255 times that of each voxel's label; 255 where the model never looks.
        notes: sentences for the provenance.
    """

    structures: Structures
    probability: np.ndarray
    notes: Tuple[str, ...] = ()


def find_structures(
    networks: ForeignNetworks,
    image: sitk.Image,
    tick: Tick,
    check: Optional[Check] = None,
    *,
    mirror: bool = False,
) -> Found:
    """Run every stage of a model over a scan.

    Args:
        networks: from :func:`~LiverSegLib.inference.foreign.load.load_foreign`.
        image: 3-D, in HU.
        tick: called with the share that is done, before each tile; raises to cancel.
        check: called at least twice a second while a network runs; raises to cancel.
        mirror: average over the mirrored tiles that the model allows.

    Raises:
        ImageGeometryError: the image is not 3-D or its axes do not span space.
        LiverSegError: ``tick`` or ``check`` cancelled.
        Exception: what an engine raises when memory runs out.
    """
    array = sitk.GetArrayViewFromImage(image)
    found: Dict[str, Tuple[np.ndarray, Optional[np.ndarray]]] = {}
    last = len(networks.stages) - 1
    for index, network in enumerate(networks.stages):

        def share(part: float, index: int = index) -> None:
            tick((index + part) / (last + 1))

        previous = network.stage.previous
        run = _Run(network, networks.pipeline, Layout.of(image, network.stage), share, check or _go_on)
        earlier = None if previous is None else found[previous][0]
        found[network.stage.name] = run.labels(
            array, earlier, networks.previous_values(network), mirror, index == last
        )
    labels, probability = found[networks.stages[last].stage.name]
    assert probability is not None
    table = structure_table(networks.stages[last].stage.output)
    return Found(Structures(labels, table), probability)


@dataclass(frozen=True)
class _Run:
    """One stage on one scan."""

    network: ForeignStage
    pipeline: str
    layout: Layout
    tick: Tick
    check: Check

    def labels(
        self,
        array: np.ndarray,
        earlier: Optional[np.ndarray],
        values: Sequence[int],
        mirror: bool,
        with_probability: bool,
    ) -> Tuple[np.ndarray, Optional[np.ndarray]]:
        """Labels and, if wanted, their probability, both (z, y, x) of the scan.

        Args:
            array: the scan.
            earlier: labels (z, y, x) of the stage before, for a cascade.
            values: those that have a channel of the network's input.
            mirror: average over mirrored tiles.
            with_probability: return it, too.
        """
        stage = self.network.stage
        decision = Decision(stage.output.activation, stage.output.own_values, self.pipeline == MONAI)
        labels = np.zeros(array.shape, decision.dtype)
        probability = np.full(array.shape, 255, np.uint8) if with_probability else None
        self.tick(0.0)
        view = self.layout.apply(array)
        box = self._box(view)
        part = view[box]
        grids = grids_of(stage, self.pipeline, part.shape, self.layout.spacing)
        seen = TileImage(self._image(part, grids))
        if earlier is not None:
            seen = TileImage(seen.image, self._earlier(earlier, part, box, grids), tuple(values))
        preparation = self.network.preparation
        spread = self.pipeline != MONAI
        plan = plan_tiles(
            seen.image.shape, stage.patch, preparation.tile_step, preparation.blend, spread=spread
        )
        planes = blended_planes(
            self.network.folds,
            seen,
            plan,
            mirror_axes=stage.mirror_axes if mirror else (),
            done=lambda count: self.tick(count / plan.count),
            poll=self.check,
        )
        target = self.layout.apply(labels)[box]
        sure = None if probability is None else self.layout.apply(probability)[box]
        write_labels(planes, grids.back, decision, target, sure, self.check)
        return labels, probability

    def _box(self, view: np.ndarray) -> Box:
        if self.network.preparation.crop == "nonzero":
            return nonzero_box(view)
        a, b, c = (slice(0, count) for count in view.shape)
        return a, b, c

    def _image(self, part: np.ndarray, grids: Grids) -> np.ndarray:
        """The network's image (a, b, c): nnU-Net scales before it resamples, MONAI after."""
        order, intensity = self.network.preparation.image_order, self.network.stage.intensity
        if self.pipeline != MONAI:
            scale = scale_for(intensity, part, self.check)
            return resample_image(part, grids.way, scale.apply, order, self.check)
        plain = Scale(None, None, 0.0, 1.0)
        image = resample_image(part, grids.way, plain.apply, order, self.check)
        scale = scale_for(intensity, image, self.check)
        return resample_image(image, grids.unchanged, scale.apply, 1, self.check)

    def _earlier(self, earlier: np.ndarray, part: np.ndarray, box: Box, grids: Grids) -> np.ndarray:
        """Labels of the stage before on the network's grid."""
        mask = nonzero_mask(part) if self.network.preparation.crop == "nonzero" else None
        labels = with_outside(self.layout.apply(earlier)[box], mask)
        return resample_labels(labels, grids.labels, self.check)


def _go_on() -> None:
    """Nobody cancels."""
